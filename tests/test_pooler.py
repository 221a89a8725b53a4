import numpy as np
import pytest
from tiny_runs import encoder_of

from skelmo.encoding.activation_cache import MemoryCache
from skelmo.encoding.encoder import Encoder
from skelmo.encoding.pooler import Pooler
from skelmo.encoding.pooling import POOLINGS
from skelmo.text.analysis import Analyzer
from skelmo.text.distinct import index_distinct


@pytest.fixture
def distinct(texts):
    return index_distinct(iter([*texts[:30], "", *texts[:10]]), Analyzer())


@pytest.fixture
def encoded(monkeypatch):
    """Return a list that tells how many documents each call of an encoder pools."""
    counts, pool = [], Encoder.pool

    def counted(encoder, sequences, pooling, which=None):
        n = sequences.n_documents if which is None else len(which)
        counts.append(n)
        return pool(encoder, sequences, pooling, which)

    monkeypatch.setattr(Encoder, "pool", counted)
    return counts


def whole(pooler, distinct):
    parts = list(pooler(distinct))
    documents = np.concatenate([which for which, _ in parts])
    assert sorted(documents.tolist()) == list(range(len(distinct.keys)))
    return np.concatenate([values for _, values in parts])[np.argsort(documents)]


@pytest.mark.parametrize("at_once", [1, 7, 256])
def test_the_cache_gives_what_the_encoder_gave(
    language_model, distinct, encoded, at_once, monkeypatch
):
    monkeypatch.setattr("skelmo.encoding.pooler._DOCUMENTS_AT_ONCE", at_once)
    encoder, cache = encoder_of(language_model), MemoryCache()
    n = len(distinct.keys)
    assert n == len(set(distinct.keys)) == 31
    for pooling in (["mean"], ["max", "last"], list(POOLINGS)):
        expected = whole(Pooler(encoder, pooling), distinct)
        encoded.clear()
        got = whole(Pooler(encoder, pooling, cache, b"model"), distinct)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
        assert sum(encoded) == (n if pooling == ["mean"] else 0)
    assert cache.info()[:3] == (2 * n, n, n)


def test_only_what_is_missing_is_encoded(language_model, texts, encoded):
    cache = MemoryCache()
    pooler = Pooler(encoder_of(language_model), ["mean"], cache, b"model")
    analyze = Analyzer()
    some = index_distinct(iter(texts[:20]), analyze)
    more = index_distinct(iter(texts[39:9:-1]), analyze)
    first = dict(zip(some.keys, whole(pooler, some), strict=True))
    second = dict(zip(more.keys, whole(pooler, more), strict=True))
    assert encoded == [20, 20]
    for key in set(some.keys) & set(more.keys):
        np.testing.assert_array_equal(second[key], first[key])
    expected = whole(Pooler(encoder_of(language_model), ["mean"]), more)
    np.testing.assert_allclose(list(second.values()), expected, rtol=0, atol=1e-6)


def test_a_cache_that_is_too_small_for_a_call_is_said_once(
    language_model, distinct, texts, caplog
):
    encoder = encoder_of(language_model, max_batch_tokens=8)
    n_bytes = whole(Pooler(encoder, ["mean"]), distinct)[0].nbytes
    n = len(distinct.keys)
    for max_bytes, n_lines in ((n * n_bytes - 1, 1), (100 * n * n_bytes, 0)):
        caplog.clear()
        whole(Pooler(encoder, ["mean"], MemoryCache(max_bytes), b"model"), distinct)
        lines = [record.getMessage() for record in caplog.records]
        assert len(lines) == n_lines
        for line in lines:
            assert line.startswith(
                f"the cache has room for {n - 1} of these {n} distinct documents"
            )


def test_models_do_not_share_activations(language_model, distinct, encoded):
    cache = MemoryCache()
    for fingerprint in (b"one", b"other"):
        whole(
            Pooler(encoder_of(language_model), ["mean"], cache, fingerprint), distinct
        )
    assert encoded == [len(distinct.keys)] * 2
