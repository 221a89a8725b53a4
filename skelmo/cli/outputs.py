"""Features as bytes of a part that grows by appending, and as the file it becomes."""

from __future__ import annotations

import csv
import io
import shutil
import sys
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skelmo.cli.arguments import FEATURE_FORMATS
from skelmo.cli.messages import UsageError
from skelmo.cli.table_files import Table, import_pyarrow, reading_parquet

_MADE = (1980, 1, 1, 0, 0, 0)  # the time of day would make each file another one


class Output(Protocol):
    """A format of features.

    The part begins with `head`, then holds `block` after `block`; `finish` makes the
    file of it. Bytes depend on the arguments alone.
    """

    def head(self) -> bytes:
        """Return what the part begins with."""

    def block(self, features: NDArray[np.float32], kept: Sequence[list[Any]]) -> bytes:
        """Return some rows: their features, and values of the columns kept."""

    def finish(self, part: Path, n_rows: int) -> Path:
        """Return the complete file: the part itself, or one beside it."""


class NpyOutput:
    """An array, as `numpy.save` writes it.

    Parameters
    ----------
    n_features : int
    """

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features

    def head(self) -> bytes:
        """Return a header of no rows; numpy leaves room in it for any number."""
        return self._header(0)

    def block(self, features: NDArray[np.float32], kept: Sequence[list[Any]]) -> bytes:
        """Return the rows in C order."""
        return np.ascontiguousarray(features, dtype="<f4").tobytes()

    def finish(self, part: Path, n_rows: int) -> Path:
        """Write the number of rows into the header."""
        with part.open("r+b") as file:
            file.write(self._header(n_rows))
        return part

    def _header(self, n_rows: int) -> bytes:
        content = io.BytesIO()
        shape = n_rows, self.n_features
        described = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(content, described)
        return content.getvalue()


class NpzOutput(NpyOutput):
    """An archive with the array "features", as `numpy.savez` writes it."""

    def finish(self, part: Path, n_rows: int) -> Path:
        """Copy the array into an archive."""
        whole = part.with_name(f"{part.name}.whole")
        member = zipfile.ZipInfo("features.npy", _MADE)
        with (
            super().finish(part, n_rows).open("rb") as source,
            zipfile.ZipFile(whole, "w") as archive,
            archive.open(member, "w", force_zip64=True) as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)
        return whole


class CsvOutput:
    """A table of text: columns kept, then a column for each feature.

    Parameters
    ----------
    kept : sequence of str
        Names of the columns kept.
    names : sequence of str
        Names of the features.
    """

    def __init__(self, kept: Sequence[str], names: Sequence[str]) -> None:
        self.kept, self.names = kept, names
        self.numbers = ",".join(["%.9g"] * len(names))  # what float32 needs

    def head(self) -> bytes:
        """Return the line of names."""
        return _csv_lines([[*self.kept, *self.names]]).encode()

    def block(self, features: NDArray[np.float32], kept: Sequence[list[Any]]) -> bytes:
        """Return a line for each row."""
        numbers = [self.numbers % tuple(row) for row in features.tolist()]
        if not kept:
            return "".join(f"{row}\n" for row in numbers).encode()
        texts = [_csv_lines([row])[:-1] for row in zip(*kept, strict=True)]
        lines = zip(texts, numbers, strict=True)
        return "".join(f"{t},{n}\n" for t, n in lines).encode("utf-8", "surrogatepass")

    def finish(self, part: Path, n_rows: int) -> Path:
        """Return the part: it is complete."""
        return part


def _csv_lines(rows: Sequence[Sequence[Any]]) -> str:
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows(rows)
    return content.getvalue()


class ParquetOutput:
    """A parquet file with a group of rows for each block.

    Parquet cannot be appended to: the part is an Arrow stream.

    Parameters
    ----------
    kept : sequence of str
        Names of the columns kept.
    types : sequence of pyarrow.DataType
        Their types.
    names : sequence of str
        Names of the features.
    """

    def __init__(
        self, kept: Sequence[str], types: Sequence[Any], names: Sequence[str]
    ) -> None:
        self.pa = import_pyarrow("the output")
        self.kept, self.types = list(kept), list(types)
        fields = [*zip(kept, types, strict=True)]
        self.schema = self.pa.schema(
            [*fields, *((n, self.pa.float32()) for n in names)]
        )

    def head(self) -> bytes:
        """Return the schema."""
        return self.schema.serialize().to_pybytes()

    def block(self, features: NDArray[np.float32], kept: Sequence[list[Any]]) -> bytes:
        """Return a record batch."""
        pa = self.pa
        columns = [
            pa.array([_as_type(v, kind, pa) for v in values], type=kind)
            for values, kind in zip(kept, self.types, strict=True)
        ]
        columns += [pa.array(np.ascontiguousarray(column)) for column in features.T]
        batch = pa.record_batch(columns, schema=self.schema)
        return batch.serialize().to_pybytes()

    def finish(self, part: Path, n_rows: int) -> Path:
        """Turn the stream into parquet."""
        whole = part.with_name(f"{part.name}.whole")
        pq = self.pa.parquet
        with part.open("rb") as file, pq.ParquetWriter(whole, self.schema) as writer:
            for batch in self.pa.ipc.open_stream(file):
                if batch.num_rows:
                    writer.write_batch(batch)
        return whole


