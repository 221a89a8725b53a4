"""Tests of splits that leave nothing to learn from, or nothing to score."""

import re

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import KFold, cross_validate
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

import skelmo

WORDS = ["good film", "bad film", "a good day", "a bad day", "plain film"]
X = [f"{WORDS[k % 5]} {k}" for k in range(12)]
Y = np.array(["a"] * 6 + ["b"] * 6)
GOOD = [0, 1, 2, 6, 7, 8], [3, 4, 9, 10]


class Untouched(CountVectorizer):
    """What nothing may be trained before."""

    def fit_transform(self, X, y=None):
        raise RuntimeError("something is trained")


BAD = [
    (
        KFold(2),
        ValueError,
        "compare needs at least 2 classes in the training documents of each split, but "
        "all 6 of split 1 of cv are of class 'b'. Shuffle the documents, or give an "
        "int, whose folds hold every class.",
    ),
    (
        [GOOD, ([0, 1], [6, 7])],
        ValueError,
        "compare needs at least 2 classes in the training documents of each split, but "
        "all 2 of split 2 of cv are of class 'a'. Shuffle the documents, or give an "
        "int, whose folds hold every class.",
    ),
    (
        [GOOD, ([], [6, 7])],
        ValueError,
        "compare: split 2 of cv has no training documents. Give it some, or leave it "
        "out.",
    ),
    (
        [([0, 6], []), GOOD],
        ValueError,
        "compare: split 1 of cv has no test documents. Give it some, or leave it out.",
    ),
    (
        [],
        ValueError,
        "compare needs at least 1 split, got none from cv. Give splits, or a number of "
        "folds.",
    ),
    (
        [GOOD, ([0, 6], [1, 12])],
        ValueError,
        "compare: split 2 of cv has the index 12 among its test documents, but X has "
        "12 documents. Give indices from 0 to 11.",
    ),
    (
        [([0, 6, -1], [1, 2])],
        ValueError,
        "compare: split 1 of cv has the index -1 among its training documents, but X "
        "has 12 documents. Give indices from 0 to 11.",
    ),
    (
        [(Y == "a", Y == "b")],
        TypeError,
        "compare: split 1 of cv must hold indices of training documents, got bool. "
        "Give int, as by numpy.flatnonzero of a mask.",
    ),
]


@pytest.mark.parametrize(("cv", "kind", "message"), BAD)
def test_a_split_without_use_is_answered_before_training(cv, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        skelmo.compare(X, Y, representations={"a": Untouched()}, cv=cv, verbose=0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("labels", [Y, [*Y[:11], "c"]], ids=["one class", "unknown"])
def test_unusual_test_documents_are_scored_where_they_can_be(labels):
    cv = [([0, 1, 2, 6, 7, 8], [9, 10, 11]), GOOD]
    found = skelmo.compare(
        X,
        labels,
        representations={"a": CountVectorizer()},
        classifier=MultinomialNB(),
        cv=cv,
        label_counts=[2],
        verbose=0,
    )
    pipeline = make_pipeline(CountVectorizer(), MultinomialNB())
    scored = ["accuracy", "recall_macro"]
    expected = cross_validate(pipeline, X, labels, cv=cv, scoring=scored)
    for metric in scored:
        np.testing.assert_allclose(found.folds[metric], expected[f"test_{metric}"])
