"""The files of checkpoints and the names of runs; see test_resume.py for their use."""

import hashlib
import json
import logging
import math
import os
import re
import stat
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_safetensors
from tiny_models import Killed, kill_at

from skelmo.models.history import EpochRecord
from skelmo.training.checkpoint import Checkpoint, Checkpointer, run_hash
from skelmo.training.state import TrainingState


def checkpoint_of(seed):
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        "model/a": torch.randn(3, 2, generator=generator),
        "optimizer/0.step": torch.tensor(float(seed)),
        "empty": torch.zeros(0, 4),
        "nan": torch.tensor([math.nan, math.inf]),
    }
    return Checkpoint(tensors, {"step": seed, "best": math.inf, "x": [0.1, "é"]})


def assert_same(got, expected):
    assert got.state == expected.state
    assert got.tensors.keys() == expected.tensors.keys()
    for name, tensor in expected.tensors.items():
        assert got.tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(got.tensors[name], tensor, err_msg=name)


@pytest.fixture
def checkpointer(tmp_path):
    return Checkpointer(tmp_path / "new" / "root", "abc")


def test_what_is_written_is_read(checkpointer):
    assert checkpointer.read() is None
    checkpointer.write(checkpoint_of(1), 7)
    assert_same(checkpointer.read(), checkpoint_of(1))
    assert [p.name for p in checkpointer.directory.iterdir()] == [
        "step-0000000007.checkpoint"
    ]


def test_the_newest_is_read_and_two_are_kept(checkpointer):
    for step in (9, 10, 100, 99_999, 100_000):
        checkpointer.write(checkpoint_of(step), step)
        assert_same(checkpointer.read(), checkpoint_of(step))
    assert sorted(p.name for p in checkpointer.directory.iterdir()) == [
        "step-0000099999.checkpoint", "step-0000100000.checkpoint",
    ]  # fmt: skip


def test_a_step_written_again_is_replaced(checkpointer):
    checkpointer.write(checkpoint_of(1), 5)
    checkpointer.write(checkpoint_of(2), 5)
    assert_same(checkpointer.read(), checkpoint_of(2))
    assert len(list(checkpointer.directory.iterdir())) == 1


def test_a_file_is_safetensors_and_its_sum(checkpointer):
    checkpointer.write(checkpoint_of(3), 3)
    (path,) = checkpointer.directory.iterdir()
    tensors = load_safetensors(path.read_bytes()[:-32])
    assert_same(Checkpoint(tensors, checkpoint_of(3).state), checkpoint_of(3))


def test_each_byte_matters(checkpointer):
    checkpointer.write(checkpoint_of(1), 1)
    (path,) = checkpointer.directory.iterdir()
    content = path.read_bytes()
    for place in range(0, len(content), 23):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        assert checkpointer.read() is None
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        assert checkpointer.read() is None
    path.write_bytes(content)
    assert_same(checkpointer.read(), checkpoint_of(1))


def test_a_foreign_file_with_a_right_sum_is_damaged(checkpointer, caplog):
    checkpointer.write(checkpoint_of(1), 1)
    path = checkpointer.directory / "step-0000000002.checkpoint"
    for body in (b"", b"no safetensors", struct.pack("<Q", 2) + b"[]"):
        path.write_bytes(body + hashlib.sha256(body).digest())
        with caplog.at_level(logging.WARNING, logger="skelmo"):
            assert_same(checkpointer.read(), checkpoint_of(1))
        assert not path.exists()
    assert len(caplog.records) == 3


@pytest.mark.parametrize("step", [0, 1])
def test_a_process_killed_while_writing_leaves_the_old(checkpointer, monkeypatch, step):
    checkpointer.write(checkpoint_of(1), 1)
    with monkeypatch.context() as patch:
        kill_at(patch, step)
        with pytest.raises(Killed, match="^the process was killed$"):
            checkpointer.write(checkpoint_of(2), 2)
    assert_same(checkpointer.read(), checkpoint_of(1))
    checkpointer.write(checkpoint_of(2), 2)
    assert_same(checkpointer.read(), checkpoint_of(2))


@pytest.mark.skipif(os.name == "nt", reason="needs permissions of POSIX")
def test_who_may_read_a_directory_may_read_its_checkpoints(checkpointer):
    old = os.umask(0o027)
    try:
        checkpointer.write(checkpoint_of(1), 1)
    finally:
        os.umask(old)
    (path,) = checkpointer.directory.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_full_disk_leaves_no_rubbish(checkpointer, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    checkpointer.write(checkpoint_of(1), 1)
    path = checkpointer.directory / "step-0000000002.checkpoint"
    said = f"[Errno 28] No space left on device: {str(path)!r}\n"
    said += "Free space on the disk, or give another path."  # a note
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=f"^{re.escape(said)}$"):
            checkpointer.write(checkpoint_of(2), 2)
    assert [p.name for p in checkpointer.directory.iterdir()] == [
        "step-0000000001.checkpoint"
    ]


