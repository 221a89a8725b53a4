"""Splits of the documents, the order of their labels, and words that are new."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from skelmo.text.tokenization import split_sentences, tokenize

_FIRST_COUNT = 50
_LONGEST = 40  # characters of a class that a message shows


class Fold(NamedTuple):
    """A split, and what all representations share in it."""

    number: int
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    order: NDArray[np.intp]  # places in `train`, as labels are given out
    unseen_rate: float
    has_unseen: NDArray[np.bool_]  # by test document


def make_folds(
    documents: Sequence[str],
    y: NDArray[Any],
    cv: Any,
    seed: int,
    owner: str,
    groups: NDArray[Any] | None = None,
) -> list[Fold]:
    """Split the documents.

    Parameters
    ----------
    documents : sequence of str
    y : ndarray of shape (n_documents,)
    cv : int, splitter or iterable of splits
        An int is a number of stratified, shuffled folds.
    seed : int
    owner : str
        The function that asks, for the messages.
    groups : ndarray of shape (n_documents,), optional
        Documents of one group stay on one side of each split.

    Returns
    -------
    folds : list of Fold

    Raises
    ------
    ValueError
        If `cv` is an int and a class has fewer documents, or there are fewer groups;
        or if a split leaves nothing to learn from or to score, is no pair, or has a
        group on both sides.
    TypeError
        If a split holds something else than indices.
    """
    if not hasattr(cv, "split") and isinstance(cv, int | np.integer):
        values, counts = np.unique(y, return_counts=True)
        if counts.min() < cv:
            rare = str(values[counts.argmin()])[:_LONGEST]
            raise ValueError(
                f"{owner} needs at least cv={cv} documents of each class, but class "
                f"{rare!r} has {counts.min()}. Lower cv, or drop or merge rare classes."
            )
        cv = _folds_of(int(cv), seed, groups, owner)
    with warnings.catch_warnings():
        # What a splitter makes of groups is looked at below.
        warnings.filterwarnings("ignore", "The groups parameter is ignored")
        given = cv.split(np.zeros(len(y)), y, groups) if hasattr(cv, "split") else cv
        splits = [
            _checked_split(split, number, len(y), owner)
            for number, split in enumerate(given)
        ]
    if not splits:
        raise ValueError(
            f"{owner} needs at least 1 split, got none from cv. Give splits, or a "
            f"number of folds."
        )
    for number, (train, test) in enumerate(splits):
        _check_classes(y[train], number, owner)
        if groups is not None:
            _check_groups(groups[train], groups[test], number, owner)
    words = [words_of(text) for text in documents]
    folds = []
    for number, (train, test) in enumerate(splits):
        known = set().union(*(words[k] for k in train))
        n_new = np.array([sum(w not in known for w in words[k]) for k in test], int)
        n_tokens = sum(len(words[k]) for k in test)
        order = label_order(y[train], np.random.default_rng([seed, number]))
        rate = float(n_new.sum() / max(1, n_tokens))
        folds.append(Fold(number, train, test, order, rate, n_new > 0))
    return folds


def _folds_of(
    n_folds: int, seed: int, groups: NDArray[Any] | None, owner: str
) -> StratifiedKFold | StratifiedGroupKFold:
    """Return so many shuffled folds, stratified as well as groups allow."""
    if groups is None:
        return StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    n_groups = len(np.unique(groups))
    if n_groups < n_folds:
        raise ValueError(
            f"{owner} needs at least cv={n_folds} groups, got {n_groups}. Lower cv, or "
            f"leave groups out."
        )
    return StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)


def _check_groups(
    train: NDArray[Any], test: NDArray[Any], number: int, owner: str
) -> None:
    both = np.intersect1d(train, test)
    if both.size:
        raise ValueError(
            f"{owner}: split {number + 1} of cv has documents of group "
            f"{str(both[0])[:_LONGEST]!r} on both sides. Give an int or a splitter "
            f"that goes by groups, as StratifiedGroupKFold, or leave groups out."
        )


def _checked_split(
    split: Any, number: int, n_documents: int, owner: str
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the training and test documents of a split."""
    if not isinstance(split, Sequence | np.ndarray) or len(split) != 2:
        shown = f"{len(split)} parts" if hasattr(split, "__len__") else repr(split)[:40]
        raise ValueError(
            f"{owner}: split {number + 1} of cv must be a pair, indices of training "
            f"and of test documents, got {shown}. Give cv=[(train, test), ...]."
        )
    kinds = ("training", "test")
    train, test = (
        _checked_indices(indices, kind, number, n_documents, owner)
        for indices, kind in zip(split, kinds, strict=True)
    )
    return train, test


