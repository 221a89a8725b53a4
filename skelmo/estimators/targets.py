"""Targets as a head learns them, checked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight

from skelmo.validation import is_missing


class Classes(NamedTuple):
    """What a classifier tells apart."""

    kind: str  # "classes" or "labels"
    values: NDArray[Any]  # (K,), sorted classes, or 0 to K - 1 of labels

    def codes(self, y: NDArray[Any], owner: str) -> NDArray[Any]:
        """Return targets as a head learns them.

        Parameters
        ----------
        y : ndarray of shape (N,) or (N, K)
            As `checked_labels` gave them.
        owner : str
            The class that asks, for the message.

        Returns
        -------
        codes : ndarray of shape (N,), int64, or (N, K), float32

        Raises
        ------
        ValueError
            If there are other classes than these, or another number of labels.
        """
        n_columns = y.shape[1] if y.ndim == 2 else 1
        if self.kind == "labels" or y.ndim == 2:
            if self.kind != "labels" or n_columns != len(self.values):
                raise ValueError(
                    f"{owner} was fitted on {self._told}, but y has {n_columns} "
                    f"columns. Pass targets of the same kind."
                )
            return y.astype(np.float32)
        new = np.setdiff1d(y, self.values)
        if len(new):
            raise ValueError(
                f"{owner} knows the classes {_listed(self.values)}, but y has "
                f"{_listed(new)} too. Pass all classes to the first partial_fit, or "
                f"fit anew without warm_start."
            )
        return np.searchsorted(self.values, y)

    @property
    def _told(self) -> str:
        if self.kind == "labels":
            return f"{len(self.values)} labels"
        return f"{len(self.values)} classes"


def _listed(values: NDArray[Any]) -> str:
    shown = [repr(value) for value in values[:10].tolist()]
    return ", ".join(shown) + (", ..." if len(values) > 10 else "")


def checked_labels(y: Any, owner: str) -> NDArray[Any]:
    """Return class labels, or an indicator of labels, as a dense array.

    Parameters
    ----------
    y : array-like of shape (N,) or (N, K), or sparse
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    y : ndarray of shape (N,) or (N, K)

    Raises
    ------
    ValueError
        If `y` is None, misses a value, or is of another kind.
    TypeError
        If labels cannot be compared with each other.
    """
    y = _dense(y, owner)
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y", raise_unknown=True)
    if kind == "multiclass-multioutput":
        raise ValueError(
            f"{owner} tells one of several classes, or labels that each hold or not, "
            f"but y has {y.shape[1]} columns of several classes. Fit one {owner} for "
            f"each, as MultiOutputClassifier does."
        )
    return y if kind == "multilabel-indicator" else column_or_1d(y, warn=True)


def classes_of(y: NDArray[Any], owner: str, given: Any = None) -> Classes:
    """Return the classes that there are in targets, or that are given.

    Parameters
    ----------
    y : ndarray of shape (N,) or (N, K)
        As `checked_labels` gave them.
    owner : str
        The class that asks, for the message.
    given : array-like of shape (K,), default=None
        All classes, if `y` may lack some.

    Returns
    -------
    classes : Classes

    Raises
    ------
    ValueError
        If there is one class alone.
    """
    if y.ndim == 2:
        return Classes("labels", np.arange(y.shape[1]))
    values = np.unique(y if given is None else np.asarray(given))
    if len(values) < 2:
        raise ValueError(
            f"{owner} needs samples of at least 2 classes to tell apart, but y has "
            f"one class only: {_listed(values)}. Pass documents of at least 2."
        )
    return Classes("classes", values)


def checked_numbers(y: Any, owner: str) -> NDArray[np.float64]:
    """Return numbers to predict.

    Parameters
    ----------
    y : array-like of shape (N,) or (N, K)
    owner : str
        The class that asks, for the message.

    Returns
    -------
    y : ndarray of shape (N,) or (N, K), float64

    Raises
    ------
    ValueError
        If `y` is None, no numbers, or not finite.
    """
    y = _dense(y, owner)
    numbers = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    return numbers if numbers.ndim == 2 and numbers.shape[1] > 1 else numbers.ravel()


def _dense(y: Any, owner: str) -> NDArray[Any]:
    if y is None:
        raise ValueError(
            f"{owner} requires y to be passed, but the target y is None. Pass the "
            f"targets to fit."
        )
    options = {"ensure_2d": False, "ensure_all_finite": False, "ensure_min_samples": 0}
    found = check_array(y, accept_sparse="csr", dtype=None, input_name="y", **options)
    found = found.toarray() if hasattr(found, "toarray") else found
    flat = found.ravel()
    n_missing = 0
    if found.dtype.kind == "f":
        n_missing = int(np.isnan(flat).sum())
    elif found.dtype.kind == "O":
        n_missing = sum(map(is_missing, flat))
    if n_missing:
        raise ValueError(
            f"{owner} needs a target for every document, but {n_missing} in y are "
            f"missing: Input y contains NaN. Leave these documents out."
        )
    return found


def example_weight(
    sample_weight: Any, class_weight: Any, y: NDArray[Any], owner: str
) -> NDArray[np.float32]:
    """Return the weight of each document.

    Parameters
    ----------
    sample_weight : array-like of shape (N,), float or None
    class_weight : dict, "balanced" or None
        Of each class; multiplies.
    y : ndarray of shape (N,) or (N, K)
        As given, checked.
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    weight : ndarray of shape (N,), float32

    Raises
    ------
    ValueError
        If weights are of another shape, negative or all 0; or if classes are weighted
        where there are labels.
    """
    weight = _check_sample_weight(sample_weight, np.empty((len(y), 1)), dtype=float)
    if len(weight) and weight.min() < 0:
        raise ValueError(
            f"{owner} needs weights of documents of at least 0, but sample_weight has "
            f"{weight.min():g}. Set it to 0 to leave a document out."
        )
    if class_weight is not None:
        if y.ndim == 2:
            raise ValueError(
                f"class_weight of {owner} is for classes, but y is an indicator of "
                f"{y.shape[1]} labels. Set class_weight=None, and weigh documents by "
                f"sample_weight."
            )
        weight = weight * _class_weight(class_weight, y, weight)
    if not weight.any():
        raise ValueError(
            f"{owner} needs a weight that is not zero, but all {len(y)} of "
            f"sample_weight are. Leave it out, or weight some documents."
        )
    return weight.astype(np.float32)


def _class_weight(
    class_weight: Any, y: NDArray[Any], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    if class_weight != "balanced":
        return np.asarray(compute_sample_weight(class_weight, y))
    # A document of weight 2 counts as two in what is to be balanced.
    classes, codes = np.unique(y, return_inverse=True)
    totals = np.maximum(np.bincount(codes, weight), np.finfo(float).tiny)
    return weight.sum() / (len(classes) * totals)[codes]
