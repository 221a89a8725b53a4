"""Files and pickles that an earlier version wrote, and paths it had."""

import importlib
import json
import pickle
import pickletools
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tiny_runs import assert_same_weights

from skelmo import ElmoLanguageModel, ElmoVectorizer

FORMER = Path(__file__).parent / "data" / "version-0"
CLOSE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(scope="module")
def expected():
    return np.load(FORMER / "expected.npz")


@pytest.fixture(scope="module")
def former_texts():
    return json.loads((FORMER / "texts.json").read_text())


def unpickled(name):
    return pickle.loads((FORMER / f"{name}.pkl").read_bytes())


def test_a_saved_model_is_read(expected, former_texts):
    model = ElmoLanguageModel.load(FORMER / "model")
    assert_allclose(model.score_samples(former_texts), expected["score"], **CLOSE)
    assert [record.epoch for record in model.history_] == [1, 2, 3]
    assert (model.hidden_size, model.max_epochs, model.n_epochs_) == (8, 3, 3)


def test_a_language_model_is_unpickled(expected, former_texts):
    model = unpickled("language_model")
    assert_allclose(model.score_samples(former_texts), expected["score"], **CLOSE)
    saved = ElmoLanguageModel.load(FORMER / "model")
    assert_same_weights(model.network_, saved.network_)
    assert model.history_ == saved.history_
    assert model.vocabulary_ == saved.vocabulary_
    assert model.truncation_ == saved.truncation_
    again = pickle.loads(pickle.dumps(model))
    assert_same_weights(again.network_, saved.network_)
    n_epochs = model.n_epochs_
    assert model.partial_fit(former_texts * 40).n_epochs_ == n_epochs + 1


@pytest.mark.parametrize("name", ["frozen", "learned"])
def test_a_vectorizer_is_unpickled(name, expected, former_texts):
    vectorizer = unpickled(f"vectorizer_{name}")
    assert_allclose(vectorizer.transform(former_texts), expected[name], **CLOSE)
    again = pickle.loads(pickle.dumps(vectorizer))
    assert_allclose(again.transform(former_texts), expected[name], **CLOSE)
    names = vectorizer.get_feature_names_out()
    assert len(names) == expected[name].shape[1]


def test_a_vectorizer_without_its_weights_finds_the_bundled_ones():
    # The digest in the pickle is compared with that of the model there.
    vectorizer = ElmoVectorizer().fit(["a"])
    digest = vectorizer.language_model_.model_.digest.hex().encode()
    content = (FORMER / "vectorizer_en.pkl").read_bytes()
    if digest not in content:
        pytest.skip("another model has taken the place of the bundled one")
    again = pickle.loads(content)
    assert again.language_model_.network_ is vectorizer.language_model_.network_


def modules_named(name):
    """Return the modules that a pickle names."""
    strings, found = [], set()
    content = (FORMER / f"{name}.pkl").read_bytes()
    for opcode, argument, _ in pickletools.genops(content):
        if "UNICODE" in opcode.name:
            strings.append(argument)
        if opcode.name == "STACK_GLOBAL":
            found |= {text for text in strings if text.startswith("skelmo.")}
    return found


def test_the_pickles_are_of_modules_that_have_moved():
    # They would prove nothing if they had been written anew.
    names = ("language_model", "vectorizer_frozen", "vectorizer_en")
    found = set().union(*map(modules_named, names))
    assert {"skelmo.vectorizer", "skelmo.language_model", "skelmo.pickling"} <= found


@pytest.mark.parametrize(
    "path",
    [
        "skelmo.vectorizer.ElmoVectorizer",
        "skelmo.language_model.ElmoLanguageModel",
        "skelmo.prediction.WordPrediction",
        "skelmo.pickling.ModelReference",
        "skelmo.training.evaluation.Perplexity",
        "skelmo.training.state.EpochRecord",
        "skelmo.text.truncation.Truncation",
        "skelmo.encoding.activation_cache.CacheInfo",
        "skelmo.pretrained.registry.load",
        "skelmo.pretrained.bilm_format.read_bilm",
        "skelmo.pretrained.bilm_format.write_bilm",
        "skelmo.pretrained.safetensors_format.read_model",
        "skelmo.pretrained.safetensors_format.write_model",
        "skelmo.pretrained.saved_model.SavedModel",
    ],
)
def test_what_was_public_is_imported_from_where_it_was(path):
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    home = sys.modules[found.__module__]
    assert getattr(home, name) is found
