"""One rule from what users give to a model's files, its key and its reference."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import assert_same_weights

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.models.source import key_of, source_of
from skelmo.pretrained import registry


@pytest.fixture
def elsewhere(language_model, tmp_path, monkeypatch):
    """Go to a directory in which another model lies under the name of a bundled one."""
    language_model.save(tmp_path / "en")
    monkeypatch.chdir(tmp_path)
    return language_model


@pytest.mark.parametrize("first", ["en", Path("en")], ids=repr)
def test_a_str_is_the_bundled_model_and_a_path_a_path(elsewhere, texts, first):
    names = {"en": "en", Path("en"): Path("en")}
    for given in [first, *(name for name in names if name != first)]:
        model = ElmoVectorizer(language_model=given).fit(texts[:2]).language_model_
        is_own = isinstance(given, Path)
        assert (model.config_ == elsewhere.config_) is is_own
        if is_own:
            assert_same_weights(model.network_, elsewhere.network_)


def test_a_pickle_tells_them_apart(elsewhere, texts, tmp_path, monkeypatch):
    data = [
        pickle.dumps(ElmoVectorizer(language_model=given).fit(texts[:2]))
        for given in ("en", Path("en"))
    ]
    monkeypatch.chdir("/")
    bundled, own = map(pickle.loads, data)
    assert_same_weights(own.language_model_.network_, elsewhere.network_)
    assert bundled.language_model_.config_ != elsewhere.config_


def test_training_goes_on_from_the_one_that_is_named(elsewhere, texts):
    settings = {"max_epochs": 1, "random_state": 0, "learning_rate_init": 1e-30}
    init = ElmoLanguageModel(init=Path("en"), **settings)
    vectorizer = ElmoVectorizer(language_model=init).fit(texts)
    np.testing.assert_allclose(
        vectorizer.language_model_.network_.bilm.forward_lstm.bias_l0.detach(),
        elsewhere.network_.bilm.forward_lstm.bias_l0.detach(),
        rtol=0,
        atol=1e-20,
    )


def test_keys_are_those_of_files_and_notice_changes(elsewhere, tmp_path):
    key = key_of(Path("en"))
    assert key_of(tmp_path / "en") == key_of("./en") == key
    assert key_of("en") == key_of(registry.BUNDLED["en"]) != key
    os.utime(tmp_path / "en" / "config.json", (1, 1))
    assert key_of(Path("en")) != key


def test_a_reference_holds_wherever_it_is_read(elsewhere, tmp_path):
    assert source_of("en") == "en"
    assert source_of(Path("en")) == source_of("./en") == str(tmp_path / "en")
    assert source_of(elsewhere) is None
    assert source_of(None) is None
