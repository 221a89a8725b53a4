"""A trained model as a value."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from tiny_runs import assert_same_weights, differ, weights_of

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.models.trained import TrainedModel


@pytest.fixture
def model(language_model):
    return language_model.model_


def test_the_fitted_attributes_are_those_of_the_model(language_model, model):
    assert language_model.network_ is model.network
    assert language_model.config_ is model.config
    assert language_model.vocabulary_ is model.vocabulary
    assert language_model.history_ == list(model.history)
    for name in ("n_epochs", "n_tokens", "unknown_share", "truncation"):
        assert getattr(language_model, f"{name}_") == getattr(model, name)


@pytest.mark.parametrize("name", ["network_", "vocabulary_", "history_", "n_tokens_"])
def test_there_are_none_before_fit_and_none_can_be_set(language_model, name):
    unfitted = ElmoLanguageModel()
    assert not hasattr(unfitted, name)
    with pytest.raises(AttributeError, match="^property '.*' of .* has no setter$"):
        setattr(unfitted, name, None)
    with pytest.raises(FrozenInstanceError, match="^cannot assign to field 'network'$"):
        language_model.model_.network = None


def test_whatever_trains_on_leaves_the_value_alone(tiny, texts, model):
    before = weights_of(model.network)
    first = ElmoLanguageModel(**tiny)
    first.model_ = model
    first.partial_fit(texts)
    second = ElmoLanguageModel(**tiny, warm_start=True)
    second.model_ = model
    second.fit(texts)
    for other in (first, second):
        assert differ(other.network_, model.network)
    for name, array in weights_of(model.network).items():
        np.testing.assert_array_equal(array, before[name])


def test_a_fitted_vectorizer_keeps_the_model_it_was_fitted_with(tiny, texts):
    language_model = ElmoLanguageModel(**tiny).fit(texts)
    vectorizer = ElmoVectorizer(language_model=FrozenEstimator(language_model))
    expected = vectorizer.fit_transform(texts)
    network = language_model.network_
    language_model.partial_fit(texts[::-1])
    np.testing.assert_array_equal(vectorizer.transform(texts), expected)
    assert vectorizer.language_model_.network_ is network
    # The next fit takes the model as it is then, and no cache serves the old one.
    again = vectorizer.fit_transform(texts)
    assert np.abs(again - expected).max() > 1e-4
    alone = ElmoVectorizer(language_model=FrozenEstimator(language_model), cache=None)
    np.testing.assert_allclose(again, alone.fit_transform(texts), rtol=0, atol=1e-6)


def test_the_digest_is_of_what_features_depend_on(tiny, texts, model):
    same = TrainedModel(copy.deepcopy(model.network), list(model.vocabulary))
    assert same.digest == model.digest
    assert replace(model, n_tokens=7, optimizer=None).digest == model.digest
    changed = copy.deepcopy(model.network)
    with torch.no_grad():
        changed.bilm.forward_lstm.bias_l0[0] += 1e-3
    assert TrainedModel(changed, model.vocabulary).digest != model.digest
    # Words count where they are embedded, and only there.
    words = model.vocabulary[::-1]
    assert replace(model, vocabulary=words).digest == model.digest
    embedded = ElmoLanguageModel(**tiny, word_embedding_dim=3).fit(texts).model_
    other = replace(embedded, vocabulary=embedded.vocabulary[::-1])
    assert other.digest != embedded.digest


def test_copies_share_it_and_pickles_hold_it_without_the_optimizer(model):
    assert copy.copy(model) is copy.deepcopy(model) is model
    again = pickle.loads(pickle.dumps(model))
    assert_same_weights(again.network, model.network)
    assert again.digest == model.digest
    assert again.history == model.history
    assert model.optimizer
    assert again.optimizer is None
    assert again.n_bytes < model.n_bytes


def test_its_bytes_are_those_of_weights_and_optimizer(model):
    n_weights = sum(array.size for array in weights_of(model.network).values())
    bare = replace(model, optimizer=None)
    assert bare.n_bytes == 4 * n_weights
    kept = {"a": np.zeros(10, np.float32), "b": np.zeros((2, 3), np.float32)}
    assert replace(model, optimizer=kept).n_bytes == 4 * n_weights + 64


def test_files_give_it_back(model, tmp_path):
    saved = model.to_saved({"parameters": {}})
    again = TrainedModel.from_saved(saved, torch.device("cpu"))
    assert_same_weights(again.network, model.network)
    for name in ("vocabulary", "n_epochs", "n_tokens", "unknown_share", "truncation"):
        assert getattr(again, name) == getattr(model, name)
    np.testing.assert_equal(again.history, model.history)


def test_to_a_device_goes_a_copy(model):
    assert model.to(torch.device("cpu")) is model
    elsewhere = model.to(torch.device("meta"))
    assert elsewhere.device.type == "meta"
    assert model.device.type == "cpu"
