"""The command line as a process: all commands, signals and closed pipes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.cli import main

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
ENVIRONMENT.pop("PYTHONUNBUFFERED", None)  # a buffer is flushed into the closed pipe
TINY = [
    "--hidden-size", "16", "--proj-size", "8", "--set", "char_embedding_dim=4",
    "--set", "filters=((1, 4), (2, 4))", "--max-epochs", "2",
]  # fmt: skip
# A package that imports nothing, so that only what the command imports is there.
LIGHT = """
import sys, types
from pathlib import Path
package = types.ModuleType("skelmo")
package.__path__ = [sys.argv.pop(1)]
sys.modules["skelmo"] = package
from skelmo.cli import main
code = main()
found = {"torch", "sklearn", "pandas", "numpy"} & set(sys.modules)
sys.exit(f"imported {found}" if found else code)
"""


def skelmo(*arguments, **options):
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "skelmo", *map(str, arguments)], env=ENVIRONMENT,
        capture_output=True, timeout=120, **options,
    )  # fmt: skip


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "skelmo", *map(str, arguments)], env=ENVIRONMENT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for(child, condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_every_command_runs(corpus_path, texts, tmp_path):
    model, page = tmp_path / "model", tmp_path / "page.html"
    done = skelmo("train", corpus_path, "--out", model, *TINY)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(f"{model}: 2 layers of 16/8, ".encode())

    done = skelmo("evaluate", model, corpus_path, "--json")
    expected = ElmoLanguageModel.load(model).perplexity(texts).mean
    assert json.loads(done.stdout)["perplexity"] == pytest.approx(expected, rel=1e-6)

    done = skelmo("convert", model, tmp_path / "half", "--dtype", "float16")
    assert (done.returncode, done.stderr) == (0, b"")

    done = skelmo("info", tmp_path / "half")
    assert b"2 layers of 16/8" in done.stdout

    lines = "".join(json.dumps({"t": text}) + "\n" for text in texts).encode()
    out = tmp_path / "out.npy"
    done = skelmo(
        "encode", "-", out, "--format", "jsonl", "--model", model, input=lines
    )
    assert (done.returncode, done.stderr) == (0, b"")
    vectorizer = ElmoVectorizer(language_model=str(model)).fit(["a"])
    np.testing.assert_allclose(
        np.load(out), vectorizer.transform(texts), rtol=0, atol=1e-5
    )

    content = Path(corpus_path).read_bytes()
    done = skelmo("inspect", "-", "--format", "txt", input=content)
    assert re.match(rb"documents +120\n", done.stdout)

    table = tmp_path / "in.csv"
    labels = ["a" if " cat" in text else "b" for text in texts]
    pd.DataFrame({"t": texts, "y": labels}).to_csv(table, index=False)
    command = ["compare", table, "--text", "t", "--label", "y", "--folds", "2"]
    done = skelmo(*command, "--representations", "tfidf", "--all-labels", "--out", page)
    assert (done.returncode, done.stderr) == (0, b"")
    assert page.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["encode", "--help"], 0), (["encode"], 2), (["nothing"], 2)],
)
def test_help_and_wrong_lines_import_nothing_heavy(arguments, code):
    import skelmo as package

    command = [sys.executable, "-c", LIGHT, package.__path__[0], *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode == code, done.stderr
    assert done.stderr.count(b"\n") == (code == 2)


def test_a_missing_file_and_bad_input(tmp_path, model_path):
    done = skelmo("inspect", tmp_path / "no.csv")
    message = f"skelmo: error: {tmp_path}/no.csv: no such file. Check the path.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", message.encode())
    out = tmp_path / "out.npy"
    given = ["--model", model_path, "--format", "csv", "--column", "text"]
    done = skelmo("encode", "-", out, *given, input=b"text\na\n\xff\n")
    assert done.returncode == 1
    assert done.stderr == (
        b"skelmo: error: stdin is not UTF-8 (invalid start byte). Convert it to UTF-8, "
        b"as by iconv.\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_closed_pipe_ends_it_quietly(corpus_path):
    child = started("inspect", corpus_path)
    child.stdout.close()
    assert child.wait(120) == 141
    assert child.stderr.read() == b""
    child.stderr.close()


@pytest.fixture(scope="module")
def long_table(texts, tmp_path_factory):
    """Return the path of a csv that takes a while in little blocks."""
    path = tmp_path_factory.mktemp("table") / "in.csv"
    rows = [f"{text} {k}" for k in range(20) for text in texts]
    pd.DataFrame({"id": range(len(rows)), "text": rows}).to_csv(path, index=False)
    return path


def test_killed_and_interrupted_it_ends_with_the_same_bytes(
    long_table, model_path, tmp_path, capsys
):
    out, whole = tmp_path / "out.csv", tmp_path / "whole.csv"
    record = tmp_path / "out.csv.part.json"

    def command(target):
        given = ["--column", "text", "--batch", "40", "--threads", "1"]
        return ["encode", long_table, target, "--model", model_path, *given]

    def n_rows():
        return json.loads(record.read_text())["rows"] if record.exists() else 0

    child = started(*command(out))
    wait_for(child, lambda: n_rows() >= 200)
    child.kill()
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    killed_at = n_rows()
    assert 200 <= killed_at < 2400

    child = started(*command(out))
    wait_for(child, lambda: n_rows() >= killed_at + 400)
    child.send_signal(signal.SIGINT)
    said = child.communicate()[1].decode().splitlines()
    assert child.returncode == 130
    stopped_at = n_rows()
    assert said == [
        f"skelmo: going on after row {killed_at:,}, from {out}.part.",
        f"skelmo: interrupted. {stopped_at:,} rows are in {out}.part; the same command "
        f"goes on from there.",
    ]
    assert main(list(map(str, command(out)))) == 0
    assert f"going on after row {stopped_at:,}" in capsys.readouterr().err
    assert main(list(map(str, command(whole)))) == 0
    assert out.read_bytes() == whole.read_bytes()


def test_training_interrupted_goes_on(corpus_path, texts, tiny, tmp_path):
    out = tmp_path / "model"
    command = ["train", corpus_path, "--out", out, *TINY[:-1], "4"]
    command += ["--batch-tokens", "64", "--set", "early_stopping=False"]
    child = started(*command, "--checkpoint-every", "0.000001")
    wait_for(child, lambda: list(tmp_path.glob("*/*/step-*[1-9]?.checkpoint")))
    child.send_signal(signal.SIGINT)
    said = child.communicate()[1].decode()
    assert child.returncode == 130
    assert re.fullmatch(
        rf"skelmo: interrupted\. The checkpoint of step \d+ is in "
        rf"{re.escape(str(out))}\.checkpoints; the same command goes on from there\.\n",
        said,
    )
    assert main(list(map(str, command))) == 0
    parameters = {**tiny, "max_epochs": 4, "batch_tokens": 64, "early_stopping": False}
    expected = ElmoLanguageModel(**parameters).fit(texts).network_.state_dict()
    found = ElmoLanguageModel.load(out).network_.state_dict()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name].numpy(), tensor.numpy(), err_msg=name)
