"""Checks of which documents go into a transformer, and which features come out."""

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
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import get_tags

from skelmo.testing.matrices import seeded

Documents = tuple[str, ...]

TOLERANCE = 1e-5

# Of different lengths: what pads short documents must not let that show.
DOCUMENTS = (
    "The cat sat on the mat, and the dog slept beside it all day.",
    "Stocks fell on Monday.",
    "Good morning!",
    "A doctor writes two letters; the city reads them. Nobody answers, as always.",
    "The river is old, the boats are small, and every student knows their names.",
    "Rain",
    "My neighbour paints the moon. The moon does not mind the neighbour at all.",
    "The dog sat on the cat.",
)


def _object_array(documents: Documents) -> Any:
    return np.array(documents, dtype=object)


def _string_dtype_array(documents: Documents) -> Any:
    if not hasattr(np.dtypes, "StringDType"):
        raise SkipTest("NumPy 2 has StringDType")
    return np.array(documents, dtype=np.dtypes.StringDType())


def _series(documents: Documents, dtype: Any) -> Any:
    """Return a series without a 0 in its index, so that labels are no positions."""
    try:
        index = range(10 + len(documents), 10, -1)
        return pd.Series(documents, index, dtype, name="text")
    except ImportError as error:
        raise SkipTest(str(error)) from error


def _pandas_frame(documents: Documents) -> Any:
    return _series(documents, object).to_frame()


def _polars_series(documents: Documents) -> Any:
    try:
        import polars
    except ImportError as error:
        raise SkipTest("polars is not installed") from error
    return polars.Series("text", documents)


def _polars_frame(documents: Documents) -> Any:
    return _polars_series(documents).to_frame()


CONTAINERS: dict[str, Callable[[Documents], Any]] = {
    "list": list,
    "tuple": tuple,
    "generator": iter,
    "object_array": _object_array,
    "str_array": np.array,
    "string_dtype_array": _string_dtype_array,
    "object_series": partial(_series, dtype=object),
    "str_series": partial(_series, dtype=str),
    "python_string_series": partial(_series, dtype="string[python]"),
    "pyarrow_string_series": partial(_series, dtype="string[pyarrow]"),
    "category_series": partial(_series, dtype="category"),
    "polars_series": _polars_series,
    "pandas_frame": _pandas_frame,
    "polars_frame": _polars_frame,
}


def _target(estimator: Any, documents: Documents) -> NDArray[np.int_] | None:
    required = get_tags(estimator).target_tags.required
    return np.arange(len(documents)) % 2 if required else None


def _fitted(estimator: Any, documents: Documents) -> Any:
    return seeded(estimator).fit(list(documents), _target(estimator, documents))


def _is_sparse(features: Any) -> bool:
    return hasattr(features, "toarray")


def _dense(features: Any) -> NDArray[Any]:
    return features.toarray() if _is_sparse(features) else np.asarray(features)


def _same(got: Any, expected: Any, message: str) -> None:
    """Raise unless features are the same, up to the tolerance."""
    got, expected = _dense(got), _dense(expected)
    assert_allclose(got, expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=message)


