"""Token vectors kept from call to call."""

import functools
import itertools
import random
import threading

import numpy as np
import pytest
import torch

import skelmo
from skelmo import ElmoVectorizer
from skelmo.encoding.token_cache import TokenCache


def vector(token):
    """Return a vector that tells tokens apart."""
    return torch.tensor([float(len(token)), float(hash(token) % 997), 1.0])


@functools.cache
def row_bytes():
    """Return what a token and its vector count: the least bound that keeps one."""

    def n_kept(bound):
        cache = TokenCache(bound)
        cache.look_up(["a"], Computer())
        return len(cache)

    return next(bound for bound in itertools.count() if n_kept(bound))


class Computer:
    """Computes vectors, and notes for which tokens."""

    def __init__(self):
        self.asked = []

    def __call__(self, tokens):
        self.asked.append(list(tokens))
        return torch.stack([vector(token) for token in tokens])


@pytest.mark.parametrize("capacity", [0, 1, 7, 40, 1000])
def test_vectors_are_those_computed_and_the_bound_holds(capacity):
    rng, compute = random.Random(capacity), Computer()
    cache = TokenCache(capacity * row_bytes())
    words = [f"w{k}" * (k % 5 + 1) for k in range(100)]
    for _ in range(60):
        tokens = rng.sample(words, rng.randint(1, 30))
        before = set(cache.rows)
        compute.asked.clear()
        got = cache.look_up(tokens, compute)
        assert torch.equal(got, torch.stack([vector(token) for token in tokens]))
        missing = [token for token in tokens if token not in before]
        assert compute.asked == ([missing] if missing else [])
        assert len(cache) == min(capacity, len(before | set(missing)))
        if cache.table is not None:
            assert len(cache.table) <= capacity


def test_the_least_recently_used_goes_first():
    cache, compute = TokenCache(3 * row_bytes()), Computer()
    cache.look_up(["a", "b", "c"], compute)
    cache.look_up(["a"], compute)
    cache.look_up(["d"], compute)
    assert set(cache.rows) == {"a", "c", "d"}
    cache.look_up(["e", "f"], compute)
    assert set(cache.rows) == {"d", "e", "f"}


def test_threads_get_their_own_vectors():
    cache, wrong = TokenCache(20 * row_bytes()), []

    def work(seed):
        rng = random.Random(seed)
        for _ in range(300):
            tokens = rng.sample([f"t{k}" for k in range(50)], 10)
            got = cache.look_up(tokens, Computer())
            if not torch.equal(got, torch.stack([vector(t) for t in tokens])):
                wrong.append(tokens)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(cache) == 20


@pytest.fixture
def computed(monkeypatch):
    """Return a list that grows with each token that a network computes."""
    found, look_up = [], TokenCache.look_up

    def noting(self, tokens, compute):
        def note(missing):
            found.extend(missing)
            return compute(missing)

        return look_up(self, tokens, note)

    monkeypatch.setattr(TokenCache, "look_up", noting)
    return found


def test_a_model_computes_a_token_once_until_the_cache_is_cleared(frozen, computed):
    settings = {"language_model": frozen, "tokenizer": str.split, "cache": None}
    first = ElmoVectorizer(**settings).fit(["a"])
    second = ElmoVectorizer(**settings, pooling="max").fit(["a"])
    computed.clear()
    features = first.transform(["a cat sat", "a dog"])
    assert sorted(computed) == ["</S>", "<S>", "a", "cat", "dog", "sat"]
    computed.clear()
    np.testing.assert_allclose(
        first.transform(["a cat sat", "a dog"]), features, rtol=0, atol=1e-6
    )
    assert computed == []
    second.transform(["the dog sat"])
    assert computed == ["the"]
    skelmo.clear_cache()
    computed.clear()
    second.transform(["the dog sat"])
    assert sorted(computed) == ["</S>", "<S>", "dog", "sat", "the"]


def test_precisions_do_not_share_vectors(frozen, computed):
    documents = ["a cat", "a dog"]
    settings = {"language_model": frozen, "tokenizer": str.split, "cache": None}
    exact, rough, same = (
        ElmoVectorizer(**settings, precision=precision).fit(["a"])
        for precision in ("float32", "bfloat16", "auto")
    )
    exact.transform(documents)
    computed.clear()
    same.transform(documents)
    assert computed == []
    skelmo.clear_cache()
    exact.transform(documents)
    computed.clear()
    rough.transform(documents)
    assert sorted(computed) == ["</S>", "<S>", "a", "cat", "dog"]
