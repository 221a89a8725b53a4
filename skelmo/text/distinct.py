"""Documents of which each distinct one is to be encoded once."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skelmo.text.analysis import Analyzer
from skelmo.text.sequences import Sequences, index_documents, ranges
from skelmo.text.token_memory import sequences_of

_KEY_BYTES = 16


class Distinct(NamedTuple):
    """Distinct documents, and where they stand among all."""

    sequences: Sequences
    keys: list[bytes]  # of each: a hash of its tokens and sentence boundaries
    place: NDArray[np.int64]  # (N,), which of them each document is; -1 is missing

    @property
    def repeats(self) -> NDArray[np.int64]:
        """How often each distinct document occurs."""
        return np.bincount(self.place[self.place >= 0], minlength=len(self.keys))

    @property
    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the distinct documents stand.

        Returns
        -------
        rows : ndarray of shape (n,), int64
            Indices into `place`, document by document.
        offsets : ndarray of shape (n_distinct + 1,), int64
            Document d stands in ``rows[offsets[d]:offsets[d + 1]]``.
        """
        rows = np.argsort(self.place, kind="stable")
        numbers = np.arange(len(self.keys) + 1)
        return rows, np.searchsorted(self.place[rows], numbers)

    @property
    def repeated(self) -> Sequences:
        """Sequences of all documents but the missing ones, in their order."""
        which, known = self.place[self.place >= 0], self.sequences
        if len(which) == len(self.keys):
            return known
        n_sequences = np.diff(known.document_offsets)[which]
        members = ranges(known.document_offsets[which], n_sequences)
        lengths = known.lengths[members]
        return Sequences(
            known.tokens,
            known.token_ids[ranges(known.offsets[members], lengths)],
            np.concatenate([[0], np.cumsum(lengths)]),
            np.concatenate([[0], np.cumsum(n_sequences)]),
        )


def index_distinct(
    documents: Iterator[Any], analyze: Analyzer, at_most: int | None = None
) -> Distinct:
    """Analyze distinct documents, and number their tokens.

    Parameters
    ----------
    documents : iterator
        What `analyze` takes; None for a missing document.
    analyze : Analyzer
    at_most : int, optional
        Stop after the document that makes it so many tokens, those of a text that came
        before not counted, and a document counted as one more; what is left in
        `documents` can be read on. By default all are read.

    Returns
    -------
    Distinct
        Two documents are the same if their tokens and sentence boundaries are.
    """
    numbers: dict[bytes, int] = {}
    number_of_text: dict[str, int] = {}
    place = array("q")

    def number(document: Any) -> tuple[int, list[list[str]]]:
        """Return a document's number, and its sequences unless its text is known."""
        is_text = isinstance(document, str)
        if is_text and document in number_of_text:
            return number_of_text[document], []
        sequences = sequences_of(analyze, document)
        found = numbers.setdefault(_key(sequences), len(numbers))
        if is_text:
            number_of_text[document] = found
        return found, sequences

    def distinct() -> Iterator[list[list[str]]]:
        n_tokens = 0
        for document in documents:
            if document is None:
                place.append(-1)
                continue
            n_known = len(numbers)
            found, sequences = number(document)
            place.append(found)
            if len(numbers) > n_known:
                yield sequences
            n_tokens += 1 + sum(map(len, sequences))
            if at_most is not None and n_tokens >= at_most:
                return

    sequences = index_documents(distinct())
    return Distinct(sequences, list(numbers), np.frombuffer(place, np.int64))


def _key(sequences: list[list[str]]) -> bytes:
    # What ascii() writes can be read in one way only, and holds lone surrogates too.
    return blake2b(ascii(sequences).encode(), digest_size=_KEY_BYTES).digest()
