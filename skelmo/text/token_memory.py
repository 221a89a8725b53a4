"""Tokens of texts met before, by skelmo's own tokenizer."""

from __future__ import annotations

import sys
from collections import OrderedDict

from skelmo.forks import Lock
from skelmo.text.analysis import Analyzer

MAX_BYTES = 64 * 2**20
_ENTRY_BYTES = 300  # a key, its entry in the dictionary and the rest, about


class TokenMemory:
    """Sequences of tokens by text, the least recently used dropped first.

    They are kept as one str each, which takes less room than lists and is cut up thirty
    times faster than the text. Safe in threads.

    Parameters
    ----------
    max_bytes : int, default=64 MiB
        What texts and tokens may take.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self.joined: OrderedDict[tuple[Analyzer, str], str] = OrderedDict()
            self.n_bytes = 0

    def sequences(self, analyze: Analyzer, text: str) -> list[list[str]]:
        """Return the sequences of a text.

        Parameters
        ----------
        analyze : Analyzer
            Without functions of a user's, who may give them other results later.
        text : str

        Returns
        -------
        sequences : list of list of str
        """
        key = analyze, text
        with self.lock:
            joined = self.joined.get(key)
            if joined is not None:
                self.joined.move_to_end(key)
        if joined is None:
            sequences = analyze(text)
            joined = "\n".join(map(" ".join, sequences))
            if _cut(joined) == sequences:
                self._keep(key, joined)
            return sequences
        return _cut(joined)

    def _keep(self, key: tuple[Analyzer, str], joined: str) -> None:
        n_bytes = _size(key[1], joined)
        with self.lock:
            if n_bytes > self.max_bytes or key in self.joined:
                return
            self.joined[key] = joined
            self.n_bytes += n_bytes
            while self.n_bytes > self.max_bytes:
                (_, text), dropped = self.joined.popitem(last=False)
                self.n_bytes -= _size(text, dropped)


def _cut(joined: str) -> list[list[str]]:
    return [part.split(" ") for part in joined.split("\n")] if joined else []


def _size(text: str, joined: str) -> int:
    return sys.getsizeof(text) + sys.getsizeof(joined) + _ENTRY_BYTES


_memory = TokenMemory()


def sequences_of(analyze: Analyzer, document: object) -> list[list[str]]:
    """Return the sequences of a document, remembered where that is safe.

    Parameters
    ----------
    analyze : Analyzer
    document : object
        What `analyze` takes.

    Returns
    -------
    sequences : list of list of str
    """
    if analyze.is_own and isinstance(document, str):
        return _memory.sequences(analyze, document)
    return analyze(document)


def clear() -> None:
    """Free the memory of all tokens kept in this process."""
    _memory.clear()
