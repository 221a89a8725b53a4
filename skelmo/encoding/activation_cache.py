"""Pooled activations of documents, kept from call to call in memory."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from skelmo.forks import Lock

MAX_BYTES = 512 * 2**20
# A key, its entry in the dictionary and an array's own size, about.
_ENTRY_BYTES = 300


class CacheInfo(NamedTuple):
    """What a cache of pooled activations holds, and what it was good for."""

    hits: int  # documents that were there
    misses: int  # documents that went through a network, and were then kept
    entries: int
    bytes: int


class ActivationCache(Protocol):
    """Pooled activations of all layers, by a key of 16 bytes."""

    def get(self, keys: Sequence[bytes]) -> list[NDArray[np.float32] | None]:
        """Return what is kept under each key."""

    def put(self, keys: Sequence[bytes], values: Sequence[NDArray[np.float32]]) -> None:
        """Keep values, in so far as there is room."""

    def info(self) -> CacheInfo:
        """Return what it holds."""

    def clear(self) -> None:
        """Forget everything."""


class MemoryCache:
    """Pooled activations in the memory of this process. Safe in threads.

    If there is no room an entry is dropped by chance, not the least recently used one:
    of a data set that is larger than the cache and read again and again, that would
    always be the one that is needed next.

    Parameters
    ----------
    max_bytes : int, default=512 MiB
        What values and keys may take.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything, counts included."""
        with self.lock:
            self.values: dict[bytes, NDArray[np.float32]] = {}
            self.keys: list[bytes] = []
            self.chance = random.Random(0)
            self.n_bytes = self.hits = self.misses = 0

    def info(self) -> CacheInfo:
        """Return what the cache holds."""
        with self.lock:
            return CacheInfo(self.hits, self.misses, len(self.keys), self.n_bytes)

    def get(self, keys: Sequence[bytes]) -> list[NDArray[np.float32] | None]:
        """Return what is kept under each key.

        Parameters
        ----------
        keys : sequence of bytes

        Returns
        -------
        values : list of ndarray or None
            None where nothing is kept; not to be written to.
        """
        with self.lock:
            found = [self.values.get(key) for key in keys]
            self.hits += sum(value is not None for value in found)
            return found

    def put(self, keys: Sequence[bytes], values: Sequence[NDArray[np.float32]]) -> None:
        """Keep copies of values, in so far as there is room.

        Parameters
        ----------
        keys : sequence of bytes
        values : sequence of ndarray
        """
        with self.lock:
            self.misses += len(keys)
            for key, value in zip(keys, values, strict=True):
                n_bytes = value.nbytes + _ENTRY_BYTES
                if key in self.values or n_bytes > self.max_bytes:
                    continue
                while self.n_bytes + n_bytes > self.max_bytes:
                    self._drop_one()
                own = value.copy()
                own.flags.writeable = False
                self.values[key] = own
                self.keys.append(key)
                self.n_bytes += n_bytes

    def _drop_one(self) -> None:
        k = self.chance.randrange(len(self.keys))
        self.keys[k], self.keys[-1] = self.keys[-1], self.keys[k]
        self.n_bytes -= self.values.pop(self.keys.pop()).nbytes + _ENTRY_BYTES
