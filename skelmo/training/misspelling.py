"""Misspelt tokens, for a model to learn to read them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skelmo.text.characters import PADDING
from skelmo.text.codepoints import N_MARKERS

_ASCII = 128  # ids 1 to 128 are bytes below it
_LETTERS = np.arange(ord("a"), ord("z") + 1) + 1


def misspell(
    char_ids: NDArray[np.integer],
    chosen: NDArray[np.bool_],
    rng: np.random.Generator,
    padding: int = PADDING,
) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
    """Make one mistake in each token chosen: swap, leave out, double or replace.

    Parameters
    ----------
    char_ids : ndarray of shape (U, C), int16 or int32
        As a `TokenIndexer` gives them.
    chosen : ndarray of shape (U,), bool
    rng : numpy.random.Generator
    padding : int, default=261
        Id of the padding behind a token, which tells bytes from code points.

    Returns
    -------
    char_ids : ndarray of shape (U, C), int16 or int32
        A copy.
    changed : ndarray of shape (U,), bool
        Left as they are: tokens of fewer than 3 characters, those that fill their row,
        and those with bytes beyond ASCII, which a change would break. A code point is
        replaced by one that stands in some token.
    """
    char_ids, changed = char_ids.copy(), np.zeros(len(chosen), dtype=bool)
    lengths = (char_ids != padding).sum(axis=1)
    last, letters = _ASCII, _LETTERS
    if padding != PADDING:
        last = np.iinfo(char_ids.dtype).max
        letters = np.unique(char_ids[char_ids >= N_MARKERS])
        chosen = chosen & bool(len(letters))
    for k in np.flatnonzero(chosen):
        inside = char_ids[k, 1 : lengths[k] - 1]
        fits = 3 <= len(inside) < char_ids.shape[1] - 2
        if not fits or inside.max() > last:
            continue
        wrong = _one_mistake(inside.tolist(), rng, letters)
        row = [char_ids[k, 0], *wrong, char_ids[k, lengths[k] - 1]]
        char_ids[k] = padding
        char_ids[k, : len(row)] = row
        changed[k] = True
    return char_ids, changed


def _one_mistake(
    inside: list[int], rng: np.random.Generator, letters: NDArray[np.integer]
) -> list[int]:
    kind, place = rng.integers(4), int(rng.integers(len(inside) - 1))
    before, here, after = inside[:place], inside[place], inside[place + 1 :]
    if kind == 0:
        return [*before, after[0], here, *after[1:]]
    if kind == 1:
        return [*before, *after]
    if kind == 2:
        return [*before, here, here, *after]
    return [*before, int(rng.choice(letters)), *after]
