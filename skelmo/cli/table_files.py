"""Tables of texts: csv, tsv, jsonl, parquet and text, packed or not, row by row.

A reader yields the names of the columns asked for, and the values of each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, NamedTuple

from skelmo.cli.messages import UsageError
from skelmo.text.documents import UNPACKERS, decoded_lines, unpacked

PACKED = {*UNPACKERS, ".zst"}
STDIN = "-"
LONGEST_VALUE = 40  # characters of a bad value that a message shows
LINE = "text"  # what the one column of a text file is called
_FORMATS = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".pq": "parquet", ".txt": "txt", ".text": "txt",
}  # fmt: skip
_ROWS_AT_ONCE = 1024  # where nobody says how many
Part = tuple[list[str], list[list[Any]]]


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
    """

    path: str
    format: str
    header: bool = True

    @property
    def shown(self) -> str:
        """What messages call it."""
        return shown(self.path)


class Rows(NamedTuple):
    """Some rows of a table."""

    first: int  # number of the first, counted from 1
    names: list[str]  # of the columns asked for, in that order
    values: list[list[Any]]  # of each; None is missing


def table_of(path: str, format: str | None, header: bool = True) -> Table:
    """Return a table, once it is clear that it can be opened.

    Parameters
    ----------
    path : str
    format : str or None
        None goes by the name of the file.
    header : bool, default=True

    Returns
    -------
    table : Table

    Raises
    ------
    UsageError
        If the format cannot be told.
    FileNotFoundError, IsADirectoryError, ImportError
        If it cannot be read.
    """
    if format is None and path == STDIN:
        raise UsageError("stdin has no name to tell its format. Give --format.")
    check_input(path)
    name = unpacked_name(path)
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    if format is None and suffix not in _FORMATS:
        raise UsageError(
            f"{path}: its name does not tell the format. Give --format csv, tsv, "
            f"jsonl, parquet or txt."
        )
    found = format or _FORMATS[suffix]
    if found == "parquet":
        if path == STDIN or not path.endswith(name):
            raise UsageError(
                f"{shown(path)}: parquet is read from a file that is not packed. Save "
                f"it to one."
            )
        import_pyarrow(path)
    return Table(path, found, header)


def rows_of(
    table: Table, wanted: Sequence[str | None], size: int = _ROWS_AT_ONCE
) -> Iterator[Rows]:
    """Read some columns.

    Parameters
    ----------
    table : Table
    wanted : sequence of str or None
        Names, or numbers counted from 1; None is the only column.
    size : int
        Rows at a time.

    Yields
    ------
    rows : Rows
        An empty field of a csv or tsv is missing.

    Raises
    ------
    ValueError
        If a column is not there or the file is damaged.
    """
    first = 1
    for names, values in read_parts(table, wanted, size):
        yield Rows(first, names, values)
        first += len(values[0])


def n_rows_of(table: Table) -> int | None:
    """Return the number of rows, where that is known before they are read.

    Parameters
    ----------
    table : Table

    Returns
    -------
    n_rows : int or None
    """
    if table.format != "parquet":
        return None
    pyarrow = import_pyarrow(table.path)
    return int(pyarrow.parquet.read_metadata(table.path).num_rows)


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
    for rows in rows_of(table, [column]):
        check_texts(table, rows, missing)
        yield from rows.values[0]


