"""Words one edit away, and what a language model reads of unknown words by them."""

import random
import string
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.frozen import FrozenEstimator
from tiny_runs import encoder_of

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.encoding.settings import EncoderSettings
from skelmo.text.spelling import NearestWords, is_one_edit


def edits(word, letters):
    """Return all strings one edit away."""
    cuts = [(word[:k], word[k:]) for k in range(len(word) + 1)]
    less = {a + b[1:] for a, b in cuts if b}
    more = {a + x + b for a, b in cuts for x in letters}
    other = {a + x + b[1:] for a, b in cuts if b for x in letters}
    swapped = {
        word[:k] + b + a + word[k + 2 :] for k, (a, b) in enumerate(pairwise(word))
    }
    return (less | more | other | swapped) - {word}


def test_one_edit_is_what_edits_make():
    rng = random.Random(0)
    words = {"".join(rng.choices("abc", k=rng.randint(1, 5))) for _ in range(150)}
    for word in words:
        near = edits(word, "abc")
        assert {other for other in words if is_one_edit(word, other)} == words & near


@pytest.mark.parametrize("letters", ["abcde", "äабв語"])
def test_the_first_word_one_edit_away_is_found(letters):
    rng = random.Random(0)
    words = list(
        dict.fromkeys(
            "".join(rng.choices(letters, k=rng.randint(2, 6))) for _ in "x" * 400
        )
    )
    nearest = NearestWords(words, lowercase=False)
    n_found = 0
    for _ in range(500):
        token = "".join(rng.choices(letters, k=rng.randint(4, 6)))
        if token in words:
            continue
        near = edits(token, letters)
        expected = next(
            (word for word in words if word in near and len(word) > 2), None
        )
        assert nearest.find(token) == expected
        n_found += expected is not None
    assert n_found > 100


def test_what_is_short_or_holds_no_letters_alone_is_left():
    nearest = NearestWords(["the", "they", "1999", "well-made"], lowercase=True)
    assert nearest.find("tha") is None
    assert nearest.find("1998") is None
    assert nearest.find("wel-made") is None
    assert nearest.find("Thay") == "they"
    assert NearestWords(["they"], lowercase=False).find("THEY") is None


def test_equal_words_come_by_frequency():
    assert NearestWords(["cart", "card"], lowercase=True).find("carx") == "cart"
    assert NearestWords(["card", "cart"], lowercase=True).find("carx") == "card"


@pytest.fixture(scope="module")
def with_words(tiny):
    """Return a language model with a word-level embedding."""
    texts = ["the garden was quiet and the stars were bright"] * 120
    sizes = {**tiny, "word_embedding_dim": 4, "lowercase": True}
    return FrozenEstimator(ElmoLanguageModel(**sizes).fit(texts))


def test_unknown_words_get_the_vector_of_the_nearest(with_words):
    model = with_words.estimator
    encoder = encoder_of(model)
    token_encoder = model.network_.bilm.token_encoder
    with_row = {}

    def note(module, inputs):
        _, words = inputs
        with_row["rows"] = words.tolist()

    handle = token_encoder.register_forward_pre_hook(note)
    try:
        replace(encoder, cache=None).token_vectors(
            ["garten", "Brigth", "xyzzy", "quiet"]
        )
        rows = [model.vocabulary_[k] for k in with_row["rows"]]
        assert sorted(rows) == ["<UNK>", "bright", "garden", "quiet"]
        encoder = encoder_of(model, unknown_words="characters")
        replace(encoder, cache=None).token_vectors(["garten", "quiet"])
        rows = [model.vocabulary_[k] for k in with_row["rows"]]
        assert sorted(rows) == ["<UNK>", "quiet"]
    finally:
        handle.remove()


def test_ways_to_read_unknown_words_share_no_cache(with_words):
    texts = ["the garten was quite brigth"]
    found = {
        way: ElmoVectorizer(language_model=with_words, unknown_words=way)
        for way in ("nearest", "characters")
    }
    first = {way: v.fit_transform(texts) for way, v in found.items()}
    assert np.abs(first["nearest"] - first["characters"]).max() > 1e-3
    for way, vectorizer in found.items():
        alone = ElmoVectorizer(
            language_model=with_words, unknown_words=way, cache=None
        ).fit_transform(texts)
        assert_array_equal(first[way], alone)
        assert_array_equal(vectorizer.transform(texts), alone)
    model = with_words.estimator
    first, second = (EncoderSettings(unknown_words=way) for way in found)
    assert first.fingerprint(model.model_) != second.fingerprint(model.model_)


def test_known_words_are_read_alike(with_words):
    texts = ["the garden was bright", "The stars were quiet ."]
    ways = [
        ElmoVectorizer(language_model=with_words, unknown_words=way, cache=None)
        for way in ("nearest", "characters")
    ]
    assert_array_equal(*[way.fit_transform(texts) for way in ways])


def test_a_model_of_characters_alone_has_one_way(language_model):
    texts = ["the garten was quite brigth"]
    first, second = (
        ElmoVectorizer(
            language_model=FrozenEstimator(language_model), unknown_words=way
        )
        for way in ("nearest", "characters")
    )
    assert_array_equal(first.fit_transform(texts), second.fit_transform(texts))
    nearest, characters = (
        EncoderSettings(unknown_words=way).fingerprint(language_model.model_)
        for way in ("nearest", "characters")
    )
    assert nearest == characters


def test_the_alphabet_of_the_vocabulary_does_not_matter():
    word = string.ascii_lowercase
    assert NearestWords([word], lowercase=True).find(f"{word[:7]}é{word[8:]}") == word
