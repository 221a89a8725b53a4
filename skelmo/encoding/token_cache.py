"""Token vectors kept from call to call: the part of the network without context."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from skelmo.forks import Lock

MAX_BYTES = 64 * 2**20
# A token's string, its entry in the dictionary and its number, about.
_ENTRY_BYTES = 200

_caches: weakref.WeakSet[TokenCache] = weakref.WeakSet()


class TokenCache:
    """Vectors of the tokens of one model, the least recently used dropped first.

    Safe in threads.

    Parameters
    ----------
    max_bytes : int, default=64 MiB
        What all vectors and their keys may take.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.lock = Lock()
        self.clear()
        _caches.add(self)

    def clear(self) -> None:
        """Forget all vectors."""
        with self.lock:
            self.rows: OrderedDict[str, int] = OrderedDict()
            self.table: Tensor | None = None

    def __len__(self) -> int:
        """Return the number of tokens kept."""
        return len(self.rows)

    def look_up(
        self, tokens: Sequence[str], compute: Callable[[list[str]], Tensor]
    ) -> Tensor:
        """Return the vectors of tokens, those not kept from `compute`.

        Parameters
        ----------
        tokens : sequence of str of length U
            Distinct.
        compute : callable
            From a list of tokens to their vectors, a tensor of shape (n, P).

        Returns
        -------
        vectors : torch.Tensor of shape (U, P)
        """
        with self.lock:
            rows = [self.rows.get(token) for token in tokens]
            known = [k for k, row in enumerate(rows) if row is not None]
            kept = None
            if self.table is not None and known:
                kept = self.table[torch.tensor([rows[k] for k in known])]
            for k in known:
                self.rows.move_to_end(tokens[k])
        missing = [k for k, row in enumerate(rows) if row is None]
        if not missing and kept is not None:
            return kept
        new = compute([tokens[k] for k in missing])
        with self.lock:
            self._keep([tokens[k] for k in missing], new)
        if kept is None:
            return new
        vectors = new.new_empty(len(tokens), new.shape[1])
        vectors[torch.tensor(known)] = kept
        vectors[torch.tensor(missing)] = new
        return vectors

    def _keep(self, tokens: list[str], vectors: Tensor) -> None:
        """Take in new vectors, the last ones if there is no room for all."""
        row_bytes = vectors.shape[1] * vectors.element_size() + _ENTRY_BYTES
        capacity = self.max_bytes // row_bytes
        n_new = min(len(tokens), capacity)
        if not n_new:
            return
        tokens, vectors = tokens[-n_new:], vectors[-n_new:]
        # Another thread may have brought some of them in the meantime.
        fresh = [k for k, token in enumerate(tokens) if token not in self.rows]
        if not fresh:
            return
        room = capacity - len(self.rows)
        places = list(range(len(self.rows), len(self.rows) + min(room, len(fresh))))
        while len(places) < len(fresh):
            places.append(self.rows.popitem(last=False)[1])
        self._grow(len(self.rows) + len(fresh), capacity, vectors)
        if self.table is not None:
            self.table[torch.tensor(places)] = vectors[torch.tensor(fresh)]
        for k, place in zip(fresh, places, strict=True):
            self.rows[tokens[k]] = place

    def _grow(self, n_rows: int, capacity: int, like: Tensor) -> None:
        """Make room for so many rows: double, so that growing stays cheap."""
        n_old = 0 if self.table is None else len(self.table)
        if n_rows <= n_old:
            return
        table = like.new_empty(min(capacity, max(n_rows, 2 * n_old)), like.shape[1])
        if self.table is not None:
            table[:n_old] = self.table
        self.table = table


def clear_all() -> None:
    """Free the memory of the token vectors kept by all models of this process."""
    for cache in list(_caches):
        cache.clear()