def check_texts(
    table: Table,
    rows: Rows,
    missing: str,
    remedy: str = "Fill it in, or give --missing empty.",
) -> None:
    """Raise unless the first column holds texts.

    Parameters
    ----------
    table : Table
    rows : Rows
    missing : {"error", "empty", "nan"}
    remedy : str, optional
        What to do about a missing text.

    Raises
    ------
    ValueError
        If a text is missing under ``missing="error"``.
    TypeError
        If there is something else than texts.
    """
    column = rows.names[0]
    for number, value in enumerate(rows.values[0], rows.first):
        if isinstance(value, str) or (value is None and missing != "error"):
            continue
        where = f"{table.shown}: row {number} of column {column!r}"
        if value is None:
            raise ValueError(f"{where} has no text. {remedy}")
        text = repr(value)
        if len(text) > LONGEST_VALUE:
            text = text[:LONGEST_VALUE] + "..."
        raise TypeError(
            f"{where} must be a text, got {type(value).__name__} {text}. Give a column "
            f"of texts."
        )


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
    import pandas as pd

    with ExitStack() as stack:
        stream: Any = stack.enter_context(opened(table.path))
        try:
            reader = stack.enter_context(
                pd.read_csv(
                    stream,
                    sep="\t" if table.format == "tsv" else ",",
                    header=0 if table.header else None,
                    dtype=str,
                    keep_default_na=False,
                    na_values=[""],
                    chunksize=size,
                    encoding="utf-8-sig",
                )
            )
            for frame in reader:
                if not isinstance(frame.index, pd.RangeIndex):
                    reason = "rows have more fields than there are columns"
                    raise _unreadable(table, reason)
                there = [str(name) for name in frame.columns]
                if not table.header:
                    there = [str(k + 1) for k in range(len(there))]
                frame.columns = pd.Index(there)
                names = choose_columns(table, there, wanted)
                yield names, [_texts(frame[name].tolist()) for name in names]
        except pd.errors.EmptyDataError as error:
            raise ValueError(
                f"{table.shown} is empty. Give a file of texts."
            ) from error
        except pd.errors.ParserError as error:
            raise _unreadable(table, error) from error
        except UnicodeDecodeError as error:
            raise _not_utf8(table, "", error) from error


def _texts(values: list[Any]) -> list[str | None]:
    return [value if isinstance(value, str) else None for value in values]


def _lines(table: Table, stream: BinaryIO) -> Iterator[str]:
    def refusal(number: int, error: UnicodeDecodeError) -> ValueError:
        return _not_utf8(table, f"line {number} of ", error)

    return decoded_lines(stream, refusal)


def _line_parts(
    table: Table, wanted: Sequence[str | None], size: int
) -> Iterator[Part]:
    names = choose_columns(table, [LINE], wanted)
    with opened(table.path) as stream:
        lines = _lines(table, stream)
        while part := list(islice(lines, size)):
            yield names, [part] * len(names)


def _json_parts(
    table: Table, wanted: Sequence[str | None], size: int
) -> Iterator[Part]:
    names: list[str] = []
    with opened(table.path) as stream:
        objects = _json_objects(table, stream)
        while part := list(islice(objects, size)):
            if not names:
                there = list(dict.fromkeys(key for each in part for key in each))
                names = choose_columns(table, there, wanted)
            yield names, [[each.get(name) for each in part] for name in names]


def _json_objects(table: Table, stream: BinaryIO) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_lines(table, stream), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"{table.shown}: line {number} is no JSON ({error}). Each line has to "
                f"be an object."
            ) from error
        if not isinstance(value, dict):
            raise ValueError(
                f"{table.shown}: line {number} must be a JSON object, got "
                f'{line[:LONGEST_VALUE]}. Give one as {{"text": ...}} on each line.'
            )
        yield value


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
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise ImportError(
            f"{path} is a parquet file, which needs the package pyarrow. Install it "
            f"with: pip install skelmo[parquet]"
        ) from error
    return pyarrow


def _parquet_parts(
    table: Table, wanted: Sequence[str | None], size: int
) -> Iterator[Part]:
    pa = import_pyarrow(table.path)
    try:
        file = pa.parquet.ParquetFile(table.path)
    except pa.ArrowInvalid as error:
        raise _unreadable(table, error) from error
    with closing(file):
        names = choose_columns(table, file.schema_arrow.names, wanted)
        try:
            yield names, [[] for _ in names]  # a table without rows has columns, too
            for batch in file.iter_batches(size, columns=list(dict.fromkeys(names))):
                found = batch.to_pydict()
                yield names, [found[name] for name in names]
        except (pa.ArrowInvalid, OSError) as error:
            raise _unreadable(table, error) from error


def _unreadable(table: Table, error: object) -> ValueError:
    reason = str(error).strip().rstrip(".")
    return ValueError(
        f"{table.shown} cannot be read as {table.format}: {reason}. Mend the file, or "
        f"give its --format."
    )


def _not_utf8(table: Table, where: str, error: UnicodeDecodeError) -> ValueError:
    return ValueError(
        f"{where}{table.shown} is not UTF-8 ({error.reason}). Convert it to UTF-8, as "
        f"by iconv."
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
