"""Processes that train one model together, each on its share of every step.

This module alone speaks to `torch.distributed`, whose word for a process of a group is
rank. Whoever trains by himself is the one rank of `ALONE`, and pays for nothing here.
"""

from __future__ import annotations

import atexit
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed

_DIGEST_BYTES = 64  # room for a name's hash, in bytes


class Place(NamedTuple):
    """Which of how many processes this is."""

    rank: int = 0
    size: int = 1


class RankLostError(RuntimeError):
    """Another process has ended, or cannot be reached."""


class Ranks:
    """The processes of a run, seen from one of them.

    All of them have to call the same methods in the same order.

    Parameters
    ----------
    rank : int, default=0
        Which of them this is.
    size : int, default=1
        How many there are. One exchanges nothing.
    device : torch.device, default=torch.device("cpu")
        Where the weights lie; what is exchanged passes through it.
    """

    def __init__(
        self,
        rank: int = 0,
        size: int = 1,
        device: torch.device = torch.device("cpu"),  # noqa: B008 a constant
    ) -> None:
        self.rank, self.size, self.device = rank, size, device
        self._flat = torch.empty(0)  # the memory of gradients, to be filled again

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and shows."""
        return self.rank == 0

    @property
    def share(self) -> slice:
        """Which of a step's sequences are this process's own.

        Taken by turns: where neighbours are of similar length, shares are too.
        """
        return slice(self.rank, None, self.size)

    def total(self, values: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
        """Return the sums of numbers over all processes.

        Parameters
        ----------
        values : sequence of float, or ndarray
            As many on each.

        Returns
        -------
        totals : ndarray, float64
            The same on each, bit for bit.
        """
        own = np.asarray(values, dtype=np.float64)
        if self.size == 1:
            return own
        tensor = torch.from_numpy(own.copy()).to(self.device)
        with self._in_touch():
            distributed.all_reduce(tensor)
        return tensor.cpu().numpy()

    def first(self, value: float) -> float:
        """Return the number that the first process has: its clock decides for all."""
        if self.size == 1:
            return value
        return float(self.total([value if self.is_first else 0.0])[0])

    def agree(self, flag: bool, value: float) -> tuple[bool, float]:
        """Return whether any process says so, and the number that the first one has.

        Parameters
        ----------
        flag : bool
        value : float

        Returns
        -------
        flag : bool
        value : float
        """
        if self.size == 1:
            return flag, value
        n_flags, value = self.total([flag, value if self.is_first else 0.0]).tolist()
        return n_flags > 0, value

    def add_gradients(self, parameters: Sequence[Tensor], loss: Tensor) -> Tensor:
        """Add up the gradients of all processes, and their losses.

        What it gives is overwritten the next time.

        Parameters
        ----------
        parameters : sequence of torch.Tensor
            In the same order on each. One that no process has a gradient of is left
            without.
        loss : torch.Tensor of shape ()
            This process's part.

        Returns
        -------
        loss : torch.Tensor of shape ()
            The sum.
        """
        if self.size == 1:
            return loss
        has_gradient = [float(p.grad is not None) for p in parameters]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        extra = torch.tensor([*has_gradient, 0.0], device=self.device)
        extra[-1] = loss.detach()
        # One message: many small ones would cost more than what they carry.
        sizes = [part.numel() for part in (*parts, extra)]
        if len(self._flat) != sum(sizes):
            self._flat = torch.empty(sum(sizes), device=self.device)
        torch.cat([part.flatten() for part in (*parts, extra)], out=self._flat)
        with self._in_touch():
            distributed.all_reduce(self._flat)
        *sums, extra = self._flat.split(sizes)
        for parameter, sum_, n in zip(parameters, sums, extra.tolist(), strict=False):
            parameter.grad = sum_.view_as(parameter) if n else None
        return extra[-1]

    def spread(self, content: bytes | None) -> bytes | None:
        """Return the bytes that the first process has, if it has any.

        Parameters
        ----------
        content : bytes or None
            Of the first; what others give is passed over.

        Returns
        -------
        content : bytes or None
        """
        if self.size == 1:
            return content
        given = content if self.is_first else None
        n_bytes = int(self.first(-1.0 if given is None else len(given)))
        if n_bytes < 1:
            return None if n_bytes < 0 else b""
        if given is None:
            tensor = torch.empty(n_bytes, dtype=torch.uint8)
        else:
            tensor = torch.frombuffer(bytearray(given), dtype=torch.uint8)
        tensor = tensor.to(self.device)
        with self._in_touch():
            distributed.broadcast(tensor, 0)
        return tensor.cpu().numpy().tobytes()

    def check_same(self, digests: dict[str, str], owner: str) -> None:
        """Raise unless all processes are about to do the same.

        Parameters
        ----------
        digests : dict of str to str
            Hashes by the names of what they tell; ASCII, of the same names on each.
        owner : str
            The class that asks, for the message.

        Raises
        ------
        ValueError
            On every process, if one of them differs from the first.
        """
        if self.size == 1:
            return
        own = np.zeros((len(digests), _DIGEST_BYTES), dtype=np.uint8)
        for row, digest in zip(own, digests.values(), strict=True):
            row[: len(digest)] = np.frombuffer(digest.encode(), dtype=np.uint8)
        all_ = np.zeros((self.size, *own.shape))
        all_[self.rank] = own
        all_ = self.total(all_)
        for rank, theirs in enumerate(all_):
            for name, row, expected in zip(digests, theirs, all_[0], strict=True):
                if (row != expected).any():
                    raise ValueError(
                        f"{owner} is trained by {self.size} processes together, but "
                        f"the {name} of rank {rank} are not those of rank 0. Give all "
                        f"of them the same, or unset RANK to train apart."
                    )

    @contextmanager
    def _in_touch(self) -> Iterator[None]:
        """Say in a sentence what it means that others do not answer."""
        try:
            yield
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0]
            raise RankLostError(
                f"Rank {self.rank} of {self.size} has lost touch with the others: one "
                f"of them has ended or cannot be reached. Start all of them again; "
                f"with a checkpoint they go on from the last one. ({reason})"
            ) from error


ALONE = Ranks()


def place() -> Place:
    """Return which of how many processes this is.

    Returns
    -------
    place : Place
        By torch's process group if there is one, else by RANK and WORLD_SIZE, as
        torchrun sets them; without RANK it is the only one.

    Raises
    ------
    ValueError
        If RANK is set, and it or WORLD_SIZE is no number that makes sense.
    """
    if distributed.is_available() and distributed.is_initialized():
        return Place(distributed.get_rank(), distributed.get_world_size())
    if "RANK" not in os.environ:
        return Place()
    given = {name: os.environ.get(name) for name in ("RANK", "WORLD_SIZE")}
    try:
        rank, size = (int(value or "") for value in given.values())
    except ValueError:
        rank, size = 0, 0
    if not 0 <= rank < size:
        raise ValueError(
            f"RANK and WORLD_SIZE, which say that several processes train together, "
            f"must be whole numbers, RANK from 0 to WORLD_SIZE - 1, but "
            f"{_shown(given)}. Start the processes by torchrun, which sets them, or "
            f"unset RANK."
        )
    return Place(rank, size)


def _shown(variables: dict[str, str | None]) -> str:
    return ", ".join(
        f"{name} is not set" if value is None else f"{name}={value!r}"
        for name, value in variables.items()
    )


def device_name(name: str) -> str:
    """Return the device of this process, of those that a name may mean.

    Parameters
    ----------
    name : str
        As `torch_device` takes it.

    Returns
    -------
    name : str
        "cuda", or "auto" where that is the same, is the GPU of LOCAL_RANK if there are
        several; other names stay.

    Raises
    ------
    ValueError
        If this machine has fewer GPUs than processes.
    """
    local = os.environ.get("LOCAL_RANK", "")
    is_shared = name in ("auto", "cuda") and torch.cuda.is_available()
    if place().size == 1 or not is_shared or not local.isdecimal():
        return name
    n_devices = torch.cuda.device_count()
    if n_devices == 1:  # or else each process is shown its own
        return "cuda:0"
    if int(local) >= n_devices:
        raise ValueError(
            f"LOCAL_RANK={local} has no GPU of its own: there are {n_devices} here. "
            f"Start one process for each GPU, or set device='cpu'."
        )
    return f"cuda:{local}"


def join(device: torch.device) -> Ranks:
    """Return the processes that train together, this one among them.

    Parameters
    ----------
    device : torch.device
        Where the weights lie.

    Returns
    -------
    ranks : Ranks
        `ALONE` without a process group and without RANK.

    Raises
    ------
    ValueError
        If what the environment says makes no sense.
    RankLostError
        If not all of the processes come together.

    Notes
    -----
    If the program has made no process group, torch's default one is made of the
    environment: by gloo, and nccl for tensors on GPUs. A process has one only, and
    cannot make it again; it is left when the process ends.
    """
    rank, size = place()
    if size == 1:
        return ALONE
    if not distributed.is_available():
        raise ValueError(
            f"RANK={rank} says that {size} processes train together, but this torch "
            f"was built without torch.distributed. Install another, or unset RANK."
        )
    ranks = Ranks(rank, size, device)
    if not distributed.is_initialized():
        _make_group(ranks)
    return ranks


def _make_group(ranks: Ranks) -> None:
    """Make torch's default process group of the environment."""
    meeting = {name: os.environ.get(name) for name in ("MASTER_ADDR", "MASTER_PORT")}
    if not meeting["MASTER_ADDR"] or not (meeting["MASTER_PORT"] or "").isdecimal():
        raise ValueError(
            f"RANK={ranks.rank} says that {ranks.size} processes train together, but "
            f"not where they meet: {_shown(meeting)}. Start the processes by torchrun, "
            f"which sets a host and a port, or unset RANK."
        )
    backend = "cpu:gloo,cuda:nccl" if ranks.device.type == "cuda" else "gloo"
    with ranks._in_touch():
        store, rank, size = next(distributed.rendezvous("env://"))
        _claim(store, ranks)
        distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    atexit.register(distributed.destroy_process_group)


def _claim(store: Any, ranks: Ranks) -> None:
    """Raise if a living process of this machine has the same rank.

    One that was killed leaves its claim behind, in a store that outlives it.
    """
    key, host = f"skelmo/{ranks.rank}", socket.gethostname()
    own = f"{host} {os.getpid()}"
    found = store.compare_set(key, "", own).decode()
    other, _, pid = found.rpartition(" ")
    if found != own and other == host and _is_alive(int(pid)):
        raise ValueError(
            f"Another process has RANK={ranks.rank} already: those that a process "
            f"starts inherit it. Set n_jobs=1, or unset RANK, where training is not "
            f"to be shared."
        )
    store.set(key, own)


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # there the question would be a signal
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
