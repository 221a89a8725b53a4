"""One representation in one fold: fitted once, its features used for everything."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import check_scoring
from sklearn.pipeline import FeatureUnion

from skelmo.comparison.classifiers import Block, chosen, fit_quietly, make_classifier
from skelmo.comparison.fold_result import FoldResult
from skelmo.comparison.folds import Fold, counts_for
from skelmo.comparison.resources import (
    N_TIMED,
    MemoryWatch,
    model_bytes,
    n_cached,
    needs_labels,
    oov_rate,
    seconds_per_document,
)
from skelmo.estimators.classifier import ElmoClassifier


@dataclass(frozen=True)
class Task:
    """What is the same for all representations and folds.

    Parameters
    ----------
    documents : list of str
    y : ndarray of shape (n_documents,)
    classifier : None, "mlp" or estimator
    metrics : list of str
        The first one is what a search goes by.
    label_counts : "auto", None or list of int
    seed : int
    groups : ndarray of shape (n_documents,) or None, default=None
        Documents that a search must not take apart.
    """

    documents: Sequence[str]
    y: NDArray[Any]
    classifier: Any
    metrics: Sequence[str]
    label_counts: Any
    seed: int
    groups: NDArray[Any] | None = None


@dataclass(frozen=True)
class _Encoded:
    """Features of a fold's documents, and what they took."""

    transformer: Any  # fitted
    train: Any  # of a classifier documents, as of the test
    test: Any
    n_features: int
    fit_seconds: float
    transform_seconds: float
    peak_bytes: int | None = None

    @property
    def is_classifier(self) -> bool:
        """Whether a head of its own reads the features."""
        return isinstance(self.transformer, ElmoClassifier)


def run_fold(name: str, transformer: Any, fold: Fold, task: Task) -> FoldResult:
    """Fit and measure one representation in one fold.

    Parameters
    ----------
    name : str
        Of the representation.
    transformer : estimator
        Cloned, and fitted on the training documents alone.
    fold : Fold
    task : Task

    Returns
    -------
    result : FoldResult
    """
    train = [task.documents[k] for k in fold.train]
    test = [task.documents[k] for k in fold.test]
    y_train, y_test = task.y[fold.train], task.y[fold.test]
    with MemoryWatch() as watch:
        encoded = _encode(transformer, train, y_train, test)
    blocks = _blocks(encoded, test)
    curve: list[Any] = []
    classifier_seconds, classifier = 0.0, None
    is_supervised = needs_labels(encoded.transformer)
    for count in counts_for(task.label_counts, len(train)):
        labelled = np.sort(fold.order[:count])
        y = y_train[labelled]
        if len(np.unique(y)) < 2:
            continue
        part, part_blocks = encoded, blocks
        if is_supervised and count < len(train):
            # What it learned from all the labels would tell of those held back.
            some = [train[k] for k in labelled]
            part = _encode(transformer, some, y, test)
            part_blocks = _blocks(part, test)
            features = part.train
        else:
            features = _rows(encoded.train, labelled)
        began = time.perf_counter()
        if part.is_classifier:
            classifier = part.transformer
        else:
            groups = None if task.groups is None else task.groups[fold.train][labelled]
            classifier = make_classifier(
                task.classifier, part_blocks, y, task.seed, task.metrics[0], groups
            )
            fit_quietly(classifier, features, y, groups)
        classifier_seconds = time.perf_counter() - began
        curve.append([count, _scores(classifier, part.test, y_test, task.metrics)])
    return FoldResult(
        representation=name,
        fold=fold.number,
        n_train=len(train),
        n_test=len(test),
        n_features=encoded.n_features,
        scores=curve[-1][1],
        curve=curve,
        chosen=chosen(classifier),
        fit_seconds=encoded.fit_seconds,
        transform_seconds=encoded.transform_seconds,
        classifier_seconds=classifier_seconds,
        model_bytes=model_bytes(encoded.transformer),
        peak_bytes=watch.increase,
        unseen_rate=fold.unseen_rate,
        oov_rate=oov_rate(encoded.transformer, test),
        n_unseen=int(fold.has_unseen.sum()),
        accuracy_unseen=_accuracy(classifier, encoded.test, y_test, fold.has_unseen),
    )


def _encode(
    transformer: Any, train: Sequence[str], y: NDArray[Any], test: Sequence[str]
) -> _Encoded:
    fitted = clone(transformer)
    if isinstance(fitted, ElmoClassifier):
        return _tune(fitted, train, y, test)
    n_before = n_cached(fitted)
    began = time.perf_counter()
    if hasattr(fitted, "fit_transform"):
        features = fitted.fit_transform(train, y)
    else:
        features = fitted.fit(train, y).transform(train)
    fit_seconds = time.perf_counter() - began
    n_answered = n_cached(fitted) - n_before
    seconds, test_features = seconds_per_document(fitted, test)
    return _Encoded(
        transformer=fitted,
        train=_matrix(features),
        test=_matrix(test_features),
        n_features=int(test_features.shape[1]),
        # Else the first to fill a cache would pay for all.
        fit_seconds=fit_seconds + n_answered * seconds,
        transform_seconds=seconds * len(test),
    )


def _tune(
    classifier: ElmoClassifier,
    train: Sequence[str],
    y: NDArray[Any],
    test: Sequence[str],
) -> _Encoded:
    """Fit a classifier; to encode means to predict then."""
    began = time.perf_counter()
    classifier.fit(train, y)
    fit_seconds = time.perf_counter() - began
    seconds, pooled = seconds_per_document(classifier, test[:N_TIMED])
    return _Encoded(
        transformer=classifier,
        train=np.array(train, dtype=object),
        test=np.array(test, dtype=object),
        n_features=pooled.shape[1],
        fit_seconds=fit_seconds,
        transform_seconds=seconds * len(test),
    )


def _matrix(features: Any) -> Any:
    """Return features as a CSR or a two-dimensional array."""
    if sparse.issparse(features):
        return sparse.csr_array(features)
    return np.asarray(features)


def _rows(features: Any, places: NDArray[np.intp]) -> Any:
    return features if len(places) == features.shape[0] else features[places]


def _blocks(encoded: _Encoded, documents: Sequence[str]) -> list[Block]:
    """Return the columns that belong together."""
    transformer = encoded.transformer
    whole = [Block(encoded.n_features, not sparse.issparse(encoded.test))]
    if not isinstance(transformer, FeatureUnion):
        return whole
    blocks = []
    for _, part in transformer.transformer_list:
        if hasattr(part, "transform"):
            found = part.transform(documents[:1])
            blocks.append(Block(int(found.shape[1]), not sparse.issparse(found)))
    is_all = sum(block.width for block in blocks) == whole[0].width
    return blocks if is_all else whole


def _scores(
    classifier: Any, features: Any, y: NDArray[Any], metrics: Sequence[str]
) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        scorer = check_scoring(classifier, scoring=list(metrics))  # predicts once
        found = scorer(classifier, features, y)
    return {name: float(found[name]) for name in metrics}


def _accuracy(
    classifier: Any, features: Any, y: NDArray[Any], which: NDArray[np.bool_]
) -> float | None:
    if not which.any():
        return None
    return float(np.mean(classifier.predict(features[which]) == y[which]))
