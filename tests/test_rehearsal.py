"""Tests of metrics that splits or numbers of labels leave undefined."""

import re

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import get_scorer
from sklearn.naive_bayes import MultinomialNB

import skelmo

X = [f"{word} {k}" for k, word in enumerate(["good", "bad", "plain"] * 8)]
THREE = np.array(["+", "-", "0"] * 8)
TWO = np.array([1, 0, 0] * 8)


class Untouched(CountVectorizer):
    """What nothing may be trained before."""

    def fit_transform(self, X, y=None):
        raise RuntimeError("something is trained")


HALVES = [(range(12), range(12, 24))]
SPLIT = "Choose another metric, or splits that hold every class."
BAD = [
    (
        TWO,
        {"metrics": "roc_auc", "cv": [*HALVES, (range(12), [13, 14])]},
        "'roc_auc' in split 2 of cv: its test documents are all of class '0'. " + SPLIT,
    ),
    (
        THREE,
        {"metrics": ["accuracy", "neg_log_loss"], "cv": [([0, 1, 3, 4], [2, 6, 7])]},
        "'neg_log_loss' in split 1 of cv: class '0' is among test documents alone. "
        + SPLIT,
    ),
    (
        THREE,
        {"metrics": "neg_log_loss", "cv": HALVES, "label_counts": [2, 6]},
        "'neg_log_loss' in split 1 of cv with 2 labels: class '{}' is not among these "
        "labels. Raise label_counts, or choose another metric.",
    ),
    (
        THREE,
        {"metrics": "roc_auc", "cv": HALVES},
        "'roc_auc' in split 1 of cv: multi_class must be in ('ovo', 'ovr'). " + SPLIT,
    ),
]


@pytest.mark.parametrize(("y", "given", "message"), BAD)
def test_a_metric_without_a_score_is_answered_before_training(y, given, message):
    given = {"label_counts": None, "verbose": 0, **given}
    expected = re.escape(f"compare cannot score {message}").replace(r"\{\}", "[-+0]")
    with pytest.raises(ValueError, match=f"^{expected}$"):
        skelmo.compare(X, y, representations={"a": Untouched()}, **given)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize(
    ("y", "metric"),
    [
        (TWO, "roc_auc"),
        (TWO, "f1"),
        (TWO, "positive_likelihood_ratio"),
        (THREE, "neg_log_loss"),
        (THREE, "roc_auc_ovr"),
        (THREE, "matthews_corrcoef"),
    ],
)
def test_a_metric_with_a_score_is_given(y, metric):
    found = skelmo.compare(
        X,
        y,
        representations={"a": CountVectorizer()},
        classifier=MultinomialNB(),
        cv=HALVES,
        metrics=metric,
        label_counts=None,
        verbose=0,
    )
    words = CountVectorizer().fit(X[:12])
    classifier = MultinomialNB().fit(words.transform(X[:12]), y[:12])
    score = get_scorer(metric)(classifier, words.transform(X[12:]), y[12:])
    np.testing.assert_allclose(found.folds[metric], score)
