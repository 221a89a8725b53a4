from collections import Counter

import pytest

from skelmo.text.vocabulary import UNKNOWN, UNKNOWN_WORD, build_vocabulary

SPECIAL = ["<S>", "</S>", "<UNK>"]


def test_words_are_ordered_by_count_and_ties_by_word():
    counts = Counter({"b": 2, "a": 2, "é": 2, "Z": 2, "rare": 1, "common": 9})
    expected = [*SPECIAL, "common", "Z", "a", "b", "é", "rare"]
    assert build_vocabulary(counts) == expected
    backwards = Counter(dict(reversed(counts.items())))
    assert build_vocabulary(backwards) == expected


def test_the_unknown_word_is_where_its_row_says():
    assert build_vocabulary(Counter())[UNKNOWN] == UNKNOWN_WORD


@pytest.mark.parametrize(
    ("min_count", "words"),
    [(1, ["c", "b", "a"]), (2, ["c", "b"]), (3, ["c"]), (4, [])],
)
def test_words_rarer_than_min_count_are_left_out(min_count, words):
    counts = Counter(a=1, b=2, c=3)
    assert build_vocabulary(counts, min_count=min_count) == [*SPECIAL, *words]


@pytest.mark.parametrize(
    ("max_vocabulary", "words"), [(4, ["c"]), (5, ["c", "b"]), (99, ["c", "b", "a"])]
)
def test_max_vocabulary_counts_the_special_words(max_vocabulary, words):
    counts = Counter(a=1, b=2, c=3)
    got = build_vocabulary(counts, max_vocabulary=max_vocabulary)
    assert got == [*SPECIAL, *words]


def test_special_words_in_the_text_stand_once():
    counts = Counter({"<S>": 50, "</S>": 50, "<UNK>": 7, "a": 1})
    assert build_vocabulary(counts) == [*SPECIAL, "a"]
