"""Rows that cannot be read and are passed over: where they stand, and why."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from skelmo.cli.messages import say
from skelmo.files import replace_file

_SHOWN = 3  # in the line that the command says


def list_beside(out: Path) -> Path:
    """Return where the rows that were skipped for a file are listed."""
    return out.with_name(f"{out.name}.skipped.csv")


def check_no_list(out: Path, force: bool) -> None:
    """Raise if there is a list of before that would be replaced.

    Parameters
    ----------
    out : Path
    force : bool
        Whether it is to be replaced.

    Raises
    ------
    FileExistsError
    """
    if list_beside(out).exists() and not force:
        raise FileExistsError(
            f"{list_beside(out)} exists. Move it, or give --force to replace it."
        )


class SkippedRows:
    """The rows that were passed over."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, str]] = []
        self.units: dict[str, str] = {}  # of the files, in the order they were read

    def forget(self) -> None:
        """Begin anew, as the reading does."""
        self.rows.clear()
        self.units.clear()

    def note(self, file: str, unit: str, number: int, reason: str) -> None:
        """Take note of a row.

        Parameters
        ----------
        file : str
        unit : {"line", "row"}
            What is counted.
        number : int
        reason : str
        """
        self.units.setdefault(file, unit)
        # Millions of rows have few reasons.
        self.rows.append((file, number, sys.intern(reason)))

    def save(self, out: Path) -> None:
        """Write the list, or remove an old one if there are none.

        Parameters
        ----------
        out : Path
            The file beside which it is put, before that is complete: who is killed in
            between has a list too many, and not a file without one.
        """
        if self.rows:
            self._sort()
            replace_file(list_beside(out), self._write)
        else:
            list_beside(out).unlink(missing_ok=True)

    def report(self, out: Path | None = None) -> None:
        """Say how many there are.

        Parameters
        ----------
        out : Path, optional
            The file beside which they are listed; by default the first ones are said.
        """
        self._sort()
        n_rows = len(self.rows)
        rows = f"{n_rows:,} row{'s' * (n_rows != 1)}"
        if n_rows and out is not None:
            say(f"{rows} skipped, listed in {list_beside(out)}.")
        elif n_rows:
            first = [
                f"{file}: {self.units[file]} {number} {reason}"
                for file, number, reason in self.rows[:_SHOWN]
            ]
            if n_rows > _SHOWN:
                first.append(f"and {n_rows - _SHOWN:,} more")
            say(f"{rows} skipped: {'; '.join(first)}.")

    def _sort(self) -> None:
        # A missing text is found when its block is read, after other faults in it.
        places = list(self.units)
        self.rows.sort(key=lambda row: (places.index(row[0]), row[1]))

    def _write(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", "line", "reason"])
            writer.writerows(self.rows)
