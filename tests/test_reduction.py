"""Features reduced to their principal components."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skelmo import ElmoLanguageModel, ElmoVectorizer, cache_info
from skelmo.encoding.pooling import POOLINGS
from skelmo.encoding.reduction import learn_reduction

CLOSE = {"rtol": 0, "atol": 1e-4}


@pytest.fixture
def make_reduced(frozen):
    """Return a function from parameters to an unfitted vectorizer that reduces."""

    def make(**parameters):
        return ElmoVectorizer(
            frozen, **{"n_components": 5, "random_state": 0, **parameters}
        )

    return make


def reduced_by_scikit_learn(features, n_components=5):
    pca = PCA(n_components, svd_solver="randomized", random_state=0)
    return pca.fit_transform(features), pca


@pytest.mark.parametrize("pooling", [*sorted(POOLINGS), ["mean", "std"]])
@pytest.mark.parametrize("layers", ["mean", "concat", 1])
def test_it_is_the_pca_of_scikit_learn(make_reduced, texts, pooling, layers):
    vectorizer = make_reduced(pooling=pooling, layers=layers)
    features = clone(vectorizer).set_params(n_components=None).fit_transform(texts)
    expected, pca = reduced_by_scikit_learn(features)
    found = vectorizer.fit_transform(texts)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert_allclose(found, expected, **CLOSE)
    assert_allclose(vectorizer.transform(texts), expected, **CLOSE)
    assert_allclose(
        vectorizer.explained_variance_ratio_,
        pca.explained_variance_ratio_,
        rtol=1e-3,
        atol=1e-6,
    )
    others = ["The old moon paints us.", *texts[:3]]
    plain = clone(vectorizer).set_params(n_components=None).fit(texts)
    expected = pca.transform(plain.transform(others))
    assert_allclose(vectorizer.transform(others), expected, **CLOSE)
    assert_allclose(vectorizer.transform(iter(others)), expected, **CLOSE)
    assert_allclose(vectorizer.features_(iter(others)), expected, **CLOSE)


def test_it_follows_learned_layers(make_reduced, texts):
    y = np.arange(len(texts)) % 3
    vectorizer = make_reduced(layers="learned")
    plain = clone(vectorizer).set_params(n_components=None)
    expected, _ = reduced_by_scikit_learn(plain.fit_transform(texts, y))
    assert_allclose(vectorizer.fit_transform(texts, y), expected, **CLOSE)
    assert_allclose(vectorizer.transform(texts), expected, **CLOSE)
    assert_array_equal(vectorizer.layer_weights_, plain.layer_weights_)


def test_all_documents_count_and_as_often_as_they_are_there(make_reduced, texts):
    X = [*texts[:20], *[texts[0]] * 30]
    plain = make_reduced(n_components=None).fit(X)
    expected, _ = reduced_by_scikit_learn(plain.transform(X))
    for given in (X, iter(X), pd.Series(X)):
        assert_allclose(make_reduced().fit_transform(given), expected, **CLOSE)
    other = make_reduced().fit(texts[:20]).transform(X)
    assert np.abs(other - expected).max() > 1e-2


@pytest.mark.parametrize(("missing", "row"), [("empty", 0), ("nan", np.nan)])
def test_documents_without_tokens_teach_nothing_and_stay(
    make_reduced, texts, missing, row
):
    expected = make_reduced().fit_transform(texts)
    vectorizer = make_reduced(missing=missing)
    X = [None, *texts[:50], "", *texts[50:], " "]
    for found in (vectorizer.fit_transform(X), vectorizer.transform(X)):
        assert_allclose(np.vstack([found[1:51], found[52:-1]]), expected, **CLOSE)
        assert_array_equal(found[0], np.full(5, row, np.float32))
        assert_array_equal(found[[51, -1]], np.zeros((2, 5), np.float32))


def test_names_and_frames(make_reduced, texts):
    vectorizer = make_reduced(n_components=3).fit(texts)
    assert vectorizer.get_feature_names_out().tolist() == [
        "elmo_pca_0", "elmo_pca_1", "elmo_pca_2",
    ]  # fmt: skip
    X = pd.Series(texts, name="review", index=np.arange(len(texts))[::-1])
    expected = vectorizer.transform(texts)
    vectorizer.set_output(transform="pandas")
    for frame in (vectorizer.fit_transform(X), vectorizer.transform(X)):
        assert frame.columns.tolist() == [
            "review_pca_0",
            "review_pca_1",
            "review_pca_2",
        ]
        assert frame.index.equals(X.index)
        assert_allclose(frame.to_numpy(), expected, **CLOSE)
    with config_context(transform_output="pandas"):
        found = make_reduced(n_components=3).fit(texts).transform(texts)
    assert_allclose(found.to_numpy(), expected, **CLOSE)


def test_pickles_give_the_same(make_reduced, texts):
    vectorizer = make_reduced().fit(texts)
    again = pickle.loads(pickle.dumps(vectorizer))
    assert_allclose(
        again.transform(texts), vectorizer.transform(texts), rtol=0, atol=1e-5
    )
    assert len(again.get_feature_names_out()) == 5


def test_tokens_are_not_reduced(make_reduced, texts):
    plain = make_reduced(n_components=None).fit(texts).transform_tokens(texts[:3])
    reduced = make_reduced().fit(texts).transform_tokens(texts[:3])
    for one, other in zip(reduced, plain, strict=True):
        assert_allclose(one, other, rtol=0, atol=1e-6)


def test_without_it_nothing_is_left_of_it(make_reduced, texts):
    vectorizer = make_reduced().fit(texts).set_params(n_components=None)
    assert vectorizer.transform(texts[:2]).shape == (2, 5)  # until the next fit
    vectorizer.fit(texts)
    assert not hasattr(vectorizer, "explained_variance_ratio_")
    expected = make_reduced(n_components=None).fit(texts).transform(texts)
    assert_allclose(vectorizer.transform(texts), expected, rtol=0, atol=1e-6)


def test_it_needs_a_fit(make_reduced):
    with pytest.raises(NotFittedError, match="^This ElmoVectorizer instance is "):
        make_reduced().transform(["a"])


def test_a_weight_stands_for_copies(make_reduced, texts):
    weight = np.arange(len(texts)) % 4
    repeated = [text for text, n in zip(texts, weight, strict=True) for _ in range(n)]
    plain = make_reduced(n_components=None).fit(texts)
    _, pca = reduced_by_scikit_learn(plain.transform(repeated))
    expected = pca.transform(plain.transform(texts))
    found = make_reduced().fit_transform(texts, sample_weight=weight)
    assert_allclose(found, expected, **CLOSE)
    assert np.abs(found - make_reduced().fit_transform(texts)).max() > 1e-2


def test_a_seed_decides(make_reduced, texts):
    first = make_reduced().fit_transform(texts)
    assert_array_equal(make_reduced().fit_transform(texts), first)
    state = np.random.RandomState(0)
    found = make_reduced(random_state=state).fit_transform(texts)
    assert_allclose(found, first, **CLOSE)


def test_a_trained_model_can_be_reduced(tiny, texts):
    model = ElmoLanguageModel(**tiny)
    plain = ElmoVectorizer(model).fit_transform(texts)
    expected, _ = reduced_by_scikit_learn(plain)
    reduced = ElmoVectorizer(model, n_components=5, random_state=0)
    assert_allclose(reduced.fit_transform(texts), expected, **CLOSE)


def test_a_search_over_it_encodes_once(make_reduced, texts):
    y = np.arange(len(texts)) % 2
    model = make_pipeline(make_reduced(), LogisticRegression())
    grid = {"elmovectorizer__n_components": [2, 4, None]}
    search = GridSearchCV(model, grid, cv=2).fit(texts, y)
    assert cache_info().misses == len(set(texts))
    sizes = [
        clone(model).set_params(**each).fit(texts, y)[-1].n_features_in_
        for each in search.cv_results_["params"]
    ]
    assert sizes == [2, 4, 96]


def documents_rule(n_components, n_samples):
    return (
        f"ElmoVectorizer: n_components={n_components} must be at most the number of "
        f"documents that have tokens, n_samples={n_samples}. Lower it, or pass more "
        f"documents."
    )


@pytest.mark.parametrize(
    ("n_components", "X", "message"),
    [
        (10, 9, documents_rule(10, 9)),
        (
            97,
            120,
            "ElmoVectorizer: n_components=97 must be at most the number of features, "
            "n_features=96. Lower it, or take more layers or poolings.",
        ),
        (3, [None, "a cat", "", "dogs"], documents_rule(3, 2)),
        (1, ["", " "], documents_rule(1, 0)),
        (
            1,
            ["a cat"] * 4,
            "ElmoVectorizer(n_components=1) learns from what documents differ in, but "
            "there is 1 sample, or all are alike. Pass different documents, or set "
            "n_components=None.",
        ),
    ],
)
def test_too_many_components_are_refused(
    make_reduced, texts, n_components, X, message, recwarn
):
    X = texts[:X] if isinstance(X, int) else X
    vectorizer = make_reduced(n_components=n_components, missing="empty")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        vectorizer.fit(X)
    assert not hasattr(vectorizer, "language_model_")
    assert not recwarn


def test_documents_of_weight_0_are_none(make_reduced, texts):
    weight = [0, 1, 2, 0, 0]
    with pytest.raises(ValueError, match=f"^{re.escape(documents_rule(3, 2))}$"):
        make_reduced(n_components=3).fit(texts[:5], sample_weight=weight)


def test_documents_are_counted_before_a_model_is_trained(tiny, monkeypatch):
    def fail(*arguments):
        raise AssertionError("trained")

    monkeypatch.setattr(ElmoLanguageModel, "_fit_sequences", fail)
    vectorizer = ElmoVectorizer(ElmoLanguageModel(**tiny), n_components=3)
    message = documents_rule(3, 2)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        vectorizer.fit(["a", "b"])


@pytest.mark.parametrize("value", [0, -1, 0.5, "mle"])
def test_other_values_are_refused(make_reduced, value):
    message = (
        f"The 'n_components' parameter of ElmoVectorizer must be an int in the range "
        f"[1, inf) or None. Got {value!r} instead."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make_reduced(n_components=value).fit(["a"])


def test_as_many_as_there_are_keep_all_distances():
    rows = np.random.default_rng(0).normal(size=(6, 9)).astype(np.float32)
    reduction = learn_reduction(rows, 6, 0, owner="Owner")
    found = reduction(rows)
    distances = np.linalg.norm(rows[:, None] - rows, axis=2)
    kept = np.linalg.norm(found[:, None] - found, axis=2)
    assert_allclose(kept, distances, rtol=0, atol=1e-5)
    assert found.dtype == reduction.components.dtype == np.float32
    assert_allclose(reduction.explained_variance_ratio.sum(), 1, rtol=1e-5)
