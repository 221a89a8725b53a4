"""Token vectors kept from call to call."""

import random
import threading

import numpy as np
import pytest
import torch

import skelmo
from skelmo.encoding import token_cache
from skelmo.encoding.encoder import Encoder
from skelmo.encoding.token_cache import TokenCache
from skelmo.resolving import encoder_of
from skelmo.text.sequences import index_documents

P = 3
ROW_BYTES = 4 * P + token_cache._ENTRY_BYTES


def vector(token):
    """Return a vector that tells tokens apart."""
    return torch.tensor([float(len(token)), float(hash(token) % 997), 1.0])


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
    cache = TokenCache(capacity * ROW_BYTES)
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
    cache, compute = TokenCache(3 * ROW_BYTES), Computer()
    cache.look_up(["a", "b", "c"], compute)
    cache.look_up(["a"], compute)
    cache.look_up(["d"], compute)
    assert set(cache.rows) == {"a", "c", "d"}
    cache.look_up(["e", "f"], compute)
    assert set(cache.rows) == {"d", "e", "f"}


def test_threads_get_their_own_vectors():
    cache, wrong = TokenCache(20 * ROW_BYTES), []

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


def test_an_encoder_computes_a_token_once_until_the_cache_is_cleared(
    language_model, monkeypatch
):
    asked = []
    compute = Encoder._compute

    def noting(self, tokens):
        asked.extend(tokens)
        return compute(self, tokens)

    monkeypatch.setattr(Encoder, "_compute", noting)
    skelmo.clear_cache()
    first = index_documents([[["a", "cat", "sat"]], [["a", "dog"]]])
    second = index_documents([[["the", "dog", "sat"]]])
    ((_, pooled),) = encoder_of(language_model).pool(first, ["mean"])
    assert sorted(asked) == sorted(first.tokens)
    asked.clear()
    ((_, again),) = encoder_of(language_model).pool(first, ["mean"])
    np.testing.assert_allclose(again, pooled, rtol=0, atol=1e-6)
    assert asked == []
    list(encoder_of(language_model).pool(second, ["mean"]))
    assert asked == ["the"]
    skelmo.clear_cache()
    list(encoder_of(language_model).pool(second, ["mean"]))
    assert sorted(asked[1:]) == sorted(second.tokens)


@pytest.mark.filterwarnings("ignore:.*computes in bfloat16:UserWarning")
def test_precisions_do_not_share_vectors(language_model):
    caches = [
        encoder_of(language_model, precision=precision).cache
        for precision in ("float32", "bfloat16", "auto")
    ]
    assert caches[0] is caches[2]
    assert caches[0] is not caches[1]
