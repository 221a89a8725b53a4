"""All checks of a text transformer or classifier, at once or one by one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple
from unittest import SkipTest

import numpy as np
from numpy.typing import ArrayLike

from skelmo.testing.classified_texts import CLASSIFIED, Classified, classified_checks
from skelmo.testing.matrices import DATA_FREE, scikit_learn_checks
from skelmo.testing.texts import DOCUMENTS, document_checks
from skelmo.validation import stack_level


class KnownFailure(SkipTest):
    """A check failed that was known to."""


class CheckResult(NamedTuple):
    """How a check ended.

    Parameters
    ----------
    check_name : str
        Name of the check.
    status : {"passed", "skipped", "xfail", "failed"}
        "xfail" is for a known failure.
    reason : str
        Why it was skipped, failed or is known to fail; else empty.
    exception : AssertionError or None, default=None
        Of a check that failed; its cause is what the estimator raised.
    """

    check_name: str
    status: str
    reason: str
    exception: AssertionError | None = None


def check_text_transformer(
    estimator: Any,
    *,
    documents: Iterable[str] | None = None,
    known_failures: Mapping[str, str] | None = None,
    on_fail: str = "raise",
) -> list[CheckResult]:
    """Check that a text transformer keeps to the conventions of scikit-learn.

    Parameters
    ----------
    estimator : estimator object
        A transformer from an iterable of str to a matrix, dense or sparse. It is
        cloned, not fitted itself.
    documents : iterable of str, default=None
        Different documents to check with, for transformers that cannot be fitted on
        the eight short ones taken otherwise.
    known_failures : dict of str to str, default=None
        Names of checks that fail, each with the reason. They are run all the same, and
        must fail.
    on_fail : {"raise", "warn", "collect"}, default="raise"
        What a check that fails does: end all, with its error; warn; or nothing but
        stand among the results, which tell of all that is to be mended at once.

    Returns
    -------
    results : list of CheckResult
        In the order of the checks, with "xfail" for known failures.

    Raises
    ------
    AssertionError
        If `on_fail` is "raise": at the first check that fails, or that passes as a
        known failure. The message begins with the name of the check.
    ValueError
        If `known_failures` names a check that there is not, or `on_fail` is none of
        its choices.

    Warns
    -----
    UserWarning
        If `on_fail` is "warn": for each check that fails, with that message.

    See Also
    --------
    text_transformer_checks : The same checks one by one, as for pytest.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import HashingVectorizer
    >>> from skelmo.testing import check_text_transformer
    >>> check_text_transformer(HashingVectorizer())
    Traceback (most recent call last):
    AssertionError: check_estimator_sparse_tag failed for HashingVectorizer: ...
    """
    checks = text_transformer_checks(
        estimator, documents=documents, known_failures=known_failures
    )
    return _results(checks, on_fail)


def check_text_classifier(
    estimator: Any,
    *,
    documents: Iterable[str] | None = None,
    y: ArrayLike | None = None,
    known_failures: Mapping[str, str] | None = None,
    on_fail: str = "raise",
) -> list[CheckResult]:
    """Check that a classifier of texts keeps to the conventions of scikit-learn.

    Parameters
    ----------
    estimator : estimator object
        A classifier of an iterable of str, a pipeline for example. It is cloned, not
        fitted itself.
    documents : iterable of str, default=None
        Different documents to check with, a dozen of each class at least, for
        classifiers that cannot be fitted on the 24 short ones taken otherwise.
    y : array-like of shape (n_documents,), default=None
        Class of each of `documents`, 0 or 1.
    known_failures : dict of str to str, default=None
        As for `check_text_transformer`.
    on_fail : {"raise", "warn", "collect"}, default="raise"
        As for `check_text_transformer`.

    Returns
    -------
    results : list of CheckResult
        In the order of the checks, with "xfail" for known failures.

    Raises
    ------
    AssertionError
        As `check_text_transformer`.
    ValueError
        As `check_text_transformer`, and if `documents` are given without `y`.

    Warns
    -----
    UserWarning
        If `on_fail` is "warn": for each check that fails, with that message.

    See Also
    --------
    text_classifier_checks : The same checks one by one, as for pytest.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skelmo.testing import check_text_classifier
    >>> check_text_classifier(DummyClassifier())
    Traceback (most recent call last):
    AssertionError: check_classifier_tags failed for DummyClassifier: ...
    """
    checks = text_classifier_checks(
        estimator, documents=documents, y=y, known_failures=known_failures
    )
    return _results(checks, on_fail)


def text_classifier_checks(
    estimator: Any,
    *,
    documents: Iterable[str] | None = None,
    y: ArrayLike | None = None,
    known_failures: Mapping[str, str] | None = None,
) -> list[tuple[Any, Any]]:
    """Return the checks of a text classifier, for ``pytest.mark.parametrize``.

    Parameters
    ----------
    estimator : estimator object
        As for `check_text_classifier`.
    documents : iterable of str, default=None
        As for `check_text_classifier`.
    y : array-like of shape (n_documents,), default=None
        As for `check_text_classifier`.
    known_failures : dict of str to str, default=None
        As for `check_text_classifier`; if they fail, they are skipped.

    Returns
    -------
    checks : list of (estimator, check)
        To be called as ``check(estimator)``. ``check.__name__`` is the name of the
        check, and pytest's id.

    Raises
    ------
    ValueError
        If `known_failures` names a check that there is not, or `documents` are given
        without `y`.

    See Also
    --------
    check_text_classifier : Run them all.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skelmo.testing import text_classifier_checks
    >>> pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression())
    >>> estimator, check = text_classifier_checks(pipeline)[1]
    >>> check.__name__
    'check_accepts_list'
    >>> check(estimator)
    """
    if (documents is None) != (y is None):
        raise ValueError(
            "text_classifier_checks needs documents and y, or neither. Pass the class "
            "of each document, 0 or 1, as y."
        )
    texts, codes = zip(*CLASSIFIED, strict=True)
    given = Classified(
        texts if documents is None else tuple(documents),
        np.array(codes) if y is None else np.asarray(y),
    )
    checks = {
        name: partial(check, given=given) for name, check in classified_checks().items()
    }
    return _named(estimator, checks, known_failures)


def _results(checks: list[tuple[Any, Any]], on_fail: str) -> list[CheckResult]:
    """Run checks, and do what is wanted of those that fail."""
    if on_fail not in ("raise", "warn", "collect"):
        raise ValueError(
            f"on_fail must be 'raise', 'warn' or 'collect', got {on_fail!r}."
        )
    results = []
    for given, check in checks:
        status, reason, exception = "passed", "", None
        try:
            check(given)
        except KnownFailure as skipped:
            status, reason = "xfail", str(skipped)
        except SkipTest as skipped:
            status, reason = "skipped", str(skipped)
        except AssertionError as error:
            if on_fail == "raise":
                raise
            status, reason, exception = "failed", str(error), error
            if on_fail == "warn":
                warnings.warn(reason, UserWarning, stacklevel=stack_level())
        results.append(CheckResult(check.__name__, status, reason, exception))
    return results


def text_transformer_checks(
    estimator: Any,
    *,
    documents: Iterable[str] | None = None,
    known_failures: Mapping[str, str] | None = None,
) -> list[tuple[Any, Any]]:
    """Return the checks of a text transformer, for ``pytest.mark.parametrize``.

    Parameters
    ----------
    estimator : estimator object
        As for `check_text_transformer`. Which checks there are depends on its class,
        its tags and the version of scikit-learn.
    documents : iterable of str, default=None
        As for `check_text_transformer`.
    known_failures : dict of str to str, default=None
        As for `check_text_transformer`; if they fail, they are skipped.

    Returns
    -------
    checks : list of (estimator, check)
        To be called as ``check(estimator)``, also with other estimators of the same
        class. ``check.__name__`` is the name of the check, and pytest's id.

    Raises
    ------
    ValueError
        If `known_failures` names a check that there is not.

    See Also
    --------
    check_text_transformer : Run them all.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from skelmo.testing import text_transformer_checks
    >>> estimator, check = text_transformer_checks(TfidfVectorizer())[0]
    >>> check.__name__
    'check_estimator_cloneable'
    >>> check(estimator)
    """
    given = DOCUMENTS if documents is None else tuple(documents)
    of_matrices = scikit_learn_checks(estimator)
    checks: dict[str, Any] = {k: v for k, v in of_matrices.items() if k in DATA_FREE}
    for name, check in document_checks().items():
        checks[name] = partial(check, documents=given)
    return _named(estimator, {**checks, **of_matrices}, known_failures)


def _named(
    estimator: Any,
    checks: dict[str, Any],
    known_failures: Mapping[str, str] | None,
) -> list[tuple[Any, Any]]:
    """Give checks their names, and know of those that will fail."""
    reasons = dict(known_failures or {})
    unknown = sorted(set(reasons) - set(checks))
    if unknown:
        raise ValueError(
            f"known_failures names checks that {type(estimator).__name__} does not "
            f"have: {', '.join(unknown)}."
        )
    pairs = []
    for name, check in checks.items():
        run: Any = partial(_run, name=name, check=check, reason=reasons.get(name))
        run.__name__ = name
        pairs.append((estimator, run))
    return pairs


def _run(
    estimator: Any, *, name: str, check: Callable[[Any], None], reason: str | None
) -> None:
    owner = type(estimator).__name__
    try:
        with warnings.catch_warnings():
            # scikit-learn mixes frames and arrays on purpose.
            names = "X (has|does not have valid) feature names"
            warnings.filterwarnings("ignore", names, UserWarning)
            check(estimator)
    except SkipTest:
        raise
    except Exception as error:
        if reason is not None:
            raise KnownFailure(f"known failure of {owner}: {reason}") from error
        message = f"{name} failed for {owner}: {type(error).__name__}: {error}"
        raise AssertionError(message) from error
    if reason is not None:
        raise AssertionError(
            f"{name} passed for {owner}, though known_failures says: {reason}"
        )
