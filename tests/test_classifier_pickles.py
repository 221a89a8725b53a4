"""Pickles of classifiers: the base by its hash, and the weights that have changed."""

import copy
import pickle
import re
import shutil

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skelmo import ElmoClassifier, ElmoLanguageModel
from skelmo.models import shared as shared_models


@pytest.fixture(scope="module")
def language_model(tiny, texts):
    return ElmoLanguageModel(**{**tiny, "hidden_size": 32, "proj_size": 16}).fit(texts)


@pytest.fixture
def directory(language_model, tmp_path):
    """Return the path of a saved model of which most is the softmax."""
    path = tmp_path / "model"
    language_model.save(path)
    return path


@pytest.fixture
def fit(texts):
    y = np.arange(len(texts)) % 2

    def fit(language_model, tune, **parameters):
        given = {"max_iter": 1, "head": "linear", "random_state": 0, "tune": tune}
        classifier = ElmoClassifier(language_model, **{**given, **parameters})
        return classifier.fit(texts, y)

    return fit


def predictions(data, texts):
    """Read a pickle as a process would that has read nothing else."""
    shared_models.forget()
    return pickle.loads(data).predict_proba(texts)


@pytest.mark.parametrize("tune", ["all", "top", "mix", "none"])
def test_a_pickle_tells_the_same(directory, texts, fit, tune):
    classifier = fit(directory, tune)
    expected = classifier.predict_proba(texts)
    data = pickle.dumps(classifier)
    assert_array_equal(predictions(data, texts), expected)
    again = pickle.loads(data)
    digest = classifier.language_model_.model_.digest
    assert again.language_model_.model_.digest == digest
    assert again.loss_curve_ == classifier.loss_curve_
    assert again.history_[0][:5] == classifier.history_[0][:5]
    assert_array_equal(predictions(pickle.dumps(again), texts), expected)
    assert len(pickle.dumps(again)) == pytest.approx(len(data), abs=500)
    again.set_params(warm_start=True).partial_fit(texts, np.arange(len(texts)) % 2)


def test_no_more_is_stored_than_has_changed(directory, fit):
    sizes = {
        tune: len(pickle.dumps(fit(directory, tune))) for tune in ("none", "top", "all")
    }
    everything = len(pickle.dumps(fit(directory, "all", store_weights=True)))
    assert sizes["none"] < sizes["top"] < sizes["all"] < everything
    base = ElmoLanguageModel.load(directory).network_
    n_softmax = 4 * sum(p.numel() for p in base.softmax.parameters())
    n_bilm = 4 * sum(p.numel() for p in base.bilm.parameters())
    assert sizes["all"] - sizes["none"] == pytest.approx(n_bilm, abs=9000)
    assert everything - sizes["all"] == pytest.approx(n_softmax, abs=9000)


@pytest.mark.parametrize("tune", ["all", "none"])
def test_the_base_has_to_be_there_unless_all_is_stored(directory, texts, fit, tune):
    classifier = fit(directory, tune)
    expected, data = classifier.predict_proba(texts), pickle.dumps(classifier)
    whole = pickle.dumps(classifier.set_params(store_weights=True))
    digest = ElmoLanguageModel.load(directory).model_.digest.hex()
    shutil.rmtree(directory)
    message = (
        f"This ElmoClassifier was pickled without the weights of its language model, "
        f"which it looks for in {directory} (hash of the weights {digest}), but "
        f"nothing is there. Put the model there, or pickle with store_weights=True."
    )
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        predictions(data, texts)
    assert_array_equal(predictions(whole, texts), expected)


def test_what_comes_from_no_file_is_stored_whole(tiny, texts, fit):
    classifier = fit(ElmoLanguageModel(**tiny), "all")
    data = pickle.dumps(classifier)
    assert_array_equal(predictions(data, texts), classifier.predict_proba(texts))
    message = (
        "ElmoClassifier(store_weights=False) is pickled without its weights, but these "
        "come from no file. Write them by language_model_.save(directory) and fit with "
        "language_model=directory, or set store_weights='auto'."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        pickle.dumps(classifier.set_params(store_weights=False))


def test_an_adapted_model_comes_along(directory, texts, fit):
    classifier = fit(directory, "none", adapt_epochs=1)
    data = pickle.dumps(classifier)
    assert_array_equal(predictions(data, texts), classifier.predict_proba(texts))
    again = pickle.loads(data).language_model_
    assert again.n_epochs_ == classifier.language_model_.n_epochs_ == 2
    assert again.perplexity(texts) == classifier.language_model_.perplexity(texts)


def test_copies_share_the_weights(directory, texts, fit):
    classifier = fit(directory, "all")
    for other in (copy.copy(classifier), copy.deepcopy(classifier)):
        model = classifier.language_model_.model_
        assert other.language_model_.model_ is model
        assert other.head_ is classifier.head_
        assert_array_equal(other.predict_proba(texts), classifier.predict_proba(texts))


def test_another_version_is_told(directory, fit, monkeypatch):
    classifier = fit(directory, "none")
    with monkeypatch.context() as patch:
        patch.setattr("skelmo.estimators.predictor.__version__", "0.0.1")
        data = pickle.dumps(classifier)
    message = "^This ElmoClassifier was pickled by skelmo 0.0.1, and skelmo .* reads it"
    with pytest.warns(UserWarning, match=message):
        pickle.loads(data)


def test_a_tuned_model_is_saved_and_read(directory, texts, fit, tmp_path):
    tuned = fit(directory, "all").language_model_
    tuned.save(tmp_path / "tuned")
    again = ElmoLanguageModel.load(tmp_path / "tuned")
    assert again.model_.digest == tuned.model_.digest