def test_a_checkpoint_that_another_process_drops_is_passed_over(
    checkpointer, monkeypatch
):
    for step in (1, 2):
        checkpointer.write(checkpoint_of(step), step)
    read_bytes = Path.read_bytes

    def late(path):
        if path.name == "step-0000000002.checkpoint":
            path.unlink()
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", late)
    assert_same(checkpointer.read(), checkpoint_of(1))


@dataclass(frozen=True)
class Options:
    a: int = 1
    b: str = "x"


DIFFERENT = [
    (1,),
    (2,),
    (1.0,),
    ("1",),
    (b"1",),
    (None,),
    (True,),
    (1, 2),
    (12,),
    ("ab", "c"),
    ("a", "bc"),
    (["ab", "c"],),
    (["ab"], ["c"]),
    ([["ab"], "c"],),
    (Options(),),
    (Options(a=2),),
    (Options(b="y"),),
    (np.array([1, 2]),),
    (np.array([1, 2], dtype=np.int32),),
    (np.array([[1, 2]]),),
    (np.array([1, 3]),),
    (np.array([1.0, 2.0]),),
    (torch.tensor([1.0, 2.0]),),
    (torch.tensor([2.0, 1.0]),),
    (np.zeros(0),),
    (),
]


def test_runs_that_differ_have_names_that_differ():
    names = [run_hash(*parts) for parts in DIFFERENT]
    assert len(set(names)) == len(names)
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in names)
    assert names == [run_hash(*parts) for parts in DIFFERENT]


def test_the_name_of_a_run_reaches_the_end_of_large_arrays():
    large = np.zeros(5_000_000, dtype=np.int8)
    before = run_hash(large)
    large[-1] = 1
    assert run_hash(large) != before
    transposed = np.arange(6).reshape(2, 3).T
    assert run_hash(transposed) == run_hash(np.ascontiguousarray(transposed))


def test_a_generator_is_named_by_what_it_yields():
    assert run_hash({"a": 1}.values()) == run_hash({"b": 1}.values())
    assert run_hash({"a": 1}.values()) != run_hash({"a": 2}.values())


def test_the_state_of_a_run_survives_json():
    record = EpochRecord(1, 10, 0.1, 0.2, 1 / 3, math.nan, math.inf, 2.5)
    state = TrainingState(
        epoch=1, loss_sum=0.1 + 0.2, best_loss=math.inf, history=[record], n_steps=3
    )
    plain = json.loads(json.dumps(state.to_plain()))
    got = TrainingState.from_plain(plain)
    np.testing.assert_equal(got.to_plain(), state.to_plain())
    assert isinstance(got.history[0], EpochRecord)
    assert got.loss_sum == 0.1 + 0.2


def no_metadata(header):
    del header["__metadata__"]


def no_state(header):
    header["__metadata__"] = {"status": "{}"}


def state_of(text):
    return lambda header: header["__metadata__"].update(state=text)


@pytest.mark.parametrize(
    "change",
    [no_metadata, no_state, state_of("{"), state_of("[1]"), state_of("[" * 100_000)],
    ids=["no-metadata", "no-state", "no-json", "a-list", "deep"],
)
def test_a_file_that_fits_its_hash_but_holds_no_state_is_passed_over(
    checkpointer, change
):
    checkpointer.write(checkpoint_of(1), 1)
    checkpointer.write(checkpoint_of(2), 2)
    path = checkpointer.directory / "step-0000000002.checkpoint"
    body = path.read_bytes()[:-32]
    size = int.from_bytes(body[:8], "little")
    header = json.loads(body[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    body = struct.pack("<Q", len(text)) + text + body[8 + size :]
    path.write_bytes(body + hashlib.sha256(body).digest())
    assert_same(checkpointer.read(), checkpoint_of(1))


def test_what_killed_processes_left_is_removed_when_it_is_old(checkpointer):
    checkpointer.write(checkpoint_of(1), 1)
    names = [f".step-000000000{k}.checkpoint.{'0f' * 8}.tmp" for k in (1, 2, 3)]
    for name in [*names, ".notes.tmp"]:
        path = checkpointer.directory / name
        path.write_bytes(b"half")
        os.utime(path, (time.time() - 7200,) * 2)
    os.utime(checkpointer.directory / names[2])  # which may be another process's
    checkpointer.prepare()
    assert sorted(p.name for p in checkpointer.directory.iterdir()) == sorted(
        ["step-0000000001.checkpoint", ".notes.tmp", names[2]]
    )
    assert_same(checkpointer.read(), checkpoint_of(1))
