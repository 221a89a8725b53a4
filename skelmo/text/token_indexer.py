"""The last step from text to a network: tokens to ids of characters and of words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skelmo.text.characters import Utf8Bytes
from skelmo.text.codepoints import CodePoints
from skelmo.text.spelling import NearestWords
from skelmo.text.vocabulary import UNKNOWN, word_rows

# What a network may read of a token.
Characters = Utf8Bytes | CodePoints


class TokenIds(NamedTuple):
    """What a network reads of U tokens, and what it predicts."""

    char_ids: NDArray[np.integer]  # (U, C)
    word_ids: NDArray[np.int64]  # (U,), rows of the vocabulary; 2 is an unknown word


@dataclass(frozen=True)
class TokenIndexer:
    """Look up the characters and the word of each token.

    Parameters
    ----------
    characters : Utf8Bytes or CodePoints, default=Utf8Bytes()
        What is read of a token: UTF-8 bytes between word markers, as bilm-tf and
        AllenNLP have them, or code points of an alphabet.
    rows : mapping of str to int, default={}
        Row of the vocabulary that each word has.
    lowercase : bool, default=False
        Whether a token that is no word may be one in lower case.
    by_spelling : bool, default=False
        Whether an unknown token gets the row of the most frequent word one edit away,
        if there is one.
    """

    characters: Characters = Utf8Bytes()
    rows: Mapping[str, int] = field(default_factory=dict, repr=False)
    lowercase: bool = False
    by_spelling: bool = False

    @classmethod
    def of(
        cls,
        vocabulary: Iterable[str],
        max_characters: int = 50,
        lowercase: bool = False,
        alphabet: Sequence[str] | None = None,
    ) -> TokenIndexer:
        """Return the one of a vocabulary, and of an alphabet if there is one.

        Parameters
        ----------
        vocabulary : iterable of str
            Words in the order of their rows.
        max_characters : int, default=50
            Characters of a token that are read, two word markers included.
        lowercase : bool, default=False
        alphabet : sequence of str, optional
            Code points that are read; by default bytes are.

        Returns
        -------
        TokenIndexer
        """
        characters: Characters = Utf8Bytes(max_characters)
        if alphabet is not None:
            characters = CodePoints(alphabet, max_characters)
        rows = {word: row for row, word in enumerate(vocabulary)}
        return cls(characters, rows, lowercase)

    def __call__(self, tokens: Sequence[str]) -> TokenIds:
        """Look up tokens.

        Parameters
        ----------
        tokens : sequence of str of length U

        Returns
        -------
        TokenIds
        """
        word_ids = self.word_ids(tokens)
        if self.by_spelling:
            for k in np.flatnonzero(word_ids == UNKNOWN).tolist():
                word = self.nearest.find(tokens[k])
                word_ids[k] = UNKNOWN if word is None else self.rows[word]
        return TokenIds(self.characters(tokens), word_ids)

    def word_ids(self, tokens: Sequence[str]) -> NDArray[np.int64]:
        """Return the row of the vocabulary that each token has as it is spelt.

        Parameters
        ----------
        tokens : sequence of str of length U

        Returns
        -------
        word_ids : ndarray of shape (U,), int64
            2 for an unknown word.
        """
        return word_rows(self.characters.words(tokens), self.rows, self.lowercase)

    @cached_property
    def nearest(self) -> NearestWords:
        """What finds the word that a token is a misspelling of."""
        return NearestWords(self.rows, self.lowercase)

    @cached_property
    def spelling(self) -> TokenIndexer:
        """The same, `by_spelling`."""
        return replace(self, by_spelling=True)
