from collections import Counter

import pytest

from skelmo.text.vocabulary import (
    UNKNOWN,
    UNKNOWN_WORD,
    build_vocabulary,
    word_rows,
)

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


def test_words_in_lower_case_are_counted_together():
    counts = Counter({"The": 3, "the": 2, "THE": 1, "cat": 5, "Cat": 1, "<S>": 9})
    got = build_vocabulary(counts, lowercase=True, min_count=6)
    assert got == [*SPECIAL, "cat", "the"]
    assert build_vocabulary(counts, min_count=3) == [*SPECIAL, "cat", "The"]


def test_tokens_have_the_rows_of_their_words():
    rows = {word: k for k, word in enumerate([*SPECIAL, "the", "Rome", "ß"])}
    tokens = ["the", "The", "THE", "Rome", "rome", "<S>", "<unk>", "ẞ", "dog", ""]
    assert word_rows(tokens, rows, False).tolist() == [3, 2, 2, 4, 2, 0, 2, 2, 2, 2]
    assert word_rows(tokens, rows, True).tolist() == [3, 3, 3, 4, 2, 0, 2, 5, 2, 2]
    assert word_rows([], rows, True).dtype == "int64"
