"""Rows that are passed over by `--on-error skip`: the list, and what is said."""

import re

import numpy as np
import pandas as pd
import pytest

from skelmo.cli import main, parts
from skelmo.cli.skipped_rows import SkippedRows


def test_rows_skipped_are_listed(tmp_path, capsys):
    out, skipped = tmp_path / "out.npy", SkippedRows()
    for line in range(1, 1235):
        skipped.note("t, csv", "line", line, "has no text")
    skipped.save(out)
    skipped.report(out)
    found = pd.read_csv(tmp_path / "out.npy.skipped.csv")
    assert found["line"].tolist() == list(range(1, 1235))
    assert set(found["file"]) == {"t, csv"}
    assert set(found["reason"]) == {"has no text"}
    skipped.report()
    assert capsys.readouterr().err.splitlines() == [
        f"skelmo: 1,234 rows skipped, listed in {out}.skipped.csv.",
        "skelmo: 1,234 rows skipped: t, csv: line 1 has no text; t, csv: line 2 has no "
        "text; t, csv: line 3 has no text; and 1,231 more.",
    ]
    skipped.forget()
    skipped.save(out)  # an old list would speak of a file that is replaced
    skipped.report(out)
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err == ""


@pytest.fixture
def broken(texts, tmp_path):
    """Return the path of a csv with 120 texts and 3 rows that are none, and a list."""
    path, lines = tmp_path / "in.csv", [f'{k},"{t}"' for k, t in enumerate(texts)]
    for k, line in ((90, "x,y,z"), (60, "x,"), (10, "a,b,c,d")):
        lines.insert(k, line)
    path.write_text("\n".join(["id,text", *lines]))
    rows = [
        [12, "has 4 fields, but there are 2 columns"],
        [63, "has no text in column 'text'"],
        [94, "has 3 fields, but there are 2 columns"],
    ]
    return path, [[str(path), *row] for row in rows]


@pytest.mark.parametrize("breaks", [False, True])
def test_encode_passes_over_rows_and_lists_them(
    broken, texts, model_path, tmp_path, monkeypatch, capsys, breaks
):
    source, rows = broken
    out, sound = tmp_path / "out.csv", tmp_path / "sound.csv"
    given = ["--column", "text", "--keep", "id", "--model", model_path, "--batch", "25"]
    command = ["encode", str(source), str(out), *given, "--on-error", "skip"]
    if breaks:
        append, n_rows = parts.PartFile.append, []

        def stop(self, *given):
            append(self, *given)
            n_rows.append(self.n_rows)
            if self.n_rows > 60:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(parts.PartFile, "append", stop)
            assert main(command) == 130
        assert n_rows == [25, 50, 74]  # a row of the third block has no text
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"skelmo: 3 rows skipped, listed in {out}.skipped.csv."
    )
    assert pd.read_csv(tmp_path / "out.csv.skipped.csv").to_numpy().tolist() == rows
    found = pd.read_csv(out)
    assert found["id"].tolist() == list(range(120))
    pd.DataFrame({"id": range(120), "text": texts}).to_csv(source, index=False)
    assert main(["encode", str(source), str(sound), *given]) == 0
    expected = pd.read_csv(sound)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    # The list belongs to a file; it is neither lost by accident, nor kept beside
    # another one.
    out.unlink()
    capsys.readouterr()
    assert main(command) == 1
    assert capsys.readouterr().err == (
        f"skelmo: error: {out}.skipped.csv exists. Move it, or give --force to replace "
        f"it.\n"
    )
    assert main([*command, "--force"]) == 0
    assert not list(tmp_path.glob("*.skipped.csv"))


def test_every_command_passes_over_rows(broken, model_path, tmp_path, capsys):
    source, rows = broken
    given = [str(source), "--column", "text", "--on-error", "skip"]
    said = "; ".join(f"{path}: line {line} {reason}" for path, line, reason in rows)
    summary = f"skelmo: 3 rows skipped: {said}.\n"
    assert main(["evaluate", model_path, *given]) == 0
    out, errors = capsys.readouterr()
    assert re.match(r"documents +120\n", out)
    assert errors == summary
    # To inspect, a missing text is one more finding.
    assert main(["inspect", *given]) == 0
    out, errors = capsys.readouterr()
    assert re.match(r"documents +121\n +missing +1 ", out)
    assert errors.startswith("skelmo: 2 rows skipped: ")
    model = tmp_path / "model"
    command = ["train", *given, "--out", str(model), "--max-epochs", "1"]
    tiny = ["--hidden-size", "8", "--proj-size", "4", "--set", "filters=[(1, 4)]"]
    assert main([*command, *tiny]) == 0
    assert pd.read_csv(f"{model}.skipped.csv").to_numpy().tolist() == rows
