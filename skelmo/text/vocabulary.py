"""The words that the softmax, and the word-level embedding, know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from skelmo.text.characters import BEGIN_SENTENCE, END_SENTENCE

UNKNOWN_WORD: Final = "<UNK>"
UNKNOWN: Final = 2  # its row


def build_vocabulary(
    counts: Counter[str],
    *,
    min_count: int = 1,
    max_vocabulary: int | None = None,
    lowercase: bool = False,
) -> list[str]:
    """Choose the words, most frequent first, ties in the order of the words.

    Parameters
    ----------
    counts : collections.Counter
        Occurrences of each token.
    min_count : int, default=1
        Rarer words are left out.
    max_vocabulary : int, optional
        Largest number of words, the three special ones included.
    lowercase : bool, default=False
        Take words in lower case.

    Returns
    -------
    vocabulary : list of str
        Begins with ``["<S>", "</S>", "<UNK>"]``, as bilm-tf's vocabulary files do.
    """
    special = [BEGIN_SENTENCE, END_SENTENCE, UNKNOWN_WORD]
    if lowercase:
        lower: Counter[str] = Counter()
        for word, n in counts.items():
            lower[word if word in special else word.lower()] += n
        counts = lower
    words = sorted(
        (word for word, n in counts.items() if n >= min_count and word not in special),
        key=lambda word: (-counts[word], word),
    )
    return [*special, *words][:max_vocabulary]


def word_rows(
    tokens: Sequence[str], rows: Mapping[str, int], lowercase: bool
) -> NDArray[np.int64]:
    """Return the row of the vocabulary that each token has.

    Parameters
    ----------
    tokens : sequence of str of length U
    rows : dict of str to int
        Row of each word.
    lowercase : bool
        Whether a token that is no word may be one in lower case.

    Returns
    -------
    rows : ndarray of shape (U,), int64
        2 for an unknown word.
    """
    if lowercase:
        found = [rows.get(t, rows.get(t.lower(), UNKNOWN)) for t in tokens]
    else:
        found = [rows.get(t, UNKNOWN) for t in tokens]
    return np.array(found, dtype=np.int64)
