import tracemalloc
from collections import Counter

import numpy as np
import pytest
from reference_elmo import token_to_ids

from skelmo.scoring.corpus import (
    choose_alphabet,
    choose_vocabulary,
    count_tokens,
    make_corpus,
    sequences_of,
    split_documents,
)
from skelmo.text import sequences as sequences_module
from skelmo.text.characters import Utf8Bytes
from skelmo.text.sequences import Sequences, index_documents
from skelmo.text.token_indexer import TokenIndexer
from skelmo.text.truncation import count_truncation

DOCUMENTS = [
    [["the", "cat", "sat"], ["the", "end"]],
    [],
    [["a", "cat"]],
    [["rare"], ["the", "<UNK>"], ["zebra", "rare"]],
]


def brute_count(documents):
    return Counter(
        t for document in documents for s in document for t in ["<S>", *s, "</S>"]
    )


@pytest.mark.parametrize("chunk", [1, 2, 5, 100])
@pytest.mark.parametrize("chosen", [[0, 1, 2, 3], [3], [1], [2, 0], []])
def test_counts_are_those_of_the_chosen_documents(monkeypatch, chosen, chunk):
    monkeypatch.setattr(sequences_module, "CHUNK", chunk)
    sequences = index_documents(DOCUMENTS)
    got = count_tokens(sequences, np.array(chosen, dtype=np.int64))
    assert got == brute_count([DOCUMENTS[d] for d in chosen])


def test_vocabulary_is_chosen_from_the_documents_trained_on():
    sequences = index_documents(DOCUMENTS)
    special = ["<S>", "</S>", "<UNK>"]
    got = choose_vocabulary(
        sequences, np.array([0, 2]), min_count=1, max_vocabulary=None
    )
    assert got == [*special, "cat", "the", "a", "end", "sat"]
    got = choose_vocabulary(
        sequences, np.array([0, 2]), min_count=2, max_vocabulary=None
    )
    assert got == [*special, "cat", "the"]
    got = choose_vocabulary(sequences, np.arange(4), min_count=1, max_vocabulary=5)
    assert got == [*special, "the", "cat"]


def test_alphabet_is_chosen_from_the_documents_trained_on():
    documents = [[["aab", "<S>", "b"]], [["zzz"]], [["b\ud800\ud800", "aé"]]]
    sequences = index_documents(documents)
    which = np.array([0, 2])
    assert choose_alphabet(sequences, which, min_count=2) == ["a", "b"]
    assert choose_alphabet(sequences, which, min_count=1) == ["a", "b", "é"]
    assert choose_alphabet(sequences, np.array([1]), min_count=4) == []


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_corpus_looks_up_characters_and_words(monkeypatch, chunk):
    monkeypatch.setattr(sequences_module, "CHUNK", chunk)
    vocabulary = ["<S>", "</S>", "<UNK>", "the", "cat"]
    corpus = make_corpus(index_documents(DOCUMENTS), TokenIndexer.of(vocabulary, 12))
    for token, ids, word in zip(
        corpus.sequences.tokens, corpus.char_ids, corpus.word_of_token, strict=True
    ):
        assert ids.tolist() == token_to_ids(token, 12)
        assert vocabulary[word] == (token if token in vocabulary else "<UNK>")
    tokens = [t for document in DOCUMENTS for s in document for t in s]
    assert corpus.n_tokens == len(tokens) == 12
    n_unknown = sum(token not in {"the", "cat"} for token in tokens)
    assert corpus.unknown_share == n_unknown / len(tokens)


def test_unknown_share_is_one_of_nothing_known_and_zero_of_nothing():
    indexer = TokenIndexer.of(["<S>", "</S>", "<UNK>"])
    assert make_corpus(index_documents(DOCUMENTS), indexer).unknown_share == 1.0
    assert make_corpus(index_documents([[]]), indexer).unknown_share == 0.0


@pytest.mark.parametrize(
    ("n_documents", "fraction", "n_held_out"),
    [
        (10, 0.1, 1),
        (10, 0.34, 3),
        (2, 0.1, 1),
        (2, 0.99, 1),
        (5, 0.99, 4),
        (99, 0.2, 20),
    ],
)
def test_split_is_of_whole_documents_of_the_fraction_asked_for(
    n_documents, fraction, n_held_out
):
    train, held_out = split_documents(n_documents, fraction, np.random.default_rng(0))
    assert len(held_out) == n_held_out
    assert sorted([*train, *held_out]) == list(range(n_documents))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held_out) > 0).all()


def test_split_trains_on_the_only_document():
    for n in (0, 1):
        train, held_out = split_documents(n, 0.5, np.random.default_rng(0))
        assert (train.tolist(), held_out.tolist()) == (list(range(n)), [])


def test_split_is_random_and_follows_its_generator():
    def held_out(seed):
        return split_documents(50, 0.2, np.random.default_rng(seed))[1].tolist()

    assert held_out(0) == held_out(0)
    counts = Counter(d for seed in range(300) for d in held_out(seed))
    # Each of the 50 documents is held out in a fifth of 300: 60, standard deviation 7.
    assert min(counts[d] for d in range(50)) > 60 - 5 * 7
    assert max(counts.values()) < 60 + 5 * 7


@pytest.mark.parametrize("chosen", [[0, 3], [1], [3, 2, 0], []])
def test_sequences_of_documents_are_those_they_own(chosen):
    sequences = index_documents(DOCUMENTS)
    got = sequences_of(sequences, np.array(chosen, dtype=np.int64))
    expected = [
        s for d in chosen for s, owner in enumerate([0, 0, 2, 3, 3, 3]) if owner == d
    ]
    assert got.tolist() == expected
    assert got.dtype == np.int64


@pytest.mark.parametrize("n_documents", [1, 20_000])
def test_what_is_counted_over_all_tokens_takes_the_memory_of_a_chunk(
    monkeypatch, n_documents
):
    monkeypatch.setattr(sequences_module, "CHUNK", 10_000)
    ids = np.random.default_rng(0).integers(0, 100, size=2_000_000, dtype=np.int32)
    offsets = np.linspace(0, len(ids), n_documents + 1).astype(np.int64)
    tokens = [f"{k:0100}" for k in range(100)]
    sequences = Sequences(tokens, ids, offsets, np.arange(n_documents + 1))
    corpus = make_corpus(
        sequences, TokenIndexer.of(["<S>", "</S>", "<UNK>", *tokens[50:]])
    )
    tracemalloc.start()
    try:
        counts = count_tokens(sequences, np.arange(n_documents))
        share = corpus.unknown_share
        cut = count_truncation(sequences, Utf8Bytes(50))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [counts[token] for token in tokens] == np.bincount(ids).tolist()
    assert share == (ids < 50).sum() / (len(ids) - 2 * n_documents)
    assert cut == (len(ids), n_documents)
    # Less than a flag a token, let alone its id; the offsets of documents are extra.
    assert peak < 1e6 + 8 * n_documents
