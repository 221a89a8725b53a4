"""Rows of a batch are those of the vectorizer."""

import os
import pickle
import re
import shutil
import socket

import numpy as np
import pytest
from strange_tokenizers import fussy

from skelmo import ElmoVectorizer, clear_cache
from skelmo.engines.row_encoder import RowEncoder


@pytest.fixture
def by_path(model_copy, texts):
    """Return a function from `store_weights` to a vectorizer of a model of its own."""

    def by_path(store_weights):
        given = {"cache": None, "store_weights": store_weights}
        return ElmoVectorizer(str(model_copy), **given).fit(texts[:5])

    return by_path


def moved(vectorizer):
    return pickle.loads(pickle.dumps(RowEncoder.of(vectorizer)))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"pooling": "max", "layers": [1]},
        {"input": "tokens", "missing": "nan"},
        {"n_components": 3, "random_state": 0},
        {"tokenizer": str.split},
    ],
)
def test_rows_are_those_of_the_vectorizer(make, texts, parameters):
    vectorizer = make(**parameters)
    X = [text.split() for text in texts] if "input" in parameters else texts
    rows, is_there = moved(vectorizer)(X)
    np.testing.assert_allclose(rows, vectorizer.transform(X), atol=1e-6)
    assert is_there.all()
    skipping, is_there = moved(vectorizer)(X, skips_errors=True)
    np.testing.assert_array_equal(skipping, rows)
    assert is_there.all()


def test_no_values_are_no_rows(vectorizer):
    for skips_errors in (False, True):
        rows, is_there = RowEncoder.of(vectorizer)([], skips_errors=skips_errors)
        assert rows.shape == (0, vectorizer.features_.n_features)
        assert rows.dtype == np.float32
        assert is_there.shape == (0,)


def test_a_vectorizer_that_needs_no_fit_needs_none_here():
    elmo = ElmoVectorizer("en")
    rows, _ = moved(elmo)(["a b", "c"])
    np.testing.assert_allclose(rows, elmo.transform(["a b", "c"]), atol=1e-6)


def test_nothing_is_kept_in_the_memory_of_workers(make, tmp_path):
    assert RowEncoder.of(make(cache="memory", verbose=1)).features.cache is None
    assert RowEncoder.of(make(verbose=1)).features.verbose == 0
    assert RowEncoder.of(make(cache=tmp_path)).features.cache == tmp_path


def test_a_text_that_raises_is_left_out(make):
    encoder = RowEncoder.of(make(tokenizer=fussy))
    texts = ["good", "raise it", "", "also good"]
    with pytest.raises(ValueError, match="^the tokenizer does not like this text$"):
        encoder(texts)
    rows, is_there = encoder(texts, skips_errors=True)
    assert is_there.tolist() == [True, False, True, True]
    assert np.isnan(rows[1]).all()
    expected, _ = encoder([texts[0], texts[2], texts[3]])
    np.testing.assert_allclose(rows[is_there], expected, atol=1e-6)


@pytest.mark.parametrize("missing", ["error", "empty", "nan"])
def test_missing_texts(make, missing):
    encoder = RowEncoder.of(make(missing=missing))
    rows, is_there = encoder(["a", None, "b"], skips_errors=True)
    assert is_there.tolist() == [True, missing != "error", True]
    filled = 0.0 if missing == "empty" else np.nan
    np.testing.assert_array_equal(rows[1], np.full(rows.shape[1], filled))
    if missing == "error":
        with pytest.raises(ValueError, match=r"1 of 3 are missing, the first in row 1"):
            encoder(["a", None, "b"])


@pytest.mark.parametrize("store_weights", ["auto", True])
def test_weights_of_a_path_travel(by_path, model_copy, texts, store_weights):
    vectorizer = by_path(store_weights)
    expected = vectorizer.transform(texts)
    content = pickle.dumps(RowEncoder.of(vectorizer))
    shutil.rmtree(model_copy)
    clear_cache()
    rows, _ = pickle.loads(content)(texts)
    np.testing.assert_allclose(rows, expected, atol=1e-6)


def test_a_path_is_read_by_workers_if_asked(by_path, model_copy, texts):
    content = pickle.dumps(RowEncoder.of(by_path(False)))
    assert len(content) < 10_000
    clear_cache()
    rows, _ = pickle.loads(content)(texts)
    np.testing.assert_allclose(rows, by_path(False).transform(texts), atol=1e-6)


def test_a_path_that_workers_lack(by_path, model_copy):
    vectorizer = by_path(False)
    digest = vectorizer.features_.model.digest.hex()
    content = pickle.dumps(RowEncoder.of(vectorizer))
    shutil.rmtree(model_copy)
    clear_cache()
    message = (
        f"The worker on {socket.gethostname()} looks for the language model of "
        f"ElmoVectorizer in {os.path.realpath(model_copy)} (hash of the weights "
        f"{digest}), but nothing is there. Put the model there on every worker, or set "
        f"store_weights='auto' to send its weights along."
    )
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        pickle.loads(content)


def test_another_model_in_the_path(by_path, model_copy, tiny, texts):
    content = pickle.dumps(RowEncoder.of(by_path(False)))
    other = by_path(False).language_model_
    other = type(other)(**{**tiny, "random_state": 1}).fit(texts)
    other.save(model_copy)
    clear_cache()
    message = (
        rf"^The worker on .* finds a language model in {re.escape(str(model_copy))} "
        rf"whose weights have the hash \w+, but that of ElmoVectorizer has \w+\. Put "
    )
    with pytest.raises(ValueError, match=message):
        pickle.loads(content)


def test_weights_that_come_from_no_file(make):
    with pytest.raises(
        ValueError,
        match=r"^ElmoVectorizer\(store_weights=False\) goes"
        r" to workers without its weights, but these come from no file",
    ):
        RowEncoder.of(make(store_weights=False))
