import re

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skelmo import ElmoVectorizer, explain_linear

LAYERS = ["mean", "top", "concat", "learned", [2, 0], -2]


@pytest.fixture
def fit(frozen, texts):
    """Return a function that fits vectorizer and model, on targets by the words."""

    def fit(model=None, n_classes=3, **parameters):
        given = {"pooling": "mean", "cache": None, **parameters}
        vectorizer = ElmoVectorizer(frozen, **given)
        words = ("letter", "moon")[: n_classes - 1]
        y = [sum((k + 1) * (w in text) for k, w in enumerate(words)) for text in texts]
        pipeline = make_pipeline(vectorizer, model or LogisticRegression(max_iter=5000))
        return pipeline.fit(texts, np.clip(y, 0, n_classes - 1))

    return fit


def totals(found):
    return np.array([each.total for each in found])


def assert_sums(pipeline, X, **tolerance):
    """Compare with the decision values less the intercept."""
    vectorizer, model = pipeline[0], pipeline[-1]
    found = explain_linear(vectorizer, model.coef_, X)
    expected = pipeline.decision_function(X).reshape(len(X), -1) - model.intercept_
    np.testing.assert_allclose(totals(found), expected, **{"atol": 1e-5, **tolerance})
    assert np.ptp(expected) > 0.1
    return found


