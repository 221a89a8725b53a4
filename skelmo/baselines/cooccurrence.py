"""How often words stand near each other, counted without a loop over tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

PAIRS_AT_ONCE = 2**23  # to be sorted, 64 MiB


def count_cooccurrences(
    sentences: Iterable[tuple[NDArray[np.int32], NDArray[np.int64]]],
    n_words: int,
    window: int,
) -> csr_array:
    """Sum 1 / distance over all pairs of words of a sentence within a window.

    Parameters
    ----------
    sentences : iterable of (rows, starts)
        Words of some sentences at a time, as `WordRows.sentences` gives them.
    n_words : int
        Size of the vocabulary, V.
    window : int
        Largest distance; at 1 two words stand side by side.

    Returns
    -------
    counts : csr_array of shape (V, V), float32
        The upper triangle, with the diagonal: every pair once, the smaller row first.
        The matrix of the paper is the sum of this one and its transpose.
    """
    runs: list[csr_array] = []
    for keys in _keys(sentences, n_words, window):
        runs.append(_summed(keys, n_words, window))
        # Runs of like size are merged, as every number is then added up rarely.
        while len(runs) > 1 and runs[-2].nnz < 2 * runs[-1].nnz:
            runs.append(runs.pop() + runs.pop())
    while len(runs) > 1:
        runs.append(runs.pop() + runs.pop())
    return runs[0] if runs else csr_array((n_words, n_words), dtype=np.float32)


def _keys(
    sentences: Iterable[tuple[NDArray[np.int32], NDArray[np.int64]]],
    n_words: int,
    window: int,
) -> Iterator[NDArray[np.int64]]:
    """Yield pairs, each as one number: (smaller row, larger row, distance - 1)."""
    waiting: list[NDArray[np.int64]] = []
    n_waiting = 0
    step = max(1, PAIRS_AT_ONCE // (2 * window))
    for rows, starts in sentences:
        sentence = np.repeat(
            np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts)
        )
        for start in range(0, len(rows), step):
            for distance in range(1, min(window, len(rows) - 1) + 1):
                first = slice(start, min(start + step, len(rows) - distance))
                second = slice(first.start + distance, first.stop + distance)
                if first.stop <= first.start:
                    break
                near = sentence[first] == sentence[second]
                one, other = rows[first][near], rows[second][near]
                keys = np.minimum(one, other).astype(np.int64)
                keys *= n_words
                keys += np.maximum(one, other)
                keys *= window
                keys += distance - 1
                waiting.append(keys)
                n_waiting += len(keys)
            if n_waiting > PAIRS_AT_ONCE // 2:
                yield np.concatenate(waiting)
                waiting, n_waiting = [], 0
    if n_waiting:
        yield np.concatenate(waiting)


def _summed(keys: NDArray[np.int64], n_words: int, window: int) -> csr_array:
    """Return the matrix of some pairs."""
    keys.sort()
    pairs = keys // window
    keys -= pairs * window
    weights = (1.0 / np.arange(1, window + 1))[keys]
    begins = np.flatnonzero(np.diff(pairs, prepend=-1))
    sums = np.add.reduceat(weights, begins).astype(np.float32)
    one, other = np.divmod(pairs[begins], n_words)
    places = np.concatenate([[0], np.cumsum(np.bincount(one, minlength=n_words))])
    matrix = csr_array(
        (sums, other.astype(np.int32), places.astype(np.int32)),
        shape=(n_words, n_words),
    )
    matrix.has_canonical_format = True
    return matrix
