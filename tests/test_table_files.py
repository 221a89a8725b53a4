"""Tables of every format, and what is said of those that cannot be read."""

import bz2
import gzip
import io
import json
import lzma
import re
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from skelmo.cli.messages import UsageError
from skelmo.cli.table_files import documents_in, n_rows_of, rows_of, table_of

TEXTS = ["A cat, sat.", 'He said "no"', "two\nlines", "Füße 数据 🙂", "NA", " x "]
IDS = ["1", "2", "003", "4", None, "6"]
PACK = {
    "": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress,
    ".GZ": gzip.compress,
}  # fmt: skip


def frame():
    return pd.DataFrame({"id": IDS, "text": TEXTS})


def content_of(name):
    if name == "jsonl":
        rows = zip(IDS, TEXTS, strict=True)
        lines = [json.dumps({"id": i, "text": t}, ensure_ascii=False) for i, t in rows]
        return "\n".join(lines).encode() + b"\n\n"
    return frame().to_csv(index=False, sep="\t" if name == "tsv" else ",").encode()


def read(path, wanted, size=4, format=None, header=True):
    table = table_of(str(path), format, header)
    parts = list(rows_of(table, wanted, size))
    names = parts[0].names
    assert all(part.names == names for part in parts)
    firsts = [part.first for part in parts]
    lengths = [len(part.values[0]) for part in parts]
    assert firsts == np.cumsum([1, *lengths[:-1]]).tolist()
    values = [sum((part.values[k] for part in parts), []) for k in range(len(names))]
    return names, values


def sure(message):
    return f"^{re.escape(message)}$"


@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl"])
def test_a_table_is_read_as_pandas_reads_it(tmp_path, format, pack):
    path = tmp_path / f"t.{format}{pack}"
    path.write_bytes(PACK[pack](content_of(format)))
    assert read(path, ["text", "id"]) == (["text", "id"], [TEXTS, IDS])


def test_parquet_is_read(tmp_path):
    path = tmp_path / "t.parquet"
    pytest.importorskip("pyarrow")
    frame().to_parquet(path)
    assert read(path, ["text", "id"]) == (["text", "id"], [TEXTS, IDS])
    assert n_rows_of(table_of(str(path), None)) == 6


