"""Tokens to character ids, exactly as bilm-tf and AllenNLP encode them.

A character is a UTF-8 byte. Ids: 0 a padded token position, 1-256 the bytes, then the
sentence markers, the word markers and the padding inside a token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

BEGIN_SENTENCE: Final = "<S>"
END_SENTENCE: Final = "</S>"
_BOS, _EOS, _BEGIN_WORD, _END_WORD, PADDING = 257, 258, 259, 260, 261
_MARKERS = {BEGIN_SENTENCE: _BOS, END_SENTENCE: _EOS}


def token_bytes(token: str) -> bytes:
    """Return the UTF-8 bytes of a token; lone surrogates vanish."""
    return token.encode("utf-8", errors="ignore")


def encode_tokens(tokens: Sequence[str], max_characters: int = 50) -> NDArray[np.int16]:
    """Encode tokens as character ids.

    Parameters
    ----------
    tokens : sequence of str of length U
        ``"<S>"`` and ``"</S>"`` stand for the sentence markers.
    max_characters : int, default=50
        Bytes of a token, the two word markers included; what is beyond is cut, by
        byte, even inside a character.

    Returns
    -------
    char_ids : ndarray of shape (U, max_characters), int16
        Between word markers, padded with 261.

    Examples
    --------
    >>> encode_tokens(["hé"], max_characters=7).tolist()
    [[259, 105, 196, 170, 260, 261, 261]]
    """
    char_ids = np.full((len(tokens), max_characters), PADDING, dtype=np.int16)
    for row, token in zip(char_ids, tokens, strict=True):
        if token in _MARKERS:
            n, row[1] = 1, _MARKERS[token]
        else:
            content = np.frombuffer(token_bytes(token), np.uint8)[: max_characters - 2]
            n = len(content)
            row[1 : n + 1] = content
            row[1 : n + 1] += 1
        row[0] = _BEGIN_WORD
        row[n + 1] = _END_WORD
    return char_ids


def token_lengths(char_ids: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return the number of ids of each token, its two word markers included.

    Parameters
    ----------
    char_ids : ndarray of shape (U, C)

    Returns
    -------
    lengths : ndarray of shape (U,), int64
    """
    return (char_ids != PADDING).sum(axis=1)


@dataclass(frozen=True)
class Utf8Bytes:
    """Read the bytes of a token, of any script.

    Parameters
    ----------
    max_characters : int, default=50
        Bytes of a token that are read, two word markers included.
    """

    max_characters: int = 50

    unit = "bytes"
    padding = PADDING

    def __call__(self, tokens: Sequence[str]) -> NDArray[np.int16]:
        """Encode tokens as `encode_tokens` does."""
        return encode_tokens(tokens, self.max_characters)

    def words(self, tokens: Iterable[str]) -> list[str]:
        """Return the words that the vocabulary is asked for: the whole tokens."""
        return list(tokens)

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
        # A character has at most four bytes: few tokens need to be encoded to know. A
        # sentence marker is one id, however short the limit.
        cut = [
            len(t) * 4 > room and t not in _MARKERS and len(token_bytes(t)) > room
            for t in tokens
        ]
        return np.array(cut, dtype=bool)
