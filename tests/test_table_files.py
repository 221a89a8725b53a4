"""Tables of every format, and what is said of those that cannot be read."""

import bz2
import gzip
import io
import json
import lzma
import random
import re
import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from skelmo.cli.messages import UsageError
from skelmo.cli.options import TableOptions
from skelmo.cli.skipped_rows import SkippedRows
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


def table(path, format=None, header=True, separator=None, skipped=None):
    """Return a table; where there is a list of skipped rows, it is filled."""
    on_error = "error" if skipped is None else "skip"
    options = TableOptions(
        format=format, no_header=not header, separator=separator, on_error=on_error
    )
    return table_of(str(path), options, skipped)


def read(path, wanted, size=4, missing="empty", **options):
    parts = list(rows_of(table(path, **options), wanted, size, missing))
    names = parts[0].names
    assert all(part.names == names for part in parts)
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
    assert n_rows_of(table(path)) == 6


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
        table(path)


def test_parquet_without_a_package_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "t.parquet"
    path.touch()
    message = (
        f"{path} is a parquet file, which needs the package pyarrow. Install it with: "
        f"pip install skelmo[parquet]"
    )
    with pytest.raises(ImportError, match=sure(message)):
        table(path)


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


def test_rows_are_counted_where_they_can_be_read_twice(tmp_path, monkeypatch):
    for name in ("csv", "tsv", "jsonl"):
        path = tmp_path / f"t.{name}.gz"
        path.write_bytes(gzip.compress(content_of(name)))
        assert n_rows_of(table(path)) == 6
    (tmp_path / "t.txt").write_text("a\n\nb")
    assert n_rows_of(table(tmp_path / "t.txt")) == 3
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content_of("csv"))[:-9])
    assert n_rows_of(table(tmp_path / "t.csv.gz")) is None
    assert n_rows_of(table("-", format="csv")) is None


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_columns_are_separated_as_is_said(tmp_path, format, separator):
    path = tmp_path / f"t.{format}"
    path.write_bytes(frame().to_csv(index=False, sep=separator).encode())
    assert read(path, ["text", "id"], separator=separator) == (
        ["text", "id"],
        [TEXTS, IDS],
    )


