"""What the character limit of a language model cuts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

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
    room = max_characters - 2
    # A sentence marker is one id, however short the limit.
    spared = {BEGIN_SENTENCE, END_SENTENCE}
    # A character has at most four bytes: few tokens need to be encoded to know.
    long = [
        len(t) * 4 > room and t not in spared and len(token_bytes(t)) > room
        for t in sequences.tokens
    ]
    if not any(long):
        return Truncation(0, 0)
    is_long, starts = np.array(long), sequences.document_starts
    n_tokens, has_long = 0, np.zeros(sequences.n_documents, dtype=bool)
    for chunk in sequences.chunks():
        cut = chunk.start + np.flatnonzero(is_long[sequences.token_ids[chunk]])
        n_tokens += len(cut)
        has_long[np.searchsorted(starts, cut, side="right") - 1] = True
    return Truncation(n_tokens, int(has_long.sum()))


def with_repeats(sequences: Sequences, place: Sequence[int | None]) -> Sequences:
    """Return documents as often as they occur.

    Parameters
    ----------
    sequences : Sequences
        Distinct documents.
    place : sequence of int or None
        Which of them each document is; None for a missing one, which is left out.

    Returns
    -------
    Sequences
        Each document as one sequence.
    """
    starts = sequences.document_starts
    spans = [slice(*starts[[k, k + 1]]) for k in place if k is not None]
    ids = [sequences.token_ids[:0], *(sequences.token_ids[span] for span in spans)]
    ends = np.cumsum([len(part) for part in ids])
    every = np.concatenate(ids)
    return Sequences(sequences.tokens, every, ends, np.arange(len(ends)))
