"""One bad value does not cost a batch."""

import logging

import numpy as np
import pytest

from skelmo.engines.failed_rows import parts_that_succeed


def inverses(values):
    return [1 / value for value in values]


def found(function, values):
    got = {}
    for rows, result in parts_that_succeed(function, values, np.arange(len(values))):
        got.update(zip(rows.tolist(), result, strict=True))
    return got


@pytest.mark.parametrize("bad", [[], [0], [6], [2, 3], range(7)])
def test_all_but_the_bad_values_have_results(bad, caplog):
    values = [0 if k in bad else k + 1 for k in range(7)]
    with caplog.at_level(logging.WARNING):
        got = found(inverses, values)
    assert got == {k: 1 / (k + 1) for k in range(7) if k not in bad}
    said = "a row is left empty, as it raises ZeroDivisionError: division by zero"
    assert caplog.messages == [said] * len(bad)


def test_a_good_batch_is_one_call():
    calls = []
    parts = parts_that_succeed(calls.append, [1, 2, 3], np.arange(3))
    assert [rows.tolist() for rows, _ in parts] == [[0, 1, 2]]
    assert calls == [[1, 2, 3]]


def test_no_rows_are_no_call():
    assert found(lambda values: 1 / 0, []) == {}


def test_lack_of_memory_is_no_fault_of_a_row():
    def fail(values):
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match=r"^no room$"):
        found(fail, [1, 2])
