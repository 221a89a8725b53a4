import itertools

import numpy as np
import pytest

from skelmo.text.analysis import Analyzer
from skelmo.text.distinct import index_distinct
from skelmo.text.sequences import index_documents

ANALYZE = Analyzer(input="tokens")
DOCUMENTS = [
    [["a", "b"], ["c"]],
    None,
    [["c"]],
    [["a", "b"], ["c"]],
    [],
    [["c"], []],
    None,
    [["d"]],
]


def test_each_distinct_document_is_indexed_once():
    distinct = index_distinct(iter(DOCUMENTS), ANALYZE)
    expected = index_documents([[["a", "b"], ["c"]], [["c"]], [], [["d"]]])
    for got, wanted in zip(distinct.sequences, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert distinct.place.tolist() == [0, -1, 1, 0, 2, 1, -1, 3]
    assert distinct.repeats.tolist() == [2, 2, 1, 1]
    rows, offsets = distinct.rows
    assert rows[: offsets[0]].tolist() == [1, 6]
    for document in range(4):
        where = rows[offsets[document] : offsets[document + 1]]
        np.testing.assert_array_equal(where, np.flatnonzero(distinct.place == document))


@pytest.mark.parametrize("documents", [[], [None], [None, None]])
def test_there_may_be_no_document(documents):
    distinct = index_distinct(iter(documents), ANALYZE)
    assert distinct.sequences.n_documents == 0
    assert distinct.keys == []
    assert distinct.place.tolist() == [-1] * len(documents)
    assert distinct.rows[0].tolist() == list(range(len(documents)))
    assert distinct.rows[1].tolist() == [len(documents)]


def test_keys_tell_apart_whatever_differs_in_tokens_or_boundaries():
    documents = [
        [["a", "b"]], [["a"], ["b"]], [["a b"]], [["ab"]], [["a", "", "b"]],
        [["a', 'b"]], [["a,b"]], [["[a]"]], [["\0a"]], [["a\0"]], [["a\\x00"]],
        [["é"]], [["\\xe9"]], [["\ud800"]], [["\\ud800"]], [["\udcff"]], [["'"]],
        [['"']], [["'\""]],
    ]  # fmt: skip
    distinct = index_distinct(iter(documents), ANALYZE)
    assert len(set(distinct.keys)) == len(documents)
    again = index_distinct(iter(documents[::-1]), ANALYZE)
    assert again.keys == distinct.keys[::-1]


@pytest.mark.parametrize("at_most", [1, 3, 7, 100])
def test_parts_are_the_whole(at_most):
    documents = iter(DOCUMENTS)
    keys, sizes = [], []
    while True:
        part = index_distinct(documents, ANALYZE, at_most)
        if not len(part.place):
            break
        keys += [None if k < 0 else part.keys[k] for k in part.place]
        sizes.append(len(part.place))
    whole = index_distinct(iter(DOCUMENTS), ANALYZE)
    assert keys == [None if k < 0 else whole.keys[k] for k in whole.place]
    assert len(sizes) == {1: 6, 3: 4, 7: 2, 100: 1}[at_most]


def test_no_more_is_read_than_a_part_needs():
    endless = ([["a", "b"]] for _ in itertools.count())
    part = index_distinct(endless, ANALYZE, 300)
    assert len(part.place) == 100
