"""`skelmo encode` in this process: against `transform`, broken off, taken up."""

import csv
import inspect
import json
import random
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest

from skelmo import ElmoVectorizer
from skelmo.cli import arguments, main, outputs, parts
from skelmo.cli import encode as encode_command
from skelmo.cli.arguments import make_parser
from skelmo.encoding.pooling import POOLINGS

SUFFIXES = ("npy", "npz", "csv", "parquet")


def test_options_are_parameters_with_their_defaults():
    known = inspect.signature(ElmoVectorizer).parameters
    given = vars(make_parser().parse_args(["encode", "in.csv", "out.npy"]))
    assert given["model"] == known["language_model"].default
    for name in ("layers", "precision", "device", "missing"):
        assert given[name] == known[name].default, name
    assert tuple(given["pooling"]) == known["pooling"].default
    assert tuple(arguments.POOLINGS) == POOLINGS


@pytest.fixture(scope="module")
def table(texts, tmp_path_factory):
    """Return the path of a csv of 120 rows with texts that share words."""
    path = tmp_path_factory.mktemp("table") / "in.csv"
    ids = [f"no, {k}" for k in range(len(texts))]
    pd.DataFrame({"id": ids, "text": texts}).to_csv(path, index=False)
    return path


@pytest.fixture
def encode(model_path, table):
    """Return a function that runs the command; rows come in blocks of 25."""

    def encode(out, *options, source=table):
        given = ["--column", "text", "--batch", "25", "--model", model_path]
        return main(["encode", str(source), str(out), *given, *options])

    return encode


def expected(model, values, **parameters):
    vectorizer = ElmoVectorizer(language_model=model, cache=None, **parameters)
    return vectorizer.fit(["a"]).transform(values)


def test_a_script_never_read_is_warned_of_once(model_path, tmp_path, capsys):
    source = tmp_path / "in.txt"
    source.write_text("房间很干净。\n早餐不错！\n太差了\n", encoding="utf-8")
    given = ["--model", str(model_path), "--batch", "1"]
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as in a process of its own
        assert main(["encode", str(source), str(tmp_path / "out.npy"), *given]) == 0
    shown = capsys.readouterr().err
    assert shown.count("most of them Han, so that features say little.") == 1


def features_in(path):
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".npz":
        return np.load(path)["features"]
    read = pd.read_csv if path.suffix == ".csv" else pd.read_parquet
    return read(path).filter(like="elmo_").to_numpy(np.float32)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_features_are_those_of_transform(
    encode, model_path, texts, tmp_path, suffix, capsys
):
    out = tmp_path / f"out.{suffix}"
    assert encode(out, "--layers", "0,-1", "--pooling", "mean,max") == 0
    found = features_in(out)
    wanted = expected(model_path, texts, layers=[0, -1], pooling=["mean", "max"])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name]
    said, errors = capsys.readouterr()
    assert said.startswith(f"{out}: 120 rows, 64 features, 0.")
    assert errors == ""


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_names_and_kept_columns_stand_beside_features(encode, table, tmp_path, suffix):
    out = tmp_path / f"out.{suffix}"
    assert encode(out, "--keep", "text", "1") == 0
    found = (pd.read_csv if suffix == "csv" else pd.read_parquet)(out)
    assert found.columns[:3].tolist() == ["text", "id", "elmo_mean_layer0_forward_0"]
    pd.testing.assert_frame_equal(found[["id", "text"]], pd.read_csv(table))


def test_an_array_file_is_as_numpy_saves_it(encode, tmp_path):
    out, npz = tmp_path / "out.npy", tmp_path / "out.npz"
    assert encode(out) == encode(npz) == 0
    np.save(tmp_path / "saved.npy", np.load(out))
    assert out.read_bytes() == (tmp_path / "saved.npy").read_bytes()
    with zipfile.ZipFile(npz) as archive:
        assert archive.namelist() == ["features.npy"]
        assert archive.read("features.npy") == out.read_bytes()


def test_numbers_in_csv_are_the_float32_they_were(encode, tmp_path):
    assert encode(tmp_path / "a.npy") == encode(tmp_path / "a.csv") == 0
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = [[float(x) for x in row] for row in list(csv.reader(file))[1:]]
    np.testing.assert_array_equal(np.float32(rows), np.load(tmp_path / "a.npy"))


