"""Activations of single tokens, computed once for each distinct document."""

import numpy as np
import pytest
import torch
from tiny_runs import encoder_of

from skelmo.encoding.activation_cache import MemoryCache
from skelmo.encoding.disk_cache import DiskCache
from skelmo.encoding.encoder import Encoder
from skelmo.encoding.token_reader import TokenReader
from skelmo.text.analysis import Analyzer
from skelmo.text.distinct import index_distinct


@pytest.fixture
def distinct(texts):
    return index_distinct(iter([*texts[:20], "", *texts[:10]]), Analyzer())


@pytest.fixture
def encoded(monkeypatch):
    """Return a list of the documents that go through a network."""
    found, tokens = [], Encoder.tokens

    def noting(self, *arguments):
        for document, values in tokens(self, *arguments):
            found.append(document)
            yield document, values

    monkeypatch.setattr(Encoder, "tokens", noting)
    return found


@pytest.fixture(params=["memory", "directory"])
def cache(request, tmp_path):
    return MemoryCache() if request.param == "memory" else DiskCache(tmp_path)


@pytest.mark.parametrize("at_once", [1, 40, 4096])
def test_a_document_is_encoded_once(
    language_model, distinct, encoded, cache, at_once, monkeypatch
):
    monkeypatch.setattr("skelmo.encoding.token_reader._TOKENS_AT_ONCE", at_once)
    encoder = encoder_of(language_model)
    expected = dict(encoder.tokens(distinct.sequences))
    encoded.clear()
    reader = TokenReader(encoder, cache, b"model")
    n = len(distinct.keys)
    for _ in range(3):
        found = dict(reader(distinct))
        assert sorted(found) == list(range(n))
        for document, layers in expected.items():
            np.testing.assert_allclose(found[document], layers, rtol=0, atol=1e-6)
            assert found[document].shape[1:] == reader.shape
    assert sorted(encoded) == list(range(n))
    assert cache.info()[:3] == (2 * n, n, n)


def test_models_are_not_taken_for_each_other(language_model, distinct):
    encoder, cache = encoder_of(language_model), MemoryCache()
    for model in (b"a", b"b"):
        dict(TokenReader(encoder, cache, model)(distinct))
    assert cache.info().hits == 0


def test_only_what_is_missing_is_encoded(language_model, texts, encoded):
    reader = TokenReader(encoder_of(language_model), MemoryCache(), b"model")
    some = index_distinct(iter(texts[:15]), Analyzer())
    more = index_distinct(iter(texts[24:4:-1]), Analyzer())
    first, second = dict(reader(some)), dict(reader(more))
    assert len(encoded) == 25
    for k, key in enumerate(more.keys):
        if key in some.keys:
            assert second[k] is first[some.keys.index(key)]


def test_a_cache_and_what_is_learned_from_share_memory(language_model, distinct):
    cache = MemoryCache()
    reader = TokenReader(encoder_of(language_model), cache, b"model")
    given = reader.read(distinct)
    again = reader.read(distinct)
    assert all(a is b for a, b in zip(given.values, again.values, strict=True))


def test_activations_of_documents_come_one_after_the_other(language_model, distinct):
    reader = TokenReader(encoder_of(language_model))
    values, kept = dict(reader(distinct)), reader.read(distinct)
    lengths = np.array([len(values[k]) for k in range(len(values))])
    np.testing.assert_array_equal(kept.lengths, lengths)
    which = np.array([3, 20, 4, 3])
    expected = np.concatenate([values[k] for k in which])
    np.testing.assert_allclose(kept(which), expected, rtol=0, atol=1e-6)
    nothing = kept(np.array([20]))
    assert nothing.shape == (0, 3, 16)
    assert nothing.dtype == torch.float32
