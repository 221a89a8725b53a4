"""`skelmo train` in several processes, started by torchrun."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from child_processes import wait_for
from rank_processes import environment

from skelmo import ElmoLanguageModel
from skelmo.cli import main

TINY = [
    "--hidden-size", "16", "--proj-size", "8", "--set", "char_embedding_dim=4",
    "--set", "filters=((1, 4), (2, 4))", "--dropout", "0",
]  # fmt: skip


def started(*arguments, **options):
    """Start two processes by torchrun."""
    ours = {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
    given = {k: v for k, v in environment(0, 1, 0).items() if k not in ours}
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run"]
    command += ["--standalone", "--nproc-per-node", "2", "-m", "skelmo", "train"]
    return subprocess.Popen(
        [*command, *map(str, arguments)], env=given, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def weights(path):
    network = ElmoLanguageModel.load(path).network_
    return {name: array.numpy() for name, array in network.state_dict().items()}


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_ends_as_that_of_one_process(
    corpus_path, tmp_path, capsys
):
    alone, out = tmp_path / "alone", tmp_path / "together"
    options = [*TINY, "--max-epochs", "15", "--batch-tokens"]
    assert main(["train", corpus_path, "--out", str(alone), *options, "256"]) == 0
    expected = capsys.readouterr().out
    command = [corpus_path, "--out", out, *options, "128"]
    child = started(*command)
    wait_for(child, lambda: list(tmp_path.glob("together.checkpoints/*/*.checkpoint")))
    child.send_signal(signal.SIGINT)
    said, errors = child.communicate(timeout=120)
    assert said == ""
    assert not out.exists()
    told = re.findall(r"^skelmo: .*$", errors, re.MULTILINE)
    assert len(told) == 1, errors
    assert re.fullmatch(
        rf"skelmo: interrupted\. The checkpoint of step \d+ is in "
        rf"{re.escape(str(out))}\.checkpoints; the same command goes on from there\.",
        told[0],
    )
    child = started(*command)
    said, errors = child.communicate(timeout=240)
    assert child.returncode == 0, errors
    lines, others = (
        text.replace(str(out), str(alone)).splitlines() for text in (said, expected)
    )
    assert len(lines) == 3
    assert (lines[0], lines[2]) == (others[0], others[2])  # line 1 tells the time
    assert "skelmo:" not in errors
    found = weights(out)
    for name, array in weights(alone).items():
        np.testing.assert_allclose(found[name], array, atol=1e-4, rtol=0, err_msg=name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "together"]


def test_stdin_is_not_shared(tmp_path, monkeypatch, capsys):
    for name, value in environment(1, 2, 0).items():
        if name in ("RANK", "WORLD_SIZE"):
            monkeypatch.setenv(name, value)
    assert os.environ["RANK"] == "1"
    assert main(["train", "-", "--format", "txt", "--out", str(tmp_path / "m")]) == 2
    assert capsys.readouterr().err == (
        "skelmo: error: stdin can be read by one process only, and several train "
        "together. Name a file.\n"
    )
