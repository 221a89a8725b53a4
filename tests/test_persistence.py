"""A fitted language model to files and pickles and back."""

import copy
import math
import pickle
import re
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from tiny_models import OPTIONS, tf_datasets, write_tf
from tiny_runs import assert_same_weights, differ, weights_of

from skelmo import ElmoLanguageModel


def sure(message):
    return f"^{re.escape(message)}$"


def whitespace(sentence):
    return sentence.split()


FITTED = ("history_", "n_epochs_", "n_tokens_", "unknown_share_", "truncation_")


def assert_same_fitted(model, other, texts):
    assert_same_weights(model.network_, other.network_)
    assert model.config_ == other.config_
    assert model.vocabulary_ == other.vocabulary_
    for name in FITTED:
        np.testing.assert_equal(getattr(model, name), getattr(other, name))
        assert type(getattr(model, name)) is type(getattr(other, name))
    assert model.perplexity(texts) == other.perplexity(texts)
    assert not other.network_.training


VARIANTS = {
    "plain": {},
    "no-validation": {"early_stopping": False},  # its history holds nan
    "words": {"word_embedding_dim": 3},
    "tied": {"word_embedding_dim": 8, "tie_weights": True},
    "numpy": {
        "dropout": np.float64(0.2), "max_epochs": np.int64(2),
        "early_stopping": np.bool_(True), "random_state": np.int64(3),
    },
    "odd": {
        "sequence": "document", "sentence_splitter": "lines", "activation": "tanh",
        "cell_clip": None, "n_highway": 0, "num_layers": 1, "max_vocabulary": 9,
        "skip_connections": False, "max_characters": 8,
    },
}  # fmt: skip


@pytest.fixture(params=VARIANTS)
def fitted(request, tiny, texts):
    return ElmoLanguageModel(**{**tiny, **VARIANTS[request.param]}).fit(texts)


def test_saved_and_loaded_it_is_the_same(fitted, texts, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = ElmoLanguageModel.load(tmp_path / "model")
    assert_same_fitted(fitted, loaded, texts)
    assert loaded.get_params() == fitted.get_params()


@pytest.mark.parametrize("way", ["pickle", "joblib", "deepcopy"])
def test_pickled_it_is_the_same(fitted, texts, tmp_path, way):
    if way == "pickle":
        other = pickle.loads(pickle.dumps(fitted))
    elif way == "joblib":
        joblib.dump(fitted, tmp_path / "model.joblib")
        other = joblib.load(tmp_path / "model.joblib")
    else:
        other = copy.deepcopy(fitted)
    assert_same_fitted(fitted, other, texts)
    assert other.get_params() == fitted.get_params()
    before = weights_of(fitted.network_)
    other.partial_fit(texts)
    assert other.n_epochs_ == fitted.n_epochs_ + 1
    assert differ(fitted.network_, other.network_)
    for name, array in weights_of(fitted.network_).items():
        np.testing.assert_array_equal(array, before[name])


def test_tied_weights_stay_tied_beyond_files_and_pickles(tiny, texts, tmp_path):
    model = ElmoLanguageModel(**{**tiny, **VARIANTS["tied"]}).fit(texts)
    model.save(tmp_path / "model")
    for other in (
        ElmoLanguageModel.load(tmp_path / "model"),
        pickle.loads(pickle.dumps(model)),
    ):
        network = other.partial_fit(texts).network_
        embedding = network.bilm.token_encoder.word_embedding.weight
        assert embedding is network.softmax.weight
        assert differ(network, model.network_)


def test_an_unfitted_model_is_pickled_too():
    model = ElmoLanguageModel(hidden_size=7, tokenizer=whitespace)
    assert pickle.loads(pickle.dumps(model)).get_params() == model.get_params()


def test_a_pickle_holds_no_torch(language_model):
    content = pickle.dumps(language_model)
    assert b"torch" not in content
    n_weights = sum(w.size for w in weights_of(language_model.network_).values())
    assert len(content) < 4 * n_weights + 40_000


def test_a_pickle_from_a_device_that_is_not_here_comes_to_the_cpu(
    language_model, texts, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model = copy.deepcopy(language_model).set_params(device="cuda:3")
    other = pickle.loads(pickle.dumps(model))
    assert other.network_.softmax.bias.device.type == "cpu"
    assert other.perplexity(texts) == language_model.perplexity(texts)


def test_a_loaded_model_scores_alike_in_another_process(
    language_model, texts, tmp_path
):
    language_model.save(tmp_path / "model")
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from skelmo import ElmoLanguageModel\n"
        "print(repr(ElmoLanguageModel.load(sys.argv[1]).score(sys.argv[2:])))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, tmp_path / "model", *texts[:5]],
        capture_output=True, check=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert float(done.stdout) == pytest.approx(
        language_model.score(texts[:5]), rel=1e-6
    )


def test_parameters_given_to_load_replace_those_of_the_files(language_model, tmp_path):
    language_model.save(tmp_path / "model")
    loaded = ElmoLanguageModel.load(tmp_path / "model", dropout=0.5, max_epochs=9)
    expected = {**language_model.get_params(), "dropout": 0.5, "max_epochs": 9}
    assert loaded.get_params() == expected


@pytest.mark.parametrize("name", ["tokenizer", "sentence_splitter"])
def test_a_function_of_ones_own_has_to_be_given_again(name, tiny, texts, tmp_path):
    model = ElmoLanguageModel(**tiny, **{name: whitespace}).fit(texts)
    path = tmp_path / "model"
    model.save(path)
    message = (
        f"{path}: the model was trained with a {name} of its own, "
        f"{__name__}.whitespace, which files do not hold. Give it again, as in "
        f"{name}=whitespace."
    )
    with pytest.raises(ValueError, match=sure(message)):
        ElmoLanguageModel.load(path)
    loaded = ElmoLanguageModel.load(path, **{name: whitespace})
    assert_same_fitted(model, loaded, texts)


def test_a_foreign_model_is_saved_and_pickled_without_a_softmax(texts, tmp_path):
    write_tf(tmp_path / "foreign", tf_datasets(), OPTIONS)
    model = ElmoLanguageModel.load(tmp_path / "foreign")
    assert math.isnan(model.unknown_share_)
    assert (model.n_epochs_, model.n_tokens_, model.history_) == (0, 0, [])
    model.save(tmp_path / "own")
    for other in (
        ElmoLanguageModel.load(tmp_path / "own"),
        pickle.loads(pickle.dumps(model)),
    ):
        assert_same_weights(model.network_, other.network_)
        assert other.config_ == model.config_
        assert other.vocabulary_ is None
        assert math.isnan(other.unknown_share_)
        other.save(tmp_path / "again")


def test_loading_leaves_the_generators_alone(language_model, tmp_path):
    language_model.save(tmp_path / "model")
    before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    ElmoLanguageModel.load(tmp_path / "model")
    pickle.loads(pickle.dumps(language_model))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_equal(np.random.get_state(), before[1])  # noqa: NPY002
