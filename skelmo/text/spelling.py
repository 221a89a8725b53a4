"""Words that are spelt almost like a token."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property
from os.path import commonprefix

import numpy as np
from numpy.typing import NDArray

SHORTEST = 4  # letters of a token: a shorter one is near to too many words


class NearestWords:
    """Find the word that an unknown token is a misspelling of, if any.

    Two spellings that are one edit apart are alike after a letter is left out of one
    or of both, so only such keys are looked up, whatever the alphabet [1]_. They are
    kept as hashes, which take a tenth of the strings, from the first search on; what is
    found is compared.

    Parameters
    ----------
    words : collection of str
        A vocabulary, the most frequent first.
    lowercase : bool
        Whether tokens are compared in lower case.

    References
    ----------
    .. [1] Mor and Fraenkel (1982), A hash code method for detecting and correcting
       spelling errors, Communications of the ACM 25(12).
    """

    def __init__(self, words: Collection[str], lowercase: bool) -> None:
        self.words, self.lowercase = words, lowercase

    @cached_property
    def _index(self) -> tuple[list[str], NDArray[np.int64], NDArray[np.int32]]:
        """Words of letters, sorted hashes of their keys, and the word of each hash."""
        words = [w for w in self.words if len(w) >= SHORTEST - 1 and w.isalpha()]
        sizes = [len(word) + 1 for word in words]
        keys = (hash(key) for word in words for key in _keys(word))
        hashes = np.fromiter(keys, dtype=np.int64, count=sum(sizes))
        order = np.argsort(hashes)
        places = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        return words, hashes[order], places[order]

    def find(self, token: str) -> str | None:
        """Return the most frequent word one edit away.

        An edit is a letter more, a letter less, another letter, or two neighbours
        swapped.

        Parameters
        ----------
        token : str

        Returns
        -------
        word : str or None
            None if there is none, and for a token of fewer than 4 characters or with
            one that is no letter.
        """
        spelling = token.lower() if self.lowercase else token
        if len(spelling) < SHORTEST or not spelling.isalpha():
            return None
        words, hashes, places = self._index
        keys = np.fromiter(map(hash, _keys(spelling)), dtype=np.int64)
        starts = np.searchsorted(hashes, keys, "left")
        stops = np.searchsorted(hashes, keys, "right")
        near = {
            int(place)
            for start, stop in zip(starts, stops, strict=True)
            for place in places[start:stop]
        }
        found = (words[place] for place in sorted(near))
        return next((word for word in found if is_one_edit(word, spelling)), None)


def is_one_edit(a: str, b: str) -> bool:
    """Tell whether one edit makes one string of another, different one.

    Parameters
    ----------
    a : str
    b : str

    Returns
    -------
    bool
    """
    if a == b:
        return False
    k = len(commonprefix([a, b]))
    a, b = sorted((a[k:], b[k:]), key=len)
    if len(a) < len(b):
        return a == b[1:]
    return a[1:] == b[1:] or (a[1::-1] == b[:2] and a[2:] == b[2:])


def _keys(word: str) -> Iterator[str]:
    yield word
    for k in range(len(word)):
        yield word[:k] + word[k + 1 :]
