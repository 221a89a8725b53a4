"""Tests of splits that leave nothing to learn from, or nothing to score."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_validate,
)
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

import skelmo
from skelmo.comparison.classifiers import Block, fit_quietly, make_classifier

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
        [GOOD, ([0, 6], [1, 7], [2, 8])],
        ValueError,
        "compare: split 2 of cv must be a pair, indices of training and of test "
        "documents, got 3 parts. Give cv=[(train, test), ...].",
    ),
    (
        [GOOD, 3],
        ValueError,
        "compare: split 2 of cv must be a pair, indices of training and of test "
        "documents, got 3. Give cv=[(train, test), ...].",
    ),
    (
        [([[0, 6]], [1, 2])],
        ValueError,
        "compare: split 1 of cv must hold a row of indices of training documents, got "
        "shape (1, 2). Give one-dimensional arrays.",
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


def test_splits_may_be_tuples():
    lists = [GOOD, ([0, 1, 6, 7], [2, 8])]
    tuples = [(tuple(train), tuple(test)) for train, test in lists]
    given = {"representations": {"a": CountVectorizer()}, "verbose": 0}
    found, expected = (skelmo.compare(X, Y, cv=cv, **given) for cv in (tuples, lists))
    assert found.folds["accuracy"].tolist() == expected.folds["accuracy"].tolist()


GROUPS = [k // 2 for k in range(12)]


class Seen(CountVectorizer):
    """Notes what it is fitted on."""

    texts = []

    def fit_transform(self, X, y=None):
        type(self).texts.append(list(X))
        return super().fit_transform(X, y)


@pytest.mark.parametrize(
    ("cv", "kind"),
    [(3, pd.Series), (StratifiedGroupKFold(3), list), (GroupKFold(3), np.array)],
)
def test_no_group_is_on_both_sides(cv, kind, monkeypatch):
    monkeypatch.setattr(Seen, "texts", [])
    found = skelmo.compare(
        X, Y, representations={"a": Seen()}, cv=cv, groups=kind(GROUPS), verbose=0
    )
    assert len(Seen.texts) == 3
    for texts in Seen.texts:
        used = [int(text.split()[-1]) for text in texts]
        held_back = set(range(12)) - set(used)
        assert not {GROUPS[k] for k in used} & {GROUPS[k] for k in held_back}
    assert found.folds["n_train"].sum() == 24


def test_a_search_inside_keeps_groups_together():
    rng = np.random.default_rng(0)
    features, y = rng.normal(size=(24, 3)), np.arange(24) % 2
    groups = np.repeat(np.arange(6), 4)
    search = make_classifier(None, [Block(3, True)], y, 0, "accuracy", groups)
    fit_quietly(search, features, y, groups)
    splits = list(search.cv.split(features, y, groups))
    assert search.n_splits_ == len(splits) == 3
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])


@pytest.mark.parametrize(
    ("groups", "cv", "message"),
    [
        (
            [0, 1],
            3,
            "compare needs one group per document, but X has 12 documents and groups "
            "has 2. Pass X and groups of one length.",
        ),
        (
            [None, *GROUPS[1:]],
            3,
            "compare needs a group for every document, but 1 of 12 are missing, the "
            "first in row 0 of groups. Give each of them one of its own.",
        ),
        (
            [0] * 6 + [1] * 6,
            3,
            "compare needs at least cv=3 groups, got 2. Lower cv, or leave groups out.",
        ),
        (
            GROUPS,
            StratifiedKFold(3, shuffle=True, random_state=0),
            "compare: split 1 of cv has documents of group '1' on both sides. Give an "
            "int or a splitter that goes by groups, as StratifiedGroupKFold, or leave "
            "groups out.",
        ),
    ],
)
def test_groups_that_cannot_be_kept_together_are_told(groups, cv, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        skelmo.compare(
            X, Y, representations={"a": Untouched()}, cv=cv, groups=groups, verbose=0
        )
