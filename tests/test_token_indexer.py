"""Tokens to ids of characters and of words."""

import pickle

import numpy as np
from reference_elmo import token_to_ids

from skelmo.text.token_indexer import TokenIndexer

WORDS = ["<S>", "</S>", "<UNK>", "the", "moon", "garden", "The"]
TOKENS = ["moon", "Moon", "the", "The", "THE", "garten", "zebra", "<S>", "<UNK>"]


def test_characters_are_the_oracles_and_words_their_rows():
    char_ids, word_ids = TokenIndexer.of(WORDS, 7)(TOKENS)
    np.testing.assert_array_equal(char_ids, [token_to_ids(t, 7) for t in TOKENS])
    expected = [WORDS.index(t) if t in WORDS else 2 for t in TOKENS]
    assert word_ids.tolist() == expected


def test_words_may_be_known_in_lower_case():
    _, word_ids = TokenIndexer.of(WORDS, lowercase=True)(TOKENS)
    assert word_ids.tolist() == [4, 4, 3, 6, 3, 2, 2, 0, 2]


def test_an_unknown_token_may_be_read_as_a_word_one_edit_away():
    indexer = TokenIndexer.of(WORDS)
    assert indexer.spelling(TOKENS).word_ids[5] == WORDS.index("garden")
    assert indexer.spelling(["zebra", "garden"]).word_ids.tolist() == [2, 5]
    assert indexer(TOKENS).word_ids[5] == 2


def test_without_words_every_token_is_unknown():
    assert set(TokenIndexer()(TOKENS).word_ids.tolist()) == {2}


def test_a_pickle_looks_up_alike():
    indexer = TokenIndexer.of(WORDS, 9, lowercase=True)
    again = pickle.loads(pickle.dumps(indexer))
    for mine, yours in zip(again(TOKENS), indexer(TOKENS), strict=True):
        np.testing.assert_array_equal(mine, yours)