def test_zst_is_read(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "t.csv.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(content_of("csv")))
    assert read(path, ["text"]) == (["text"], [TEXTS])


def test_zst_without_a_package_names_the_extra(tmp_path, monkeypatch):
    for name in ("compression.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "t.csv.zst"
    path.touch()
    message = (
        f"{path} is packed by zstd, which needs Python 3.14 or the package zstandard. "
        f"Install it with: pip install skelmo[zst]"
    )
    with pytest.raises(ImportError, match=sure(message)):
        table_of(str(path), None)


def test_parquet_without_a_package_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "t.parquet"
    path.touch()
    message = (
        f"{path} is a parquet file, which needs the package pyarrow. Install it with: "
        f"pip install skelmo[parquet]"
    )
    with pytest.raises(ImportError, match=sure(message)):
        table_of(str(path), None)


def test_lines_of_a_text_file_are_documents(tmp_path):
    path = tmp_path / "t.txt.gz"
    path.write_bytes(gzip.compress("\ufeffone\r\n\n Füße\u2028x \nlast".encode()))
    found = read(path, [None], size=3)
    assert found == (["text"], [["one", "", " Füße\u2028x ", "last"]])


def test_stdin_is_read(monkeypatch):
    stdin = SimpleNamespace(buffer=io.BytesIO(content_of("csv")))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert read("-", ["text"], format="csv") == (["text"], [TEXTS])


def test_columns_are_found_by_number(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("2,b,c\nx,y,z\n")
    # A name comes before a number.
    assert read(path, ["2", "3", "b"])[0] == ["2", "c", "b"]
    path.write_text("x,y\nu,\n")
    found = read(path, ["2", "1"], header=False)
    assert found == (["2", "1"], [["y", None], ["x", "u"]])


def test_the_only_column_needs_no_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('body\na\n""\nc\n')
    assert read(path, [None]) == (["body"], [["a", None, "c"]])


def test_a_table_without_rows_has_columns(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n")
    assert read(path, ["b"]) == (["b"], [[]])


def test_keys_that_a_json_object_lacks_are_missing(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a"}\n{"id": 2}\n{"text": null, "id": 3}\n')
    assert read(path, ["text", "id"])[1] == [["a", None, None], [None, 2, 3]]


WRONG = {
    "no column": (
        "a.csv", b"a,b\n1,2\n", "c", "{} has no column 'c'. It has 'a', 'b'.",
    ),
    "no number": (
        "a.csv", b"a,b\n1,2\n", "3", "{} has no column '3'. It has 'a', 'b'.",
    ),
    "which": (
        "a.csv", b"a,b\n1,2\n", None,
        "{} has 2 columns: 'a', 'b'. Choose one by --column.",
    ),
    "empty": ("a.csv", b"", "a", "{} is empty. Give a file of texts."),
    "fields": (
        "a.csv", b"a,b\n1,2\n1,2,3\n", "a",
        "{} cannot be read as csv: Error tokenizing data. C error: Expected 2 fields "
        "in line 3, saw 3. Mend the file, or give its --format.",
    ),
    "more fields": (
        "a.csv", b"a,b\n1,2,3\n", "a",
        "{} cannot be read as csv: rows have more fields than there are columns. Mend "
        "the file, or give its --format.",
    ),
    "csv in Latin 1": (
        "a.csv", b"a\n\xe9t\xe9\n", "a",
        "{} is not UTF-8 (invalid continuation byte). Convert it to UTF-8, as by "
        "iconv.",
    ),
    "text in Latin 1": (
        "a.txt", b"a\n\xe9t\xe9\n", None,
        "line 2 of {} is not UTF-8 (invalid continuation byte). Convert it to UTF-8, "
        "as by iconv.",
    ),
    "json": (
        "a.jsonl", b'{"a": "b"}\n{"a"\n', "a",
        "{}: line 2 is no JSON (Expecting ':' delimiter: line 1 column 5 (char 4)). "
        "Each line has to be an object.",
    ),
    "list": (
        "a.jsonl", b"[1]\n", "a",
        '{}: line 1 must be a JSON object, got [1]. Give one as {{"text": ...}} on '
        "each line.",
    ),
    "missing": (
        "a.csv", b"a,b\nx,1\n,2\n", "a",
        "{}: row 2 of column 'a' has no text. Fill it in, or give --missing empty.",
    ),
    "number": (
        "a.jsonl", b'{"a": "x"}\n{"a": 5}\n', "a",
        "{}: row 2 of column 'a' must be a text, got int 5. Give a column of texts.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(tmp_path, case):
    name, content, column, message = WRONG[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((ValueError, TypeError), match=sure(message.format(path))):
        list(documents_in(table_of(str(path), None), column))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
@pytest.mark.parametrize("format", ["txt", "csv"])
def test_a_damaged_file_is_named(tmp_path, format, suffix):
    path = tmp_path / f"a.{format}{suffix}"
    path.write_bytes(PACK[suffix](b"text\n" + bytes(range(65, 91)) * 999)[:-20])
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(path))} is no whole {suffix}"
    ):
        list(documents_in(table_of(str(path), None), None))


def test_a_damaged_parquet_file_is_named(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(path))} cannot be read as "
    ):
        list(documents_in(table_of(str(path), None), None))


@pytest.mark.parametrize(
    ("path", "format", "error", "message"),
    [
        ("-", None, UsageError,
         "stdin has no name to tell its format. Give --format."),
        ("-", "parquet", UsageError,
         "stdin: parquet is read from a file that is not packed. Save it to one."),
        ("{}/a.csv", None, FileNotFoundError,
         "{}/a.csv: no such file. Check the path."),
        ("{}", None, IsADirectoryError, "{} is a directory. Give a file of texts."),
        ("{}/there", None, UsageError,
         "{}/there: its name does not tell the format. Give --format csv, tsv, jsonl, "
         "parquet or txt."),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_a_table(tmp_path, path, format, error, message):
    (tmp_path / "there").touch()
    with pytest.raises(error, match=sure(message.format(tmp_path))):
        table_of(path.format(tmp_path), format)
