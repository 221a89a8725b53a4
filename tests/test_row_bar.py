"""What the bar of a command shows."""

import re

import pytest

from skelmo.cli.row_bar import row_bar


@pytest.mark.parametrize(
    ("n_rows", "shown"),
    [
        (10_240, r"encode: 60%\|.+\| 6,144 of 10,240 rows \[.+ left, .+ rows/s\]"),
        (None, r"encode: 6,144 rows \[.+ rows/s\]"),
    ],
)
def test_rows_are_told_with_their_total(capsys, n_rows, shown):
    with row_bar("encode", 2048, n_rows, watched=True) as bar:
        bar.update(4096)
        assert re.fullmatch(shown, str(bar))
    capsys.readouterr()
    with row_bar("encode", 0, n_rows, watched=False) as bar:
        bar.update(4096)
    assert capsys.readouterr() == ("", "")
