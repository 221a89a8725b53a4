"""Tables of texts: csv, tsv, jsonl, parquet and text, packed or not, row by row.

A reader yields the names of the columns asked for, and the values of each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, NamedTuple

from skelmo.cli.csv_records import UTF8_REMEDY, Record, csv_records
from skelmo.cli.messages import UsageError
from skelmo.cli.options import TableOptions
from skelmo.cli.skipped_rows import SkippedRows
from skelmo.text.documents import UNPACKERS, unpacked, unterminated

PACKED = {*UNPACKERS, ".zst"}
STDIN = "-"
LONGEST_VALUE = 40  # characters of a bad value that a message shows
LINE = "text"  # what the one column of a text file is called
_FORMATS = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".pq": "parquet", ".txt": "txt", ".text": "txt",
}  # fmt: skip
_ROWS_AT_ONCE = 1024  # where nobody says how many
_SEPARATORS = {"csv": ",", "tsv": "\t"}
_OTHER_SEPARATORS = ";\t|"


class Part(NamedTuple):
    """Some rows as a reader finds them."""

    names: list[str]  # of the columns asked for, in that order
    values: list[list[Any]]  # of each; None is missing
    numbers: list[int]  # of the lines, or of the rows of a parquet file, from 1


@dataclass(frozen=True)
class Table:
    """A file of texts.

    Parameters
    ----------
    path : str
        "-" is stdin.
    format : {"csv", "tsv", "jsonl", "parquet", "txt"}
    header : bool
        Whether the first line of a csv or tsv names its columns.
    separator : str, optional
        Of the columns of a csv or tsv; by default that of the format.
    skipped : SkippedRows, optional
        Takes note of rows that cannot be read; by default these are errors.
    """

    path: str
    format: str
    header: bool = True
    separator: str | None = None
    skipped: SkippedRows | None = None

    @property
    def shown(self) -> str:
        """What messages call it."""
        return shown(self.path)

    @property
    def unit(self) -> str:
        """What its rows are counted by."""
        return "row" if self.format == "parquet" else "line"

    def refuse(self, number: int, reason: str, remedy: str) -> None:
        """Pass over a row that cannot be read, if that is allowed.

        Parameters
        ----------
        number : int
            Its line, or row in a parquet file.
        reason : str
            What it does, as "has no text".
        remedy : str

        Raises
        ------
        ValueError
            If it is an error.
        """
        if self.skipped is None:
            raise ValueError(
                f"{self.shown}: {self.unit} {number} {reason}. {remedy}, or pass over "
                f"such rows by --on-error skip."
            )
        self.skipped.note(self.shown, self.unit, number, reason)


def table_of(
    path: str, options: TableOptions, skipped: SkippedRows | None = None
) -> Table:
    """Return a table, once it is clear that it can be opened.

    Parameters
    ----------
    path : str
    options : TableOptions
        If they have no format, this goes by the name of the file.
    skipped : SkippedRows, optional
        Takes note of rows that cannot be read, if the options say so.

    Returns
    -------
    table : Table

    Raises
    ------
    UsageError
        If the format cannot be told, or has no separator.
    FileNotFoundError, IsADirectoryError, ImportError
        If it cannot be read.
    """
    if options.format is None and path == STDIN:
        raise UsageError("stdin has no name to tell its format. Give --format.")
    check_input(path)
    name = unpacked_name(path)
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    if options.format is None and suffix not in _FORMATS:
        raise UsageError(
            f"{path}: its name does not tell the format. Give --format csv, tsv, "
            f"jsonl, parquet or txt."
        )
    found = options.format or _FORMATS[suffix]
    if found == "parquet":
        if path == STDIN or not path.endswith(name):
            raise UsageError(
                f"{shown(path)}: parquet is read from a file that is not packed. Save "
                f"it to one."
            )
        import_pyarrow(path)
    if options.separator is not None and found not in _SEPARATORS:
        raise UsageError(
            f"{shown(path)} is read as {found}, which has no separator. Leave out "
            f"--separator, or give --format csv."
        )
    passes_over = options.on_error == "skip"
    return Table(
        path,
        found,
        not options.no_header,
        options.separator,
        (skipped or SkippedRows()) if passes_over else None,
    )


class Rows(NamedTuple):
    """Some rows of a table, with a text in the first column or None."""

    names: list[str]  # of the columns asked for, in that order
    values: list[list[Any]]  # of each; None is missing


def rows_of(
    table: Table,
    wanted: Sequence[str | None],
    size: int = _ROWS_AT_ONCE,
    missing: str = "error",
    remedy: str = "Fill it in, give --missing empty",
    complete: bool = False,
) -> Iterator[Rows]:
    """Read a column of texts, and others.

    Parameters
    ----------
    table : Table
    wanted : sequence of str or None
        Names, or numbers counted from 1; None is the only column. Texts come first.
    size : int
        Rows at a time, those included that are passed over for their text.
    missing : {"error", "empty", "nan"}, default="error"
    remedy : str, optional
        What to do about a missing text.
    complete : bool, default=False
        Whether a row needs a value in the other columns, too.

    Yields
    ------
    rows : Rows
        An empty field of a csv or tsv is missing.

    Raises
    ------
    ValueError
        If a column is not there, a row is refused or the file is damaged.
    """
    for part in read_parts(table, wanted, size):
        bad = set()
        others = zip(part.names[1:], part.values[1:], strict=True)
        needed = list(others) if complete else []
        for k, text in enumerate(part.values[0]):
            if not (isinstance(text, str) or (text is None and missing != "error")):
                _refuse_text(table, part, k, remedy)
                bad.add(k)
            elif lacking := [name for name, column in needed if column[k] is None]:
                reason = f"has no value in column {lacking[0]!r}"
                table.refuse(part.numbers[k], reason, "Fill it in, drop the row")
                bad.add(k)
        values = part.values
        if bad:
            values = [
                [value for k, value in enumerate(column) if k not in bad]
                for column in values
            ]
        yield Rows(part.names, values)


def _refuse_text(table: Table, part: Part, k: int, remedy: str) -> None:
    value, column = part.values[0][k], part.names[0]
    if value is None:
        reason = f"has no text in column {column!r}"
    else:
        text = repr(value)
        if len(text) > LONGEST_VALUE:
            text = text[:LONGEST_VALUE] + "..."
        kind = type(value).__name__
        reason = f"must have a text in column {column!r}, got {kind} {text}"
        remedy = "Give a column of texts"
    table.refuse(part.numbers[k], reason, remedy)


def n_rows_of(table: Table) -> int | None:
    """Count the rows, where they can be read twice; takes a share of their encoding.

    Parameters
    ----------
    table : Table

    Returns
    -------
    n_rows : int or None
        None for stdin, and for what cannot be read to its end.
    """
    if table.path == STDIN:
        return None
    every = replace(table, skipped=SkippedRows())
    try:
        if table.format == "parquet":
            pa = import_pyarrow(table.path)
            with reading_parquet(table, pa):
                return int(pa.parquet.read_metadata(table.path).num_rows)
        parts = read_parts(every, ["1"], _ROWS_AT_ONCE)
        return sum(len(part.numbers) for part in parts)
    except (ValueError, OSError):
        return None  # the error is told when the rows before it are done


def documents_in(
    table: Table, column: str | None, missing: str = "error"
) -> Iterator[str | None]:
    """Yield the texts of a column.

    Parameters
    ----------
    table : Table
    column : str or None
    missing : {"error", "empty"}, default="error"

    Yields
    ------
    document : str or None
        None for a missing one.
    """
    for rows in rows_of(table, [column], missing=missing):
        yield from rows.values[0]


def read_parts(table: Table, wanted: Sequence[str | None], size: int) -> Iterator[Part]:
    """Read some columns.

    Parameters
    ----------
    table : Table
    wanted : sequence of str or None
        Names, or numbers counted from 1; None is the only column.
    size : int
        Rows at a time.

    Returns
    -------
    parts : iterator of Part
        Names of the columns in the order wanted, and their values; None is missing.
    """
    readers = {"jsonl": _json_parts, "txt": _line_parts, "parquet": _parquet_parts}
    return readers.get(table.format, _csv_parts)(table, wanted, size)


def choose_columns(
    table: Table, there: Sequence[str], wanted: Sequence[str | None]
) -> list[str]:
    """Return the names of columns, given by name or number.

    Parameters
    ----------
    table : Table
    there : sequence of str
        Columns of the table.
    wanted : sequence of str or None

    Returns
    -------
    names : list of str

    Raises
    ------
    ValueError
        If one is not there, or none is named and there are several.
    """
    listed = ", ".join(map(repr, there))
    names = []
    for name in wanted:
        if name is None and len(there) == 1:
            names.append(there[0])
        elif name is None:
            raise ValueError(
                f"{table.shown} has {len(there)} columns: {listed}. Choose one by "
                f"--column."
            )
        elif name in there:
            names.append(name)
        elif name.isdecimal() and 1 <= int(name) <= len(there):
            names.append(there[int(name) - 1])
        else:
            raise ValueError(
                f"{table.shown} has no column {name!r}. It has {listed or 'none'}."
            )
    return names


def _csv_parts(table: Table, wanted: Sequence[str | None], size: int) -> Iterator[Part]:
    separator = table.separator or _SEPARATORS[table.format]
    with (
        opened(table.path) as stream,
        closing(csv_records(stream, separator, table.refuse)) as records,
    ):
        first = next(records, None)
        if first is None:
            raise ValueError(f"{table.shown} is empty. Give a file of texts.")
        there = [str(k + 1) for k in range(len(first.fields))]
        if table.header:
            there = _distinct(first.fields)
            _check_separator(table, there)
            first = None
        names = choose_columns(table, there, wanted)
        which = [there.index(name) for name in names]
        yield Part(names, [[] for _ in names], [])  # of a table without rows, too
        sound = (
            (record.line, record.fields)
            for record in chain(() if first is None else (first,), records)
            if _has_room(table, record, len(there))
        )
        while part := list(islice(sound, size)):
            columns = [
                [fields[k] or None if k < len(fields) else None for _, fields in part]
                for k in which
            ]
            yield Part(names, columns, [line for line, _ in part])


def _has_room(table: Table, record: Record, n_columns: int) -> bool:
    """Tell whether there is a column for each field; a row may have fewer."""
    n_fields = len(record.fields)
    if n_fields <= n_columns:
        return True
    plural = "s" * (n_columns != 1)
    reason = f"has {n_fields} fields, but there {'are' if plural else 'is'} "
    table.refuse(
        record.line,
        f"{reason}{n_columns} column{plural}",
        "Mend it, give another --separator",
    )
    return False


def _check_separator(table: Table, there: list[str]) -> None:
    """Raise if all columns seem to be one: lines would be taken for texts."""
    if len(there) > 1 or table.separator is not None:
        return
    for other in _OTHER_SEPARATORS:
        if other in there[0]:
            name = "tab" if other == "\t" else f"'{other}'"
            own = "tab" if table.format == "tsv" else "','"
            raise ValueError(
                f"{table.shown} has one column, {there[0]!r}. If its columns are "
                f"separated otherwise, give --separator {name}; if that is the name of "
                f"one column, --separator {own}."
            )


def _distinct(names: Sequence[str]) -> list[str]:
    """Name columns so that each can be asked for, as pandas does."""
    found: list[str] = []
    for k, given in enumerate(names):
        name, n_before = given or f"Unnamed: {k}", 0
        while name in found:
            n_before += 1
            name = f"{given}.{n_before}"
        found.append(name)
    return found


def _lines(table: Table, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield lines of UTF-8, with their numbers."""
    for number, line in enumerate(unterminated(stream), 1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            table.refuse(number, f"is not UTF-8 ({error.reason})", UTF8_REMEDY)
        else:
            yield number, text


def _line_parts(
    table: Table, wanted: Sequence[str | None], size: int
) -> Iterator[Part]:
    names = choose_columns(table, [LINE], wanted)
    with opened(table.path) as stream:
        lines = _lines(table, stream)
        while part := list(islice(lines, size)):
            texts = [text for _, text in part]
            yield Part(names, [texts] * len(names), [number for number, _ in part])


def _json_parts(
    table: Table, wanted: Sequence[str | None], size: int
) -> Iterator[Part]:
    names: list[str] = []
    with opened(table.path) as stream:
        objects = _json_objects(table, stream)
        while part := list(islice(objects, size)):
            if not names:
                there = list(dict.fromkeys(key for _, each in part for key in each))
                names = choose_columns(table, there, wanted)
            columns = [[each.get(name) for _, each in part] for name in names]
            yield Part(names, columns, [number for number, _ in part])


def _json_objects(
    table: Table, stream: BinaryIO
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _lines(table, stream):
        if not line.strip():
            continue
        remedy = 'Give one object as {"text": ...} on each line'
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            table.refuse(number, f"is no JSON ({error})", remedy)
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            start = line[:LONGEST_VALUE]
            table.refuse(number, f"must be a JSON object, got {start}", remedy)


def import_pyarrow(path: object) -> Any:
    """Return pyarrow.

    Parameters
    ----------
    path : object
        The file that needs it.

    Returns
    -------
    pyarrow : module

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            f"{path} is a parquet file, which needs the package pyarrow. Install it "
            f"with: pip install skelmo[parquet]"
        ) from error
    return pyarrow


@contextmanager
def reading_parquet(table: Table, pa: Any) -> Iterator[None]:
    """Say the same of every way in which a damaged parquet file is reported.

    Parameters
    ----------
    table : Table
    pa : module
        Pyarrow.

    Raises
    ------
    ValueError
        In place of an error that is not the system's own.
    """
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if getattr(error, "errno", None) is not None:
            raise
        raise _unreadable(table, error) from error


def _parquet_parts(
    table: Table, wanted: Sequence[str | None], size: int
) -> Iterator[Part]:
    pa = import_pyarrow(table.path)
    with reading_parquet(table, pa), pa.parquet.ParquetFile(table.path) as file:
        names = choose_columns(table, file.schema_arrow.names, wanted)
        yield Part(names, [[] for _ in names], [])  # of a table without rows, too
        n_rows = 0
        for batch in file.iter_batches(size, columns=list(dict.fromkeys(names))):
            found = batch.to_pydict()
            numbers = [*range(n_rows + 1, n_rows + len(batch) + 1)]
            n_rows += len(batch)
            yield Part(names, [found[name] for name in names], numbers)


def _unreadable(table: Table, error: object) -> ValueError:
    reason = str(error).strip().rstrip(".")
    return ValueError(
        f"{table.shown} cannot be read as {table.format}: {reason}. Mend the file, or "
        f"give its --format."
    )


def shown(path: str) -> str:
    """Return a path as messages name it."""
    return "stdin" if path == STDIN else path


def check_input(path: str) -> None:
    """Raise unless something can be read.

    Parameters
    ----------
    path : str

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If the path names no file.
    ImportError
        If nothing here unpacks it.
    """
    if path == STDIN:
        return
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a directory. Give a file of texts.")
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file. Check the path.")
    if Path(path).suffix.lower() == ".zst":
        _zstd(path)


def unpacked_name(path: str) -> str:
    """Return the name of a file without the ending of its packing."""
    name = Path(path)
    return name.stem if name.suffix.lower() in PACKED else name.name


def opened(path: str) -> AbstractContextManager[BinaryIO]:
    """Open a file or stdin to read it unpacked.

    Parameters
    ----------
    path : str

    Returns
    -------
    stream : context manager of a binary file
        Raises ValueError if it is damaged, when that comes to light.
    """
    if path == STDIN:
        return nullcontext(sys.stdin.buffer)
    is_zst = Path(path).suffix.lower() == ".zst"
    return unpacked(path, path, _zstd(path) if is_zst else None)


def _zstd(path: str) -> ModuleType:
    """Return what unpacks zstd: a module of Python 3.14, or a package."""
    for name in ("compression.zstd", "zstandard"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError(
        f"{path} is packed by zstd, which needs Python 3.14 or the package zstandard. "
        f"Install it with: pip install skelmo[zst]"
    )
