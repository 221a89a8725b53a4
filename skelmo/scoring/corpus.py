"""A corpus as arrays: what training and scoring read."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skelmo.text.characters import BEGIN_SENTENCE, END_SENTENCE
from skelmo.text.sequences import Sequences, ranges
from skelmo.text.token_indexer import TokenIndexer
from skelmo.text.vocabulary import UNKNOWN, build_vocabulary


class Corpus(NamedTuple):
    """Sequences with the character ids and the softmax words of their tokens."""

    sequences: Sequences
    char_ids: NDArray[np.integer]  # (U, C)
    word_of_token: NDArray[np.int64]  # (U,), row of the vocabulary

    @property
    def n_tokens(self) -> int:
        """Number of tokens, sentence markers excluded."""
        n_sequences = len(self.sequences.offsets) - 1
        return len(self.sequences.token_ids) - 2 * n_sequences

    @property
    def unknown_share(self) -> float:
        """Share of the tokens that the vocabulary lacks."""
        is_unknown, ids = self.word_of_token == UNKNOWN, self.sequences.token_ids
        n = sum(int(is_unknown[ids[chunk]].sum()) for chunk in self.sequences.chunks())
        return n / max(1, self.n_tokens)


def count_tokens(sequences: Sequences, documents: NDArray[np.int64]) -> Counter[str]:
    """Count the tokens of some distinct documents, sentence markers included."""
    counts = np.zeros(len(sequences.tokens), dtype=np.int64)
    starts = sequences.document_starts
    chosen = np.zeros(sequences.n_documents, dtype=bool)
    chosen[documents] = True
    for chunk in sequences.chunks():
        first = np.searchsorted(starts, chunk.start, side="right") - 1
        last = np.searchsorted(starts, chunk.stop)
        # The first and the last document may go on outside of the chunk.
        ends = np.clip(starts[first : last + 1], chunk.start, chunk.stop)
        inside = np.repeat(chosen[first:last], np.diff(ends))
        ids = sequences.token_ids[chunk][inside]
        counts += np.bincount(ids, minlength=len(counts))
    seen = np.flatnonzero(counts)
    return Counter({sequences.tokens[i]: int(counts[i]) for i in seen})


def choose_vocabulary(
    sequences: Sequences,
    documents: NDArray[np.int64],
    *,
    min_count: int,
    max_vocabulary: int | None,
    lowercase: bool = False,
) -> list[str]:
    """Choose the softmax words from the documents trained on."""
    return build_vocabulary(
        count_tokens(sequences, documents),
        min_count=min_count,
        max_vocabulary=max_vocabulary,
        lowercase=lowercase,
    )


def choose_alphabet(
    sequences: Sequences, documents: NDArray[np.int64], *, min_count: int
) -> list[str]:
    """Choose the characters that a model of code points tells apart.

    Parameters
    ----------
    sequences : Sequences
    documents : ndarray of int64
        Those trained on.
    min_count : int
        Rarer characters are unknown, as are halves of surrogate pairs.

    Returns
    -------
    alphabet : list of str
        The most frequent first, ties in the order of their code points.
    """
    tokens = count_tokens(sequences, documents)
    for marker in (BEGIN_SENTENCE, END_SENTENCE):
        del tokens[marker]
    counts: Counter[str] = Counter()
    for token, n in tokens.items():
        for character in token:
            counts[character] += n
    chosen = [
        character
        for character, n in counts.items()
        if n >= min_count and not "\ud800" <= character <= "\udfff"
    ]
    return sorted(chosen, key=lambda character: (-counts[character], character))


def make_corpus(sequences: Sequences, indexer: TokenIndexer) -> Corpus:
    """Look up characters and words of every unique token.

    Parameters
    ----------
    sequences : Sequences
    indexer : TokenIndexer
        With the words of the softmax; any other token is the unknown word there, and
        itself at the input.

    Returns
    -------
    Corpus
    """
    return Corpus(sequences, *indexer(sequences.tokens))


def split_documents(
    n_documents: int, validation_fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split whole documents into those to train on and those held out.

    At least one document is left on either side, unless there is only one: it is
    trained on.
    """
    if n_documents < 2:
        return np.arange(n_documents), np.arange(0)
    n_held_out = int(
        np.clip(round(validation_fraction * n_documents), 1, n_documents - 1)
    )
    order = rng.permutation(n_documents)
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])


def sequences_of(
    sequences: Sequences, documents: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the indices of the sequences of some documents."""
    offsets = sequences.document_offsets
    return ranges(offsets[documents], np.diff(offsets)[documents])
