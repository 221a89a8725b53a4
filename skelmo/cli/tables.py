"""Tables of texts: how they are found, and their rows, checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from skelmo.cli.files import STDIN, check_input, shown, unpacked_name
from skelmo.cli.messages import UsageError
from skelmo.cli.readers import LONGEST_VALUE, Table, import_pyarrow, read_parts

_FORMATS = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".pq": "parquet", ".txt": "txt", ".text": "txt",
}  # fmt: skip
_ROWS_AT_ONCE = 1024  # where nobody says how many


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
