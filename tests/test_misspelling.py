"""Misspelt tokens in training."""

import numpy as np
import pytest

from skelmo import ElmoLanguageModel
from skelmo.text.characters import PADDING, encode_tokens
from skelmo.text.codepoints import CodePoints
from skelmo.text.vocabulary import UNKNOWN
from skelmo.training import language_modeling
from skelmo.training.misspelling import misspell

TOKENS = ["beautiful", "cat", "of", "naïve", "<S>", "x" * 48, "y" * 47, "2024"] * 20


def words(char_ids):
    """Undo `encode_tokens`."""
    return [
        bytes(int(i) - 1 for i in row if 1 <= i <= 256).decode() for row in char_ids
    ]


def mistakes(word):
    """Return all that one mistake makes of a word."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    splits = [(word[:k], word[k:]) for k in range(len(word))]
    swapped = {a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1}
    shorter = {a + b[1:] for a, b in splits}
    doubled = {a + b[0] + b for a, b in splits}
    return (
        swapped
        | shorter
        | doubled
        | {a + c + b[1:] for a, b in splits for c in letters}
    )


def test_one_mistake_is_made_in_each_word_chosen():
    char_ids = encode_tokens(TOKENS)
    chosen = np.arange(len(TOKENS)) % 16 != 0
    found, changed = misspell(char_ids, chosen, np.random.default_rng(0))
    possible = [word in ("beautiful", "cat", "2024", "y" * 47) for word in TOKENS]
    np.testing.assert_array_equal(changed, chosen & possible)
    np.testing.assert_array_equal(found[~changed], char_ids[~changed])
    kinds = set()
    for old, new in zip(TOKENS, words(found), strict=True):
        if old in ("beautiful", "cat") and new != old:
            assert new in mistakes(old)
            kinds.add((len(new) - len(old), sorted(new) == sorted(old)))
    assert kinds == {(0, True), (-1, False), (1, False), (0, False)}
    # Markers and padding stand where they stand in an honest encoding.
    plain = np.array([1 <= row[1] <= 256 for row in found])
    expected = encode_tokens([w for w, p in zip(words(found), plain, strict=True) if p])
    np.testing.assert_array_equal(found[plain], expected)


def test_the_seed_decides_and_nothing_is_changed_in_place():
    char_ids = encode_tokens(TOKENS)
    chosen = np.ones(len(TOKENS), dtype=bool)
    one, other, third = (
        misspell(char_ids, chosen, np.random.default_rng(seed))[0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, other)
    assert (one != third).any()
    np.testing.assert_array_equal(char_ids, encode_tokens(TOKENS))


def test_code_points_of_any_script_are_misspelt_and_stay_whole():
    tokens = ["straße", "天氣很好", "👩‍👩‍👧", "ab", "", "x" * 48, "тест", "<S>"]
    characters = CodePoints(sorted({*"".join(tokens)}))
    char_ids = characters(tokens)
    chosen = np.ones(len(tokens), dtype=bool)
    chosen[6] = False
    found, changed = misspell(
        char_ids, chosen, np.random.default_rng(0), characters.padding
    )
    assert changed.tolist() == [True, True, True, *[False] * 5]
    np.testing.assert_array_equal(found[~changed], char_ids[~changed])
    known = "".join(characters.alphabet)
    for row, token in zip(found[changed], tokens, strict=False):
        inside = [k for k in row.tolist() if k != characters.padding]
        assert (inside[0], inside[-1]) == (5, 4)
        assert abs(len(inside) - 2 - len(token)) <= 1
        assert all(known[k - 6] for k in inside[1:-1])


def test_tokens_of_unknown_code_points_are_left_alone():
    characters = CodePoints(["a"])
    char_ids = characters(["日本語", "тест"])
    chosen = np.ones(2, dtype=bool)
    found, changed = misspell(
        char_ids, chosen, np.random.default_rng(0), characters.padding
    )
    assert not changed.any()
    np.testing.assert_array_equal(found, char_ids)


@pytest.mark.parametrize("word_embedding_dim", [0, 4])
def test_misspelt_words_are_unknown_to_the_word_embedding(
    monkeypatch, texts, tiny, word_embedding_dim
):
    read, original = [], language_modeling.token_vectors

    def noting(bilm, char_ids, word_ids=None, **options):
        read.append((char_ids, word_ids))
        return original(bilm, char_ids, word_ids, **options)

    monkeypatch.setattr(language_modeling, "token_vectors", noting)
    model = ElmoLanguageModel(
        **tiny,
        word_embedding_dim=word_embedding_dim,
        word_dropout=0.0,
        misspelling=0.3,
    ).fit(texts)
    honest = {row.tobytes() for row in encode_tokens(model.vocabulary_)}
    n_wrong = n_all = 0
    for char_ids, word_ids in read:
        wrong = np.array([row.tobytes() not in honest for row in char_ids])
        assert (char_ids[:, -1] == PADDING).all()
        n_wrong, n_all = n_wrong + wrong.sum(), n_all + len(wrong)
        if word_embedding_dim:
            assert (word_ids[wrong] == UNKNOWN).all()
    assert 0.1 < n_wrong / n_all < 0.35