def _require(condition: Any, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _check_accepts(estimator: Any, documents: Documents, *, container: str) -> None:
    hold = CONTAINERS[container]
    expected = _dense(_fitted(estimator, documents).transform(list(documents)))
    _require(expected.ndim == 2, f"features have {expected.ndim} dimensions, not 2")
    _require(
        len(expected) == len(documents),
        f"there are {len(expected)} rows for {len(documents)} documents",
    )
    fitted = seeded(estimator).fit(hold(documents), _target(estimator, documents))
    got = fitted.transform(hold(documents))
    _same(got, expected, f"features of documents in a {container} differ")


def _check_text_tags(estimator: Any, documents: Documents) -> None:
    tags = get_tags(estimator)
    _require(tags.input_tags.string, "the tag input_tags.string is not set")
    _require(not tags.input_tags.two_d_array, "the tag two_d_array is set")
    _require(tags.transformer_tags, "transformer_tags is not set")


def _check_order_invariance(estimator: Any, documents: Documents) -> None:
    fitted = _fitted(estimator, documents)
    expected = _dense(fitted.transform(list(documents)))
    for shift in range(1, len(documents)):
        order = np.roll(np.arange(len(documents))[::-1], shift)
        got = fitted.transform([documents[k] for k in order])
        _same(got, expected[order], f"features depend on the order, as in {order}")


def _check_subset_invariance(estimator: Any, documents: Documents) -> None:
    fitted = _fitted(estimator, documents)
    expected = _dense(fitted.transform(list(documents)))
    for size in (1, 3):
        for start in range(0, len(documents), size):
            part = slice(start, start + size)
            got = fitted.transform(list(documents[part]))
            message = "features depend on the other documents"
            _same(got, expected[part], f"{message}: those of {documents[part]} differ")


def _check_repeated_transform(estimator: Any, documents: Documents) -> None:
    fitted = _fitted(estimator, documents)
    expected = fitted.transform(list(documents))
    got = fitted.transform(list(documents))
    _same(got, expected, "features change with the second transform")


def _check_fit_transform(estimator: Any, documents: Documents) -> None:
    target = _target(estimator, documents)
    got = seeded(estimator).fit_transform(list(documents), target)
    expected = _fitted(estimator, documents).transform(list(documents))
    _same(got, expected, "fit_transform differs from fit and transform")


def _check_one_str_raises(estimator: Any, documents: Documents) -> None:
    calls = {
        "fit": seeded(estimator).fit,
        "fit_transform": seeded(estimator).fit_transform,
        "transform": _fitted(estimator, documents).transform,
    }
    for method, call in calls.items():
        try:
            call(documents[0])
        except (TypeError, ValueError):
            continue
        raise AssertionError(f"{method} takes one str, as if it were documents")


def _check_pickle(estimator: Any, documents: Documents) -> None:
    fitted = _fitted(estimator, documents)
    expected = fitted.transform(list(documents))
    got = pickle.loads(pickle.dumps(fitted)).transform(list(documents))
    _same(got, expected, "features change with pickling")


def _check_joblib(estimator: Any, documents: Documents) -> None:
    fitted = _fitted(estimator, documents)
    expected = fitted.transform(list(documents))
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    got = joblib.load(file).transform(list(documents))
    _same(got, expected, "features change with joblib.dump")


def _check_clone(estimator: Any, documents: Documents) -> None:
    fitted = _fitted(estimator, documents)
    expected = fitted.transform(list(documents))
    got = _fitted(fitted, documents).transform(list(documents))
    _same(got, expected, "a clone of the fitted estimator gives other features")


def _fingerprint(value: Any) -> Any:
    try:
        return joblib.hash(value)
    except Exception:  # what cannot be pickled, as a lambda
        return id(value)


def _check_transform_keeps_state(estimator: Any, documents: Documents) -> None:
    fitted = _fitted(estimator, documents)
    before = {name: _fingerprint(value) for name, value in vars(fitted).items()}
    fitted.transform(list(documents))
    after = {name: _fingerprint(value) for name, value in vars(fitted).items()}
    names = sorted(before.keys() | after.keys())
    changed = [name for name in names if before.get(name) != after.get(name)]
    _require(not changed, f"transform changes {', '.join(changed)}")


def _check_feature_names(estimator: Any, documents: Documents) -> None:
    fitted = _fitted(estimator, documents)
    n_features = fitted.transform(list(documents)).shape[1]
    names = fitted.get_feature_names_out()
    _require(
        len(names) == n_features, f"{len(names)} names are for {n_features} features"
    )
    _require(len(set(names)) == len(names), "features have the same name")


def _check_empty_transform(estimator: Any, documents: Documents) -> None:
    fitted = _fitted(estimator, documents)
    n_features = fitted.transform(list(documents)).shape[1]
    shape = fitted.transform([]).shape
    _require(shape == (0, n_features), f"no documents give the shape {shape}")


def _check_index_is_kept(estimator: Any, documents: Documents) -> None:
    fitted = _fitted(estimator, documents)
    expected = fitted.transform(list(documents))
    if _is_sparse(expected):
        raise SkipTest("sparse features make no frame")
    if sklearn.__version__.startswith("1.6."):
        raise SkipTest("set_output of scikit-learn 1.6 keeps the index of frames alone")
    X, y = _series(documents, object), _target(estimator, documents)
    framed = seeded(estimator).set_output(transform="pandas")
    for method, got in (
        ("fit_transform", framed.fit_transform(X, y)),
        ("transform", framed.transform(X)),
    ):
        _require(isinstance(got, pd.DataFrame), f"{method} gives no frame")
        _require(got.index.equals(X.index), f"{method} loses the index")
        assert_array_equal(got.columns, framed.get_feature_names_out())
        _same(got, expected, f"{method} gives other features in a frame")


def _check_inside(
    outer: Any, X: Any, target: NDArray[np.int_] | None, expected: Any
) -> None:
    """Check features that the estimator gives as part of another."""
    owner = type(outer).__name__
    got = outer.fit_transform(X, target)
    _same(got, expected, f"fit_transform of a {owner} gives other features")
    got = outer.transform(X)
    _same(got, expected, f"transform of a {owner} gives other features")


def _check_in_pipeline(estimator: Any, documents: Documents) -> None:
    features = _fitted(estimator, documents).transform(list(documents))
    expected = MaxAbsScaler().fit_transform(features)
    outer = make_pipeline(seeded(estimator), MaxAbsScaler())
    _check_inside(outer, list(documents), _target(estimator, documents), expected)


def _check_in_column_transformer(estimator: Any, documents: Documents) -> None:
    expected = _fitted(estimator, documents).transform(list(documents))
    frame = _pandas_frame(documents).assign(number=range(len(documents)))
    outer = ColumnTransformer([("words", seeded(estimator), "text")])
    _check_inside(outer, frame, _target(estimator, documents), expected)


def _check_in_feature_union(estimator: Any, documents: Documents) -> None:
    features = _dense(_fitted(estimator, documents).transform(list(documents)))
    expected = np.hstack([features, features])
    outer = FeatureUnion([("a", seeded(estimator)), ("b", seeded(estimator))])
    _check_inside(outer, list(documents), _target(estimator, documents), expected)


def document_checks() -> dict[str, Any]:
    """Return the checks of documents by name, the plainest first."""
    checks: dict[str, Any] = {
        f"check_accepts_{container}": partial(_check_accepts, container=container)
        for container in CONTAINERS
    }
    for check in (
        _check_text_tags,
        _check_order_invariance,
        _check_subset_invariance,
        _check_repeated_transform,
        _check_fit_transform,
        _check_one_str_raises,
        _check_pickle,
        _check_joblib,
        _check_clone,
        _check_transform_keeps_state,
        _check_feature_names,
        _check_empty_transform,
        _check_index_is_kept,
        _check_in_pipeline,
        _check_in_column_transformer,
        _check_in_feature_union,
    ):
        checks[check.__name__.removeprefix("_")] = check
    return checks
