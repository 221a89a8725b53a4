"""Columns added to batches of Arrow, which are all that is known here of an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skelmo.engines.row_encoder import RowEncoder
from skelmo.engines.row_predictor import RowPredictor

ROWS_AT_ONCE = 512  # whose features are in memory

_LABELS = {"i": pa.int64(), "u": pa.int64(), "f": pa.float64(), "b": pa.bool_()}


def with_features(
    batches: Iterable[pa.RecordBatch],
    opened: Callable[[], RowEncoder],
    text: str,
    output: str,
    *,
    dtype: str,
    skips_errors: bool,
) -> Iterator[pa.RecordBatch]:
    """Append a column of features.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
    opened : callable
        Returns what encodes; called if there is a row.
    text : str
        Name of the column of documents.
    output : str
        Name of the column of features.
    dtype : {"float32", "float16"}
        Whether a row is a list of numbers, or the bytes of half as wide ones,
        little-endian.
    skips_errors : bool
        Whether rows that raise an error are null; otherwise it is raised.

    Returns
    -------
    batches : iterator of pyarrow.RecordBatch
        Of at most `ROWS_AT_ONCE` rows.
    """

    def features(values: list[Any]) -> list[pa.Array]:
        rows, is_there = opened()(values, skips_errors=skips_errors)
        as_array = _lists if dtype == "float32" else _bytes
        return [as_array(rows, ~is_there)]

    return _appended(batches, text, [output], features)


def with_predictions(
    batches: Iterable[pa.RecordBatch],
    opened: Callable[[], RowPredictor],
    text: str,
    outputs: list[str],
    *,
    skips_errors: bool,
) -> Iterator[pa.RecordBatch]:
    """Append a column of labels, and one of probabilities.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
    opened : callable
        Returns what predicts; called if there is a row.
    text : str
        Name of the column of texts.
    outputs : list of str
        Name of the column of labels, and, if wanted, of that of probabilities.
    skips_errors : bool
        Whether rows that raise an error are null; otherwise it is raised.

    Returns
    -------
    batches : iterator of pyarrow.RecordBatch
        Of at most `ROWS_AT_ONCE` rows.
    """

    def predictions(values: list[Any]) -> list[pa.Array]:
        predictor = opened()
        labels, shares = predictor(values, skips_errors=skips_errors)
        kind = _LABELS.get(predictor.dtype.kind, pa.string())
        arrays = [pa.array(labels, kind), pa.array(shares, pa.list_(pa.float64()))]
        return arrays[: len(outputs)]

    return _appended(batches, text, outputs, predictions)


def _appended(
    batches: Iterable[pa.RecordBatch],
    text: str,
    outputs: list[str],
    made_of: Callable[[list[Any]], list[pa.Array]],
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            part = batch.slice(start, ROWS_AT_ONCE)
            made = made_of(part.column(text).to_pylist())
            names = [*part.schema.names, *outputs]
            yield pa.RecordBatch.from_arrays([*part.columns, *made], names=names)


def _lists(rows: NDArray[np.float32], is_null: NDArray[np.bool_]) -> pa.Array:
    """Return rows as lists of numbers, without a Python object for each number."""
    n_rows, n_features = rows.shape
    offsets = pa.array(np.arange(n_rows + 1, dtype=np.int32) * np.int32(n_features))
    return pa.ListArray.from_arrays(
        offsets, pa.array(rows.reshape(-1)), mask=pa.array(is_null)
    )


def _bytes(rows: NDArray[np.float32], is_null: NDArray[np.bool_]) -> pa.Array:
    halves = [row.tobytes() for row in rows.astype("<f2")]
    return pa.array(halves, pa.binary(), mask=is_null)
