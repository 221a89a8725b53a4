"""The words that the softmax, and the word-level embedding, know."""

from __future__ import annotations

from collections import Counter
from typing import Final

from skelmo.text.characters import BEGIN_SENTENCE, END_SENTENCE

UNKNOWN_WORD: Final = "<UNK>"
UNKNOWN: Final = 2  # its row


def build_vocabulary(
    counts: Counter[str], *, min_count: int = 1, max_vocabulary: int | None = None
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

    Returns
    -------
    vocabulary : list of str
        Begins with ``["<S>", "</S>", "<UNK>"]``, as bilm-tf's vocabulary files do.
    """
    special = [BEGIN_SENTENCE, END_SENTENCE, UNKNOWN_WORD]
    words = sorted(
        (word for word, n in counts.items() if n >= min_count and word not in special),
        key=lambda word: (-counts[word], word),
    )
    return [*special, *words][:max_vocabulary]
