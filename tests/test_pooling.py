"""Pooled documents against their tokens' activations, document by document."""

import functools

import numpy as np
import pytest
import torch
from oracle_networks import network_of, pooled
from reference_elmo import elmo_layers, random_model

from skelmo.encoding import encoder as encoder_module
from skelmo.encoding.encoder import Encoder
from skelmo.encoding.pooling import POOLINGS, DocumentPool, HalfPool
from skelmo.text.sequences import index_documents
from skelmo.text.token_indexer import TokenIndexer

# float32 sums over a few dozen tokens.
TOLERANCE = 2e-6

OPTIONS, ARRAYS = random_model(
    np.random.default_rng(0), hidden=6, proj=4, num_layers=2, filters=((1, 3), (2, 4)),
    n_highway=1, activation="relu", char_dim=3, cell_clip=0.3, proj_clip=0.3, skip=True,
)  # fmt: skip

DOCUMENTS = [
    [["a", "bc", "d"], ["e"], ["fg", "h", "i", "j", "kl"]],
    [],
    [["a"]],
    [["m"] * 9],
    [["no", "pq"], ["a", "bc", "d"]],
    [],
    [["a", "bc", "d"]],
]


@functools.cache
def oracle_sentence(tokens):
    return elmo_layers(tokens, OPTIONS, ARRAYS)[0][:, 1:-1]


def oracle_pool(document, pooling):
    """Pool (L + 1, T, 2P) in NumPy, from the oracle's activations."""
    if not document:
        return np.zeros((len(pooling), 3, 8))
    parts = [oracle_sentence(tuple(sentence)) for sentence in document]
    tokens = np.concatenate(parts, axis=1)
    # Where each direction arrives: the last token, and the first.
    last = np.concatenate([tokens[:, -1, :4], tokens[:, 0, 4:]], axis=1)
    found = {
        "mean": tokens.mean(axis=1),
        "max": tokens.max(axis=1),
        "min": tokens.min(axis=1),
        "last": last,
        "std": tokens.std(axis=1),
    }
    return np.stack([found[name] for name in pooling])


def encoder(max_batch_tokens=8192):
    return Encoder(
        network_of(OPTIONS, ARRAYS).float(), TokenIndexer(), max_batch_tokens
    )


@pytest.mark.parametrize("budget", [1, 2, 5, 12, 8192])
@pytest.mark.parametrize("blocks", [1, 8])
def test_pooled_documents_equal_the_oracle(budget, blocks, monkeypatch):
    # Budgets of 1 and 2 read every sequence in stretches, 8192 all of them at once.
    monkeypatch.setattr(encoder_module, "BUDGETS_PER_BLOCK", blocks)
    got = pooled(encoder(budget), index_documents(DOCUMENTS))
    assert got.dtype == np.float32
    expected = np.stack([oracle_pool(document, POOLINGS) for document in DOCUMENTS])
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("pooling", [["last", "mean"], ["max"], ["min", "last", "max"]])
def test_poolings_come_in_the_order_asked_for(pooling):
    sequences = index_documents(DOCUMENTS)
    everything = pooled(encoder(), sequences)
    got = pooled(encoder(), sequences, pooling)
    np.testing.assert_array_equal(got, everything[:, [*map(POOLINGS.index, pooling)]])


def test_empty_documents_are_zero_even_where_all_are():
    got = pooled(encoder(), index_documents([[], []]))
    np.testing.assert_array_equal(got, np.zeros((2, len(POOLINGS), 3, 8)))


@pytest.mark.parametrize("name", POOLINGS)
def test_half_pool_takes_shorter_and_shorter_steps(name):
    rng = np.random.default_rng(1)
    lengths = [5, 3, 3, 1]
    values = torch.from_numpy(rng.normal(size=(2, 4, 5, 3)))  # (L + 1, B, T, P)
    pool = HalfPool([name], (2, 4, 3), values)
    for t in range(5):
        alive = sum(length > t for length in lengths)
        pool.add(values[:, :alive, t])
    reduce = {
        # Sums are divided by the document's tokens in the end.
        "mean": {"sum": lambda x: x.sum(1)},
        "max": {"max": lambda x: x.amax(1)},
        "min": {"min": lambda x: x.amin(1)},
        "last": {"last": lambda x: x[:, -1]},
        "std": {"sum": lambda x: x.sum(1), "squares": lambda x: x.square().sum(1)},
    }[name]
    assert pool.values.keys() == reduce.keys()
    for row, length in enumerate(lengths):
        for kept, value in pool.values.items():
            torch.testing.assert_close(
                value[:, row], reduce[kept](values[:, row, :length])
            )


def test_tokens_that_are_all_alike_do_not_deviate():
    # The difference of squares must not leave the root of a rounding error behind.
    half = HalfPool(["std"], (1, 1, 2), torch.zeros(()))
    for _ in range(3):
        half.add(torch.tensor([[[0.1, 1e4]]]))
    pool = DocumentPool(["std"], 1, 1, 2)
    pool.add([half, half], torch.tensor([0]), [torch.tensor([True])] * 2)
    found = pool.finish(torch.tensor([3])) / torch.tensor([0.1, 1e4, 0.1, 1e4])
    torch.testing.assert_close(found, torch.zeros(1, 1, 1, 4), rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_extremes_of_one_sign_are_not_drawn_to_zero(name, sign):
    half = HalfPool([name], (1, 2, 1), torch.zeros(()))
    half.add(torch.tensor([[[sign * 3.0], [sign * 2.0]]]))
    pool = DocumentPool([name], 2, 1, 1)
    edges = [torch.tensor([True, True])] * 2
    pool.add([half, half], torch.tensor([1, 1]), edges)
    chosen = {"max": max, "min": min}[name](3.0 * sign, 2.0 * sign)
    expected = torch.tensor([[[[0.0, 0.0]]], [[[chosen, chosen]]]])
    torch.testing.assert_close(pool.finish(torch.tensor([0, 2])), expected)
