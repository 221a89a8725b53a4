"""Word vectors whose products are logarithms of co-occurrences: GloVe's regression."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

PAIRS_PER_STEP = 2**16
STEPS_PER_EPOCH = 64  # or more: a small corpus is learned in small steps
PATIENCE = 3  # epochs: by chance the loss of one may rise
_ROWS_AT_ONCE = 2**10  # what is made of them stays in the processor's cache


class Pairs(NamedTuple):
    """Pairs of words with what their products are to be."""

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    target: NDArray[np.float32]  # the logarithm of the co-occurrence
    weight: NDArray[np.float32]

    def take(self, chosen: NDArray[Any]) -> Pairs:
        """Return some of the pairs."""
        return Pairs(
            self.first[chosen],
            self.second[chosen],
            self.target[chosen],
            self.weight[chosen],
        )


class Factors:
    """Two vectors and two biases for each word, learned by AdaGrad.

    A row is (vector, bias, 1) on the left and (context vector, 1, bias) on the right,
    so that one product holds them all.

    Parameters
    ----------
    n_words : int
    vector_size : int
    learning_rate : float
    rng : numpy.random.Generator
    """

    def __init__(
        self,
        n_words: int,
        vector_size: int,
        learning_rate: float,
        rng: np.random.Generator,
    ) -> None:
        self.vector_size = vector_size
        self.learning_rate = learning_rate
        shape = 2, n_words, vector_size + 2
        left, right = (rng.random(shape, dtype=np.float32) - 0.5) / vector_size
        left[:, -1] = right[:, -2] = 1.0
        self.left, self.right = left, right
        self.left_squares, self.right_squares = np.ones(shape, dtype=np.float32)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The sum of both vectors of each word."""
        return self.left[:, :-2] + self.right[:, :-2]

    def products(self) -> NDArray[np.float32]:
        """Return what the model gives for every pair of words: (V, V)."""
        return self.left @ self.right.T

    def step(self, pairs: Pairs) -> float:
        """Change the rows of some pairs; return the sum of their losses before.

        Parameters
        ----------
        pairs : Pairs
            Sorted by the first word. They are taken both ways round.

        Returns
        -------
        loss : float
        """
        words, local = np.unique(
            np.concatenate([pairs.first, pairs.second]), return_inverse=True
        )
        first, second = np.split(local, 2)
        left, right = self.left[words], self.right[words]
        errors = np.empty((2, len(first)), dtype=np.float32)
        for start in range(0, len(first), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            one, other = first[part], second[part]
            errors[0, part] = np.einsum("pd,pd->p", left[one], right[other])
            errors[1, part] = np.einsum("pd,pd->p", left[other], right[one])
        errors -= pairs.target
        slopes = pairs.weight * errors
        loss = 0.5 * float(np.vdot(slopes, errors))
        size = len(words), len(words)
        places = np.concatenate([[0], np.cumsum(np.bincount(first, minlength=size[0]))])
        ahead, back = (csr_array((s, second, places), shape=size) for s in slopes)
        left_slope = ahead @ right + back.T @ right
        right_slope = ahead.T @ left + back @ left
        left_slope[:, -1] = right_slope[:, -2] = 0.0  # of the ones
        self._descend(self.left, self.left_squares, words, left, left_slope)
        self._descend(self.right, self.right_squares, words, right, right_slope)
        return loss

    def _descend(
        self,
        table: NDArray[np.float32],
        squares: NDArray[np.float32],
        words: NDArray[np.int32],
        rows: NDArray[np.float32],
        slope: NDArray[np.float32],
    ) -> None:
        """Make AdaGrad's step in some rows of a table, as the authors' program does.

        Its squares have the learning rate in them: beginning at 1, they slow down only
        words that have gone some way.
        """
        for start in range(0, len(words), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            slope[part] *= self.learning_rate
            found = squares[words[part]]
            found += slope[part] * slope[part]
            squares[words[part]] = found
            slope[part] /= np.sqrt(found, out=found)
        rows -= slope
        table[words] = rows


def weighted_pairs(counts: csr_array, x_max: float, alpha: float) -> Pairs:
    """Return the pairs that occur, with the paper's weight (x / x_max) ** alpha.

    Parameters
    ----------
    counts : csr_array of shape (V, V)
        As `count_cooccurrences` gives them.
    x_max : float
        From this number on the weight is 1.
    alpha : float

    Returns
    -------
    Pairs
        In the order of the matrix.
    """
    n_words = counts.shape[0]
    first = np.repeat(np.arange(n_words, dtype=np.int32), np.diff(counts.indptr))
    second = counts.indices.astype(np.int32, copy=False)
    # Both ways round a word next to itself is one pair, counted twice.
    alone = first == second
    x = np.where(alone, 2 * counts.data, counts.data)
    weight = np.minimum(x / x_max, 1.0) ** alpha
    weight[alone] /= 2
    return Pairs(first, second, np.log(x), weight.astype(np.float32))


def factorize(
    factors: Factors,
    pairs: Pairs,
    *,
    max_epochs: int,
    tol: float,
    rng: np.random.Generator,
    bar: Any = None,
) -> list[float]:
    """Learn factors from pairs.

    Parameters
    ----------
    factors : Factors
        Changed in place.
    pairs : Pairs
    max_epochs : int
    tol : float
        Stop after three epochs in a row that do not lower the least loss by this share.
    rng : numpy.random.Generator
        Shuffles the pairs.
    bar : tqdm.tqdm, optional
        Moved on by one for each pair.

    Returns
    -------
    losses : list of float
        Mean loss of an entry of the whole matrix in each epoch, measured before the
        step that it is for.
    """
    n_pairs = len(pairs.first)
    at_once = min(PAIRS_PER_STEP, -(-n_pairs // STEPS_PER_EPOCH))
    order = np.arange(n_pairs, dtype=np.int32 if n_pairs < 2**31 else np.int64)
    # An entry off the diagonal has its mirror image.
    n_entries = 2 * n_pairs - np.count_nonzero(pairs.first == pairs.second)
    losses: list[float] = []
    best, n_in_vain = np.inf, 0
    for _ in range(max_epochs if n_pairs else 0):
        rng.shuffle(order)
        total = 0.0
        for start in range(0, n_pairs, at_once):
            chosen = np.sort(order[start : start + at_once])
            total += factors.step(pairs.take(chosen))
            if bar is not None:
                bar.update(len(chosen))
        losses.append(float(total / n_entries))
        if losses[-1] < best * (1 - tol):
            best, n_in_vain = losses[-1], 0
        else:
            n_in_vain += 1
        if n_in_vain == PATIENCE:
            break
    return losses
