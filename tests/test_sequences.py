import itertools

import numpy as np

from skelmo.text.sequences import index_documents

DOCUMENTS = [
    [["the", "cat"], ["sat"]],
    [],
    [["zebra", "\ud800", "", "the", "<S>"]],
    [["a"], [], ["é", "cat", "cat"]],
]


def decoded(sequences):
    """Documents as the arrays tell them, markers included."""
    words = [sequences.tokens[i] for i in sequences.token_ids]
    spans = [words[a:b] for a, b in itertools.pairwise(sequences.offsets)]
    return [spans[a:b] for a, b in itertools.pairwise(sequences.document_offsets)]


def test_documents_come_back_between_markers():
    expected = [
        [["<S>", *sentence, "</S>"] for sentence in document] for document in DOCUMENTS
    ]
    assert decoded(index_documents(DOCUMENTS)) == expected


def test_a_generator_is_read_once():
    assert decoded(index_documents(iter(DOCUMENTS))) == decoded(
        index_documents(DOCUMENTS)
    )


def test_tokens_are_unique_and_sorted():
    tokens = index_documents(DOCUMENTS).tokens
    every = {t for d in DOCUMENTS for s in d for t in s}
    assert tokens == sorted(every | {"<S>", "</S>"})


def test_ids_do_not_depend_on_the_order_of_the_documents():
    first = index_documents(DOCUMENTS)
    for order in itertools.permutations(range(4)):
        other = index_documents([DOCUMENTS[d] for d in order])
        assert other.tokens == first.tokens
        for place, d in enumerate(order):
            ours = slice(*other.document_offsets[[place, place + 1]])
            theirs = slice(*first.document_offsets[[d, d + 1]])
            np.testing.assert_array_equal(other.lengths[ours], first.lengths[theirs])
            a = other.offsets[[ours.start, ours.stop]]
            b = first.offsets[[theirs.start, theirs.stop]]
            np.testing.assert_array_equal(
                other.token_ids[slice(*a)], first.token_ids[slice(*b)]
            )


def test_properties_follow_from_the_offsets():
    sequences = index_documents(DOCUMENTS)
    assert sequences.n_documents == 4
    sentences = [(d, s) for d, document in enumerate(DOCUMENTS) for s in document]
    assert sequences.document_of_sequence.tolist() == [d for d, _ in sentences]
    assert sequences.lengths.tolist() == [len(s) + 2 for _, s in sentences]


def test_no_documents_and_empty_documents_have_no_sequences():
    for documents in ([], [[]], [[], []]):
        sequences = index_documents(documents)
        assert sequences.n_documents == len(documents)
        assert len(sequences.token_ids) == len(sequences.lengths) == 0
        assert decoded(sequences) == documents
