"""One call that says which representation is worth its cost on given data."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import get_scorer
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import (
    HasMethods,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.multiclass import type_of_target

from skelmo.comparison.fold_progress import Progress
from skelmo.comparison.fold_result import FoldResult
from skelmo.comparison.folds import Fold, make_folds
from skelmo.comparison.rehearsal import check_metrics
from skelmo.comparison.representations import baseline_among, choose
from skelmo.comparison.result import Comparison
from skelmo.comparison.store import ResultStore, digest_of, key_of
from skelmo.comparison.tables import make_tables
from skelmo.comparison.trial import Task, run_fold
from skelmo.validation import (
    check_not_empty,
    is_missing,
    iterate_documents,
    stack_level,
)

_OWNER = "compare"
METRICS = ("accuracy", "precision_macro", "recall_macro", "f1_macro")


_CONSTRAINTS: dict[str, list[Any]] = {
    "representations": [str, list, tuple, Mapping, None],
    "classifier": [StrOptions({"mlp"}), HasMethods(["fit", "predict"]), None],
    "cv": ["cv_object"],
    "groups": ["array-like", None],
    "metrics": [str, list, tuple],
    "label_counts": [StrOptions({"auto"}), list, tuple, np.ndarray, None],
    "cache": [str, os.PathLike, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def compare(
    X: Any,
    y: Any,
    *,
    representations: str | Sequence[str] | Mapping[str, Any] | None = None,
    classifier: Any = None,
    cv: Any = 5,
    groups: Any = None,
    metrics: str | Sequence[str] = METRICS,
    label_counts: str | Iterable[int] | None = "auto",
    cache: str | os.PathLike[str] | None = None,
    random_state: int | np.random.RandomState | None = 0,
    verbose: int = 1,
) -> Comparison:
    """Compare representations of text by what a classifier makes of them, and by cost.

    Every representation is fitted on the training documents of each fold alone, and
    its features go to the same classifier with the same search of its parameters.

    Parameters
    ----------
    X : iterable of str
        Documents: a list, Series, array, generator or a frame of one column.
    y : array-like of shape (n_documents,)
        Their classes.
    representations : str, list of str, mapping of str to transformer or None, \
