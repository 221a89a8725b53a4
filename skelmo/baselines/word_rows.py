"""Documents as rows of a table of word vectors, and their means."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from skelmo.text.analysis import Analyzer, up_to
from skelmo.text.sequences import CHUNK, Sequences, index_documents

UNKNOWN = -1  # the row of a token without a vector


class Indexed(NamedTuple):
    """Documents with numbers for their tokens."""

    sequences: Sequences
    present: NDArray[np.bool_]  # (N,), False for a missing document

    @property
    def token_counts(self) -> NDArray[np.int64]:
        """How often each of the unique tokens occurs; the sentence markers never."""
        sequences = self.sequences
        counts = np.zeros(len(sequences.tokens), dtype=np.int64)
        for part in sequences.chunks():
            counts += np.bincount(sequences.token_ids[part], minlength=len(counts))
        for ends in (sequences.offsets[:-1], sequences.offsets[1:] - 1):
            counts -= np.bincount(sequences.token_ids[ends], minlength=len(counts))
        return counts


def index_part(
    documents: Iterator[Any], analyze: Analyzer, at_most: int | None = None
) -> Indexed:
    """Analyze documents, and number their tokens.

    Parameters
    ----------
    documents : iterator
        What `analyze` takes; None for a missing document.
    analyze : Analyzer
    at_most : int, optional
        Stop after the document that makes it so many tokens, a document counted as one
        more; what is left in `documents` can be read on. By default all are read.

    Returns
    -------
    Indexed
    """
    present = array("b")

    def analyzed() -> Iterator[list[list[str]]]:
        for document in documents:
            present.append(document is not None)
            yield [] if document is None else analyze(document)

    sequences = index_documents(up_to(at_most, analyzed()))
    return Indexed(sequences, np.frombuffer(present, np.bool_))


class WordRows:
    """Documents of which each token is the row of a word, or `UNKNOWN`.

    Parameters
    ----------
    indexed : Indexed
    rows : dict of str to int
        Row of each word.
    lowercase : bool
        Whether tokens are looked up in lower case.
    """

    def __init__(
        self, indexed: Indexed, rows: Mapping[str, int], lowercase: bool
    ) -> None:
        self.sequences = indexed.sequences
        self.present = indexed.present
        tokens = self.sequences.tokens
        if lowercase:
            tokens = [token.lower() for token in tokens]
        found = [rows.get(token, UNKNOWN) for token in tokens]
        self.row_of_token = np.array(found, dtype=np.int32)

    def _read(self, starts: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the rows of sequences that begin and end at `starts`."""
        rows = self.row_of_token[self.sequences.token_ids[starts[0] : starts[-1]]]
        # By their places, as a text may hold what the markers are written as.
        rows[starts[:-1] - starts[0]] = UNKNOWN
        rows[starts[1:] - 1 - starts[0]] = UNKNOWN
        return rows

    def sentences(self) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
        """Yield the known words of some sentences at a time.

        Yields
        ------
        rows : ndarray of shape (n_words,), int32
        starts : ndarray of shape (n_sentences + 1,), int64
            Sentence s is ``rows[starts[s]:starts[s + 1]]``.
        """
        for part in _parts(self.sequences.offsets):
            starts = self.sequences.offsets[part]
            rows = self._read(starts)
            known = rows != UNKNOWN
            yield rows[known], _counted(known)[starts - starts[0]]

    def document_rows(self) -> Iterator[NDArray[np.int32]]:
        """Yield the rows of each document, `UNKNOWN` among them."""
        sequences = self.sequences
        for first, last in zip(
            sequences.document_offsets[:-1], sequences.document_offsets[1:], strict=True
        ):
            starts = sequences.offsets[first : last + 1]
            inner = np.ones(starts[-1] - starts[0], dtype=bool)
            inner[starts[:-1] - starts[0]] = inner[starts[1:] - 1 - starts[0]] = False
            yield self._read(starts)[inner]

    def means(
        self, vectors: NDArray[np.float32], weights: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the sum of the weighted vectors of a document by its known words.

        Parameters
        ----------
        vectors : ndarray of shape (n_words, dim), float32
        weights : ndarray of shape (n_words,), float32, or None
            Of each word; None stands for ones.

        Returns
        -------
        means : ndarray of shape (n_documents, dim), float32
            Zeros for a document without a known word.
        """
        shape = self.sequences.n_documents, vectors.shape[1]
        means = np.zeros(shape, dtype=np.float32)
        for part in _parts(self.sequences.document_starts):
            first, last = self.sequences.document_offsets[part][[0, -1]]
            if first == last:
                continue
            starts = self.sequences.offsets[first : last + 1]
            rows = self._read(starts)
            known = rows != UNKNOWN
            places = _counted(known)[self.sequences.document_starts[part] - starts[0]]
            rows = rows[known]
            n_words = np.diff(places)
            data = np.ones(len(rows), np.float32) if weights is None else weights[rows]
            table = csr_array(
                (data, rows, places), shape=(len(n_words), len(vectors)), copy=False
            )
            table.sum_duplicates()  # a sum of few terms rounds less
            sums = table @ vectors
            means[part.start : part.stop - 1] = sums / np.maximum(n_words, 1)[:, None]
        return means.astype(np.float32, copy=False)


def _counted(known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many are known before each place, and before the end."""
    return np.concatenate([[0], np.cumsum(known)])


def _parts(starts: NDArray[np.int64]) -> Iterator[slice]:
    """Cut pieces, given by where they begin, into parts of about `CHUNK` tokens.

    Every slice is of `starts` and holds one more, where the last piece ends.
    """
    first, n_pieces = 0, len(starts) - 1
    while first < n_pieces:
        last = int(np.searchsorted(starts, starts[first] + CHUNK, side="right")) - 1
        last = max(first + 1, last)
        yield slice(first, last + 1)
        first = last
