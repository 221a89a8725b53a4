"""A few seconds of benchmarks/soak.py."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "soak.py"
if not SCRIPT.is_file():
    pytest.skip("benchmarks are not part of this copy", allow_module_level=True)


@pytest.mark.slow
def test_threads_and_processes_that_share_a_cache_get_the_rows_of_a_cold_process():
    command = [sys.executable, str(SCRIPT), "--minutes", "0.05", "--documents", "20"]
    command += ["--processes", "2", "--threads", "4"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    n_calls, n_rows = _counts(ended.stdout)
    assert n_rows >= n_calls > 8
    assert "\n0 problems; " in ended.stdout


def _counts(text):
    found = re.search(r"([\d,]+) calls, ([\d,]+) rows compared", text).groups()
    return [int(number.replace(",", "")) for number in found]


def test_a_choice_of_layers_and_statistics_is_cut_from_all_of_them(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    from soak import expected_rows

    rows = np.arange(2 * 5 * 3 * 4).reshape(2, 5, 3, 4)
    mean, top, std = rows[:, 0], rows[:, 0, 2], rows[:, 4]
    equal = np.testing.assert_array_equal
    equal(expected_rows(rows, "top", ["mean"]), top)
    equal(expected_rows(rows, "mean", ["mean"]), mean.mean(axis=1))
    equal(expected_rows(rows, 1, ["std", "mean"]), np.hstack([std[:, 1], mean[:, 1]]))
    equal(expected_rows(rows, [0, 2], ["std"]), np.hstack([std[:, 0], std[:, 2]]))
    equal(expected_rows(rows, "concat", ["std"]), std.reshape(2, -1))
