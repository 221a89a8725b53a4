"""The last step from text to a network: tokens to ids of characters and of words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skelmo.text.characters import encode_tokens
from skelmo.text.spelling import NearestWords
from skelmo.text.vocabulary import UNKNOWN, word_rows


class TokenIds(NamedTuple):
    """What a network reads of U tokens, and what it predicts."""

    char_ids: NDArray[np.int16]  # (U, C)
    word_ids: NDArray[np.int64]  # (U,), rows of the vocabulary; 2 is an unknown word


@dataclass(frozen=True)
class TokenIndexer:
    """Look up the characters and the word of each token.

    Characters are UTF-8 bytes between word markers, as bilm-tf and AllenNLP have them.

    Parameters
    ----------
    max_characters : int, default=50
        Bytes of a token that are read, two word markers included.
    rows : mapping of str to int, default={}
        Row of the vocabulary that each word has.
    lowercase : bool, default=False
        Whether a token that is no word may be one in lower case.
    by_spelling : bool, default=False
        Whether an unknown token gets the row of the most frequent word one edit away,
        if there is one.
    """

    max_characters: int = 50
    rows: Mapping[str, int] = field(default_factory=dict, repr=False)
    lowercase: bool = False
    by_spelling: bool = False

    @classmethod
    def of(
        cls,
        vocabulary: Iterable[str],
        max_characters: int = 50,
        lowercase: bool = False,
    ) -> TokenIndexer:
        """Return the one of a vocabulary.

        Parameters
        ----------
        vocabulary : iterable of str
            Words in the order of their rows.
        max_characters : int, default=50
        lowercase : bool, default=False

        Returns
        -------
        TokenIndexer
        """
        rows = {word: row for row, word in enumerate(vocabulary)}
        return cls(max_characters, rows, lowercase)

    def __call__(self, tokens: Sequence[str]) -> TokenIds:
        """Look up tokens.

        Parameters
        ----------
        tokens : sequence of str of length U

        Returns
        -------
        TokenIds
        """
        word_ids = word_rows(tokens, self.rows, self.lowercase)
        if self.by_spelling:
            for k in np.flatnonzero(word_ids == UNKNOWN).tolist():
                word = self.nearest.find(tokens[k])
                word_ids[k] = UNKNOWN if word is None else self.rows[word]
        return TokenIds(encode_tokens(tokens, self.max_characters), word_ids)

    @cached_property
    def nearest(self) -> NearestWords:
        """What finds the word that a token is a misspelling of."""
        return NearestWords(self.rows, self.lowercase)

    @cached_property
    def spelling(self) -> TokenIndexer:
        """The same, `by_spelling`."""
        return replace(self, by_spelling=True)
