"""Sequences to packed batches by token budget, for training and encoding alike.

A batch holds its sequences longest first and lies time-major: rows of time step t are
the first ``batch_sizes[t]`` sequences. Nothing is padded: a sequence that ended leaves
the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_COLUMNS_AT_ONCE = 16  # tokens that sorting looks at: bounds the memory it takes


class PackedBatch(NamedTuple):
    """One packed batch of B sequences, n rows and T time steps."""

    positions: NDArray[np.int64]  # (n,), where each row lies in the flat token array
    batch_sizes: list[int]  # (T,), rows alive at each time step
    sequences: NDArray[np.int64]  # (B,), longest first

    @property
    def following(self) -> NDArray[np.int64]:
        """Rows from which the forward direction predicts, and what they predict.

        Returns
        -------
        pairs : ndarray of shape (2, n - B)
            ``pairs[0]`` are rows, ``pairs[1]`` the rows of the same sequences one time
            step later. The backward direction predicts the other way round.
        """
        later = np.arange(self.batch_sizes[0], len(self.positions))
        return np.stack([previous_rows(self.batch_sizes)[later], later])


def sort_by_length(
    sequences: NDArray[np.int64],
    token_ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Order sequences by length, longest first, and by their tokens within a length.

    The order depends on what the sequences hold, not on where they stand, so that a
    permutation of the input gives the same batches.
    """
    lengths = offsets[sequences + 1] - offsets[sequences]
    by_length = np.argsort(-lengths, kind="stable")
    order = sequences[by_length]
    bounds = np.flatnonzero(np.diff(lengths[by_length], prepend=-1, append=-1))
    for start, stop in pairwise(bounds.tolist()):
        length = int(lengths[by_length[start]])
        if stop - start > 1:
            # From the last columns to the first, so that the first decide.
            for end in range(length, 0, -_COLUMNS_AT_ONCE):
                columns = np.arange(max(0, end - _COLUMNS_AT_ONCE), end)
                group = order[start:stop]
                content = token_ids[offsets[group][:, None] + columns]
                # As bytes: an array of several columns has no order of its own.
                keys = content.view(f"S{content.itemsize * len(columns)}")[:, 0]
                order[start:stop] = group[np.argsort(keys, kind="stable")]
    return order


def cut_by_budget(
    lengths: NDArray[np.int64], max_batch_tokens: int, max_sequences: int | None = None
) -> Iterator[slice]:
    """Cut consecutive sequences into batches of at most `max_batch_tokens` rows.

    A sequence longer than the budget makes a batch of its own. A batch also holds no
    more than `max_sequences`, if that is given.
    """
    most = len(lengths) if max_sequences is None else max_sequences
    start = total = 0
    for stop, length in enumerate(lengths.tolist()):
        if total and (total + length > max_batch_tokens or stop - start == most):
            yield slice(start, stop)
            start, total = stop, 0
        total += length
    if total:
        yield slice(start, len(lengths))


def pack(
    sequences: NDArray[np.int64],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> PackedBatch:
    """Pack sequences time-major.

    Parameters
    ----------
    sequences : ndarray of shape (B,), int64
        What the caller knows them by.
    starts : ndarray of shape (B,), int64
        Where each begins in the flat token array.
    lengths : ndarray of shape (B,), int64
        The longest first.

    Returns
    -------
    PackedBatch
    """
    alive = np.arange(lengths[0])[:, None] < lengths  # (T, B)
    t, row = np.nonzero(alive)
    return PackedBatch(starts[row] + t, alive.sum(axis=1).tolist(), sequences)


def reversed_rows(batch_sizes: Sequence[int]) -> NDArray[np.int64]:
    """Return the rows of each sequence in opposite order; its own inverse.

    Parameters
    ----------
    batch_sizes : sequence of int of length T

    Returns
    -------
    rows : ndarray of shape (n,), int64
        Row r of the reversed batch is row ``rows[r]`` of the given one.
    """
    sizes = np.asarray(batch_sizes, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    step = np.repeat(np.arange(len(sizes)), sizes)
    sequence = np.arange(len(step)) - starts[step]
    # Sizes do not increase, so that a sequence is alive in the first `length` steps.
    length = np.searchsorted(-sizes, -sequence, side="left")
    return starts[length - 1 - step] + sequence


def last_rows(batch_sizes: Sequence[int]) -> NDArray[np.int64]:
    """Return the last row of each sequence, shape (B,)."""
    return reversed_rows(batch_sizes)[: batch_sizes[0]]


def previous_rows(batch_sizes: Sequence[int]) -> NDArray[np.int64]:
    """Return the row of the same sequence one step earlier; -1 in the first step."""
    sizes = np.asarray(batch_sizes, dtype=np.int64)
    back = np.repeat(sizes[:-1], sizes[1:])
    later = np.arange(sizes[0], sizes.sum())
    return np.concatenate([np.full(sizes[0], -1), later - back])
