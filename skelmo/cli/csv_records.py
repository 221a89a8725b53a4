"""Records of a csv or tsv, one at a time, with the line each begins in.

The standard library reads them, quotes and all; what it passes over in silence, a quote
that is never closed and bytes that are not UTF-8, is told here.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import BinaryIO, NamedTuple

UTF8_REMEDY = "Convert it to UTF-8, as by iconv"
_LONGEST_FIELD = min(sys.maxsize, 2**31 - 1)  # what a C long holds everywhere


class Record(NamedTuple):
    """The fields of a record."""

    line: int  # that it begins in, counted from 1
    fields: list[str]


class _Lines:
    """Lines as `csv.reader` asks for them, and those of the record it is in."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines, self.held = lines, list[str]()
        self.number, self.is_over = 0, False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self.lines, None)
        if line is None:
            self.is_over = True
            raise StopIteration
        self.number += 1
        self.held.append(line)
        return line

    def put_back(self, lines: list[str]) -> None:
        """Give lines at the end once more."""
        self.lines, self.is_over = chain(lines, self.lines), False
        self.number -= len(lines)


def csv_records(
    stream: BinaryIO, separator: str, refuse: Callable[[int, str, str], None]
) -> Generator[Record, None, None]:
    """Read records; blank lines between them are passed over.

    Parameters
    ----------
    stream : binary file
        In UTF-8, with or without a byte order mark.
    separator : str
        One character.
    refuse : callable
        Told the line, reason and remedy of what is no record. It raises, or else that
        line is passed over.

    Yields
    ------
    record : Record
    """
    with _decoded(stream) as text, _fields_of_any_length():
        lines = _Lines(iter(text))
        reader = csv.reader(lines, delimiter=separator)
        while True:
            fields = next(reader, None)
            held, lines.held = lines.held, []
            if fields is None:
                return
            line = lines.number - len(held) + 1
            if lines.is_over:
                # It came to the end in search of a quote, through sound lines perhaps.
                refuse(line, "opens a quote that is never closed", "Close it")
                lines.put_back(held[1:])
                reader = csv.reader(lines, delimiter=separator)
                continue
            reason = next(filter(None, map(_not_utf8, held)), None)
            if reason is not None:
                refuse(line, f"is not UTF-8 ({reason})", UTF8_REMEDY)
            elif fields and not (held[0].isspace() and separator not in held[0]):
                yield Record(line, fields)


@contextmanager
def _decoded(stream: BinaryIO) -> Iterator[io.TextIOWrapper]:
    """Decode a stream that is somebody else's to close; wrong bytes are escaped."""
    text = io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="")
    try:
        yield text
    finally:
        text.detach()


@contextmanager
def _fields_of_any_length() -> Iterator[None]:
    """Read documents of more than 128 KiB, which the module refuses."""
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _not_utf8(line: str) -> str | None:
    """Return what is wrong with the bytes of a line that was decoded with escapes."""
    if line.isascii():
        return None
    try:
        line.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason
    return None
