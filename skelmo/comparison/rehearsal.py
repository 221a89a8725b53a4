"""Metrics on the labels of all splits, before anything is trained."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer

from skelmo.comparison.folds import Fold, counts_for


def check_metrics(
    folds: Sequence[Fold],
    y: NDArray[Any],
    metrics: Sequence[str],
    label_counts: Any,
    owner: str,
) -> None:
    """Raise if a metric cannot score what a classifier will predict in a split.

    A classifier that knows no features stands in for the one to come: what a metric
    asks of classes does not depend on how good the predictions are.

    Parameters
    ----------
    folds : sequence of Fold
    y : ndarray of shape (n_documents,)
    metrics : sequence of str
    label_counts : "auto", None or list of int
    owner : str
        The function that asks, for the messages.

    Raises
    ------
    ValueError
        With the split, the number of labels and the metric.
    """
    for fold in folds:
        y_train, y_test = y[fold.train], y[fold.test]
        seen = np.empty(0, y.dtype)
        # From all labels down: what fails with all is not for want of labels.
        for count in reversed(counts_for(label_counts, len(y_train))):
            labelled = y_train[fold.order[:count]]
            classes = np.unique(labelled)
            if len(classes) < 2 or np.array_equal(classes, seen):
                continue
            seen = classes
            for metric in metrics:
                failure = _failure(metric, labelled, y_test)
                if failure is None:
                    continue
                few = "" if count == len(y_train) else f" with {count} labels"
                reason = _problem(classes, y_test, bool(few)) or failure
                raise ValueError(
                    f"{owner} cannot score {metric!r} in split {fold.number + 1} of "
                    f"cv{few}: {reason}. {_remedy(bool(few))}"
                )


def _failure(metric: str, y_train: NDArray[Any], y_test: NDArray[Any]) -> str | None:
    """Return why there is no score; None if there is one."""
    features = np.zeros((max(len(y_train), len(y_test)), 1))
    classifier = DummyClassifier(strategy="prior").fit(
        features[: len(y_train)], y_train
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.simplefilter("ignore", UserWarning)
        try:
            score = get_scorer(metric)(classifier, features[: len(y_test)], y_test)
        except ValueError as error:
            return " ".join(str(error).split()).rstrip(".")
    # With more classes a score may be nan because all predictions are the same.
    has_score = len(np.unique(y_test)) > 1 or not math.isnan(score)
    return None if has_score else "it is undefined there"


def _problem(classes: NDArray[Any], y_test: NDArray[Any], has_few: bool) -> str | None:
    """Say what is unusual in the classes of a split."""
    tested = np.unique(y_test)
    unknown = np.setdiff1d(tested, classes)
    if len(unknown):
        where = "not among these labels" if has_few else "among test documents alone"
        return f"class {str(unknown[0])[:40]!r} is {where}"
    if len(tested) < 2:
        return f"its test documents are all of class {str(tested[0])[:40]!r}"
    return None


def _remedy(has_few: bool) -> str:
    if has_few:
        return "Raise label_counts, or choose another metric."
    return "Choose another metric, or splits that hold every class."
