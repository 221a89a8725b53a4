"""What the character limit of a language model cuts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skelmo.text.sequences import Sequences
from skelmo.text.token_indexer import Characters


class Truncation(NamedTuple):
    """Tokens longer than a language model reads, and the documents they stand in."""

    n_tokens: int
    n_documents: int


def count_truncation(sequences: Sequences, characters: Characters) -> Truncation:
    """Count the occurrences of tokens of which a part is cut.

    Parameters
    ----------
    sequences : Sequences
    characters : Utf8Bytes or CodePoints
        What is read of a token.

    Returns
    -------
    Truncation
    """
    return total_truncation(cut_tokens(sequences, characters))


def total_truncation(cut: NDArray[np.int64]) -> Truncation:
    """Sum up tokens cut in each document."""
    return Truncation(int(cut.sum()), int(np.count_nonzero(cut)))


def cut_tokens(sequences: Sequences, characters: Characters) -> NDArray[np.int64]:
    """Count, in each document, the tokens of which a part is cut.

    Parameters
    ----------
    sequences : Sequences
    characters : Utf8Bytes or CodePoints
        What is read of a token.

    Returns
    -------
    cut : ndarray of shape (N,), int64
    """
    is_long = characters.are_cut(sequences.tokens)
    cut = np.zeros(sequences.n_documents, dtype=np.int64)
    if is_long.any():
        starts = sequences.document_starts
        for chunk in sequences.chunks():
            found = chunk.start + np.flatnonzero(is_long[sequences.token_ids[chunk]])
            documents = np.searchsorted(starts, found, side="right") - 1
            np.add.at(cut, documents, 1)
    return cut
