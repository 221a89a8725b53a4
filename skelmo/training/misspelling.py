"""Misspelt tokens, for a model to learn to read them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skelmo.text.characters import PADDING, token_lengths

_ASCII = 128  # ids 1 to 128 are bytes below it
_LETTERS = np.arange(ord("a"), ord("z") + 1, dtype=np.int16) + 1


def misspell(
    char_ids: NDArray[np.int16], chosen: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Make one mistake in each token chosen: swap, leave out, double or replace.

    Parameters
    ----------
    char_ids : ndarray of shape (U, C), int16
        As `encode_tokens` gives them.
    chosen : ndarray of shape (U,), bool
    rng : numpy.random.Generator

    Returns
    -------
    char_ids : ndarray of shape (U, C), int16
        A copy.
    changed : ndarray of shape (U,), bool
        Left as they are: tokens of fewer than 3 characters, those that fill their row,
        and those with bytes beyond ASCII, which a change would break.
    """
    char_ids, changed = char_ids.copy(), np.zeros(len(chosen), dtype=bool)
    lengths = token_lengths(char_ids)
    for k in np.flatnonzero(chosen):
        inside = char_ids[k, 1 : lengths[k] - 1]
        fits = 3 <= len(inside) < char_ids.shape[1] - 2
        if not fits or inside.max() > _ASCII:
            continue
        wrong = _one_mistake(inside.tolist(), rng)
        row = [char_ids[k, 0], *wrong, char_ids[k, lengths[k] - 1]]
        char_ids[k] = PADDING
        char_ids[k, : len(row)] = row
        changed[k] = True
    return char_ids, changed


def _one_mistake(inside: list[int], rng: np.random.Generator) -> list[int]:
    kind, place = rng.integers(4), int(rng.integers(len(inside) - 1))
    before, here, after = inside[:place], inside[place], inside[place + 1 :]
    if kind == 0:
        return [*before, after[0], here, *after[1:]]
    if kind == 1:
        return [*before, *after]
    if kind == 2:
        return [*before, here, here, *after]
    return [*before, int(rng.choice(_LETTERS)), *after]
