"""Many documents as one array of token ids with offsets."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skelmo.text.characters import BEGIN_SENTENCE, END_SENTENCE

MEMORY_MAP_ABOVE = 64 * 2**20  # bytes of token ids
# Token ids that are worked on at once: what is made of them takes a few megabytes.
CHUNK = 2**20


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

    @property
    def document_starts(self) -> NDArray[np.int64]:
        """Where the tokens of each document begin, and the last one's end."""
        return self.offsets[self.document_offsets]

    def some_tokens(self, at_most: int) -> Counter[str]:
        """Count tokens at places evenly spaced, sentence markers left out.

        Parameters
        ----------
        at_most : int
            Places; all of them if there are no more.

        Returns
        -------
        counts : collections.Counter
        """
        step = -(-len(self.token_ids) // at_most) or 1
        ids, counts = np.unique(self.token_ids[::step], return_counts=True)
        found = zip(ids.tolist(), counts.tolist(), strict=True)
        some = Counter({self.tokens[k]: n for k, n in found})
        for marker in (BEGIN_SENTENCE, END_SENTENCE):
            del some[marker]
        return some

    def chunks(self) -> Iterator[slice]:
        """Cut the token ids, which may be in a file, to be read a part at a time."""
        n_ids = len(self.token_ids)
        for start in range(0, n_ids, CHUNK):
            yield slice(start, min(start + CHUNK, n_ids))


class _TokenIds:
    """Token ids as they come; what memory should not hold goes to a temporary file."""

    def __init__(self) -> None:
        self.waiting = array("i")
        self.file: IO[bytes] | None = None
        self.room = MEMORY_MAP_ABOVE

    def __enter__(self) -> _TokenIds:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.file is not None:
            self.file.close()

    def append(self, sequence: list[int]) -> None:
        """Take the token ids of a sequence, its markers included."""
        self.waiting.extend(sequence)
        if self.waiting.itemsize * len(self.waiting) > self.room:
            self._write()

    def _write(self) -> None:
        try:
            if self.file is None:
                # It has no name, or on Windows goes with its last handle, the map's:
                # there is nothing to clean up, however this ends.
                self.file = tempfile.TemporaryFile()  # noqa: SIM115
                self.room = min(self.room, self.waiting.itemsize * CHUNK)
            self.file.write(self.waiting)
            self.file.flush()
        except OSError as error:
            error.add_note(
                f"Token ids beyond {MEMORY_MAP_ABOVE} bytes are kept in a file in "
                f"{tempfile.gettempdir()}. Set TMPDIR to a directory with more room."
            )
            raise
        del self.waiting[:]

    def ranked(self, rank: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return ``rank[ids]`` of all ids, mapped read-only if they are in a file."""
        if self.file is None:
            return rank[np.frombuffer(self.waiting, np.int32)]
        self._write()
        self.file.seek(0)
        while content := self.file.read(CHUNK * rank.itemsize):
            self.file.seek(-len(content), os.SEEK_CUR)
            self.file.write(rank[np.frombuffer(content, np.int32)].data)
        self.file.flush()
        # A plain array, as in memory: the name of a run tells types apart.
        return np.asarray(np.memmap(self.file, np.int32, "r"))


def index_documents(documents: Iterable[list[list[str]]]) -> Sequences:
    """Give numbers to the tokens of documents.

    Ids follow the sorted order of the tokens, so that they do not depend on the order
    of the documents. Of the documents only the distinct tokens are kept. Token ids that
    take more than `MEMORY_MAP_ABOVE` bytes (64 MiB) are mapped from a temporary file,
    which is gone with the array; they are the same either way.

    Parameters
    ----------
    documents : iterable of list of list of str
        Sequences of each document, as an `Analyzer` gives them; read once.

    Returns
    -------
    Sequences
        ``token_ids`` cannot be written to if it is mapped.

    Raises
    ------
    OSError
        If there is no room for the temporary file.
    """
    ids: dict[str, int] = {BEGIN_SENTENCE: 0, END_SENTENCE: 1}
    offsets, document_offsets = array("q", [0]), array("q", [0])
    end = 0
    with _TokenIds() as token_ids:
        for document in documents:
            for sentence in document:
                inner = [ids.setdefault(token, len(ids)) for token in sentence]
                token_ids.append([0, *inner, 1])
                end += len(inner) + 2
                offsets.append(end)
            document_offsets.append(len(offsets) - 1)
        tokens = sorted(ids)
        rank = np.empty(len(ids), dtype=np.int32)
        rank[[ids[token] for token in tokens]] = np.arange(len(ids), dtype=np.int32)
        return Sequences(
            tokens,
            token_ids.ranked(rank),
            np.frombuffer(offsets, np.int64),
            np.frombuffer(document_offsets, np.int64),
        )


def ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenate ``arange(start, start + length)`` of each start and length."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(lengths.sum())
