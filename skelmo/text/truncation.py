"""What the character limit of a language model cuts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skelmo.text.characters import BEGIN_SENTENCE, END_SENTENCE, token_bytes
from skelmo.text.sequences import Sequences


class Truncation(NamedTuple):
    """Tokens longer than a language model reads, and the documents they stand in."""

    n_tokens: int
    n_documents: int


def count_truncation(sequences: Sequences, max_characters: int) -> Truncation:
    """Count the occurrences of tokens of which a part is cut.

    Parameters
    ----------
    sequences : Sequences
    max_characters : int
        Bytes of a token that are read, two word markers included.

    Returns
    -------
    Truncation
    """
    return total_truncation(cut_tokens(sequences, max_characters))


def total_truncation(cut: NDArray[np.int64]) -> Truncation:
    """Sum up tokens cut in each document."""
    return Truncation(int(cut.sum()), int(np.count_nonzero(cut)))


def are_cut(tokens: Sequence[str], max_characters: int) -> NDArray[np.bool_]:
    """Tell of which tokens a part is cut, given the bytes of a token that are read."""
    room = max_characters - 2
    # A sentence marker is one id, however short the limit.
    spared = {BEGIN_SENTENCE, END_SENTENCE}
    # A character has at most four bytes: few tokens need to be encoded to know.
    cut = [
        len(t) * 4 > room and t not in spared and len(token_bytes(t)) > room
        for t in tokens
    ]
    return np.array(cut, dtype=bool)


def cut_tokens(sequences: Sequences, max_characters: int) -> NDArray[np.int64]:
    """Count, in each document, the tokens of which a part is cut.

    Parameters
    ----------
    sequences : Sequences
    max_characters : int
        Bytes of a token that are read, two word markers included.

    Returns
    -------
    cut : ndarray of shape (N,), int64
    """
    is_long = are_cut(sequences.tokens, max_characters)
    cut = np.zeros(sequences.n_documents, dtype=np.int64)
    if is_long.any():
        starts = sequences.document_starts
        for chunk in sequences.chunks():
            found = chunk.start + np.flatnonzero(is_long[sequences.token_ids[chunk]])
            documents = np.searchsorted(starts, found, side="right") - 1
            np.add.at(cut, documents, 1)
    return cut
