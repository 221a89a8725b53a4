"""Tests of skelmo.testing: it passes what is right, and names what is wrong."""

import copy
import pickle
import re
import sys
from numbers import Real
from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import get_tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skelmo.testing import (
    KnownFailure,
    check_text_transformer,
    matrices,
    text_transformer_checks,
)

LETTERS = "aeo15"
ARRAY_API = "check_array_api_input"
PARTIAL_FIT = "check_estimators_partial_fit_n_features"


def documents_in(X):
    """Take documents out of what holds them, strictly."""
    if isinstance(X, str):
        raise ValueError("one str is no documents")
    if hasattr(X, "toarray"):
        raise TypeError("sparse input is not supported")
    documents = list(X[X.columns[0]]) if hasattr(X, "columns") else list(X)
    if not all(isinstance(document, str) for document in documents):
        raise TypeError("a document is no str")
    return documents


def counts(documents):
    """Count letters, and what stands for them in numbers."""
    rows = [[text.count(letter) for letter in LETTERS] for text in documents]
    return np.array(rows, dtype=float).reshape(-1, len(LETTERS))


class Letters(TransformerMixin, BaseEstimator):
    """Count letters; nothing is wrong with it."""

    _parameter_constraints = {"scale": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, scale=1.0):
        self.scale = scale

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        self.largest_ = max(counts(documents_in(X)).max(), 1.0)
        return self

    def transform(self, X):
        check_is_fitted(self)
        return self._features(documents_in(X))

    def _features(self, documents):
        return counts(documents) * self.scale / self.largest_

    def get_feature_names_out(self, input_features=None):
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.array([f"n_{letter}" for letter in LETTERS], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags


class CallsItself(Letters):
    """Fits in parts too; its methods call each other with documents."""

    def fit(self, X, y=None):
        self.__dict__.pop("largest_", None)
        return self.partial_fit(documents_in(X))

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        largest = max(counts(documents_in(X)).max(), 1.0)
        self.largest_ = max(largest, getattr(self, "largest_", 0))
        return self

    def fit_transform(self, X, y=None):
        return self.fit(X).transform(X)


class NamesItsColumn(Letters):
    """Keeps the name of the column that it was fitted on."""

    def fit(self, X, y=None):
        self.__dict__.pop("feature_names_in_", None)
        return super().fit(X)


class Supervised(Letters):
    """Does not fit without a target."""

    def fit(self, X, y=None):
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        return super().fit(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class AsSparse(Letters):
    """Give a sparse matrix."""

    def _features(self, documents):
        return csr_matrix(super()._features(documents))


class AllowsMissing(Letters):
    """Read a missing document; whatever goes in, float32 comes out."""

    def transform(self, X):
        check_is_fitted(self)
        given = X if isinstance(X, list) else documents_in(X)
        documents = ["" if text is None else text for text in given]
        return self._features(documents_in(documents)).astype(np.float32)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class LeaksAcrossABatch(Letters):
    def _features(self, documents):
        features = super()._features(documents)
        return features - features.max(axis=0, initial=0)


class DependsOnTheOrder(Letters):
    def _features(self, documents):
        features = super()._features(documents)
        return features + 1e-3 * np.arange(len(features))[:, None]


class ReadsNeighbours(Letters):
    """Of two documents, both alone and in a batch, the order does not matter."""

    def _features(self, documents):
        features = super()._features(documents)
        if len(features) > 3:
            features[1:-1] += 1e-3 * features[:1]
        return features


class KeepsAStateInItsClass(Letters):
    batches = 0

    def _features(self, documents):
        KeepsAStateInItsClass.batches += 1
        return super()._features(documents) + KeepsAStateInItsClass.batches


class CountsItsCalls(Letters):
    def _features(self, documents):
        self.n_calls_ = getattr(self, "n_calls_", 0) + 1
        return super()._features(documents)


class LogsItsCalls(Letters):
    def fit(self, X, y=None):
        self.log_ = []
        return super().fit(X)

    def _features(self, documents):
        self.log_.append(len(documents))
        return super()._features(documents)


class ConvertsAParameter(Letters):
    def __init__(self, scale=1):
        self.scale = np.float64(scale)


class ForgetsAParameter(Letters):
    def __init__(self, scale=1.0, other=None):
        super().__init__(scale)


class PreparesInTheConstructor(Letters):
    def __init__(self, scale=1.0):
        self.scale = scale
        self.half = scale / 2


class OverwritesAParameter(Letters):
    def fit(self, X, y=None):
        self.scale = 2.0
        return super().fit(X)


class ValidatesNothing(Letters):
    def fit(self, X, y=None):
        documents_in(X)
        self.largest_ = 1.0
        return self


class TransformsUnfitted(Letters):
    def transform(self, X):
        return counts(documents_in(X))


class TakesSparseMatrices(Letters):
    def fit(self, X, y=None):
        return super().fit(["a"] if hasattr(X, "toarray") else X)


class NamesTooFew(Letters):
    def get_feature_names_out(self, input_features=None):
        return super().get_feature_names_out(input_features)[1:]


class NamesTwice(Letters):
    def get_feature_names_out(self, input_features=None):
        names = super().get_feature_names_out(input_features)
        names[0] = names[1]
        return names


class LosesTheIndex(Letters):
    def fit_transform(self, X, y=None):
        documents = documents_in(X)
        return self.fit(documents).transform(documents)


class MakesNoFrame(Letters):
    def set_output(self, *, transform=None):
        return self


class TakesOneStr(Letters):
    def fit(self, X, y=None):
        return super().fit([X] if isinstance(X, str) else X)


class TransformsOneStr(Letters):
    def transform(self, X):
        check_is_fitted(self)
        return self._features([X] if isinstance(X, str) else documents_in(X))


class FitTransformsOtherwise(Letters):
    def fit_transform(self, X, y=None):
        return super().fit_transform(X) * 1.1


class CannotBePickled(Letters):
    def fit(self, X, y=None):
        self.function_ = lambda: None
        return super().fit(X)


class ForgetsWhenPickled(Letters):
    def __getstate__(self):
        return {**super().__getstate__(), "largest_": 100.0}


class ReadsByLabel(Letters):
    def transform(self, X):
        check_is_fitted(self)
        if isinstance(X, pd.Series):
            X = [X[k] for k in range(len(X))]
        return self._features(documents_in(X))


class ReadsTwice(Letters):
    def fit(self, X, y=None):
        documents_in(X)
        return super().fit(X)


class TakesNoTuple(Letters):
    def fit(self, X, y=None):
        if isinstance(X, tuple):
            raise TypeError("a tuple is no list")
        return super().fit(X)


class NeedsADocument(Letters):
    def _features(self, documents):
        if not documents:
            raise ValueError("no documents")
        return super()._features(documents)


class MakesARowOfNothing(Letters):
    def _features(self, documents):
        return super()._features(documents or [""])


class FailsAtOneStr(Letters):
    def fit(self, X, y=None):
        if isinstance(X, str):
            raise AttributeError("a str is wrong")
        return super().fit(X)


class TakesNoTarget(Letters):
    def fit(self, X):
        return super().fit(X)


class SaysNothingOfDocuments(Letters):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = False
        return tags


class SaysItTakesMatrices(Letters):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


class GivesOneDimension(Letters):
    def _features(self, documents):
        return super()._features(documents)[:, 0]


class DropsARow(Letters):
    def _features(self, documents):
        return super()._features(documents[:7])


class RemembersAFit(Letters):
    def fit(self, X, y=None):
        before = getattr(self, "largest_", 0.0)
        super().fit(X)
        self.largest_ += before
        return self


class FitsByChance(Letters):
    def fit(self, X, y=None):
        super().fit(X)
        self.largest_ = 1 + np.random.default_rng().random()
        return self


def outcomes(estimator, **options):
    """Return the names of the checks that failed, and of those skipped."""
    failed, skipped = [], []
    for given, check in text_transformer_checks(estimator, **options):
        try:
            check(given)
        except SkipTest:
            skipped.append(check.__name__)
        except AssertionError:
            failed.append(check.__name__)
    return failed, skipped


NO_INDEX = sklearn.__version__.startswith("1.6.")  # of a series, under set_output
needs_index = pytest.mark.skipif(NO_INDEX, reason="scikit-learn 1.6 loses the index")

FRAMES = [
    "check_set_output_transform_pandas",
    "check_global_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_set_output_transform_polars",
]
ROWS = [
    "check_transformer_data_not_an_array",
    "check_transformer_general",
    "check_transformer_general(readonly_memmap=True)",
]
INVARIANCE = [
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
]
PICKLES = [
    "check_pickle",
    "check_joblib",
    "check_estimators_pickle",
    "check_estimators_pickle(readonly_memmap=True)",
]


@pytest.mark.parametrize(
    "cls",
    [Letters, CallsItself, NamesItsColumn, Supervised, AsSparse, AllowsMissing],
)
def test_nothing_is_found_where_nothing_is_wrong(cls):
    failed, skipped = outcomes(cls())
    assert failed == []
    expected = set() if cls is CallsItself else {PARTIAL_FIT}
    if cls is AsSparse or NO_INDEX:
        expected.add("check_index_is_kept")
    assert {name for name in skipped if not name.startswith(ARRAY_API)} == expected
    results = check_text_transformer(cls())
    assert {result.status for result in results} <= {"passed", "skipped"}


# What each fails, the first with its message; with "..." others beside.
WRONG = [
    (
        LeaksAcrossABatch,
        r"AssertionError: .*features depend on the other documents: those of .* differ",
        ["check_subset_invariance", INVARIANCE[1]],
    ),
    (
        DependsOnTheOrder,
        r"AssertionError: .*features depend on the order, as in \[0 7 6 5 4 3 2 1\]",
        ["check_order_invariance", "check_subset_invariance", *INVARIANCE],
    ),
    (
        ReadsNeighbours,
        r"AssertionError: .*features depend on the order, as in \[0 7 6 5 4 3 2 1\]",
        ["check_order_invariance", "check_subset_invariance", *INVARIANCE],
    ),
    (
        KeepsAStateInItsClass,
        "AssertionError: .*features of documents in a list differ",
        ["check_accepts_list", "check_repeated_transform", "check_clone", "..."],
    ),
    (
        CountsItsCalls,
        "AssertionError: transform changes n_calls_",
        ["check_transform_keeps_state", "check_dict_unchanged"],
    ),
    (
        LogsItsCalls,
        "AssertionError: transform changes log_",
        ["check_transform_keeps_state"],
    ),
    (
        ConvertsAParameter,
        "AssertionError: Cloning of ConvertsAParameter failed with error: "
        ".* either does not set or modifies parameter scale",
        ["check_estimator_cloneable", "check_no_attributes_set_in_init", "..."],
    ),
    (
        ForgetsAParameter,
        "AssertionError: Cloning of ForgetsAParameter failed with error: "
        ".* has no attribute 'other'",
        ["check_estimator_cloneable", "check_get_params_invariance", "..."],
    ),
    (
        PreparesInTheConstructor,
        r"AssertionError: .*Found attributes \['half'\]",
        [
            "check_no_attributes_set_in_init",
            "check_do_not_raise_errors_in_init_or_set_params",
        ],
    ),
    (
        OverwritesAParameter,
        "AssertionError: .* mutate  the parameter scale from 1.0 to 2.0 during fit",
        [
            "check_estimators_overwrite_params",
            "check_dont_overwrite_parameters",
            "check_param_validation",
        ],
    ),
    (
        ValidatesNothing,
        "AssertionError: .* when the parameter scale does not have a valid type.*",
        ["check_param_validation"],
    ),
    (
        TransformsUnfitted,
        "AssertionError: The unfitted transformer TransformsUnfitted does not raise .*",
        ["check_transformers_unfitted"],
    ),
    (
        TakesSparseMatrices,
        "AssertionError: .* didn't fail when fitted on sparse data but should .*",
        ["check_estimator_sparse_tag"],
    ),
    (
        NamesTooFew,
        "AssertionError: 4 names are for 5 features",
        [
            "check_feature_names",
            "check_index_is_kept",
            "check_transformer_get_feature_names_out",
            "check_transformer_get_feature_names_out_pandas",
            *FRAMES,
        ],
    ),
    (
        NamesTwice,
        "AssertionError: features have the same name",
        ["check_feature_names", *FRAMES[2:]],
    ),
    pytest.param(
        LosesTheIndex,
        "AssertionError: fit_transform loses the index",
        ["check_index_is_kept"],
        marks=needs_index,
    ),
    pytest.param(
        MakesNoFrame,
        "AssertionError: fit_transform gives no frame",
        ["check_index_is_kept", FRAMES[0], FRAMES[2]],
        marks=needs_index,
    ),
    (
        TakesOneStr,
        "AssertionError: fit takes one str, as if it were documents",
        ["check_one_str_raises"],
    ),
    (
        TransformsOneStr,
        "AssertionError: transform takes one str, as if it were documents",
        ["check_one_str_raises"],
    ),
    (
        FitTransformsOtherwise,
        "AssertionError: .*fit_transform differs from fit and transform",
        [
            "check_fit_transform",
            "check_index_is_kept",
            "check_in_pipeline",
            "check_in_column_transformer",
            "check_in_feature_union",
            *ROWS,
        ],
    ),
    (CannotBePickled, "AttributeError: Can't (pickle|get) local object .*", PICKLES),
    (
        ForgetsWhenPickled,
        "AssertionError: .*features change with pickling",
        PICKLES,
    ),
    (
        ReadsByLabel,
        "KeyError: 0",
        [
            "check_accepts_object_series",
            "check_accepts_str_series",
            "check_accepts_python_string_series",
            "check_accepts_pyarrow_string_series",
            "check_accepts_category_series",
            "check_index_is_kept",
            "check_in_column_transformer",
        ],
    ),
    (
        ReadsTwice,
        "ValueError: zero-size array to reduction operation maximum .*",
        ["check_accepts_generator"],
    ),
    (TakesNoTuple, "TypeError: a tuple is no list", ["check_accepts_tuple"]),
    (NeedsADocument, "ValueError: no documents", ["check_empty_transform"]),
    (
        MakesARowOfNothing,
        r"AssertionError: no documents give the shape \(1, 5\)",
        ["check_empty_transform"],
    ),
    (FailsAtOneStr, "AttributeError: a str is wrong", ["check_one_str_raises"]),
    (
        TakesNoTarget,
        "AssertionError: .* raised an exception.*",
        ["check_estimator_sparse_tag", "check_fit_score_takes_y", "..."],
    ),
    (
        SaysNothingOfDocuments,
        "AssertionError: the tag input_tags.string is not set",
        ["check_text_tags"],
    ),
    (
        SaysItTakesMatrices,
        "AssertionError: the tag two_d_array is set",
        ["check_text_tags"],
    ),
    (
        GivesOneDimension,
        "AssertionError: features have 1 dimensions, not 2",
        ["check_accepts_list", "check_empty_transform", "..."],
    ),
    (
        DropsARow,
        "AssertionError: there are 7 rows for 8 documents",
        ["check_accepts_list", "check_subset_invariance", "..."],
    ),
    (
        RemembersAFit,
        "AssertionError: .*Not equal to tolerance.*",
        ["check_pipeline_consistency", "check_fit_idempotent", "..."],
    ),
    (
        FitsByChance,
        "AssertionError: .*features of documents in a list differ",
        ["check_accepts_list", "check_fit_transform", "check_clone", "..."],
    ),
]


@pytest.mark.parametrize(("cls", "message", "expected"), WRONG)
def test_what_is_wrong_is_named(cls, message, expected):
    failed, _ = outcomes(cls())
    names = {name for name in expected if name != "..."}
    if NO_INDEX:
        names -= {"check_index_is_kept"}
    assert failed[0] == expected[0]
    assert names <= set(failed) if "..." in expected else names == set(failed)
    # NumPy and scikit-learn go on for lines.
    message = f"(?s)^{expected[0]} failed for {cls.__name__}: {message}[.]?(\n.*)?$"
    with pytest.raises(AssertionError, match=message):
        check_text_transformer(cls())


FRAME = "iterates over the names of the columns"
TFIDF = {
    "check_estimator_sparse_tag": "a row of a sparse matrix has no lower()",
    "check_estimator_sparse_array": "a row of a sparse array has no lower()",
    "check_estimator_sparse_matrix": "a row of a sparse matrix has no lower()",
    "check_accepts_pandas_frame": FRAME,
    "check_accepts_polars_frame": "iterates over the columns",
    "check_text_tags": "is no TransformerMixin, and has no transformer_tags",
    "check_empty_transform": "TfidfTransformer needs a row",
    "check_transformer_get_feature_names_out": "ignores input_features",
    "check_transformer_get_feature_names_out_pandas": "ignores input_features",
}
HASHING = {
    "check_estimator_sparse_tag": "fit looks at no document",
    "check_accepts_pandas_frame": FRAME,
    "check_accepts_polars_frame": "iterates over the columns",
    "check_transform_keeps_state": "transform sets _stop_words_id",
    "check_dict_unchanged": "transform sets _stop_words_id",
    "check_feature_names": "has no get_feature_names_out",
    "check_empty_transform": "looks at the first document",
}


@pytest.mark.parametrize(
    ("estimator", "known_failures"),
    [(TfidfVectorizer(), TFIDF), (HashingVectorizer(n_features=64), HASHING)],
    ids=["tfidf", "hashing"],
)
def test_vectorizers_of_scikit_learn(estimator, known_failures):
    results = check_text_transformer(estimator, known_failures=known_failures)
    owner = type(estimator).__name__
    found = {
        result.check_name: result.reason
        for result in results
        if result.status == "xfail"
    }
    assert found == {
        name: f"known failure of {owner}: {reason}"
        for name, reason in known_failures.items()
    }
    skipped = {result.check_name for result in results if result.status == "skipped"}
    assert {"check_index_is_kept", *FRAMES} <= skipped
    assert sum(result.status == "passed" for result in results) >= 60


def test_the_first_failure_is_raised_whatever_else_is_known():
    known = dict(TFIDF)
    del known["check_empty_transform"]
    message = (
        r"^check_empty_transform failed for TfidfVectorizer: ValueError: Found array "
        r"with 0 sample\(s\) .* is required by TfidfTransformer\.$"
    )
    with pytest.raises(AssertionError, match=message) as caught:
        check_text_transformer(TfidfVectorizer(), known_failures=known)
    assert isinstance(caught.value.__cause__, ValueError)


def test_failures_can_be_collected_or_warned_of():
    estimator = TakesNoTuple()
    names = [check.__name__ for _, check in text_transformer_checks(estimator)]
    results = check_text_transformer(estimator, on_fail="collect")
    assert [result.check_name for result in results] == names
    (failed,) = (result for result in results if result.status == "failed")
    message = "check_accepts_tuple failed for TakesNoTuple: TypeError: "
    assert failed.check_name == "check_accepts_tuple"
    assert failed.reason == str(failed.exception)
    assert failed.reason.startswith(message)
    assert isinstance(failed.exception.__cause__, TypeError)
    assert all(r.exception is None for r in results if r is not failed)
    with pytest.warns(UserWarning, match=f"^{re.escape(failed.reason)}$") as record:
        again = check_text_transformer(estimator, on_fail="warn")
    assert [warning.filename for warning in record] == [__file__]
    assert [result[:3] for result in again] == [result[:3] for result in results]
    message = "on_fail must be 'raise', 'warn' or 'collect', got 'no'."
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_text_transformer(estimator, on_fail="no")


def test_what_is_known_to_fail_must_fail():
    message = (
        "^check_accepts_tuple passed for Letters, though known_failures says: "
        "no tuples$"
    )
    known = {"check_accepts_tuple": "no tuples"}
    with pytest.raises(AssertionError, match=message):
        check_text_transformer(Letters(), known_failures=known)


def test_what_is_skipped_is_no_known_failure():
    known = {PARTIAL_FIT: "has none"}
    results = check_text_transformer(Letters(), known_failures=known)
    skipped = (PARTIAL_FIT, "skipped", "Letters has no partial_fit", None)
    assert results[-1] == skipped


@pytest.mark.parametrize("run", [check_text_transformer, text_transformer_checks])
def test_names_of_known_failures_are_checked(run):
    message = (
        "^known_failures names checks that Letters does not have: check_a, check_b.$"
    )
    known = {"check_b": "", "check_pickle": "", "check_a": ""}
    with pytest.raises(ValueError, match=message):
        run(Letters(), known_failures=known)


def test_checks_one_by_one():
    known = {"check_accepts_tuple": "no tuples"}
    pairs = text_transformer_checks(TakesNoTuple(), known_failures=known)
    checks = {check.__name__: check for _, check in pairs}
    assert len(checks) == len(pairs) >= 80
    with pytest.raises(
        KnownFailure, match="^known failure of TakesNoTuple: no tuples$"
    ):
        checks["check_accepts_tuple"](TakesNoTuple())
    message = "^check_accepts_tuple passed for Letters, though .* says: no tuples$"
    with pytest.raises(AssertionError, match=message):
        checks["check_accepts_tuple"](Letters())
    assert set(matrices.DATA_FREE) - set(checks) <= {"check_estimators_unfitted"}
    assert set(matrices.BY_HAND) <= set(checks)


@pytest.mark.parametrize(
    ("given", "check"), text_transformer_checks(CallsItself(scale=2.0))
)
def test_checks_as_parameters(given, check):
    assert given.get_params() == {"scale": 2.0}
    check(given)


def test_the_estimator_is_left_alone():
    for estimator in (Letters(), Letters(scale=2.0).fit(["a tea"])):
        before = dict(vars(estimator))
        check_text_transformer(estimator)
        assert vars(estimator) == before
    assert Letters() is not estimator


def named(estimator, name, **options):
    """Return one check."""
    pairs = text_transformer_checks(estimator, **options)
    (check,) = (check for _, check in pairs if check.__name__ == name)
    return check


def test_documents_can_be_given():
    words = TfidfVectorizer(min_df=3)
    named(words, "check_accepts_list")(words)
    documents = iter(["one two", "three", "four"])
    message = (
        "^check_accepts_list failed for TfidfVectorizer: ValueError: After pruning, "
        "no terms remain. Try a lower min_df or a higher max_df.$"
    )
    check = named(words, "check_accepts_list", documents=documents)
    for _ in "ab":  # an iterator is read once
        with pytest.raises(AssertionError, match=message):
            check(words)


def test_what_is_random_inside_gets_a_seed():
    estimator = make_pipeline(HashingVectorizer(n_features=64), TruncatedSVD())
    failed, _ = outcomes(estimator)
    assert not {"check_fit_transform", "check_fit_idempotent", *ROWS} & set(failed)
    assert estimator[-1].random_state is None
    assert matrices.seeded(estimator)[-1].random_state == 0
    assert matrices.seeded(TruncatedSVD(random_state=5)).random_state == 5


def test_estimators_with_properties_of_their_own():
    """Pipeline takes `n_features_in_` from its first step."""
    failed, _ = outcomes(make_pipeline(Letters(), MaxAbsScaler()))
    assert not {"check_n_features_in", "check_estimators_pickle", *ROWS} & set(failed)


@pytest.mark.parametrize("container", ["polars_series", "polars_frame"])
def test_polars_may_be_missing(container, monkeypatch):
    check = named(Letters(), f"check_accepts_{container}")
    check(Letters())
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(SkipTest, match="^polars is not installed$"):
        check(Letters())


def test_string_arrays_may_be_missing(monkeypatch):
    check = named(Letters(), "check_accepts_string_dtype_array")
    monkeypatch.delattr(np.dtypes, "StringDType", raising=False)
    with pytest.raises(SkipTest, match="^NumPy 2 has StringDType$"):
        check(Letters())


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("check_param_validation", "_parameter_constraints"),
        ("check_get_feature_names_out_error", "get_feature_names_out"),
        ("check_set_output_transform", "set_output"),
    ],
)
def test_checks_of_what_there_is_not_are_skipped(name, needed):
    class Bare(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return counts(documents_in(X))

    with pytest.raises(SkipTest, match=f"^Bare has no {needed}$"):
        named(Bare(), name)(Bare())


class TestRows:
    """An estimator that reads each row of a matrix as a document."""

    X = np.array([[1.5, -2.0, 5.0], [0.0, 1e-7, 11.0]])

    def test_numbers_are_words(self):
        assert matrices._written(self.X) == [
            "x1point5 xminus2point0 x5point0",
            "x0point0 x1eminus07 x11point0",
        ]
        assert matrices._written(np.array([[1, -2]])) == ["x1 xminus2"]

    @pytest.mark.parametrize("cls", [Letters, CallsItself, AsSparse])
    def test_features_are_of_the_documents(self, cls):
        rows, documents = matrices._with_rows(cls()), matrices._written(self.X)
        expected = cls().fit(documents).transform(documents)
        for got in (
            rows.fit(self.X).transform(self.X),
            clone(rows).fit_transform(self.X),
            pickle.loads(pickle.dumps(rows)).transform(self.X),
            copy.copy(rows).transform(self.X),
        ):
            difference = got - expected
            assert abs(difference).max() == 0
        assert type(rows).__name__ == cls.__name__
        assert type(pickle.loads(pickle.dumps(rows))) is type(rows)
        assert vars(copy.copy(rows)) is not vars(rows)

    def test_fit_is_of_the_object_itself(self):
        rows = matrices._with_rows(CallsItself())
        assert not hasattr(rows, "n_features_in_")
        assert rows.fit(self.X) is rows
        assert rows.partial_fit(self.X) is rows
        assert rows.n_features_in_ == 3

    def test_columns_are_counted(self):
        rows = matrices._with_rows(CallsItself()).partial_fit(self.X)
        message = (
            "^X has 2 features, but CallsItself is expecting 3 features as input.$"
        )
        for method in (rows.partial_fit, rows.transform):
            with pytest.raises(ValueError, match=message):
                method(self.X[:, 1:])
        assert rows.fit(self.X[:, 1:]).n_features_in_ == 2

    def test_names_of_columns_are_kept(self):
        rows = matrices._with_rows(NamesItsColumn())
        frame = pd.DataFrame(self.X, columns=["a", "b", "c"], index=[7, 3])
        assert rows.fit(frame).feature_names_in_.tolist() == ["a", "b", "c"]
        rows.set_output(transform="pandas")
        assert rows.transform(frame).index.tolist() == [7, 3]

    def test_a_failed_fit_leaves_nothing(self):
        rows = matrices._with_rows(Letters(scale=-1))
        message = "^The 'scale' parameter of Letters must be a float in .* Got -1 .*$"
        with pytest.raises(ValueError, match=message):
            rows.fit(self.X)
        assert vars(rows) == {"scale": -1}

    def test_the_class_itself_stays_as_it_is(self):
        tags = get_tags(Letters())
        assert get_tags(matrices._with_rows(Letters())).input_tags.two_d_array
        assert get_tags(matrices._with_matrices(Letters())).input_tags.two_d_array
        assert get_tags(Letters()) == tags
        assert not tags.input_tags.two_d_array
