"""Predictions of a batch are those of the pipeline."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from strange_tokenizers import fussy

from skelmo.engines.row_predictor import RowPredictor


@pytest.fixture
def fitted(make, texts):
    """Return a function from a predictor to a fitted pipeline."""

    def fitted(predictor, y, **parameters):
        return make_pipeline(make(**parameters), predictor).fit(texts[: len(y)], y)

    return fitted


def of(pipeline, probabilities=False):
    return RowPredictor.of(pipeline, probabilities=probabilities, owner="predict")


@pytest.mark.parametrize(
    ("values", "kind"), [(["no", "yes"], "U"), ([3, 7], "i"), ([False, True], "b")]
)
def test_predictions_are_those_of_the_pipeline(fitted, texts, values, kind):
    pipeline = fitted(LogisticRegression(), [values[k % 2] for k in range(40)])
    predictor = of(pipeline, probabilities=True)
    labels, shares = predictor(texts)
    assert labels == pipeline.predict(texts).tolist()
    np.testing.assert_allclose(shares, pipeline.predict_proba(texts), atol=1e-6)
    assert predictor.dtype.kind == kind
    assert of(pipeline)(texts)[0] == labels
    assert of(pipeline)([]) == ([], [])


def test_a_regressor_gives_numbers(fitted, texts):
    pipeline = fitted(LinearRegression(), [float(k) for k in range(40)])
    assert of(pipeline).dtype == np.float64
    np.testing.assert_allclose(of(pipeline)(texts)[0], pipeline.predict(texts))


def test_a_text_that_raises_is_left_out(fitted):
    pipeline = fitted(LogisticRegression(), [0, 1] * 20, tokenizer=fussy)
    predictor = of(pipeline, probabilities=True)
    labels, shares = predictor(["good", "raise", None], skips_errors=True)
    assert [label is None for label in labels] == [False, True, True]
    assert [share is None for share in shares] == [False, True, True]
    with pytest.raises(ValueError, match="^the tokenizer does not like this text$"):
        predictor(["good", "raise"])


def test_what_cannot_be_a_column_is_refused(fitted, make):
    with pytest.raises(
        TypeError,
        match=r"^predict needs a pipeline that predicts, but "
        r"ElmoVectorizer has no predict\. Add a classifier",
    ):
        of(make())
    with pytest.raises(
        NotFittedError, match=r"^This Pipeline instance is not fitted yet\."
    ):
        of(make_pipeline(make(), LogisticRegression()))
    pipeline = fitted(LinearSVC(), [0, 1] * 20)
    with pytest.raises(
        TypeError,
        match=r"^predict\(probabilities=True\) needs a "
        r"pipeline with predict_proba, which Pipeline has not\.",
    ):
        of(pipeline, probabilities=True)
    pipeline = fitted(KNeighborsClassifier(), [[0, "a"], [1, "b"]] * 20)
    with pytest.raises(
        ValueError,
        match=r"^predict gives one column of labels, but Pipeline predicts several "
        r"targets\. Fit a pipeline for each\.$",
    ):
        of(pipeline)
