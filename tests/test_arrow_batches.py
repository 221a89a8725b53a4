"""Columns are appended to whatever a table holds, in bounded parts."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from strange_tokenizers import fussy

from skelmo.engines.arrow_batches import ROWS_AT_ONCE, with_features, with_predictions
from skelmo.engines.row_encoder import RowEncoder


@pytest.fixture
def added(make):
    """Return a function from a table to the table with features."""

    def added(table, dtype="float32", skips_errors=False, **parameters):
        encoder = RowEncoder.of(make(**parameters))
        given = {"dtype": dtype, "skips_errors": skips_errors}
        batches = with_features(
            table.to_batches(), lambda: encoder, "text", "features", **given
        )
        return pa.Table.from_batches(batches)

    return added


def test_all_columns_stay_as_they_are(added, texts, vectorizer):
    n = len(texts)
    table = pa.table(
        {
            "large": pa.array([2**62 + 1, None] * (n // 2)),
            "time": pa.array([datetime.datetime(2020, 1, 1)] * n, pa.timestamp("us")),
            "nested": [[{"a": 1}]] * n,
            "text": texts,
            "nothing": pa.nulls(n, pa.int32()),
        }
    )
    result = added(table)
    assert result.drop(["features"]).equals(table)
    assert result.schema.field("features").type == pa.list_(pa.float32())
    rows = np.array(result["features"].to_pylist(), dtype=np.float32)
    np.testing.assert_allclose(rows, vectorizer.transform(texts), atol=1e-6)


def test_half_as_wide_numbers(added, texts, vectorizer):
    result = added(pa.table({"text": texts}), "float16")["features"]
    rows = np.array([np.frombuffer(value, "<f2") for value in result.to_pylist()])
    np.testing.assert_array_equal(rows, vectorizer.transform(texts).astype("f2"))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_that_raise_are_null(added, dtype):
    table = pa.table({"text": ["a", "raise", None, "b"]})
    result = added(table, dtype, skips_errors=True, tokenizer=fussy)["features"]
    assert [v is None for v in result.to_pylist()] == [False, True, True, False]
    with pytest.raises(ValueError, match="^the tokenizer does not like this text$"):
        added(table.slice(0, 2), dtype, tokenizer=fussy)


def test_a_batch_is_cut_and_no_batch_opens_nothing(vectorizer):
    def refuse():
        raise AssertionError

    given = {"dtype": "float32", "skips_errors": False}
    assert list(with_features([], refuse, "text", "out", **given)) == []
    empty = pa.record_batch({"text": pa.array([], pa.string())})
    assert list(with_features([empty], refuse, "text", "out", **given)) == []
    texts = [f"w{k}" for k in range(2 * ROWS_AT_ONCE + 1)]
    batches = [pa.record_batch({"text": texts})]
    encoder = RowEncoder.of(vectorizer)
    found = list(with_features(batches, lambda: encoder, "text", "out", **given))
    assert [len(b) for b in found] == [ROWS_AT_ONCE, ROWS_AT_ONCE, 1]
    assert [t for b in found for t in b["text"].to_pylist()] == texts


def test_predictions():
    class Predictor:
        dtype = np.dtype(int)

        def __call__(self, values, skips_errors):
            return [len(v) for v in values], [np.array([0.5, 0.5]) for _ in values]

    batch = pa.record_batch({"text": ["a", "bb"]})
    given = {"skips_errors": False}
    (both,) = with_predictions([batch], Predictor, "text", ["y", "p"], **given)
    assert both.to_pydict() == {"text": ["a", "bb"], "y": [1, 2], "p": [[0.5, 0.5]] * 2}
    assert both.schema.field("y").type == pa.int64()
    (one,) = with_predictions([batch], Predictor, "text", ["y"], **given)
    assert one.schema.names == ["text", "y"]
