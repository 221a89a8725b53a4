"""Checkpoints of a training run: written whole, verified when read.

A checkpoint is one file: safetensors, then the sha256 of those bytes. It holds weights,
optimiser and the state of the run; random draws need no state, as they are functions of
seed, epoch and step. A run keeps its last two, in a directory named after a hash of
what decides its outcome, so that the runs of a search never meet.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import Tensor

from skelmo.files import replace_file, user_path

logger = logging.getLogger(__name__)

_DIGEST_BYTES = 32
_SUFFIX = ".checkpoint"
_KEPT = 2
_ABANDONED = 3600.0  # seconds; nobody writes a checkpoint for so long


class Checkpoint(NamedTuple):
    """What the next step depends on."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]  # plain numbers, strings, lists

    def to_bytes(self) -> bytes:
        """Return it as safetensors."""
        return write_tensors(self.tensors, metadata={"state": json.dumps(self.state)})

    @classmethod
    def from_bytes(cls, content: bytes) -> Checkpoint:
        """Undo `to_bytes`.

        Parameters
        ----------
        content : bytes

        Returns
        -------
        checkpoint : Checkpoint

        Raises
        ------
        ValueError
            If they are no checkpoint.
        """
        try:
            tensors = read_tensors(content)
            size = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + size])
            state = json.loads(header["__metadata__"]["state"])
        except (SafetensorError, KeyError, RecursionError) as error:
            raise ValueError(f"no checkpoint ({error})") from error
        if not isinstance(state, dict):
            raise ValueError("no checkpoint (its state is no object)")
        return cls(tensors, state)


class Checkpointer:
    """Write and read the checkpoints of one run.

    Parameters
    ----------
    root : str or os.PathLike
        Directory shared by runs.
    run : str
        Hash that tells this run from others; see `run_hash`.
    """

    def __init__(self, root: str | os.PathLike[str], run: str) -> None:
        self.directory = user_path(root) / run

    def prepare(self) -> None:
        """Make the directory, before hours of training end where none can be.

        Raises
        ------
        OSError
            If it cannot be made or written.
        """
        reason: str | None = "Permission denied"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._remove_leftovers()
            if os.access(self.directory, os.R_OK | os.W_OK | os.X_OK):
                return
        except OSError as error:
            reason = error.strerror
        raise OSError(
            f"checkpoint needs a directory that it can make and write to, got "
            f"{str(self.directory.parent)!r} ({reason}). Choose another directory, or "
            f"change its permissions."
        )

    def write(self, checkpoint: Checkpoint, n_steps: int) -> None:
        """Write a checkpoint, then drop all but the last two.

        Parameters
        ----------
        checkpoint : Checkpoint
        n_steps : int
            Steps done; names the file.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        content = checkpoint.to_bytes()
        content += hashlib.sha256(content).digest()
        path = self.directory / f"step-{n_steps:010d}{_SUFFIX}"
        replace_file(path, lambda staged: staged.write_bytes(content))
        for old in self._paths()[_KEPT:]:
            old.unlink(missing_ok=True)

    def read(self) -> Checkpoint | None:
        """Return the last whole checkpoint, or None.

        A damaged one is deleted, with a warning in the log: left there, it would pass
        for newer than those to come.
        """
        for path in self._paths():
            checkpoint = _read(path)
            if checkpoint is not None:
                logger.info("training goes on from %s", path)
                return checkpoint
            logger.warning("%s is damaged; the checkpoint before it is used", path)
            path.unlink(missing_ok=True)
        return None

    def _remove_leftovers(self) -> None:
        """Remove what killed processes were writing, of whatever step."""
        for path in self.directory.glob(f".step-*{_SUFFIX}.*.tmp"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()

    def _paths(self) -> list[Path]:
        """Return the checkpoints there are, the newest first."""
        return sorted(self.directory.glob(f"step-*{_SUFFIX}"), reverse=True)


def run_hash(*parts: Any) -> str:
    """Return a short hash of what decides a run's outcome.

    Parameters
    ----------
    *parts : dataclass, str, bytes, number, None, ndarray, Tensor or iterables of these

    Returns
    -------
    digest : str
        16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in parts:
        _update(digest, part)
    return digest.hexdigest()[:16]


def _update(digest: Any, part: Any) -> None:
    """Feed a value to a hash, with its type, so that neighbours do not run together."""
    digest.update(f"{type(part).__name__}:".encode())
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        _update(digest, repr(part))
    elif isinstance(part, Tensor):
        _update(digest, part.detach().cpu().numpy())
    elif isinstance(part, np.ndarray):
        digest.update(f"{part.dtype}{part.shape}".encode())
        for start in range(0, len(part), 1 << 22):
            digest.update(np.ascontiguousarray(part[start : start + (1 << 22)]))
    elif isinstance(part, str | bytes | int | float | None):
        content = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(f"{len(content)}:".encode())
        digest.update(content)
    elif isinstance(part, Iterable):
        for item in part:
            _update(digest, item)
    digest.update(b";")


def _read(path: Path) -> Checkpoint | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:  # the same run in another process has just dropped it
        return None
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    try:
        return Checkpoint.from_bytes(body)
    except ValueError:
        return None
