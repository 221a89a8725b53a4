"""Where the rows of a packed batch lie.

Rows are packed time-major: rows of time step t are the first ``batch_sizes[t]``
sequences of a batch sorted longest first. Nothing is padded: a sequence that ended
leaves the batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


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
