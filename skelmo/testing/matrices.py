"""scikit-learn's checks, which are of matrices, for what takes documents.

Those that need no data get an estimator that claims to take matrices; all others get
one that reads each row of a matrix as a document.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, wraps
from typing import Any
from unittest import SkipTest

import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import Tags, TransformerTags, estimator_checks, get_tags
from sklearn.utils.validation import check_array, validate_data

Check = Callable[[Any], None]

DATA_FREE = {
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimators_unfitted",
    "check_transformers_unfitted",
    "check_transformer_n_iter",
    "check_estimator_sparse_tag",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
}

# Not among those that scikit-learn's generator gives, each with what it asks for.
BY_HAND = {
    "check_param_validation": "_parameter_constraints",
    "check_transformer_get_feature_names_out": "get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas": "get_feature_names_out",
    "check_get_feature_names_out_error": "get_feature_names_out",
    "check_set_output_transform": "set_output",
    "check_set_output_transform_pandas": "set_output",
    "check_global_output_transform_pandas": "set_output",
    "check_set_output_transform_polars": "set_output",
    "check_global_set_output_transform_polars": "set_output",
    "check_dataframe_column_names_consistency": "fit",
    "check_inplace_ensure_writeable": "fit",
    "check_estimators_partial_fit_n_features": "partial_fit",
}


# Those that expect an error before `fit`: of what needs no fit they do not hold.
OF_UNFITTED = {"check_get_feature_names_out_error"}


def scikit_learn_checks(estimator: Any) -> dict[str, Check]:
    """Return scikit-learn's checks, by name, of the estimator as it was given."""
    checks: dict[str, Check] = {}
    for _, check in estimator_checks.estimator_checks_generator(_with_rows(estimator)):
        options = ", ".join(f"{k}={v!r}" for k, v in check.keywords.items())
        name = check.func.__name__ + (f"({options})" if options else "")
        run = _run_with_matrices if name in DATA_FREE else _run_with_rows
        checks[name] = partial(run, check=check)
    owner = type(estimator).__name__
    for name, needed in BY_HAND.items():
        check = getattr(estimator_checks, name, None)
        if check is not None:
            check = partial(_run_where, check=partial(check, owner), needed=needed)
            if name in OF_UNFITTED:
                check = partial(_run_if_unfitted, check=check)
            checks[name] = partial(_run_with_rows, check=check)
    return checks


def _run_with_matrices(estimator: Any, *, check: Check) -> None:
    check(_with_matrices(estimator))


def _run_with_rows(estimator: Any, *, check: Check) -> None:
    check(_with_rows(seeded(estimator)))


def _run_where(estimator: Any, *, check: Check, needed: str) -> None:
    if not hasattr(estimator, needed):
        raise SkipTest(f"{type(estimator).__name__} has no {needed}")
    check(estimator)


def _run_if_unfitted(estimator: Any, *, check: Check) -> None:
    if not get_tags(estimator).requires_fit:
        raise SkipTest(f"{type(estimator).__name__} needs no fit")
    check(estimator)


def _with_matrices(estimator: Any) -> Any:
    """Return the estimator as one that claims to take matrices."""
    return _in_class(estimator, _matrix_class(_class_of(estimator)))


def _with_rows(estimator: Any) -> Any:
    """Return the estimator as one that reads each row of a matrix as a document."""
    return _in_class(estimator, _row_class(_class_of(estimator)))


def _class_of(estimator: Any) -> Any:
    return type(estimator)


def _in_class(estimator: Any, cls: Any) -> Any:
    """Copy the estimator, as its constructor would not if that is what is wrong."""
    copy = cls.__new__(cls)
    copy.__dict__.update(vars(estimator))
    return copy


@cache
def _matrix_class(cls: Any) -> Any:
    def __sklearn_tags__(self: Any) -> Tags:
        tags = cls.__sklearn_tags__(self)
        tags.input_tags.string = tags.input_tags.one_d_array = False
        tags.input_tags.two_d_array = True
        tags.transformer_tags = tags.transformer_tags or TransformerTags()
        tags._skip_test = False
        return tags

    metaclass = _class_of(cls)
    return metaclass(cls.__name__, (cls,), {"__sklearn_tags__": __sklearn_tags__})


class _Unset:
    """Instead of a property, as compound estimators have one: nothing, until set."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        raise AttributeError("not set")


@cache
def _row_class(cls: Any) -> Any:
    matrix_class = _matrix_class(cls)

    def plain(self: Any) -> Any:
        """Return an object of the class itself, of the same attributes.

        What it calls of its own are then no methods of the adapter.
        """
        estimator = cls.__new__(cls)
        estimator.__dict__ = self.__dict__
        return estimator

    def with_rows(name: str) -> Any:
        @wraps(getattr(cls, name))
        def method(self: Any, X: Any, *args: Any, **keywords: Any) -> Any:
            first = name == "partial_fit" and not hasattr(self, "n_features_in_")
            reset = first or name in ("fit", "fit_transform")
            if reset:  # attributes are set afterwards: a failed fit leaves none
                rows = check_array(X, estimator=self)
            else:
                rows = validate_data(self, X, reset=False)
            estimator = plain(self)
            result = getattr(estimator, name)(_written(rows), *args, **keywords)
            if reset:
                validate_data(self, X, reset=True, skip_check_array=True)
            if isinstance(result, pd.DataFrame) and isinstance(X, pd.DataFrame):
                result.index = X.index  # which a list of documents cannot hand on
            return self if result is estimator else result

        return method

    def __sklearn_tags__(self: Any) -> Tags:
        tags = matrix_class.__sklearn_tags__(self)
        tags.input_tags.allow_nan = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        return _with_rows, (plain(self),)

    methods = "fit", "partial_fit", "fit_transform", "transform"
    namespace = {name: with_rows(name) for name in methods if hasattr(cls, name)}
    namespace |= {"n_features_in_": _Unset(), "feature_names_in_": _Unset()}
    namespace["__sklearn_tags__"] = __sklearn_tags__
    namespace["__reduce_ex__"] = __reduce_ex__
    metaclass = _class_of(cls)
    return metaclass(cls.__name__, (matrix_class,), namespace)


def _written(rows: NDArray[Any]) -> list[str]:
    """Write rows as documents, numbers as words."""
    spelling = str.maketrans({"-": "minus", ".": "point"})
    return [
        " ".join(f"x{value!r}".translate(spelling) for value in row.tolist())
        for row in rows
    ]


def seeded(estimator: Any) -> Any:
    """Clone the estimator, with seeds where it has none."""
    copy = clone(estimator)
    parameters = copy.get_params()
    names = [name for name in parameters if name.split("__")[-1] == "random_state"]
    return copy.set_params(**{name: 0 for name in names if parameters[name] is None})
