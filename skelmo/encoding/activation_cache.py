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
_CANDIDATES = 8  # of which the least recently used is dropped
MOST_MISSED = 2**17  # keys of which it is known when they were asked for


class CacheInfo(NamedTuple):
    """What a cache of pooled activations holds, and what it was good for."""

    hits: int  # documents that were there
    misses: int  # documents that went through a network, and were then kept
    entries: int
    bytes: int


class ActivationCache(Protocol):
    """Pooled activations of all layers, by a key of 16 bytes."""

    max_bytes: int

    def get(
        self, keys: Sequence[bytes], which: Sequence[int] | None = None
    ) -> list[NDArray[np.float32] | None]:
        """Return what is kept under each key, or parts of it by their indices."""

    def put(self, keys: Sequence[bytes], values: Sequence[NDArray[np.float32]]) -> None:
        """Keep values, in so far as there is room."""

    def info(self) -> CacheInfo:
        """Return what it holds."""

    def clear(self) -> None:
        """Forget everything."""


class _Entry:
    """A value, or those parts of it that anybody has asked for."""

    __slots__ = ("is_proven", "n_bytes", "place", "used", "value", "which")

    def __init__(self, value: NDArray[np.float32], which: tuple[int, ...]) -> None:
        # Whoever reads it later must not find what the giver writes to.
        self.value = value if len(which) == len(value) else value[list(which)]
        given = self.value is value and value.flags.writeable
        if self.value.base is not None or given:
            self.value = self.value.copy()
        self.value.flags.writeable = False
        self.which, self.n_bytes = which, self.value.nbytes + _ENTRY_BYTES
        self.place, self.used, self.is_proven = 0, 0, False

    def parts(self, which: Sequence[int]) -> NDArray[np.float32]:
        """Return parts by their indices in the whole value."""
        if tuple(which) == self.which:
            return self.value
        return self.value[[self.which.index(k) for k in which]]

    def reduce(self, which: tuple[int, ...]) -> None:
        """Keep some parts alone."""
        self.value, self.which = self.parts(which), which
        self.value.flags.writeable = False
        self.n_bytes = self.value.nbytes + _ENTRY_BYTES


class MemoryCache:
    """Pooled activations in the memory of this process. Safe in threads.

    While there is room, values are kept whole; once there is not, only those parts
    (poolings) that were asked for. After that a value takes the place of another that
    has not been used for twice the time between its own last two uses, counted in keys
    asked for. So of data that are larger than the cache and read again and again,
    as many stay as fit, where the least recently used would each time be the next one
    that is needed; new data come in when the old are no longer used; and what is read
    once drives out what is used again only when that has long been idle.

    Parameters
    ----------
    max_bytes : int, default=512 MiB
        What values and keys may take.

    References
    ----------
    .. [1] Jiang and Zhang (2002), LIRS: an efficient low inter-reference recency set
       replacement policy to improve buffer cache performance, SIGMETRICS 2002.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything, counts included."""
        with self.lock:
            self.entries: dict[bytes, _Entry] = {}
            self.keys: list[bytes] = []
            # Of keys that are not kept: when they were asked for last, and how long
            # after the time before.
            self.missed: dict[bytes, tuple[int, int | None]] = {}
            self.asked: tuple[int, ...] = ()
            self.is_full = False
            self.chance = random.Random(0)
            self.now = self.n_bytes = self.hits = self.misses = 0

    def info(self) -> CacheInfo:
        """Return what the cache holds."""
        with self.lock:
            return CacheInfo(self.hits, self.misses, len(self.keys), self.n_bytes)

    def get(
        self, keys: Sequence[bytes], which: Sequence[int] | None = None
    ) -> list[NDArray[np.float32] | None]:
        """Return what is kept under each key.

        Parameters
        ----------
        keys : sequence of bytes
        which : sequence of int, optional
            Indices of the parts of values that are wanted; by default all.

        Returns
        -------
        values : list of ndarray or None
            None where not all that is wanted is kept; not to be written to.
        """
        with self.lock:
            if which is not None:
                self.asked = tuple(sorted({*self.asked, *which}))
            found = [self._get_one(key, which) for key in keys]
            self.hits += sum(value is not None for value in found)
            return found

    def _get_one(
        self, key: bytes, which: Sequence[int] | None
    ) -> NDArray[np.float32] | None:
        self.now += 1
        entry = self.entries.get(key)
        if entry is not None and (which is None or {*which} <= {*entry.which}):
            entry.used, entry.is_proven = self.now, True
            return entry.value if which is None else entry.parts(which)
        before, _ = self.missed.pop(key, (None, None))
        self._note(key, self.now, None if before is None else self.now - before)
        return None

    def _note(self, key: bytes, now: int, interval: int | None) -> None:
        self.missed[key] = now, interval
        if len(self.missed) > MOST_MISSED:
            del self.missed[next(iter(self.missed))]

    def put(self, keys: Sequence[bytes], values: Sequence[NDArray[np.float32]]) -> None:
        """Keep values, in so far as there is room.

        Parameters
        ----------
        keys : sequence of bytes
        values : sequence of ndarray
            Copied, but those that are read-only and no part of another array.
        """
        with self.lock:
            self.misses += len(keys)
            for key, value in zip(keys, values, strict=True):
                known = self.entries.get(key)
                if known is None or not {*self.asked} <= {*known.which}:
                    if known is not None:
                        self._drop(known.place)
                    self._put_one(key, value)

    def _put_one(self, key: bytes, value: NDArray[np.float32]) -> None:
        every = tuple(range(len(value)))
        entry = _Entry(value, self.asked if self.is_full and self.asked else every)
        if self.n_bytes + entry.n_bytes > self.max_bytes and not self.is_full:
            self.is_full = True
            self._keep_what_was_asked_for()
            entry = _Entry(value, self.asked or every)
        if entry.n_bytes > self.max_bytes:
            return
        _, interval = self.missed.get(key, (0, None))
        while self.n_bytes + entry.n_bytes > self.max_bytes:
            if not self._make_room(interval):
                return
        self.missed.pop(key, None)
        entry.used, entry.place = self.now, len(self.keys)
        self.entries[key] = entry
        self.keys.append(key)
        self.n_bytes += entry.n_bytes

    def _keep_what_was_asked_for(self) -> None:
        """Reduce whole values to the parts that anybody has asked for."""
        if not self.asked:
            return
        for entry in self.entries.values():
            self.n_bytes -= entry.n_bytes
            entry.reduce(self.asked)
            self.n_bytes += entry.n_bytes

    def _make_room(self, interval: int | None) -> bool:
        """Drop a value that has been idle for twice `interval`, if one is found.

        Without an interval, of a key that was never asked for before: one that is idle
        since as many keys as there are here, or twice as many if it was of use.
        """
        n = len(self.keys)
        places = [self.chance.randrange(n) for _ in range(_CANDIDATES)]
        place = min(places, key=lambda k: self.entries[self.keys[k]].used)
        entry = self.entries[self.keys[place]]
        limit = n * (1 + entry.is_proven) if interval is None else 2 * interval
        if self.now - entry.used <= limit:
            return False
        self._note(self.keys[place], entry.used, None)
        self._drop(place)
        return True

    def _drop(self, place: int) -> None:
        self.keys[place], self.keys[-1] = self.keys[-1], self.keys[place]
        self.entries[self.keys[place]].place = place
        self.n_bytes -= self.entries.pop(self.keys.pop()).n_bytes
