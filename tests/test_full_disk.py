"""Disks that are full or closed: each writer names the path, and what is kept."""

import os
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from skelmo.cli import compare, convert, encode, main, train  # noqa: F401

resource = pytest.importorskip("resource")
NO_ROOM = "Free space on the disk, or give another path."
FULL = f"File too large. {NO_ROOM}"
CLOSED = "Permission denied. Change the permissions, or give another path."
TRAIN = [
    "--hidden-size", "8", "--proj-size", "4", "--set", "char_embedding_dim=4",
    "--set", "filters=((1, 4),)", "--max-epochs", "1",
]  # fmt: skip


@contextmanager
def room(n_bytes):
    """Let no file grow beyond so many bytes; Python ignores the signal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def place(corpus_path, model_path, texts, monkeypatch):
    """Return a function that runs a command as somebody who may only write `open`."""
    root = Path(tempfile.mkdtemp())
    shutil.copytree(model_path, root / "model")
    shutil.copy(corpus_path, root / "corpus.txt")
    pd.DataFrame({"t": texts, "y": texts}).to_csv(root / "in.csv", index=False)
    page = SimpleNamespace(to_html=lambda: "page " * 2000, summary=lambda: "")
    monkeypatch.setattr(compare, "compare", lambda *given, **named: page)
    for name, mode in (("open", 0o777), ("closed", 0o555)):
        (root / name).mkdir()
        (root / name).chmod(mode)
    for path in [root, *root.rglob("*")]:
        if path.parent.name != "closed" and path.name not in ("open", "closed"):
            path.chmod(0o755)
    monkeypatch.chdir(root)

    def run(*arguments, denied=False):
        is_root = denied and os.geteuid() == 0
        if is_root:  # whom nothing is denied
            "".encode("utf-8-sig")  # its module may be out of reach then
            os.seteuid(65534)
        try:
            return main(list(map(str, arguments)))
        finally:
            if is_root:
                os.seteuid(0)

    yield run
    monkeypatch.undo()
    shutil.rmtree(root)


ENCODE = ["--model", "model", "--batch", "25", "--layers", "top", "--pooling", "mean"]
COMMANDS = {
    **{
        suffix: ["encode", "corpus.txt", f"{{}}/out.{suffix}", *ENCODE]
        for suffix in ("npy", "npz", "csv", "parquet")
    },
    "train": ["train", "corpus.txt", "--out", "{}/out", *TRAIN],
    "skelmo": ["convert", "model", "{}/out"],
    "allennlp": ["convert", "model", "{}/out", "--to", "allennlp"],
    "page": [
        "compare", "in.csv", "--text", "t", "--label", "y", "--representations",
        "tfidf", "--folds", "2", "--all-labels", "--out", "{}/out.html",
    ],
}  # fmt: skip


def command_of(case, directory):
    return [word.format(directory) for word in COMMANDS[case]]


@pytest.mark.parametrize("case", COMMANDS)
def test_a_closed_directory_is_named(place, capsys, case):
    assert place(*command_of(case, "closed"), denied=True) == 1
    out, said = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(
        rf"skelmo: error: closed/\S+: {re.escape(CLOSED)}( [\w -]+\.)*\n", said
    )
    assert "tmp" not in said
    assert not list(Path("closed").iterdir())


# Bytes that a file may have, which file is too long, and what is kept of it.
SHORT = {
    "npy": (5000, "out.npy.part", "75 rows are in"),
    "npz": (7850, "out.npz", "120 rows are in"),
    "csv": (8000, "out.csv.part", r"\d\d rows are in"),
    "parquet": (12_000, "out.parquet.part", r"\d+ rows are in"),
    "train": (3000, r"out/weights-\w+\.safetensors", "There was no checkpoint yet."),
    "skelmo": (5000, r"out/weights-\w+\.safetensors", ""),
    "allennlp": (5000, "out/weights.hdf5", ""),
    "page": (5000, "out.html", "Without --cache no result is kept."),
}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("case", SHORT)
def test_a_full_disk_is_named_with_what_is_kept(place, capsys, case):
    n_bytes, path, kept = SHORT[case]
    with room(n_bytes):
        assert place(*command_of(case, "open")) == 1
    out, said = capsys.readouterr()
    assert out == ""
    # Training goes on without checkpoints, to a model that has no room either.
    *warned, said = said.splitlines()
    assert len(warned) == (case == "train")
    assert all("The checkpoint after step 5 could not be" in line for line in warned)
    assert re.match(rf"skelmo: error: open/{path}: {re.escape(FULL)} ?{kept}", said), (
        said
    )
    left = [p.name for p in Path("open").rglob("*") if p.is_file()]
    assert not [name for name in left if "tmp" in name or name.endswith(".whole")], left
    # With room it is done, from where it was.
    assert place(*command_of(case, "open")) == 0
    found = capsys.readouterr().err
    assert ("going on after row" in found) == ("rows are in" in kept)


def test_rows_kept_by_a_full_disk_are_those_of_a_roomy_one(place, capsys):
    assert place(*command_of("csv", "open")) == 0
    whole = Path("open/out.csv").read_bytes()
    Path("open/out.csv").unlink()
    for n_bytes in range(6000, len(whole), 4000):
        with room(n_bytes):
            assert place(*command_of("csv", "open")) == 1
        said = capsys.readouterr().err
        n_rows = int(re.search(r"(\d+) rows are in", said)[1])
        part = Path("open/out.csv.part").read_bytes()
        lines = whole.splitlines(keepends=True)
        assert part.startswith(b"".join(lines[: 1 + n_rows]))
    assert place(*command_of("csv", "open")) == 0
    assert Path("open/out.csv").read_bytes() == whole


def test_a_model_that_cannot_be_saved_is_in_a_checkpoint(place, capsys, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device", "open/out/weights.safetensors")

    with monkeypatch.context() as patch:
        patch.setattr(train.ElmoLanguageModel, "save", full)
        assert place(*command_of("train", "open")) == 1
    assert re.fullmatch(
        r"skelmo: error: open/out/weights\.safetensors: No space left on device\. The "
        r"checkpoint of step \d+ is in open/out\.checkpoints; the same command goes on "
        r"from there\.\n",
        capsys.readouterr().err,
    )
    assert place(*command_of("train", "open")) == 0


@pytest.mark.parametrize("command", ["encode", "inspect"])
def test_a_full_stdout_is_named(place, monkeypatch, capsys, command):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    given = {"encode": ["-", *ENCODE], "inspect": []}[command]
    kept = {"encode": " 0 rows went to stdout.", "inspect": ""}[command]
    with Path("/dev/full").open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        assert place(command, "corpus.txt", *given) == 1
    assert capsys.readouterr().err == (
        f"skelmo: error: stdout: No space left on device. {NO_ROOM}{kept}\n"
    )


def test_a_list_of_skipped_rows_needs_room_too(place, capsys, monkeypatch):
    source = Path("open/in.csv")
    rows = "".join("a,b\n" for _ in range(400))
    source.write_text(f"text\nA cat.\n{rows}")
    command = ["encode", source, "open/a.npy", *ENCODE, "--on-error", "skip"]
    with room(3000):
        assert place(*command) == 1
    assert capsys.readouterr().err == (
        f"skelmo: error: open/a.npy.skipped.csv: {FULL} 1 row is in open/a.npy.part; "
        f"the same command goes on from there.\n"
    )
    assert not Path("open/a.npy").exists()
    assert place(*command) == 0
    assert len(pd.read_csv("open/a.npy.skipped.csv")) == 400
    assert np.load("open/a.npy").shape[0] == 1
