"""Checks of which documents go into a classifier, and which classes come out."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import SkipTest

import joblib  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.utils import compute_sample_weight, get_tags
from sklearn.utils.validation import has_fit_parameter

from skelmo.testing.matrices import seeded
from skelmo.testing.texts import CONTAINERS, TOLERANCE, Documents

# Products of other sizes round otherwise, and steps of an optimiser add that up.
TRAINED_TOLERANCE = 5e-3

_SUBJECTS = ("The film", "This book", "A play", "The song", "Her novel", "That show")
_ENDINGS = (
    "is fine and funny.", "was a great joy, from its begin to its end!",
    "is dull.", "was a waste of time, and empty; nobody should have to see it.",
)  # fmt: skip

# Of three classes, to be told from their words; of different lengths.
CLASSIFIED = tuple(
    (f"{subject} {ending}", 1 - k // 2)
    for subject in _SUBJECTS
    for k, ending in enumerate(_ENDINGS)
)


class Classified:
    """Documents and their classes.

    Parameters
    ----------
    documents : tuple of str
    y : ndarray of shape (n_documents,), int
    """

    def __init__(self, documents: Documents, y: NDArray[np.int_]) -> None:
        self.documents, self.y = documents, y

    @property
    def X(self) -> list[str]:
        """Documents, in a list of their own."""
        return list(self.documents)


def _require(condition: Any, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _same(got: Any, expected: Any, message: str, tolerance: float = TOLERANCE) -> None:
    assert_allclose(got, expected, rtol=tolerance, atol=tolerance, err_msg=message)


def _fitted(estimator: Any, given: Classified) -> Any:
    return seeded(estimator).fit(given.X, given.y)


def _shares(fitted: Any, X: Any) -> NDArray[np.float64]:
    """Return probabilities, or what else tells how sure a classifier is."""
    if hasattr(fitted, "predict_proba"):
        return np.asarray(fitted.predict_proba(X))
    if hasattr(fitted, "decision_function"):
        return np.asarray(fitted.decision_function(X))
    raise SkipTest(f"{type(fitted).__name__} does not tell how sure it is")


def _plain(estimator: Any) -> Any:
    """Clone, without what is drawn for each document and with steps of all of them."""
    copy = seeded(estimator)
    known, wanted = copy.get_params(), {"dropout": 0.0, "batch_size": 1000}
    return copy.set_params(**{k: v for k, v in wanted.items() if k in known})


def _raises(call: Callable[[], Any], what: str) -> str:
    """Return the message of the error that a call must raise."""
    try:
        call()
    except (TypeError, ValueError) as error:
        return str(error)
    raise AssertionError(f"{what} raises neither TypeError nor ValueError")


def _check_accepts(estimator: Any, given: Classified, *, container: str) -> None:
    hold = CONTAINERS[container]
    expected = _shares(_fitted(estimator, given), given.X)
    fitted = seeded(estimator).fit(hold(given.documents), given.y)
    got = _shares(fitted, hold(given.documents))
    _same(got, expected, f"documents in a {container} are told otherwise")


def _check_classifier_tags(estimator: Any, given: Classified) -> None:
    tags = get_tags(estimator)
    _require(is_classifier(estimator), "it is no classifier by its tags")
    _require(tags.target_tags.required, "the tag target_tags.required is not set")
    _require(tags.input_tags.string, "the tag input_tags.string is not set")


def _check_probabilities(estimator: Any, given: Classified) -> None:
    fitted = _fitted(estimator, given)
    if not hasattr(fitted, "predict_proba"):
        raise SkipTest(f"{type(estimator).__name__} has no predict_proba")
    shares = fitted.predict_proba(given.X)
    expected = len(given.documents), len(fitted.classes_)
    _require(shares.shape == expected, f"probabilities have shape {shares.shape}")
    _same(shares.sum(axis=1), 1.0, "probabilities of a document do not sum up to 1")
    _require((shares >= 0).all(), "a probability is negative")
    best = fitted.classes_[shares.argmax(axis=1)]
    assert_array_equal(
        fitted.predict(given.X), best, "predict is not what is likeliest"
    )
    if hasattr(fitted, "predict_log_proba"):
        logs = np.exp(fitted.predict_log_proba(given.X))
        _same(logs, shares, "predict_log_proba is no logarithm of predict_proba")


def _check_score(estimator: Any, given: Classified) -> None:
    fitted = _fitted(estimator, given)
    expected = accuracy_score(given.y, fitted.predict(given.X))
    _require(fitted.score(given.X, given.y) == expected, "score is not the accuracy")
    unseen = np.full(len(given.y), 7)
    _require(fitted.score(given.X, unseen) == 0, "score of unseen labels is not 0")


def _check_label_kinds(estimator: Any, given: Classified) -> None:
    expected = _shares(_fitted(estimator, given), given.X)
    kinds: dict[str, Any] = {
        "str": np.array(["bad", "good"])[given.y],
        "object": np.array(["bad", "good"], dtype=object)[given.y],
        "bool": given.y.astype(bool),
        "negative": given.y * 5 - 3,
        "float": given.y.astype(float),
        "list": given.y.tolist(),
        "Series": pd.Series(given.y, range(100, 100 + len(given.y))),
    }
    for kind, y in kinds.items():
        fitted = seeded(estimator).fit(given.X, y)
        assert_array_equal(fitted.classes_, np.unique(np.asarray(y)))
        found = fitted.predict(given.X)
        _require(set(found) <= set(fitted.classes_), f"{kind}: no class is predicted")
        _same(_shares(fitted, given.X), expected, f"{kind} labels are told otherwise")


def _check_three_classes(estimator: Any, given: Classified) -> None:
    y = np.arange(len(given.y)) % 3
    fitted = seeded(estimator).fit(given.X, y)
    assert_array_equal(fitted.classes_, [0, 1, 2])
    _require(_shares(fitted, given.X).shape[1] == 3, "there are no three columns")


def _check_order_invariance(estimator: Any, given: Classified) -> None:
    fitted = _fitted(estimator, given)
    expected = _shares(fitted, given.X)
    order = np.random.default_rng(0).permutation(len(given.y))
    got = _shares(fitted, [given.documents[k] for k in order])
    _same(got, expected[order], "what is told of a document depends on the order")


def _check_single_documents(estimator: Any, given: Classified) -> None:
    fitted = _fitted(estimator, given)
    expected = _shares(fitted, given.X)
    got = np.concatenate([_shares(fitted, [text]) for text in given.documents])
    _same(got, expected, "what is told of a document depends on the others")


def _check_no_documents(estimator: Any, given: Classified) -> None:
    fitted = _fitted(estimator, given)
    try:
        found = fitted.predict([])
    except ValueError:  # as scikit-learn's own classifiers of matrices
        return
    _require(found.shape == (0,), f"of no documents it tells {found!r}")


def _check_same_seed(estimator: Any, given: Classified) -> None:
    one, other = (_shares(_fitted(estimator, given), given.X) for _ in range(2))
    assert_array_equal(one, other, err_msg="two fits of one seed differ")


def _check_refit(estimator: Any, given: Classified) -> None:
    fitted = _fitted(estimator, given)
    expected = _shares(fitted, given.X)
    fitted.fit(given.X, 1 - given.y).fit(given.X, given.y)
    got = _shares(fitted, given.X)
    assert_array_equal(got, expected, err_msg="a fit remembers another")


def _check_clone(estimator: Any, given: Classified) -> None:
    fitted = _fitted(estimator, given)
    expected = _shares(fitted, given.X)
    got = _shares(clone(fitted).fit(given.X, given.y), given.X)
    message = "a clone of the fitted estimator tells otherwise"
    assert_array_equal(got, expected, err_msg=message)


def _check_pickle(estimator: Any, given: Classified) -> None:
    fitted = _fitted(estimator, given)
    expected = _shares(fitted, given.X)
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    for way, again in (
        ("pickle", pickle.loads(pickle.dumps(fitted))),
        ("joblib", joblib.load(file)),
    ):
        _same(_shares(again, given.X), expected, f"{way} changes what is told")


def _check_predict_keeps_state(estimator: Any, given: Classified) -> None:
    fitted = _fitted(estimator, given)
    before = dict(vars(fitted))
    expected = _shares(fitted, given.X)
    fitted.predict(given.X)
    _require(vars(fitted) == before, "predict changes attributes")
    assert_array_equal(_shares(fitted, given.X), expected)


def _check_unfitted(estimator: Any, given: Classified) -> None:
    try:
        clone(estimator).predict(given.X)
    except NotFittedError:
        return
    raise AssertionError("predict before fit raises no NotFittedError")


def _check_weight_is_repetition(estimator: Any, given: Classified) -> None:
    _require_weights(estimator)
    weight = 1 + np.arange(len(given.y)) % 2
    weighted = _plain(estimator).fit(given.X, given.y, sample_weight=weight)
    X = [x for x, n in zip(given.documents, weight, strict=True) for _ in range(n)]
    repeated = _plain(estimator).fit(X, np.repeat(given.y, weight))
    message = "a weight of 2 is not a document given twice"
    got, expected = _shares(weighted, given.X), _shares(repeated, given.X)
    _same(got, expected, message, TRAINED_TOLERANCE)


def _check_weight_of_nothing(estimator: Any, given: Classified) -> None:
    _require_weights(estimator)
    weight = (np.arange(len(given.y)) % 3 > 0).astype(float)
    weighted = _plain(estimator).fit(given.X, given.y, sample_weight=weight)
    kept = np.flatnonzero(weight)
    fewer = _plain(estimator).fit([given.documents[k] for k in kept], given.y[kept])
    message = "a weight of 0 is not a document left out"
    got, expected = _shares(weighted, given.X), _shares(fewer, given.X)
    _same(got, expected, message, TRAINED_TOLERANCE)
    short = weight[:-1]
    _raises(
        lambda: seeded(estimator).fit(given.X, given.y, sample_weight=short),
        "sample_weight of another length",
    )


def _require_weights(estimator: Any) -> None:
    if not has_fit_parameter(estimator, "sample_weight"):
        raise SkipTest(f"fit of {type(estimator).__name__} takes no sample_weight")


def _check_balanced_classes(estimator: Any, given: Classified) -> None:
    _require_weights(estimator)
    if "class_weight" not in estimator.get_params():
        raise SkipTest(f"{type(estimator).__name__} has no class_weight")
    kept = np.flatnonzero((given.y == 1) | (np.arange(len(given.y)) % 3 == 0))
    X, y = [given.documents[k] for k in kept], given.y[kept]
    balanced = _plain(estimator).set_params(class_weight="balanced").fit(X, y)
    weight = compute_sample_weight("balanced", y)
    weighted = _plain(estimator).fit(X, y, sample_weight=weight)
    message = "class_weight='balanced' is not the weight of documents by class"
    got, expected = _shares(balanced, given.X), _shares(weighted, given.X)
    _same(got, expected, message, TRAINED_TOLERANCE)


def _check_one_class(estimator: Any, given: Classified) -> None:
    told = _raises(
        lambda: seeded(estimator).fit(given.X, np.zeros(len(given.y))),
        "one class alone",
    )
    _require("class" in told, f"the error of one class does not say so: {told}")


def _check_bad_targets(estimator: Any, given: Classified) -> None:
    X, y = given.X, given.y
    targets = {
        "y=None": None,
        "a shorter y": y[:-1],
        "nan in y": np.r_[np.nan, y[1:]],
        "continuous y": np.linspace(0.1, 0.9, len(y)),
    }
    for what, bad in targets.items():
        _raises(partial(seeded(estimator).fit, X, bad), what)


def _check_bad_documents(estimator: Any, given: Classified) -> None:
    X, y = given.X, given.y
    documents = {
        "one str": X[0],
        "a missing document": [None, *X[1:]],
        "numbers": list(range(len(X))),
        "a matrix": np.zeros((len(X), 3)),
        "no document": [],
    }
    fitted = _fitted(estimator, given)
    for what, bad in documents.items():
        _raises(partial(seeded(estimator).fit, bad, y), f"fit of {what}")
        if what != "no document":
            _raises(partial(fitted.predict, bad), f"predict of {what}")


def _check_in_search(estimator: Any, given: Classified) -> None:
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    results = []
    for n_jobs in (None, 2):
        search = GridSearchCV(
            seeded(estimator), {}, cv=folds, n_jobs=n_jobs, error_score="raise"
        )
        search.fit(given.X, given.y)
        results.append(search.cv_results_["mean_test_score"])
        expected = _shares(_fitted(estimator, given), given.X)
        message = "the best estimator of a search tells otherwise"
        _same(_shares(search, given.X), expected, message)
    alone, together = results
    _same(together, alone, "processes change the scores of a search")


def _check_in_calibration(estimator: Any, given: Classified) -> None:
    calibrated = CalibratedClassifierCV(seeded(estimator), cv=2)
    shares = calibrated.fit(given.X, given.y).predict_proba(given.X)
    _same(shares.sum(axis=1), 1.0, "calibrated probabilities do not sum up to 1")


def _check_in_stacking(estimator: Any, given: Classified) -> None:
    stacked = StackingClassifier(
        [("a", seeded(estimator)), ("b", seeded(estimator))], LogisticRegression(), cv=2
    )
    found = stacked.fit(given.X, given.y).predict(given.X)
    _require(set(found) <= {0, 1}, "a stack tells no class")


def _check_permutation_importance(estimator: Any, given: Classified) -> None:
    frame = pd.DataFrame({"text": given.X})
    fitted = seeded(estimator).fit(frame, given.y)
    found = permutation_importance(
        fitted, frame, given.y, n_repeats=2, random_state=0
    ).importances
    _require(found.shape == (1, 2), f"importances have shape {found.shape}")


def classified_checks() -> dict[str, Any]:
    """Return the checks of classified documents by name, the plainest first."""
    checks: dict[str, Any] = {"check_classifier_tags": _check_classifier_tags}
    for container in CONTAINERS:
        accepts = partial(_check_accepts, container=container)
        checks[f"check_accepts_{container}"] = accepts
    for check in (
        _check_unfitted,
        _check_probabilities,
        _check_score,
        _check_label_kinds,
        _check_three_classes,
        _check_order_invariance,
        _check_single_documents,
        _check_no_documents,
        _check_same_seed,
        _check_refit,
        _check_clone,
        _check_pickle,
        _check_predict_keeps_state,
        _check_weight_is_repetition,
        _check_weight_of_nothing,
        _check_balanced_classes,
        _check_one_class,
        _check_bad_targets,
        _check_bad_documents,
        _check_in_search,
        _check_in_calibration,
        _check_in_stacking,
        _check_permutation_importance,
    ):
        checks[check.__name__.removeprefix("_")] = check
    return checks