def test_parquet_keeps_types_and_blocks(encode, texts, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    days = pd.date_range("2020-01-01", periods=60)
    kinds = pd.Categorical(["a", "b"] * 30)
    frame = pd.DataFrame({"n": range(60), "day": days, "k": kinds, "text": texts[:60]})
    frame.to_parquet(source)
    assert encode(out, "--keep", "n", "day", "k", source=source) == 0
    file = parquet.ParquetFile(out)
    assert [str(file.schema_arrow.field(n).type) for n in ("n", "k")] == [
        "int64",
        str(parquet.read_schema(source).field("k").type.value_type),
    ]
    sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    assert sizes == [25, 25, 10]
    found = file.read().to_pandas()
    assert found["n"].tolist() == list(range(60))
    assert found["day"].tolist() == days.tolist()


@pytest.mark.parametrize("missing", ["empty", "nan"])
def test_missing_texts(encode, tmp_path, missing):
    source, out = tmp_path / "in.csv", tmp_path / "out.npy"
    source.write_text("text,b\nA cat.,1\n,2\nA dog.,3\n")
    assert encode(out, "--missing", missing, source=source) == 0
    row = np.load(out)[1]
    assert np.isnan(row).all() if missing == "nan" else not row.any()


def test_no_rows_give_an_empty_array(encode, tmp_path):
    for name, content in {"in.csv": "text\n", "in.jsonl": ""}.items():
        source, out = tmp_path / name, tmp_path / "out.npy"
        source.write_text(content)
        assert encode(out, "--force", source=source) == 0
        assert np.load(out).shape == (0, 96)


def broken_off(monkeypatch, after):
    """Let the command be interrupted when it has written so many blocks."""
    append, n_blocks = parts.PartFile.append, 0

    def wrapped(self, *given):
        nonlocal n_blocks
        append(self, *given)
        n_blocks += 1
        if n_blocks == after:
            # What a process that is killed may leave beyond its last whole block.
            self.file.seek(0, 2)
            self.file.write(b"half a block")
            self.file.flush()
            raise KeyboardInterrupt

    monkeypatch.setattr(parts.PartFile, "append", wrapped)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_taken_up_gives_the_same_bytes(encode, tmp_path, monkeypatch, suffix, capsys):
    whole, out = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    keep = ["--keep", "id"] if suffix in ("csv", "parquet") else []
    assert encode(whole, *keep) == 0
    for n_done in (50, 75):
        with monkeypatch.context() as patch:
            broken_off(patch, 2 if n_done == 50 else 1)
            assert encode(out, *keep) == 130
        assert not out.exists()
        record = json.loads((tmp_path / f"out.{suffix}.part.json").read_text())
        assert record["rows"] == n_done
        assert capsys.readouterr().err.endswith(
            f"skelmo: interrupted. {n_done} rows are in {out}.part; the same command "
            f"goes on from there.\n"
        )
    assert encode(out, *keep) == 0
    assert capsys.readouterr().err == (
        f"skelmo: going on after row 75, from {out}.part.\n"
    )
    assert out.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("*.part*"))


