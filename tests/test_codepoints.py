"""Tokens to ids of code points, and what they make of words."""

import pickle

import numpy as np
import pytest

from skelmo.nn import char_cnn
from skelmo.text import codepoints
from skelmo.text.codepoints import MARKERS, CodePoints, other_name
from skelmo.text.token_indexer import TokenIndexer

ALPHABET = ["a", "é", "語", "😀", "\u3000", "<"]
TOKENS = [
    "", "a", "aé語", "e\u0301", "👩‍👩‍👧", "<bos>", "<eos>", "<S>", "</S>", "<pad>",
    "a" * 47, "a" * 48, "a" * 49, "語" * 60, "\ud800a", "a\u3000a",
]  # fmt: skip


def row_of(token, max_characters):
    """Write the row down by names, as the format is told."""
    inside = [
        character if character in ALPHABET else "<oov>"
        for character in token[: max_characters - 2]
    ]
    if token in ("<bos>", "<S>"):
        inside = ["<bos>"]
    if token in ("<eos>", "</S>"):
        inside = ["<eos>"]
    row = ["<eow>", *inside, "<bow>"]
    return row + ["<pad>"] * (max_characters - len(row))


@pytest.mark.parametrize("max_characters", [50, 12, 3])
def test_rows_are_those_of_the_format(max_characters):
    names = [*MARKERS, *ALPHABET]
    ids = CodePoints(ALPHABET, max_characters)(TOKENS)
    for token, row in zip(TOKENS, ids, strict=True):
        assert [names[k] for k in row] == row_of(token, max_characters), token


def test_ids_of_no_tokens_keep_their_width():
    assert CodePoints(ALPHABET, 12)([]).shape == (0, 12)


def test_of_a_character_that_is_there_twice_the_later_counts():
    assert CodePoints(["a", "b", "a"])(["a"])[0, 1] == 8


def test_large_alphabets_have_ids_beyond_16_bits():
    alphabet = [chr(0x10000 + k) for k in range(40_000)]
    assert CodePoints(alphabet)([alphabet[-1]])[0, 1] == 40_005


@pytest.mark.parametrize("max_characters", [50, 3])
def test_what_is_cut_is_not_read(max_characters):
    characters = CodePoints(ALPHABET, max_characters)
    cut = characters.are_cut(TOKENS)
    for token, is_cut in zip(TOKENS, cut, strict=True):
        is_marker = token in ("<bos>", "<eos>", "<S>", "</S>")
        assert is_cut == (len(token) > max_characters - 2 and not is_marker), token


def test_words_are_cut_and_special_ones_change_their_names():
    words = ["<S>", "</S>", "<UNK>", "<pad>", "the", "x" * 10, "<bos>", "<oov>"]
    indexer = TokenIndexer.of(words, 12, alphabet=ALPHABET)
    expected = {
        "the": 4, "x" * 10: 5, "x" * 99: 5, "<pad>": 3, "The": 2, "<bos>": 0, "<S>": 0,
        "<eos>": 1, "</S>": 1, "<oov>": 2, "<UNK>": 7,
    }  # fmt: skip
    assert indexer.word_ids([*expected]).tolist() == [*expected.values()]
    for word in (*words, "a"):
        assert other_name(other_name(word)) == word


def test_a_pickle_looks_up_alike():
    indexer = TokenIndexer.of(["<S>", "</S>", "<UNK>", "a"], 9, alphabet=ALPHABET)
    again = pickle.loads(pickle.dumps(indexer))
    for mine, yours in zip(again(TOKENS), indexer(TOKENS), strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_the_padding_is_numbered_alike_in_text_and_network():
    assert codepoints.PADDING == char_cnn.PADDING_CODE_POINT
    assert MARKERS[codepoints.PADDING] == "<pad>"
