"""The classifiers that every representation is given, tuned in the same way."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import (
    ConvergenceWarning,
    FitFailedWarning,
    UndefinedMetricWarning,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

C_GRID = (0.04, 0.2, 1.0, 5.0, 25.0, 125.0, 625.0)
ALPHA_GRID = (1e-4, 1e-1)
MOST_FOLDS = 3  # of the search inside a training fold
_LEAST_TO_STOP = 500  # documents; with fewer, epochs are of a step or two
_HEAVY = 3.0  # what one of several blocks is multiplied by, as an option


class Block(NamedTuple):
    """Columns of a feature matrix that one transformer made."""

    width: int
    is_dense: bool


class BlockScaler(TransformerMixin, BaseEstimator):
    """Bring features to one scale, so that one grid of C means the same for all.

    Columns of a dense block are centred and given unit variance, then divided by the
    square root of their number; a sparse block is divided by the root mean square norm
    of its rows. The mean squared norm of a training document is then 1 in each block.

    Parameters
    ----------
    blocks : sequence of Block
        In the order of the columns.
    weights : sequence of float or None, default=None
        What each block is multiplied by in the end; None is 1.
    """

    def __init__(
        self, blocks: Sequence[Block] = (), weights: Sequence[float] | None = None
    ) -> None:
        self.blocks = blocks
        self.weights = weights

    def fit(self, X: Any, y: Any = None) -> BlockScaler:
        """Take means and scales from the training documents.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_documents, n_features)
        y : None
            Not used.

        Returns
        -------
        self : BlockScaler
        """
        self.means_: list[Any] = []
        self.scales_: list[Any] = []
        for block, part in self._parts(X):
            mean, scale = None, 1.0
            if block.is_dense:
                mean, deviation = part.mean(axis=0), part.std(axis=0)
                # As StandardScaler: a constant column is left at zero.
                tiny = 10 * np.finfo(np.float32).eps * np.abs(mean)
                deviation[deviation <= tiny] = 1.0
                scale = deviation * np.sqrt(block.width)
            else:
                norms = part.multiply(part).sum() / max(1, part.shape[0])
                scale = float(np.sqrt(norms)) or 1.0
            self.means_.append(mean)
            self.scales_.append(scale)
        return self

    def transform(self, X: Any) -> Any:
        """Scale the blocks.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_documents, n_features)

        Returns
        -------
        scaled : {ndarray, sparse matrix} of shape (n_documents, n_features), float64
        """
        weights = self.weights or [1.0] * len(self.blocks)
        fitted = zip(self.means_, self.scales_, weights, strict=True)
        parts = []
        for (block, part), (mean, scale, weight) in zip(
            self._parts(X), fitted, strict=True
        ):
            if block.is_dense:
                parts.append((part - mean) * (weight / scale))
            else:
                parts.append(part * (weight / scale))
        if len(parts) == 1:
            return parts[0]
        if all(block.is_dense for block in self.blocks):
            return np.hstack(parts)
        return sparse.hstack([sparse.csr_array(part) for part in parts], format="csr")

    def _parts(self, X: Any) -> Any:
        """Yield each block with its columns, in double precision."""
        X = sparse.csr_array(X) if sparse.issparse(X) else np.asarray(X)
        X = X.astype(np.float64)
        start = 0
        for block in self.blocks:
            stop = start + block.width
            part = X[:, start:stop] if len(self.blocks) > 1 else X
            if block.is_dense and sparse.issparse(part):
                part = part.toarray()
            yield block, part
            start = stop


def make_classifier(given: Any, blocks: Sequence[Block], y: Any, seed: int,
                    scoring: Any, groups: Any = None) -> Any:  # fmt: skip
    """Return the classifier of one training set, not fitted.

    Parameters
    ----------
    given : None, "mlp" or estimator
        None is a logistic regression whose C is searched, with several blocks also
        their weights; "mlp" a network whose alpha is. An estimator is cloned.
    blocks : sequence of Block
        Of the features.
    y : ndarray of shape (n_documents,)
        Labels to train on.
    seed : int
    scoring : str or callable
        What the search goes by.
    groups : ndarray of shape (n_documents,), optional
        Documents that the search must not take apart.

    Returns
    -------
    classifier : estimator
    """
    if given is not None and not isinstance(given, str):
        return clone(given)
    grid: dict[str, Any]
    if given is None:
        model: Any = LogisticRegression(C=5.0, max_iter=2000, random_state=seed)
        grid = {"classify__C": list(C_GRID)}
    else:
        model = MLPClassifier(
            hidden_layer_sizes=(64,),
            alpha=1e-4,
            early_stopping=_can_hold_out(y),
            max_iter=300,
            random_state=seed,
        )
        grid = {"classify__alpha": list(ALPHA_GRID)}  # it weighs the blocks itself
    pipeline = Pipeline([("scale", BlockScaler(blocks)), ("classify", model)])
    if given is None and len(blocks) > 1:
        heavy = 1 + (_HEAVY - 1) * np.eye(len(blocks))
        grid["scale__weights"] = [None, *(tuple(row) for row in heavy.tolist())]
    counts = np.sort(np.unique(y, return_counts=True)[1])[::-1]
    if len(counts) < 2 or counts[1] < 2:  # a part could be left with one class
        return pipeline
    n_folds = int(min(MOST_FOLDS, counts[1]))
    folds: Any = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    if groups is not None:
        n_folds = min(n_folds, len(np.unique(groups)))
        if n_folds < 2:
            return pipeline
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    return GridSearchCV(pipeline, grid, cv=folds, scoring=scoring)


def fit_quietly(classifier: Any, features: Any, y: Any, groups: Any = None) -> Any:
    """Fit, without warnings of what small training sets bring about.

    Parameters
    ----------
    classifier : estimator
    features : {ndarray, sparse matrix} of shape (n_documents, n_features)
    y : ndarray of shape (n_documents,)
    groups : ndarray of shape (n_documents,), optional
        For a search.

    Returns
    -------
    classifier : estimator
        Fitted.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        # Classes with fewer documents than there are folds.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        if isinstance(classifier, GridSearchCV):
            return classifier.fit(features, y, groups=groups)
        return classifier.fit(features, y)


def chosen(classifier: Any) -> dict[str, Any]:
    """Return what a search chose, with the names of a reader.

    Parameters
    ----------
    classifier : estimator
        Fitted.

    Returns
    -------
    parameters : dict
        Empty if there was no search.
    """
    found = getattr(classifier, "best_params_", {})
    return {name.rpartition("__")[2]: value for name, value in found.items()}


def _can_hold_out(y: Any) -> bool:
    """Tell whether a tenth of two thirds can hold every class, and tell something."""
    counts = np.unique(y, return_counts=True)[1]
    return bool(counts.min() >= 4 and len(y) >= max(_LEAST_TO_STOP, 15 * len(counts)))