@pytest.mark.parametrize("layers", LAYERS, ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_contributions_sum_to_the_decision_value(fit, texts, layers, n_classes):
    pipeline = fit(layers=layers, n_classes=n_classes)
    found = assert_sums(pipeline, texts)
    assert [each.tokens for each in found] == pipeline[0].tokenize(texts)


@pytest.mark.parametrize("layers", LAYERS, ids=str)
def test_a_contribution_is_the_answer_to_that_token_alone(fit, texts, layers):
    pipeline = fit(layers=layers)
    coef = pipeline[-1].coef_
    found = explain_linear(pipeline[0], coef, texts[:9])
    for each, rows in zip(found, pipeline[0].transform_tokens(texts[:9]), strict=True):
        expected = [[row @ weights / len(rows) for weights in coef] for row in rows]
        np.testing.assert_allclose(each.contributions, expected, atol=1e-6)
        assert each.contributions.dtype == np.float64


@pytest.mark.parametrize("layers", ["concat", "learned"])
def test_principal_components_are_undone(fit, texts, layers):
    pipeline = fit(layers=layers, n_components=10, random_state=0)
    assert_sums(pipeline, [*texts, "", "moon"])
    # The average token of the texts says nothing.
    found = explain_linear(pipeline[0], pipeline[-1].coef_, texts)
    np.testing.assert_allclose(totals(found).mean(axis=0), 0, atol=1e-5)


def test_a_scaler_between_is_a_factor(frozen, texts):
    vectorizer = ElmoVectorizer(frozen, pooling="mean")
    steps = vectorizer, StandardScaler(), LogisticRegression()
    pipeline = make_pipeline(*steps).fit(texts, ["moon" in text for text in texts])
    _, scaler, model = steps
    found = explain_linear(vectorizer, model.coef_ / scaler.scale_, texts)
    intercept = model.intercept_ - model.coef_ @ (scaler.mean_ / scaler.scale_)
    expected = pipeline.decision_function(texts) - intercept
    np.testing.assert_allclose(totals(found)[:, 0], expected, atol=1e-5)


def test_coefficients_of_a_regression_may_be_a_row(fit, texts):
    pipeline = fit(Ridge())
    assert pipeline[-1].coef_.ndim == 1
    found = explain_linear(pipeline[0], pipeline[-1].coef_, texts)
    expected = pipeline.predict(texts) - pipeline[-1].intercept_
    np.testing.assert_allclose(totals(found)[:, 0], expected, atol=1e-5)
    assert all(len(each.tokens) == len(each.contributions) for each in found)


def test_a_document_alone_is_explained_as_among_others(fit, texts):
    vectorizer, model = fit()
    mixed = [texts[3], "", *texts[7:40], texts[3]]
    found = explain_linear(vectorizer, model.coef_, mixed)
    for text, each in zip(mixed, found, strict=True):
        (alone,) = explain_linear(vectorizer, model.coef_, [text])
        assert alone.tokens == each.tokens
        np.testing.assert_allclose(
            each.contributions, alone.contributions, atol=1e-6, rtol=1e-5
        )
    found[0].contributions[:] = 7
    assert not (found[-1].contributions == 7).any()


@pytest.mark.parametrize(
    "hold",
    [list, tuple, iter, pd.Series, lambda X: np.array(X, object), pd.DataFrame],
    ids=["list", "tuple", "iterator", "series", "array", "frame"],
)
def test_documents_may_be_held_by_anything(fit, texts, hold):
    vectorizer, model = fit()
    expected = explain_linear(vectorizer, model.coef_, texts[:6])
    found = explain_linear(vectorizer, model.coef_, hold(texts[:6]))
    assert [each.tokens for each in found] == [each.tokens for each in expected]
    np.testing.assert_array_equal(totals(found), totals(expected))


def test_tokens_are_taken_as_they_are_given(fit, texts):
    pipeline = fit(tokenizer=str.split, sentence_splitter="lines")
    (found,) = explain_linear(pipeline[0], pipeline[-1].coef_, ["a b-c\n.d"])
    assert found.tokens == ["a", "b-c", ".d"]


def test_without_tokens_there_is_nothing(fit, texts):
    for missing in ("empty", "nan"):
        vectorizer, model = fit(missing=missing)
        found = explain_linear(vectorizer, model.coef_, [texts[0], None, " "])
        assert [len(each.tokens) for each in found][1:] == [0, 0]
        assert [each.contributions.shape for each in found][1:] == [(0, 3), (0, 3)]
        np.testing.assert_array_equal(totals(found)[1:], 0)
    assert explain_linear(vectorizer, model.coef_, []) == []


def test_outputs_have_the_names_of_classes(fit, texts):
    for n_classes, expected in ((3, ["a", "b", "c"]), (2, ["b"])):
        vectorizer, model = fit(n_classes=n_classes)
        names = np.array(["a", "b", "c"][:n_classes])
        (found,) = explain_linear(vectorizer, model.coef_, texts[:1], classes=names)
        assert list(found.classes) == expected
    (found,) = explain_linear(vectorizer, model.coef_, texts[:1])
    assert found.classes is None


@pytest.mark.parametrize(
    ("pooling", "named"),
    [
        ("max", "max"),
        ("std", "std"),
        ("last", "last"),
        (["mean", "std"], "mean and std"),
        (("min", "mean"), "min and mean"),
    ],
)
def test_poolings_that_are_no_sum_are_refused(make, pooling, named):
    message = (
        "explain_linear divides a mean over tokens among them, but this ElmoVectorizer "
        f"was fitted with the pooling {named}, which is no sum of tokens. Fit "
        "vectorizer and model anew with pooling='mean'."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        explain_linear(make(pooling=pooling), [[1.0]], ["a"])


def test_other_estimators_are_refused(fit):
    message = (
        "explain_linear needs an ElmoVectorizer, got {}. Of a pipeline, pass the "
        "steps: pipeline[0], pipeline[-1].coef_."
    )
    for estimator, name in ((fit(), "Pipeline"), (TfidfVectorizer(), None)):
        text = message.format(name or type(estimator).__name__)
        with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
            explain_linear(estimator, [1.0], ["a"])


def test_a_vectorizer_that_is_not_fitted_is_refused(frozen):
    message = (
        "This ElmoVectorizer instance is not fitted yet. Call 'fit' with appropriate "
        "arguments before using this estimator."
    )
    with pytest.raises(NotFittedError, match=f"^{re.escape(message)}$"):
        explain_linear(ElmoVectorizer(frozen, pooling="mean"), [1.0], ["a"])


@pytest.mark.parametrize(
    ("coef", "classes", "message"),
    [
        (
            np.ones((2, 15)),
            None,
            "explain_linear needs a coefficient for each of the 16 features, got coef "
            "of shape (2, 15). Pass the coef_ of a model that was fitted on the "
            "features of this vectorizer.",
        ),
        (
            np.ones(17),
            None,
            "explain_linear needs a coefficient for each of the 16 features, got coef "
            "of shape (17,). Pass the coef_ of a model that was fitted on the features "
            "of this vectorizer.",
        ),
        (
            np.ones((3, 16)),
            [0, 1],
            "explain_linear needs a class for each row of coef, got 2 classes for 3. "
            "Pass the classes_ of the model that coef is from.",
        ),
        (np.full(16, np.nan), None, "Input coef contains NaN."),
    ],
)
def test_wrong_coefficients_are_refused(make, coef, classes, message):
    vectorizer = make(layers="mean", pooling="mean")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        explain_linear(vectorizer, coef, ["a"], classes=classes)


def test_documents_are_checked_as_by_transform(make):
    vectorizer = make(layers="mean", pooling="mean")
    for X in ("a text", [None], [3]):
        with pytest.raises((ValueError, TypeError)) as expected:  # noqa: PT011
            vectorizer.transform(X)
        with pytest.raises(type(expected.value), match=re.escape(str(expected.value))):
            explain_linear(vectorizer, np.ones(16), X)
