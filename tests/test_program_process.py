"""The command line as a process: signals, pipes, and what it imports."""

import json
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from child_processes import started, wait_for

from skelmo import ElmoVectorizer
from skelmo.cli import main

TINY = [
    "--hidden-size", "16", "--proj-size", "8", "--set", "char_embedding_dim=4",
    "--set", "filters=((1, 4), (2, 4))", "--max-epochs", "2",
]  # fmt: skip
# A package that imports nothing, so that only what the command imports is there.
LIGHT = """
import sys, types
package = types.ModuleType("skelmo")
package.__path__ = [sys.argv.pop(1)]
sys.modules["skelmo"] = package
from skelmo.cli import main
code = main()
found = {"torch", "sklearn", "pandas", "numpy"} & set(sys.modules)
sys.exit(f"imported {found}" if found else code)
"""


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


def test_rows_stream_through_pipes_until_one_closes(texts, model_path):
    given = ["--format", "jsonl", "--model", model_path, "--batch", "40"]
    child = started("encode", "-", "-", *given, stdin=subprocess.PIPE)
    lines = [json.dumps({"t": text}).encode() + b"\n" for text in texts]
    child.stdin.writelines(lines[:40])
    child.stdin.flush()
    child.stdin.writelines(lines[40:80])
    child.stdin.flush()  # what is read ahead of a block
    rows = [child.stdout.readline() for _ in range(41)]
    vectorizer = ElmoVectorizer(language_model=model_path, cache=None).fit(["a"])
    assert rows[0].decode().split(",")[0] == vectorizer.get_feature_names_out()[0]
    np.testing.assert_allclose(
        np.loadtxt(rows[1:], delimiter=","), vectorizer.transform(texts[:40]),
        rtol=0, atol=1e-5,
    )  # fmt: skip
    child.stdout.close()
    child.stdin.writelines(lines[80:])
    child.stdin.close()
    assert child.wait(120) == 141
    assert child.stderr.read() == b""
    child.stderr.close()


@pytest.fixture(scope="module")
def long_table(texts, tmp_path_factory):
    """Return the path of a csv that takes a while in little blocks."""
    path = tmp_path_factory.mktemp("table") / "in.csv"
    rows = [f"{text} {k}" for k in range(10) for text in texts]
    pd.DataFrame({"id": range(len(rows)), "text": rows}).to_csv(path, index=False)
    return path


@pytest.mark.slow
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
    wait_for(child, lambda: n_rows() >= 80)
    child.kill()
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    killed_at = n_rows()
    assert 80 <= killed_at < 1200

    child = started(*command(out))
    wait_for(child, lambda: n_rows() >= killed_at + 160)
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


@pytest.mark.slow
def test_training_interrupted_says_how_it_goes_on(corpus_path, tmp_path):
    out = tmp_path / "model"
    command = ["train", corpus_path, "--out", out, *TINY, "--batch-tokens", "16"]
    child = started(*command, "--checkpoint-every", "0.000001")
    wait_for(child, lambda: list(tmp_path.glob("*/*/step-*.checkpoint")))
    child.send_signal(signal.SIGINT)
    said = child.communicate()[1].decode()
    assert child.returncode == 130
    steps = [int(path.stem[5:]) for path in tmp_path.glob("*/*/step-*.checkpoint")]
    assert said == (
        f"skelmo: interrupted. The checkpoint of step {max(steps):,} is in "
        f"{out}.checkpoints; the same command goes on from there.\n"
    )
