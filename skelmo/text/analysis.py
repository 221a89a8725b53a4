"""Documents to sequences of tokens: what a language model reads at a time."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

from skelmo.text.tokenization import split_sentences, tokenize


@dataclass(frozen=True)
class Analyzer:
    """Split a document into sequences of tokens.

    Parameters
    ----------
    tokenizer : callable, optional
        From a sentence (str) to a list of str; None is `skelmo.text.tokenize`.
    sentence_splitter : callable or "lines", optional
        From a document (str) to a list of str; "lines" cuts at line ends only; None is
        `skelmo.text.split_sentences`.
    sequence : {"sentence", "document"}, default="sentence"
        What is read from a fresh state: each sentence, or the whole document.
    input : {"text", "tokens"}, default="text"
        "tokens" takes a list of tokens, or a list of such sentences.
    unicode_normalization : {"NFC", "NFKC"}, optional
        Form that texts and tokens are put into first, without a byte order mark in
        front; by default they are left as they are.
    """

    tokenizer: Callable[[str], Iterable[str]] | None = None
    sentence_splitter: Callable[[str], Iterable[str]] | str | None = None
    sequence: str = "sentence"
    input: str = "text"
    unicode_normalization: str | None = None

    def __call__(self, document: Any) -> list[list[str]]:
        """Return the sequences of one document; none is empty."""
        if self.input == "tokens":
            sentences = _nested(document)
            if self.unicode_normalization is not None:
                sentences = [[*map(self._normalized, tokens)] for tokens in sentences]
        else:
            split, cut = self._functions()
            document = self._normalized(document)
            parts = _strings(split(document), "sentence_splitter", document)
            sentences = [_strings(cut(part), "tokenizer", part) for part in parts]
        if self.sequence == "document":
            sentences = [[token for sentence in sentences for token in sentence]]
        return [sentence for sentence in sentences if sentence]

    @property
    def is_own(self) -> bool:
        """Whether it reads texts, and none of its functions is a user's."""
        own = self.tokenizer is None and self.sentence_splitter in (None, "lines")
        return own and self.input == "text"

    def tokens(self, documents: Iterable[Any]) -> list[list[str]]:
        """Return the tokens of each document; none for one that is None."""
        return [
            []
            if document is None
            else [token for sequence in self(document) for token in sequence]
            for document in documents
        ]

    def _normalized(self, text: str) -> str:
        if self.unicode_normalization is None:
            return text
        # Read by the wrong codec, the mark of a file's begin would be part of a word.
        text = text.removeprefix("\ufeff")
        form = cast(Literal["NFC", "NFKC"], self.unicode_normalization)
        return unicodedata.normalize(form, text)

    def _functions(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        split: Any = self.sentence_splitter
        if split == "lines":
            split = str.splitlines
        return split or split_sentences, self.tokenizer or tokenize


def up_to(
    at_most: int | None, documents: Iterable[list[list[str]]]
) -> Iterator[list[list[str]]]:
    """Pass analyzed documents on, until they have so many tokens or more.

    A document counts as one more; None is no limit.
    """
    n_tokens = 0
    for sequences in documents:
        yield sequences
        n_tokens += 1 + sum(map(len, sequences))
        if at_most is not None and n_tokens >= at_most:
            return


def _strings(found: Any, name: str, given: str) -> list[str]:
    """Check what a user's function returned; a str would pass as its characters."""
    wrong = found
    if isinstance(found, Iterable) and not isinstance(found, str):
        items = list(found)
        bad = [item for item in items if not isinstance(item, str)]
        if not bad:
            return items
        wrong = bad[0]
    raise TypeError(
        f"The {name} must return a list of str, but for {given[:40]!r} it gave "
        f"{type(wrong).__name__} {repr(wrong)[:40]}. Return a list of str."
    )


def _nested(document: Any) -> list[list[str]]:
    """Take a list of tokens or a list of lists of tokens."""
    items = list(document)
    if items and isinstance(items[0], str):
        return [items]
    return [list(sentence) for sentence in items]
