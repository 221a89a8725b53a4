import re

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator

import skelmo
from skelmo import ElmoVectorizer, nearest, similarity


@pytest.fixture
def vectorizer(language_model):
    return ElmoVectorizer(FrozenEstimator(language_model), pooling="mean")


def cosines(a, b):
    with np.errstate(invalid="ignore"):
        found = a @ b.T / np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    return np.nan_to_num(found)


def test_similarity_is_the_cosine_of_features(vectorizer, texts):
    x = vectorizer.fit_transform(texts[:8]).astype(float)
    y = vectorizer.transform([*texts[8:12], ""]).astype(float)
    found = similarity(texts[:8], [*texts[8:12], ""], vectorizer=vectorizer)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, cosines(x, y), atol=1e-5)
    assert (found[:, 4] == 0).all()
    own = similarity(texts[:8], vectorizer=vectorizer)
    np.testing.assert_allclose(own, cosines(x, x), atol=1e-5)
    np.testing.assert_array_equal(similarity(x), similarity(x, x))
    assert similarity([], texts[:2], vectorizer=vectorizer).shape == (0, 2)


@pytest.mark.parametrize("k", [1, 3, 100])
def test_the_nearest_are_those_of_the_greatest_cosine_about_the_mean(
    vectorizer, texts, k
):
    searched, queries = [*texts[:20], ""], texts[20:25]
    x = vectorizer.fit_transform(searched).astype(float)
    center = x.mean(axis=0)
    own = x - center
    own[-1] = 0  # no tokens, no direction
    expected = cosines(vectorizer.transform(queries) - center, own)
    found = nearest(searched, queries, k, vectorizer=vectorizer)
    k = min(k, 21)
    assert found.indices.shape == found.similarities.shape == (5, k)
    assert found.indices.dtype == np.int64
    assert found.similarities.dtype == np.float32
    at = np.take_along_axis(expected, found.indices, axis=1)
    np.testing.assert_allclose(found.similarities, at, atol=1e-5)
    best = -np.sort(-expected, axis=1)[:, :k]
    np.testing.assert_allclose(found.similarities, best, atol=1e-5)


def test_without_queries_no_document_finds_itself(vectorizer, texts):
    documents = [*texts[:6], texts[2], texts[7]]
    found = nearest(documents, k=3, vectorizer=vectorizer)
    assert found.indices.shape == (8, 3)
    assert not (found.indices == np.arange(8)[:, None]).any()
    # Nearly the same texts find one another.
    assert (found.indices[2, 0], found.indices[6, 0]) == (6, 2)
    np.testing.assert_allclose(found.similarities[[2, 6], 0], 1.0, atol=1e-5)


def test_features_may_be_given_in_place_of_texts(vectorizer, texts):
    x = vectorizer.fit_transform(texts)
    expected = nearest(texts[10:], texts[:10], vectorizer=vectorizer)
    for queries in (x[:10], texts[:10]):
        found = nearest(x[10:], queries, vectorizer=vectorizer)
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_allclose(found.similarities, expected.similarities, atol=1e-5)


def test_a_vectorizer_that_is_not_fitted_is_cloned_and_fitted_on_what_is_searched(
    texts,
):
    class Dense(TfidfVectorizer):
        def transform(self, X):
            return super().transform(X).toarray()

    own = Dense()
    found = nearest(texts[5:], texts, vectorizer=own)
    fitted = Dense().fit(texts[5:])
    expected = nearest(fitted.transform(texts[5:]), fitted.transform(texts))
    np.testing.assert_allclose(found.similarities, expected.similarities, atol=1e-6)
    assert not hasattr(own, "vocabulary_")


def test_the_bundled_model_finds_what_is_meant():
    films = ["the film is dull", "my car is broken", "a boring movie", "rain all day"]
    assert set(nearest(films, ["an uninteresting film"], 2).indices[0]) == {0, 2}
    assert nearest(films, ["the engine does not start"], 1).indices[0, 0] == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda v: nearest(["a"], ["b"], 0),
            "nearest: k must be an int of at least 1, got 0.",
        ),
        (
            lambda v: nearest(["a"], ["b"], 1.5),
            "nearest: k must be an int of at least 1, got 1.5.",
        ),
        (
            lambda v: nearest(["a"], vectorizer=v),
            "nearest needs at least 2 documents to search, but X has 1. Pass more.",
        ),
        (
            lambda v: nearest([], ["a"], vectorizer=v),
            "nearest needs at least 1 document to search, but X has 0. Pass more.",
        ),
        (
            lambda v: nearest(np.ones(3), ["a"], vectorizer=v),
            "nearest: features must be a matrix with a row for each document, but X "
            "has shape (3,). Pass X[None] if it is one row.",
        ),
        (
            lambda v: nearest(np.ones((2, 3)), np.ones((2, 4))),
            "nearest: X has 3 features and queries 4. Make both with the same "
            "vectorizer.",
        ),
        (
            lambda v: similarity(np.ones((2, 3)), np.ones((2, 4))),
            "similarity: X has 3 features and Y 4. Make both with the same vectorizer.",
        ),
        (
            lambda v: similarity("a text", vectorizer=v),
            "Iterable over raw text documents expected, string object received. Wrap "
            "it in a list: [X].",
        ),
    ],
)
def test_what_cannot_be_compared_is_told(call, message, vectorizer, texts):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(vectorizer.fit(texts[:3]))


def test_both_are_at_the_top():
    assert skelmo.nearest is nearest
    assert skelmo.similarity is similarity