def _checked_indices(
    indices: Any, kind: str, number: int, n_documents: int, owner: str
) -> NDArray[np.intp]:
    """Return one side of a split, which must name documents."""
    found = np.asarray(indices)
    if found.ndim != 1:
        raise ValueError(
            f"{owner}: split {number + 1} of cv must hold a row of indices of {kind} "
            f"documents, got shape {found.shape}. Give one-dimensional arrays."
        )
    if not found.size:
        raise ValueError(
            f"{owner}: split {number + 1} of cv has no {kind} documents. Give it some, "
            f"or leave it out."
        )
    if found.dtype.kind not in "iu":
        raise TypeError(
            f"{owner}: split {number + 1} of cv must hold indices of {kind} documents, "
            f"got {found.dtype}. Give int, as by numpy.flatnonzero of a mask."
        )
    outside = found[(found < 0) | (found >= n_documents)]
    if outside.size:
        raise ValueError(
            f"{owner}: split {number + 1} of cv has the index {outside[0]} among its "
            f"{kind} documents, but X has {n_documents} documents. Give indices from 0 "
            f"to {n_documents - 1}."
        )
    return found


def _check_classes(y_train: NDArray[Any], number: int, owner: str) -> None:
    """Raise if there is nothing to tell apart in the training documents of a split."""
    classes = np.unique(y_train)
    if len(classes) < 2:
        raise ValueError(
            f"{owner} needs at least 2 classes in the training documents of each "
            f"split, but all {len(y_train)} of split {number + 1} of cv are of class "
            f"{str(classes[0])[:_LONGEST]!r}. Shuffle the documents, or give an int, "
            f"whose folds hold every class."
        )


def words_of(document: str) -> list[str]:
    """Return the tokens of a document that hold a letter or a digit, in lower case.

    Parameters
    ----------
    document : str

    Returns
    -------
    words : list of str
    """
    return [
        token.lower()
        for sentence in split_sentences(document)
        for token in tokenize(sentence)
        if any(map(str.isalnum, token))
    ]


def label_order(y: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return an order whose every beginning has about the shares of all classes.

    Parameters
    ----------
    y : ndarray of shape (n_documents,)
    rng : numpy.random.Generator

    Returns
    -------
    order : ndarray of shape (n_documents,)
        A permutation.
    """
    place = np.empty(len(y))
    for value in np.unique(y):
        (members,) = np.nonzero(y == value)
        ranks = rng.permutation(len(members))
        place[members] = (ranks + rng.random(len(members))) / len(members)
    return np.argsort(place, kind="stable")


def counts_for(label_counts: Any, n_train: int) -> list[int]:
    """Return the numbers of labels to learn from in a fold, all of them at the end.

    Parameters
    ----------
    label_counts : "auto", None or iterable of int
        "auto" doubles from 50 on; None is all labels alone.
    n_train : int

    Returns
    -------
    counts : list of int
    """
    wanted: list[int] = []
    if isinstance(label_counts, str):
        count = _FIRST_COUNT
        while count < n_train:
            wanted.append(count)
            count *= 2
    elif label_counts is not None:
        wanted = [int(count) for count in label_counts if count < n_train]
    return [*sorted(set(wanted)), n_train]
