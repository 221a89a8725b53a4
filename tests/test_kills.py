"""A few kills of benchmarks/kills.py, and its full disk, run as its reader runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "kills.py"
if not SCRIPT.is_file() or not hasattr(os, "fork"):
    pytest.skip("needs the benchmarks, and fork", allow_module_level=True)

SCENES = {
    "training": "runs ended with the bits of the unbroken one",
    "cache writes": "4 processes at a time; all rows right, the database sound",
    "saving a model": "the old or the new, whole; of both kinds: ",
    "exporting a model": "the old or the new, whole; of both kinds: ",
    "saving vectors": "the old or the new, whole; of both kinds: ",
    "full disk": "each writer is refused by path, the old is there, training goes on",
    "permission denied": "each writer is refused by path, the old is there",
}
ONCE = ("full disk", "permission denied")


@pytest.mark.slow
@pytest.mark.parametrize(("scene", "seen"), SCENES.items(), ids=SCENES.keys())
def test_what_is_killed_leaves_nothing_wrong(scene, seen):
    command = [sys.executable, str(SCRIPT), "--scene", scene]
    command += [] if scene in ONCE else ["--kills", "2"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{scene} {1 if scene in ONCE else 2} " in ended.stdout
    assert seen in ended.stdout
