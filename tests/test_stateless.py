"""A vectorizer that learns nothing from documents needs no `fit`."""

import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skelmo import ElmoLanguageModel, ElmoVectorizer

CLOSE = {"rtol": 0, "atol": 1e-6}
METHODS = ("transform", "transform_tokens", "tokenize", "get_feature_names_out")
SETTINGS = {
    "as it is": {},
    "mixed": {"layers": "mean", "pooling": ["max", "last"]},
    "other tokens": {"tokenizer": str.split, "sentence_splitter": "lines"},
    "missing": {"missing": "nan"},
    "no cache": {"cache": None, "max_batch_tokens": 16},
    "low precision": {"precision": "bfloat16"},
}


@pytest.fixture(params=["frozen", "model_path", "path object"])
def ready(request):
    if request.param == "path object":
        return Path(request.getfixturevalue("model_path"))
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_what_is_given_is_what_fit_would_make_it_give(ready, texts, settings):
    X = [*texts[:9], ""] + [None] * ("missing" in settings)
    vectorizer = ElmoVectorizer(ready, **settings)
    fitted = clone(vectorizer).fit(texts[20:30])
    assert_allclose(vectorizer.transform(X), fitted.transform(X), **CLOSE)
    assert_allclose(vectorizer.transform(iter(X)), fitted.transform(X), **CLOSE)
    tokens, expected = vectorizer.transform_tokens(X), fitted.transform_tokens(X)
    for array, other in zip(tokens, expected, strict=True):
        assert_allclose(array, other, **CLOSE)
    assert vectorizer.tokenize(X) == fitted.tokenize(X)
    names = vectorizer.get_feature_names_out()
    assert_array_equal(names, fitted.get_feature_names_out())


def test_nothing_is_kept(ready, texts):
    vectorizer = ElmoVectorizer(ready)
    before = dict(vars(vectorizer))
    vectorizer.transform(pd.DataFrame({"review": texts[:3]}))
    vectorizer.transform(pd.DataFrame({"title": texts[:3]}))
    assert vars(vectorizer) == before
    for name in ("language_model_", "features_", "truncation_"):
        assert not hasattr(vectorizer, name)


def test_it_counts_as_fitted(ready, texts):
    vectorizer = ElmoVectorizer(ready)
    assert not get_tags(vectorizer).requires_fit
    check_is_fitted(vectorizer)
    pipeline = make_pipeline(vectorizer)
    check_is_fitted(pipeline)
    expected = clone(vectorizer).fit_transform(texts[:5])
    assert_allclose(pipeline.transform(texts[:5]), expected, **CLOSE)
    union = FeatureUnion([("a", vectorizer), ("b", clone(vectorizer))])
    both = np.hstack([expected, expected])
    assert_allclose(union.transform(texts[:5]), both, **CLOSE)
    again = pickle.loads(pickle.dumps(vectorizer))
    assert_allclose(again.transform(texts[:5]), expected, **CLOSE)
    frame = vectorizer.set_output(transform="pandas").transform(
        pd.Series(texts[:5], index=list("edcba"))
    )
    assert frame.index.tolist() == list("edcba")
    assert_array_equal(frame.columns, vectorizer.get_feature_names_out())


def test_it_follows_what_is_set_until_it_is_fitted(ready, texts):
    X, mean = texts[:5], ElmoVectorizer(ready, pooling="mean").fit_transform(texts[:5])
    most = ElmoVectorizer(ready, pooling="max").fit_transform(X)
    vectorizer = ElmoVectorizer(ready, pooling="mean")
    assert_allclose(vectorizer.transform(X), mean, **CLOSE)
    assert_allclose(vectorizer.set_params(pooling="max").transform(X), most, **CLOSE)
    vectorizer.fit(X).set_params(pooling="mean")
    assert_allclose(vectorizer.transform(X), most, **CLOSE)


LEARNING = {
    "no model": lambda lm: ElmoVectorizer(None),
    "a model to train": lambda lm: ElmoVectorizer(clone(lm)),
    "a fitted model to train anew": ElmoVectorizer,
    "a mix": lambda lm: ElmoVectorizer(FrozenEstimator(lm), layers="learned"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make_one", LEARNING.values(), ids=LEARNING)
def test_what_has_to_learn_needs_fit(language_model, make_one, method):
    vectorizer = make_one(language_model)
    assert get_tags(vectorizer).requires_fit
    message = (
        "This ElmoVectorizer instance is not fitted yet. Call 'fit' with appropriate "
        "arguments before using this estimator."
    )
    with pytest.raises(NotFittedError, match=f"^{re.escape(message)}$"):
        getattr(vectorizer, method)(["a"])


def test_a_frozen_model_has_to_be_fitted():
    message = (
        "This ElmoLanguageModel instance is not fitted yet. Call 'fit' with appropriate"
        " arguments before using this estimator."
    )
    vectorizer = ElmoVectorizer(FrozenEstimator(ElmoLanguageModel()))
    with pytest.raises(NotFittedError, match=f"^{re.escape(message)}$"):
        vectorizer.transform(["a"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"missing": "no"},
            "The 'missing' parameter of ElmoVectorizer must be a str among {'empty', "
            "'error', 'nan'}. Got 'no' instead.",
        ),
        (
            {"layers": 9},
            "The 'layers' parameter of ElmoVectorizer must name different layers of "
            "this language model, 0 to 2 or -3 to -1, or be 'mean', 'top', 'concat' or "
            "'learned'. Got 9 instead.",
        ),
        (
            {"pooling": ["sum"]},
            "The 'pooling' parameter of ElmoVectorizer must be one of mean, max, min, "
            "last, std or a list of different ones. Got ['sum'] instead.",
        ),
    ],
)
def test_parameters_are_checked_all_the_same(frozen, settings, message, method):
    def words(sentence):  # sets are written in any order
        return sorted(re.findall(r"[\w'.]+", sentence))

    with pytest.raises(ValueError, match="^The '.*' parameter of Elmo.*$") as caught:
        getattr(ElmoVectorizer(frozen, **settings), method)(["a"])
    assert words(str(caught.value)) == words(message)


def test_it_is_part_of_what_is_fitted(frozen, texts):
    frame = pd.DataFrame({"text": texts, "n": range(len(texts))})
    y = np.arange(len(texts)) % 2
    parts = ColumnTransformer([("elmo", ElmoVectorizer(frozen), "text")])
    model = make_pipeline(parts, LogisticRegression()).fit(frame, y)
    features = ElmoVectorizer(frozen).transform(frame["text"])
    expected = LogisticRegression().fit(features, y).predict_proba(features)
    assert_allclose(model.predict_proba(frame), expected, rtol=0, atol=1e-5)