def test_broken_off_behind_the_last_row(encode, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    with monkeypatch.context() as patch:
        broken_off(patch, 5)
        assert encode(out) == 130
    assert encode(out) == encode(whole) == 0
    assert out.read_bytes() == whole.read_bytes()


def test_blocks_know_nothing_of_those_before(encode, tmp_path, monkeypatch):
    # Else the rows after the break would not have the bits they have without it.
    kept = []
    clear = encode_command.token_cache.clear_all
    monkeypatch.setattr(
        encode_command.token_cache, "clear_all", lambda: (kept.append(1), clear())
    )
    assert encode(tmp_path / "out.npy") == 0
    assert len(kept) == 5


CHANGES = {
    "an option": (["--layers", "top"], None),
    "the block size": (["--batch", "30"], None),
    "a text that is done": ([], lambda lines: [lines[0], "x,other", *lines[2:]]),
    "fewer rows": ([], lambda lines: lines[:30]),
}


@pytest.mark.parametrize("case", CHANGES)
def test_changed_it_starts_anew(encode, table, tmp_path, monkeypatch, case, capsys):
    options, edit = CHANGES[case]
    source, out, whole = (tmp_path / n for n in ("in.csv", "out.npy", "whole.npy"))
    lines = table.read_text().splitlines()
    source.write_text("\n".join(lines))
    with monkeypatch.context() as patch:
        broken_off(patch, 2)
        assert encode(out, source=source) == 130
    if edit:
        source.write_text("\n".join(edit(lines)))
    capsys.readouterr()
    assert encode(out, *options, source=source) == 0
    what = f"{source} has changed" if edit else "model or options have changed"
    assert capsys.readouterr().err == f"skelmo: {what}: {out}.part starts anew.\n"
    assert encode(whole, *options, source=source) == 0
    assert out.read_bytes() == whole.read_bytes()


def test_rows_added_at_the_end_are_taken_up(
    encode, table, tmp_path, monkeypatch, capsys
):
    source, out, whole = (tmp_path / n for n in ("in.csv", "out.npy", "whole.npy"))
    lines = table.read_text().splitlines()
    source.write_text("\n".join(lines[:80]))
    with monkeypatch.context() as patch:
        broken_off(patch, 3)
        assert encode(out, source=source) == 130
    source.write_text("\n".join(lines))
    assert encode(out, source=source) == encode(whole, source=source) == 0
    assert "going on after row 75" in capsys.readouterr().err
    assert out.read_bytes() == whole.read_bytes()


def test_a_damaged_part_starts_anew(encode, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole.npy", tmp_path / "out.npy"
    part, record = tmp_path / "out.npy.part", tmp_path / "out.npy.part.json"
    assert encode(whole) == 0
    for damage in (lambda: part.write_bytes(b"x"), lambda: record.write_text("{"),
                   part.unlink, record.unlink):  # fmt: skip
        with monkeypatch.context() as patch:
            broken_off(patch, 2)
            assert encode(out) == 130
        damage()
        assert encode(out) == 0
        assert out.read_bytes() == whole.read_bytes()
        out.unlink()


def test_an_old_file_stays_until_the_new_one_is_whole(encode, tmp_path, monkeypatch):
    out = tmp_path / "out.npy"
    out.write_bytes(b"old")
    with monkeypatch.context() as patch:
        broken_off(patch, 2)
        assert encode(out, "--force") == 130
    assert out.read_bytes() == b"old"
    assert encode(out, "--force") == 0
    assert np.load(out).shape == (120, 96)


def test_a_failed_last_step_can_be_repeated(encode, tmp_path, monkeypatch, capsys):
    whole, out = tmp_path / "whole.npz", tmp_path / "out.npz"
    assert encode(whole) == 0
    with monkeypatch.context() as patch:

        def fail(source, target, length):
            target.write(b"some")
            raise OSError(28, "No space left on device", str(out))

        patch.setattr(outputs.shutil, "copyfileobj", fail)
        assert encode(out) == 1
    assert capsys.readouterr().err.endswith(
        f"skelmo: error: {out}: No space left on device. Free space on the disk, "
        f"or give another path. 120 rows are in {out}.part; the same command goes on "
        f"from there.\n"
    )
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["out.npz.part", "out.npz.part.json", "whole.npz"]
    assert encode(out) == 0
    assert out.read_bytes() == whole.read_bytes()


def test_two_processes_do_not_write_one_file(tmp_path):
    pytest.importorskip("fcntl")
    target = tmp_path / "out.npy"
    message = (
        f"^{target}.part is being written by another process. Wait for its end, or "
        f"write another file.$"
    )
    with (
        parts.PartFile(target, "a"),
        pytest.raises(BlockingIOError, match=message),
        parts.PartFile(target, "a"),
    ):
        pass


def test_what_is_on_the_disk_counts(tmp_path):
    target = tmp_path / "out.npy"
    with parts.PartFile(target, "a") as part:
        part.begin(b"head")
        part.append(b"rows", 2, "content")
        part.n_rows = 0  # as if Ctrl-C had come before they were counted
        assert part.n_rows_kept() == 2
    with parts.PartFile(target, "a") as part:
        assert (part.n_rows, part.n_bytes, part.content) == (2, 8, "content")


def test_a_part_is_kept_until_other_rows_are_there(tmp_path):
    target = tmp_path / "out.npy"
    with parts.PartFile(target, "a") as part:
        part.begin(b"head")
        part.append(b"rows", 2, "content")
    with parts.PartFile(target, "b") as part:
        assert part.is_foreign
    with parts.PartFile(target, "a") as part:
        assert part.n_rows == 2
        part.forget()
    assert not list(tmp_path.iterdir())


def test_a_wrong_row_keeps_those_before(encode, table, tmp_path, capsys):
    source, out = tmp_path / "in.csv", tmp_path / "out.npy"
    lines = table.read_text().splitlines()
    source.write_text("\n".join([*lines[:60], "x,", *lines[60:]]))
    assert encode(out, source=source) == 1
    assert capsys.readouterr().err == (
        f"skelmo: error: {source}: line 61 has no text in column 'text'. Fill it in, "
        f"give --missing empty, or pass over such rows by --on-error skip. 50 rows are "
        f"in {out}.part; the same command goes on from there.\n"
    )
    source.write_text("\n".join([*lines[:60], "x,y", *lines[60:]]))
    assert encode(out, source=source) == 0
    assert "going on after row 50" in capsys.readouterr().err
    assert len(np.load(out)) == 121


def test_long_tokens_are_warned_of_once(encode, tmp_path, capsys, recwarn):
    import warnings

    source, out = tmp_path / "in.csv", tmp_path / "out.npy"
    rng = random.Random(0)
    words = ["".join(rng.choices("abc", k=60)) for _ in range(60)]
    source.write_text("text\n" + "\n".join(words))
    warnings.simplefilter("default")
    assert encode(out, source=source) == 0
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(
        "skelmo: warning: ElmoVectorizer: 25 tokens in 25 documents "
    )
