"""A part file that survives the process, and what it holds so far.

``OUT.part`` holds the rows that are done, ``OUT.part.json`` how many these are, how
many bytes they take and what they were made from. The latter is replaced after each
block, in one step: what a killed process has written beyond it is cut off.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from skelmo.files import move, naming, remove_leftovers, replace_file, sync


def is_begun(target: Path) -> bool:
    """Tell whether there is a part of a file with rows in it."""
    return _record_of(target).exists()


def _record_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


class PartFile:
    """The part of a file that is written so far; a context manager.

    Parameters
    ----------
    target : Path
        The file to be.
    made_by : str
        Hash of all that the rows depend on, besides their texts.

    Attributes
    ----------
    n_rows : int
        Rows done.
    content : str
        Hash of what they were made from.
    is_foreign : bool
        Whether there was a part that was made otherwise, or damaged; it is not used.

    Raises
    ------
    BlockingIOError
        If another process writes it.
    """

    def __init__(self, target: Path, made_by: str) -> None:
        self.target, self.made_by = target, made_by
        self.path = target.with_name(f"{target.name}.part")
        self.record = _record_of(target)
        self.n_rows, self.n_bytes, self.content = 0, 0, ""
        self.is_foreign = False
        self.file: BinaryIO | None = None

    def __enter__(self) -> PartFile:
        """Open the part, and read what it holds."""
        with naming(self.path):
            self.path.touch()
            self.file = self.path.open("r+b")
        try:
            self._lock()
            self._read()
        except BaseException:
            self.file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the part; leave none without rows."""
        if not self.n_rows_kept():
            self._remove()
        self._close()

    def forget(self) -> None:
        """Do not use what the part holds."""
        self.record.unlink(missing_ok=True)
        remove_leftovers(self.record)
        self.n_rows, self.n_bytes, self.content = 0, 0, ""

    def begin(self, head: bytes) -> None:
        """Start anew.

        Parameters
        ----------
        head : bytes
            What the part begins with.
        """
        self.forget()
        self._write(head)

    def append(self, block: bytes, n_rows: int, content: str) -> None:
        """Add rows.

        Parameters
        ----------
        block : bytes
        n_rows : int
        content : str
            Hash of what all rows so far were made from.
        """
        self._write(block)
        done = {
            "made_by": self.made_by, "rows": self.n_rows + n_rows,
            "bytes": self.n_bytes, "content": content,
        }  # fmt: skip
        text = json.dumps(done) + "\n"
        replace_file(self.record, lambda path: path.write_text(text, "utf-8"))
        self.n_rows, self.content = self.n_rows + n_rows, content

    def finish(self, output: Any) -> None:
        """Put the complete file in its place, and the part away.

        Parameters
        ----------
        output : Output
        """
        self._cut()
        if os.name == "nt":  # where an open file cannot be renamed
            self._close()
        try:
            with naming(self.target):
                whole = output.finish(self.path, self.n_rows)
                sync(whole)
        except BaseException:
            self.path.with_name(f"{self.path.name}.whole").unlink(missing_ok=True)
            raise
        move(whole, self.target)
        self._remove()

    def kept(self) -> str:
        """Say what an interrupt or error leaves; nothing if there is no row."""
        n_rows = self.n_rows_kept()
        if not n_rows:
            return "No row was done."
        rows = "1 row is" if n_rows == 1 else f"{n_rows:,} rows are"
        return f"{rows} in {self.path}; the same command goes on from there."

    def _lock(self) -> None:
        if os.name == "nt" or self.file is None:
            return
        import fcntl

        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last owner may have made it the target just now.
            mine, there = os.fstat(self.file.fileno()), self.path.stat()
            if not os.path.samestat(mine, there):
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError) as error:
            raise BlockingIOError(
                f"{self.path} is being written by another process. Wait for its end, "
                f"or write another file."
            ) from error

    def n_rows_kept(self) -> int:
        """Return the rows on the disk: `n_rows`, or more right after an interrupt."""
        try:
            return int(json.loads(self.record.read_text("utf-8"))["rows"])
        except (OSError, ValueError, LookupError, TypeError):
            return 0

    def _read(self) -> None:
        try:
            done = json.loads(self.record.read_text("utf-8"))
            made_by, n_rows, n_bytes = done["made_by"], done["rows"], done["bytes"]
            content = done["content"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError):
            self.is_foreign = True
            return
        whole = self.path.stat().st_size >= n_bytes
        if made_by == self.made_by and whole:
            self.n_rows, self.n_bytes, self.content = n_rows, n_bytes, content
        else:
            self.is_foreign = True

    def _write(self, data: bytes) -> None:
        """Write behind what is known to be good, down to the disk."""
        if self.file is None:
            raise ValueError(f"{self.path} is closed.")
        with naming(self.path):
            self.file.seek(self.n_bytes)
            self.file.truncate()
            self.file.write(data)
            self.file.flush()
            os.fsync(self.file.fileno())
        self.n_bytes += len(data)

    def _cut(self) -> None:
        """Cut off what was written beyond the last whole block."""
        if self.file is not None:
            self.file.truncate(self.n_bytes)

    def _close(self) -> None:
        if self.file is not None:
            # What counts is on the disk; a full one would refuse the rest once more.
            with suppress(OSError):
                self.file.close()
            self.file = None

    def _remove(self) -> None:
        if os.name == "nt":
            self._close()
        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)
        remove_leftovers(self.record)


class StdoutPart:
    """The part that goes to stdout as it is made, and cannot be taken up.

    Attributes
    ----------
    path : str
        What messages call it.
    n_rows : int
    is_foreign : bool
        False: there is none of before.
    """

    def __init__(self) -> None:
        self.path, self.n_rows, self.content = "stdout", 0, ""
        self.is_foreign = False

    def __enter__(self) -> StdoutPart:
        """Return self."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave what was written to its reader."""

    def forget(self) -> None:
        """Nothing is held."""

    def begin(self, head: bytes) -> None:
        """Write what it begins with."""
        self._write(head)

    def append(self, block: bytes, n_rows: int, content: str) -> None:
        """Write rows."""
        self._write(block)
        self.n_rows, self.content = self.n_rows + n_rows, content

    def finish(self, output: Any) -> None:
        """Nothing is left to do."""

    def kept(self) -> str:
        """Say what an interrupt or error leaves."""
        return f"{self.n_rows:,} rows went to stdout."

    def _write(self, data: bytes) -> None:
        with naming("stdout"):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