def _as_type(value: Any, kind: Any, pa: Any) -> Any:
    """Turn values into text, where the column is text."""
    return value if value is None or kind != pa.string() else str(value)


def kept_types(table: Table, kept: Sequence[str], pa: Any) -> list[Any]:
    """Return the types of a parquet table's columns; those of others are text.

    Parameters
    ----------
    table : Table
    kept : sequence of str
        Names of the columns.
    pa : module
        Pyarrow.

    Returns
    -------
    types : list of pyarrow.DataType
    """
    if table.format != "parquet":
        return [pa.string()] * len(kept)
    with reading_parquet(table, pa):
        schema = pa.parquet.read_schema(table.path)
    types = [schema.field(name).type for name in kept]
    return [kind.value_type if pa.types.is_dictionary(kind) else kind for kind in types]


STDOUT = "-"
TOKEN_COLUMNS = ("document", "position", "token")


def check_absent(path: Path, force: bool) -> None:
    """Raise if there is a file that would be replaced, or none can be written.

    Parameters
    ----------
    path : Path
    force : bool
        Whether it is to be replaced.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError
    """
    if str(path) == STDOUT:
        return
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory. Give a file to write.")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"{path.parent}: no such directory. Make it, or write elsewhere."
        )
    if path.exists() and not force:
        raise FileExistsError(
            f"{path} exists. Give another file, or --force to replace it."
        )


def output_format(path: Path, to: str | None, keeps: bool, tokens: bool) -> str:
    """Return the format of features, once it is clear that it can be written.

    Parameters
    ----------
    path : Path
        "-" is stdout.
    to : str or None
        None goes by the name of the file.
    keeps : bool
        Whether columns are to be kept beside the features.
    tokens : bool
        Whether tokens are.

    Returns
    -------
    format : {"npy", "npz", "csv", "parquet"}

    Raises
    ------
    UsageError
        If the format is unknown, cannot keep columns or is none for a terminal.
    ImportError
        If the format needs a package.
    """
    to_stdout = str(path) == STDOUT
    found = to or ("csv" if to_stdout else path.suffix.lower().removeprefix("."))
    if found not in FEATURE_FORMATS:
        raise UsageError(
            f"{path}: features are written to "
            f"{', '.join(f'.{name}' for name in FEATURE_FORMATS)}. Give a name that "
            f"ends so, or --to."
        )
    if (keeps or tokens) and found in ("npy", "npz"):
        left_out = "--keep" if keeps else "--tokens"
        raise UsageError(
            f"{path}: {found} holds numbers alone. Leave out {left_out}, or write csv "
            f"or parquet."
        )
    if to_stdout and found != "csv" and sys.stdout.isatty():
        raise UsageError(
            f"{found} is nothing to read in a terminal. Give a file, pipe it, or write "
            f"csv."
        )
    if found == "parquet":
        import_pyarrow(path)
    return found


def output_of(
    format: str,
    table: Table,
    kept: Sequence[str],
    names: Sequence[str],
    tokens: bool = False,
) -> Output:
    """Return a format of features.

    Parameters
    ----------
    format : {"npy", "npz", "csv", "parquet"}
    table : Table
        Where the columns kept come from.
    kept : sequence of str
        Names of the columns kept.
    names : sequence of str
        Names of the features.
    tokens : bool, default=False
        Whether the columns `TOKEN_COLUMNS` follow those kept.

    Returns
    -------
    output : Output

    Raises
    ------
    ValueError
        If two columns would have the same name.
    """
    columns = [*kept, *(TOKEN_COLUMNS if tokens else ())]
    check_distinct(table, [*columns, *names])
    if format == "csv":
        return CsvOutput(columns, names)
    if format == "parquet":
        pa = import_pyarrow(table.path)
        types = kept_types(table, kept, pa)
        types += [pa.int64(), pa.int64(), pa.string()] if tokens else []
        return ParquetOutput(columns, types, names)
    return (NpzOutput if format == "npz" else NpyOutput)(len(names))


def check_distinct(table: Table, columns: Sequence[str]) -> None:
    """Raise if two columns of an output would have the same name.

    Parameters
    ----------
    table : Table
        Where those that are kept come from.
    columns : sequence of str

    Raises
    ------
    ValueError
    """
    twice = [name for name, n in Counter(columns).items() if n > 1]
    if twice:
        raise ValueError(
            f"{table.shown}: the column {twice[0]!r} would stand twice in the output. "
            f"Rename it, or keep it once."
        )
