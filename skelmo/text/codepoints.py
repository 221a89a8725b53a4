"""Tokens to the ids of their code points, by an alphabet, as ELMoForManyLangs has them.

Ids: first those of the markers, then the characters of the alphabet. What stands in
front of a token is the marker that is called the end of a word, and behind it the one
that is called the begin: so models of this kind were trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from skelmo.text.characters import BEGIN_SENTENCE, END_SENTENCE
from skelmo.text.vocabulary import UNKNOWN_WORD

MARKERS: Final = ("<bos>", "<eos>", "<oov>", "<pad>", "<bow>", "<eow>")
N_MARKERS: Final = len(MARKERS)
_BOS, _EOS, _UNKNOWN, PADDING, _BEGIN_WORD, _END_WORD = range(N_MARKERS)
_SENTENCE_MARKERS = {
    BEGIN_SENTENCE: _BOS, "<bos>": _BOS, END_SENTENCE: _EOS, "<eos>": _EOS
}  # fmt: skip
# Special words of ELMoForManyLangs and those of a vocabulary here. A word of the text
# that is spelt like one of the latter has the name of the former, and so is not lost.
_OTHER_NAMES = {
    "<bos>": BEGIN_SENTENCE, "<eos>": END_SENTENCE, "<oov>": UNKNOWN_WORD,
    BEGIN_SENTENCE: "<bos>", END_SENTENCE: "<eos>", UNKNOWN_WORD: "<oov>",
}  # fmt: skip


def other_name(word: str) -> str:
    """Return a word of the vocabulary as ELMoForManyLangs names it, and back.

    Parameters
    ----------
    word : str

    Returns
    -------
    word : str
        Itself, unless it is a special word on either side.
    """
    return _OTHER_NAMES.get(word, word)


@dataclass(frozen=True)
class CodePoints:
    """Read the code points of a token; what the alphabet lacks is one unknown one.

    Parameters
    ----------
    alphabet : sequence of str
        Characters in the order of their ids, from 6 on.
    max_characters : int, default=50
        Code points of a token that are read, two word markers included.

    Examples
    --------
    >>> CodePoints(["h", "é"], max_characters=7)(["hé", "h!"]).tolist()
    [[5, 6, 7, 4, 3, 3, 3], [5, 6, 2, 4, 3, 3, 3]]
    """

    alphabet: Sequence[str] = field(repr=False)
    max_characters: int = 50

    unit = "characters"
    padding = PADDING

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of each character."""
        return {character: k for k, character in enumerate(self.alphabet, N_MARKERS)}

    def __call__(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """Encode tokens as character ids.

        Parameters
        ----------
        tokens : sequence of str of length U
            ``"<S>"`` and ``"</S>"``, and ``"<bos>"`` and ``"<eos>"``, stand for the
            sentence markers.

        Returns
        -------
        char_ids : ndarray of shape (U, max_characters), int32
            Between word markers, padded with 3.
        """
        char_ids = np.full((len(tokens), self.max_characters), PADDING, dtype=np.int32)
        ids, room = self.ids, self.max_characters - 2
        for row, token in zip(char_ids, tokens, strict=True):
            if token in _SENTENCE_MARKERS:
                inside = [_SENTENCE_MARKERS[token]]
            else:
                inside = [ids.get(character, _UNKNOWN) for character in token[:room]]
            row[: len(inside) + 2] = [_END_WORD, *inside, _BEGIN_WORD]
        return char_ids

    def words(self, tokens: Iterable[str]) -> list[str]:
        """Return the words that the vocabulary is asked for: cut as characters are.

        Parameters
        ----------
        tokens : iterable of str

        Returns
        -------
        words : list of str
        """
        room = self.max_characters - 2
        found = [token[:room] for token in tokens]
        return [
            word if word in (BEGIN_SENTENCE, END_SENTENCE) else other_name(word)
            for word in found
        ]

    def are_cut(self, tokens: Sequence[str]) -> NDArray[np.bool_]:
        """Tell of which tokens a part is not read.

        Parameters
        ----------
        tokens : sequence of str of length U

        Returns
        -------
        cut : ndarray of shape (U,), bool
        """
        room = self.max_characters - 2
        cut = [len(t) > room and t not in _SENTENCE_MARKERS for t in tokens]
        return np.array(cut, dtype=bool)
