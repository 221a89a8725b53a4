"""What is found out about one representation in one fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FoldResult:
    """One representation in one fold; all of it can go through JSON.

    Parameters
    ----------
    representation : str
    fold : int
        From 0.
    n_train : int
    n_test : int
    n_features : int
    scores : dict of str to float
        By metric, on the test documents, with all labels.
    curve : list of list
        Number of labels, and scores by metric, from few labels to all.
    chosen : dict
        What the search of the classifier chose.
    fit_seconds : float
    transform_seconds : float
    classifier_seconds : float
    model_bytes : int or None
    peak_bytes : int or None
    unseen_rate : float
        Share of test tokens that the training documents lack.
    oov_rate : float or None
        Share of test tokens that the representation cannot read.
    n_unseen : int
        Test documents with an unseen word.
    accuracy_unseen : float or None
        On those; None if there are none.
    """

    representation: str
    fold: int
    n_train: int
    n_test: int
    n_features: int
    scores: dict[str, float]
    curve: list[Any]
    chosen: dict[str, Any]
    fit_seconds: float
    transform_seconds: float
    classifier_seconds: float
    model_bytes: int | None
    peak_bytes: int | None
    unseen_rate: float
    oov_rate: float | None
    n_unseen: int
    accuracy_unseen: float | None
