"""Many documents as one array of token ids with offsets."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skelmo.text.characters import BEGIN_SENTENCE, END_SENTENCE


class Sequences(NamedTuple):
    """Documents, their sequences and their tokens.

    Every sequence stands between its sentence markers: sequence s is
    ``token_ids[offsets[s]:offsets[s + 1]]``; document d owns the sequences
    ``document_offsets[d]`` to ``document_offsets[d + 1]``.
    """

    tokens: list[str]  # U unique tokens; an id is an index
    token_ids: NDArray[np.int32]
    offsets: NDArray[np.int64]  # (S + 1,)
    document_offsets: NDArray[np.int64]  # (N + 1,)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each sequence, its two markers included."""
        return np.diff(self.offsets)

    @property
    def n_documents(self) -> int:
        """Number of documents, N."""
        return len(self.document_offsets) - 1

    @property
    def document_of_sequence(self) -> NDArray[np.int64]:
        """Document that each sequence belongs to."""
        return np.repeat(np.arange(self.n_documents), np.diff(self.document_offsets))


def index_documents(documents: Iterable[list[list[str]]]) -> Sequences:
    """Give numbers to the tokens of documents.

    Ids follow the sorted order of the tokens, so that they do not depend on the order
    of the documents.

    Parameters
    ----------
    documents : iterable of list of list of str
        Sequences of each document, as an `Analyzer` gives them.

    Returns
    -------
    Sequences
    """
    ids: dict[str, int] = {BEGIN_SENTENCE: 0, END_SENTENCE: 1}
    token_ids, offsets, document_offsets = array("i"), array("q", [0]), array("q", [0])
    for document in documents:
        for sentence in document:
            token_ids.append(0)
            token_ids.extend([ids.setdefault(token, len(ids)) for token in sentence])
            token_ids.append(1)
            offsets.append(len(token_ids))
        document_offsets.append(len(offsets) - 1)
    tokens = sorted(ids)
    rank = np.empty(len(ids), dtype=np.int32)
    rank[[ids[token] for token in tokens]] = np.arange(len(ids), dtype=np.int32)
    return Sequences(
        tokens,
        rank[np.frombuffer(token_ids, np.int32)],
        np.array(offsets),
        np.array(document_offsets),
    )
