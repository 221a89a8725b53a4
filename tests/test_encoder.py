"""Invariances of the encoder; its numbers are tested in test_oracle, test_pooling."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from oracle_networks import network_of, pooled
from reference_elmo import elmo_layers, random_model

from skelmo.encoding import encoder as encoder_module
from skelmo.encoding.encoder import Encoder
from skelmo.encoding.pooling import POOLINGS
from skelmo.text.sequences import index_documents
from skelmo.text.token_indexer import TokenIndexer

# float32; products of other shapes add in another order.
TOLERANCE = 1e-6

OPTIONS, ARRAYS = random_model(
    np.random.default_rng(5), hidden=6, proj=4, num_layers=2, filters=((1, 3), (3, 4)),
    n_highway=1, activation="relu", char_dim=3, cell_clip=0.3, proj_clip=0.3, skip=True,
)  # fmt: skip


def encoder(max_batch_tokens=8192):
    return Encoder(
        network_of(OPTIONS, ARRAYS).float(), TokenIndexer(), max_batch_tokens
    )


def random_documents(seed, n=20):
    rng = np.random.default_rng(seed)
    words = ["a", "the", "tree", "ö", "of" * 12, "", "."]

    def sentence():
        return rng.choice(words, size=rng.integers(1, 12)).tolist()

    return [[sentence() for _ in range(rng.integers(0, 5))] for _ in range(n)]


def tokens_of(documents, max_batch_tokens=8192):
    found = dict(encoder(max_batch_tokens).tokens(index_documents(documents)))
    assert sorted(found) == list(range(len(documents)))
    return [found[d] for d in range(len(documents))]


@functools.cache
def oracle_sentence(tokens):
    return elmo_layers(tokens, OPTIONS, ARRAYS)[0][:, 1:-1].transpose(1, 0, 2)


def oracle_tokens(document):
    parts = [oracle_sentence(tuple(sentence)) for sentence in document]
    return np.concatenate([np.zeros((0, 3, 8)), *parts])


@pytest.mark.parametrize("blocks", [1, 8])
@pytest.mark.parametrize("budget", [1, 2, 3, 5, 8, 30, 8192])
def test_tokens_equal_the_oracle_at_any_budget(budget, blocks, monkeypatch):
    # A sequence longer than the budget is read in stretches from both its ends.
    monkeypatch.setattr(encoder_module, "BUDGETS_PER_BLOCK", blocks)
    documents = random_documents(0)
    for got, document in zip(tokens_of(documents, budget), documents, strict=True):
        assert got.dtype == np.float32
        expected = oracle_tokens(document)
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("budget", [1, 3, 4, 7, 100])
def test_a_long_sequence_in_stretches_equals_it_in_one(budget):
    rng = np.random.default_rng(1)
    documents = [[rng.choice(["a", "b", "tree"], size=150).tolist()], [["a"] * 40]]
    whole, parts = tokens_of(documents), tokens_of(documents, budget)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=TOLERANCE)
    sequences = index_documents(documents)
    np.testing.assert_allclose(
        pooled(encoder(budget), sequences),
        pooled(encoder(), sequences),
        rtol=0,
        atol=TOLERANCE,
    )


def test_a_permutation_of_the_documents_permutes_bits():
    documents = random_documents(2)
    order = np.random.default_rng(0).permutation(len(documents))
    shuffled = [documents[d] for d in order]
    first = pooled(encoder(30), index_documents(documents))
    second = pooled(encoder(30), index_documents(shuffled))
    np.testing.assert_array_equal(second, first[order])
    by_token = tokens_of(documents, 30)
    for d, got in zip(order, tokens_of(shuffled, 30), strict=True):
        np.testing.assert_array_equal(got, by_token[d])


def test_the_vector_of_a_document_is_its_own():
    documents = random_documents(3)
    together = pooled(encoder(), index_documents(documents))
    for d, document in enumerate(documents):
        alone = pooled(encoder(), index_documents([document]))
        np.testing.assert_allclose(alone[0], together[d], rtol=0, atol=TOLERANCE)


def test_encoding_again_gives_the_same_bits():
    sequences = index_documents(random_documents(4))
    one = encoder(30)
    before = {k: v.clone() for k, v in one.bilm.state_dict().items()}
    first = pooled(one, sequences)
    pooled(one, index_documents(random_documents(5)), ["mean"])
    np.testing.assert_array_equal(pooled(one, sequences), first)
    for name, value in one.bilm.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_repeated_document_has_the_same_vector():
    document = [["a", "tree"], ["."]]
    got = pooled(encoder(4), index_documents([document, [["b"]], document]))
    np.testing.assert_allclose(got[0], got[2], rtol=0, atol=TOLERANCE)


def test_some_documents_are_pooled_as_among_all():
    sequences = index_documents(random_documents(6))
    expected = pooled(encoder(), sequences)
    which = np.array([7, 2, 19, 3])
    found = dict.fromkeys(which.tolist())
    for documents, values in encoder(8).pool(sequences, POOLINGS, which):
        found.update(zip(documents.tolist(), values, strict=True))
    assert list(found) == which.tolist()
    for document, values in found.items():
        np.testing.assert_allclose(values, expected[document], rtol=0, atol=TOLERANCE)


def test_gradients_stay_enabled_for_whoever_reads_the_tokens():
    states = [
        torch.is_grad_enabled()
        for _ in encoder(1).tokens(index_documents(random_documents(7)))
    ]
    assert states == [True] * 20


def test_unknown_words_get_the_unknown_row():
    options, arrays = random_model(
        np.random.default_rng(6), hidden=5, proj=4, num_layers=1, filters=((1, 3),),
        n_highway=0, activation="tanh", char_dim=3, cell_clip=None, proj_clip=None,
        skip=False, word_dim=2,
    )  # fmt: skip
    table = np.random.default_rng(7).normal(size=(5, 2)).astype(np.float32)
    words = {"<S>": 0, "</S>": 1, "<UNK>": 2, "the": 3, "tree": 4}
    bilm = network_of(options, arrays, table).float()
    sentence = ["the", "unseen", "tree", "The"]
    ((_, got),) = Encoder(bilm, TokenIndexer.of(words)).tokens(
        index_documents([[sentence]])
    )
    vectors = table[[0, 3, 2, 4, 2, 1]]
    expected = elmo_layers(sentence, options, arrays, word_vectors=vectors)[0]
    expected = expected[:, 1:-1].transpose(1, 0, 2)
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


def cosines(a, b):
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_bfloat16_stays_near_float32():
    exact, rough = encoder(), replace(encoder(), dtype=torch.bfloat16)
    sequences = index_documents(random_documents(8))
    poolings = ["mean", "max"]
    a, b = (pooled(one, sequences, poolings) for one in (exact, rough))
    assert b.dtype == np.float32
    assert (a != b).mean() > 0.5
    filled = np.abs(a).reshape(len(a), -1).max(1) > 0
    assert cosines(a[filled], b[filled]).min() > 0.9999
    for document, features in rough.tokens(sequences):
        expected = dict(exact.tokens(sequences))[document]
        np.testing.assert_allclose(features, expected, rtol=0, atol=0.05)


@pytest.mark.parametrize("way", ["pool", "tokens"])
def test_where_memory_does_not_suffice_batches_are_halved(way, monkeypatch, caplog):
    sequences = index_documents(random_documents(9))
    run, most = encoder_module.run_batch, 12

    def in_little_memory(bilm, batch, *arguments):
        if len(batch.positions) > most and len(batch.sequences) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return run(bilm, batch, *arguments)

    def result(encoder):
        if way == "pool":
            return pooled(encoder, sequences, ["mean"])
        return np.concatenate([a for _, a in sorted(encoder.tokens(sequences))])

    expected = result(encoder())
    monkeypatch.setattr(encoder_module, "run_batch", in_little_memory)
    np.testing.assert_allclose(result(encoder()), expected, rtol=0, atol=1e-6)
    assert "memory does not suffice: going on with max_batch_tokens=" in caplog.text

    def in_no_memory(*_):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(encoder_module, "run_batch", in_no_memory)
    with pytest.raises(torch.OutOfMemoryError, match="^out of memory$"):
        result(encoder())