def test_another_separator_in_the_name_of_the_only_column(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\nx;y\n")
    assert read(path, [None], separator=",") == (["a;b"], [["x;y"]])
    # Without names a line is nothing but text.
    assert read(path, [None], header=False) == (["1"], [["a;b", "x;y"]])


def test_odd_tables_are_read_as_pandas_reads_them(tmp_path):
    path = tmp_path / "t.csv"
    rng = random.Random(0)
    for _ in range(200):
        lines = ["a,a,,b"]
        for _ in range(rng.randrange(6)):
            fields = [
                "".join(rng.choices(' xé"\n\r', k=rng.randrange(5))) for _ in "1234"
            ]
            quoted = [
                f.strip('"\n\r')
                if rng.random() < 0.5 and '"' not in f.strip('"')
                else '"' + f.replace('"', '""') + '"'
                for f in fields[: rng.randrange(1, 5)]
            ]
            lines.append(",".join(f.replace("\n", "").replace("\r", "") if f[:1] != '"'
                                  else f for f in quoted))  # fmt: skip
        path.write_bytes(rng.choice(["\n", "\r\n"]).join(lines).encode())
        expected = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
        expected = expected.astype(object).where(expected.notna(), None)
        names, values = read(path, ["a", "a.1", "Unnamed: 2", "4"])
        assert names == expected.columns.tolist()
        assert values == [expected[name].tolist() for name in names], path.read_bytes()


def test_documents_may_be_long(tmp_path):
    path = tmp_path / "t.csv"
    text = "word " * 50_000
    path.write_text(f'a,b\n"{text}",1\n')
    assert read(path, ["a"])[1] == [[text]]


BROKEN = {
    "csv": (
        b'a,b\nx,1\n\ny,2,3\n,4\n"two\nlines",5\n\xff,6\nz,7\n"open,8\nlast,9\n',
        ["x", "two\nlines", "z", "last"],
        [
            (4, "has 3 fields, but there are 2 columns"),
            (5, "has no text in column 'a'"),
            (8, "is not UTF-8 (invalid start byte)"),
            (10, "opens a quote that is never closed"),
        ],
    ),
    "jsonl": (
        b'{"a": "x"}\n{"a"\n\n[1]\n{"a": 5}\n{"a": null}\n\xff\n{"a": "y"}\n',
        ["x", "y"],
        [
            (2, "is no JSON (Expecting ':' delimiter: line 1 column 5 (char 4))"),
            (4, "must be a JSON object, got [1]"),
            (5, "must have a text in column 'a', got int 5"),
            (6, "has no text in column 'a'"),
            (7, "is not UTF-8 (invalid start byte)"),
        ],
    ),
    "txt": (
        b"x\n\n\xe9t\xe9\ny",
        ["x", "", "y"],
        [(3, "is not UTF-8 (invalid continuation byte)")],
    ),
}


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("format", BROKEN)
def test_rows_that_cannot_be_read_are_passed_over(tmp_path, format, size):
    content, texts, rows = BROKEN[format]
    path = tmp_path / f"t.{format}"
    path.write_bytes(content)
    column, skipped = None if format == "txt" else "a", SkippedRows()
    given = {"size": size, "missing": "error", "skipped": skipped}
    assert read(path, [column], **given)[1] == [texts]
    # Missing texts are told of block by block.
    assert sorted(skipped.rows) == [(str(path), line, reason) for line, reason in rows]


def test_missing_texts_of_parquet_are_passed_over(tmp_path):
    pytest.importorskip("pyarrow")
    path, skipped = tmp_path / "t.parquet", SkippedRows()
    pd.DataFrame({"a": ["x", None, "y"]}).to_parquet(path)
    assert read(path, ["a"], missing="error", skipped=skipped)[1] == [["x", "y"]]
    assert skipped.rows == [(str(path), 2, "has no text in column 'a'")]


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
        "{}: line 3 has 3 fields, but there are 2 columns. Mend it, give another "
        "--separator, or pass over such rows by --on-error skip.",
    ),
    "more fields": (
        "a.csv", b"a,b\n1,2,3\n", "a",
        "{}: line 2 has 3 fields, but there are 2 columns. Mend it, give another "
        "--separator, or pass over such rows by --on-error skip.",
    ),
    "csv in Latin 1": (
        "a.csv", b"a\n\xe9t\xe9\n", "a",
        "{}: line 2 is not UTF-8 (invalid continuation byte). Convert it to UTF-8, as "
        "by iconv, or pass over such rows by --on-error skip.",
    ),
    "text in Latin 1": (
        "a.txt", b"a\n\xe9t\xe9\n", None,
        "{}: line 2 is not UTF-8 (invalid continuation byte). Convert it to UTF-8, as "
        "by iconv, or pass over such rows by --on-error skip.",
    ),
    "json": (
        "a.jsonl", b'{"a": "b"}\n{"a"\n', "a",
        "{}: line 2 is no JSON (Expecting ':' delimiter: line 1 column 5 (char 4)). "
        'Give one object as {{"text": ...}} on each line, or pass over such rows by '
        "--on-error skip.",
    ),
    "list": (
        "a.jsonl", b"[1]\n", "a",
        '{}: line 1 must be a JSON object, got [1]. Give one object as {{"text": ...}} '
        "on each line, or pass over such rows by --on-error skip.",
    ),
    "missing": (
        "a.csv", b"a,b\nx,1\n,2\n", "a",
        "{}: line 3 has no text in column 'a'. Fill it in, give --missing empty, or "
        "pass over such rows by --on-error skip.",
    ),
    "number": (
        "a.jsonl", b'{"a": "x"}\n{"a": 5}\n', "a",
        "{}: line 2 must have a text in column 'a', got int 5. Give a column of texts, "
        "or pass over such rows by --on-error skip.",
    ),
    "quote": (
        "a.csv", b'a,b\nx,1\n"y,2\nz,3\n', "a",
        "{}: line 3 opens a quote that is never closed. Close it, or pass over such "
        "rows by --on-error skip.",
    ),
    "semicolons": (
        "a.csv", b"a;b\n1;2\n", None,
        "{} has one column, 'a;b'. If its columns are separated otherwise, give "
        "--separator ';'; if that is the name of one column, --separator ','.",
    ),
    "tabs": (
        "a.csv", b"a\tb\n1\t2\n", "a",
        "{} has one column, 'a\\tb'. If its columns are separated otherwise, give "
        "--separator tab; if that is the name of one column, --separator ','.",
    ),
    "bars in tsv": (
        "a.tsv", b"a|b\n1|2\n", "a",
        "{} has one column, 'a|b'. If its columns are separated otherwise, give "
        "--separator '|'; if that is the name of one column, --separator tab.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(tmp_path, case):
    name, content, column, message = WRONG[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((ValueError, TypeError), match=sure(message.format(path))):
        list(documents_in(table(path), column))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
@pytest.mark.parametrize("format", ["txt", "csv"])
def test_a_damaged_file_is_named(tmp_path, format, suffix):
    path = tmp_path / f"a.{format}{suffix}"
    path.write_bytes(PACK[suffix](b"text\n" + bytes(range(65, 91)) * 999)[:-20])
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(path))} is no whole {suffix}"
    ):
        list(documents_in(table(path), None))


def test_a_damaged_parquet_file_is_named(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(path))} cannot be read as "
    ):
        list(documents_in(table(path), None))


def test_every_damage_of_a_parquet_file_is_told_in_one_way(tmp_path):
    pytest.importorskip("pyarrow")
    path, rng, told = tmp_path / "a.parquet", random.Random(0), []
    pd.DataFrame({"text": ["naïve", "我们"] * 20}).to_parquet(path)
    whole = path.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        n_rows_of(table(path))
        try:
            read(path, ["text"])
        except ValueError as error:
            told.append(str(error))
    assert len(told) > 60
    named = (f"{path} cannot be read as parquet: ", f"{path} has no column 'text'")
    assert [text for text in told if not text.startswith(named)] == []


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
        ("{}/a.txt", ";", UsageError,
         "{}/a.txt is read as txt, which has no separator. Leave out --separator, or "
         "give --format csv."),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_a_table(tmp_path, path, format, error, message):
    (tmp_path / "there").touch()
    (tmp_path / "a.txt").touch()
    given = {"separator": format} if format == ";" else {"format": format}
    with pytest.raises(error, match=sure(message.format(tmp_path))):
        table(path.format(tmp_path), **given)