default=None
        "tfidf" (words and pairs of words), "word2vec", "glove", "elmo" (the bundled
        English model), "elmo-layer-0" and so on, "elmo-learned" (layers mixed by
        weights learned from y), "elmo-own" (a language model trained on the training
        documents), "elmo+tfidf" and "elmo-tuned" (`ElmoClassifier`: the bundled model,
        tuned under a head); or a dict of names and transformers, or names of the above.
        None takes all that can run but "elmo-tuned".
    classifier : {"mlp"}, estimator or None, default=None
        None is a logistic regression on scaled features, its C, and for a
        `FeatureUnion` the weight of each part, chosen by cross-validation inside the
        training fold; "mlp" a neural network with one hidden layer, its alpha chosen
        likewise, which takes minutes per fold on sparse features. An estimator is
        fitted on the features as they are.
    cv : int, splitter or iterable of splits, default=5
        An int is a number of stratified, shuffled folds.
    groups : array-like of shape (n_documents,) or None, default=None
        Which documents belong together, as those of one author or product: they stay
        on one side of each split, and of those inside a training fold too.
    metrics : str or list of str, default=("accuracy", "precision_macro", \
"recall_macro", "f1_macro")
        Names of scikit-learn's scorers. The first sorts the table, is drawn, and is
        what the classifier's parameters are chosen by.
    label_counts : "auto", list of int or None, default="auto"
        Numbers of labels to learn from, besides all of a training fold. "auto" is 50,
        100, 200 and so on; None is none besides all.
    cache : str, os.PathLike or None, default=None
        Directory for the result of each representation and fold. What is there and
        follows from the same data, parameters, splits and versions is not computed
        again, so that an interrupted comparison goes on where it was.
    random_state : int, RandomState instance or None, default=0
        For the splits, the choice of labels, classifiers and built-in representations.
        Only an int finds in the cache what an earlier call left.
    verbose : int, default=1
        0 shows nothing, 1 a progress bar in a terminal or else a line per fold.

    Returns
    -------
    comparison : Comparison
        Tables, figure, page and a summary in words.

    Warns
    -----
    UserWarning
        If a representation asked for by name cannot run.

    See Also
    --------
    ElmoVectorizer : For ``{"elmo": ElmoVectorizer(language_model=directory)}``.
    ElmoClassifier : For ``{"tuned": ElmoClassifier(head="cnn")}``.

    Notes
    -----
    With fewer labels a representation still learns from all texts of the training
    fold: texts without labels are easy to have. What learns from labels itself
    (``get_tags(...).target_tags.required``, or a selection of features) is fitted anew
    on the labelled texts alone.

    An `ElmoClassifier` is judged by its own head, whatever `classifier` is: its time
    to fit is that of training it, once for each number of labels.

    A parallel backend of joblib, as in ``with joblib.parallel_config(n_jobs=4)``,
    speeds up the search of the classifier. The code of own transformers is not part of
    what the cache goes by: delete the directory if it has changed.

    Examples
    --------
    >>> import skelmo
    >>> from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    >>> X = ["good film", "bad film", "a good day", "a bad day"] * 6
    >>> found = skelmo.compare(
    ...     X,
    ...     ["+", "-"] * 12,
    ...     representations={"words": TfidfVectorizer(), "counts": CountVectorizer()},
    ...     cv=2,
    ...     verbose=0,
    ... )
    >>> found.table["accuracy"].to_dict()
    {'words': 1.0, 'counts': 1.0}
    """
    given = {
        "representations": representations, "classifier": classifier, "cv": cv,
        "groups": groups, "metrics": metrics, "label_counts": label_counts,
        "cache": cache, "random_state": random_state, "verbose": verbose,
    }  # fmt: skip
    # The decorator would put this name into what estimators say of their parameters.
    validate_parameter_constraints(_CONSTRAINTS, given, caller_name=_OWNER)
    documents = _checked_documents(X)
    labels = _checked_labels(y, len(documents))
    metrics = _checked_metrics(metrics)
    counts = _checked_counts(label_counts)
    together = _checked_groups(groups, len(documents))
    seed = _seed(random_state)
    chosen = choose(representations, seed, _OWNER)
    if representations is not None:
        for name, reason in chosen.skipped.items():
            warnings.warn(
                f"{_OWNER} leaves out {name!r}, which {reason}.",
                UserWarning,
                stacklevel=stack_level(),
            )
    cv = 5 if cv is None else cv
    folds = make_folds(documents, labels, cv, seed, _OWNER, together)
    check_metrics(folds, labels, metrics, counts, _OWNER)
    task = Task(documents, labels, classifier, metrics, counts, seed, together)
    results = _run(chosen.transformers, folds, task, ResultStore(cache), verbose)
    baseline = baseline_among(chosen.transformers)
    return Comparison(*make_tables(results, metrics, baseline, chosen.skipped))


def _run(
    transformers: Mapping[str, Any],
    folds: Sequence[Fold],
    task: Task,
    store: ResultStore,
    verbose: int,
) -> list[FoldResult]:
    """Return the results of all representations in all folds."""
    settings = [task.classifier, list(task.metrics), task.label_counts, task.seed]
    data = [digest_of(task.documents), task.y]
    if task.groups is not None:
        data.append(task.groups)
    progress = Progress(len(transformers) * len(folds), len(folds), verbose)
    results = []
    try:
        for name, transformer in transformers.items():
            for fold in folds:
                progress.begin(name, fold.number)
                split = [fold.train, fold.test, fold.order]
                key = key_of(transformer, settings, data, split)
                result, seconds = store.get(key), None
                if result is None:
                    began = time.perf_counter()
                    result = _run_one(name, transformer, fold, task)
                    seconds = time.perf_counter() - began
                    store.put(key, result)
                # The key knows neither name nor number.
                result = replace(result, representation=name, fold=fold.number)
                results.append(result)
                progress.end(result, seconds)
    finally:
        progress.close()
    return results


def _run_one(name: str, transformer: Any, fold: Fold, task: Task) -> FoldResult:
    try:
        return run_fold(name, transformer, fold, task)
    except Exception as error:
        error.add_note(f"In {_OWNER}: representation {name!r}, fold {fold.number + 1}.")
        raise


def _checked_documents(X: Any) -> list[str]:
    documents = list(iterate_documents(X, owner=_OWNER, missing="empty"))
    check_not_empty(len(documents), _OWNER)
    missing = [row for row, value in enumerate(documents) if value is None]
    if missing:
        raise ValueError(
            f"{_OWNER} needs a text in every row of X, but {len(missing)} of "
            f"{len(documents)} are missing, the first in row {missing[0]}. Fill them "
            f"in, or drop them and their labels."
        )
    return documents


def _checked_labels(y: Any, n_documents: int) -> NDArray[Any]:
    labels = column_or_1d(y)
    if len(labels) != n_documents:
        raise ValueError(
            f"{_OWNER} needs one label per document, but X has {n_documents} documents "
            f"and y has {len(labels)} labels. Pass X and y of one length."
        )
    missing = [k for k, value in enumerate(labels.tolist()) if is_missing(value)]
    if missing:
        raise ValueError(
            f"{_OWNER} needs a label for every document, but {len(missing)} of "
            f"{n_documents} are missing, the first in row {missing[0]} of y. Drop "
            f"these documents."
        )
    if labels.dtype == object and all(isinstance(value, str) for value in labels):
        labels = labels.astype(str)
    kind = type_of_target(labels, input_name="y")
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"{_OWNER} needs classes in y, got values that are {kind}. Cut numbers "
            f"into classes first."
        )
    n_classes = len(np.unique(labels))
    if n_classes < 2:
        raise ValueError(
            f"{_OWNER} needs at least 2 classes in y, got {n_classes}. Pass labels "
            f"that differ."
        )
    return labels


def _checked_groups(groups: Any, n_documents: int) -> NDArray[Any] | None:
    if groups is None:
        return None
    found = column_or_1d(groups)
    if len(found) != n_documents:
        raise ValueError(
            f"{_OWNER} needs one group per document, but X has {n_documents} documents "
            f"and groups has {len(found)}. Pass X and groups of one length."
        )
    missing = [k for k, value in enumerate(found.tolist()) if is_missing(value)]
    if missing:
        raise ValueError(
            f"{_OWNER} needs a group for every document, but {len(missing)} of "
            f"{n_documents} are missing, the first in row {missing[0]} of groups. Give "
            f"each of them one of its own."
        )
    return found.astype(str)


def _checked_metrics(metrics: str | Sequence[str]) -> list[str]:
    names = [metrics] if isinstance(metrics, str) else list(dict.fromkeys(metrics))
    if not names:
        raise ValueError(
            f"{_OWNER} needs at least 1 metric, got none. Pass metrics=['accuracy']."
        )
    for name in names:
        get_scorer(name)  # which says what there is
    return names


def _checked_counts(label_counts: Any) -> str | list[int] | None:
    if label_counts is None or isinstance(label_counts, str):
        return label_counts
    counts = list(label_counts)
    for count in counts:
        if not isinstance(count, Integral) or count < 2:
            raise ValueError(
                f"The 'label_counts' parameter of {_OWNER} must hold int of at least "
                f"2, got {type(count).__name__} {repr(count)[:40]}. Give numbers of "
                f"labels, or 'auto'."
            )
    return [int(count) for count in counts]


def _seed(random_state: int | np.random.RandomState | None) -> int:
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
