"""Word vectors from the text and binary files of word2vec, GloVe and gensim."""

from __future__ import annotations

import codecs
import gzip
import itertools
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from skelmo.files import user_path

_PICKLE = b"\x80"  # how gensim's own `save` begins
_GZIP = b"\x1f\x8b"
_KINDS = "Give a word2vec or GloVe file; a binary one must end in .bin."


class WordVectors(NamedTuple):
    """Words and their vectors."""

    words: list[str]
    vectors: NDArray[np.float32]  # (n_words, dim)


def read_word_vectors(
    path: str | os.PathLike[str], wanted: set[str] | None = None
) -> WordVectors:
    """Read word vectors.

    What gensim's ``load_word2vec_format`` refuses is refused. Beyond it, a byte order
    mark is passed over, a file packed by gzip is unpacked whatever its name is, and
    words of GloVe files may hold spaces.

    Parameters
    ----------
    path : str or os.PathLike
        A word2vec file, text or binary (as gensim's ``save_word2vec_format`` writes it
        too), or a GloVe text file.
    wanted : set of str, optional
        Words to keep, which bounds the memory; None keeps all.

    Returns
    -------
    WordVectors
        Each word once; the first of several rows counts.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is none of these formats, damaged, not in UTF-8, or has numbers that are
        not finite.
    """
    path = user_path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file of word vectors. Give the path of a word2vec or "
            f"GloVe file."
        )
    found: dict[str, NDArray[np.float32]] = {}
    try:
        with _open(path) as file:
            for word, vector in _rows(file, path):
                if wanted is None or word in wanted:
                    found.setdefault(word, vector)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: is no whole gzip file: {error}. Copy or download it again."
        ) from error
    if not found:
        none = "no word" if wanted is None else "none of the words looked for"
        raise ValueError(
            f"{path}: holds {none}. Give word vectors of the same language and "
            f"tokenisation."
        )
    return WordVectors(list(found), np.stack(list(found.values())))


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        is_packed = path.suffix == ".gz" or file.read(2) == _GZIP
    return cast(IO[bytes], gzip.open(path)) if is_packed else path.open("rb")


def _rows(file: IO[bytes], path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Tell the formats apart; return words and vectors."""
    first = file.readline(1 << 20)
    if first.startswith(_PICKLE):
        raise ValueError(
            f"{path}: is a pickle, which skelmo never opens. Save the vectors with "
            f"gensim's KeyedVectors.save_word2vec_format."
        )
    first = first.removeprefix(codecs.BOM_UTF8)
    fields = first.split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        lines = enumerate(itertools.chain([first], file), 1)
        return _text(lines, len(fields) - 1, path, with_spaces=True)
    n_words, dim = map(int, fields)
    if path.name.removesuffix(".gz").endswith(".bin"):
        return _binary(file, n_words, dim, path)
    rows = _text(enumerate(file, 2), dim, path, with_spaces=False)
    return _counted(rows, n_words, path)


def _text(
    lines: Iterable[tuple[int, bytes]], dim: int, path: Path, *, with_spaces: bool
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the rows of a text file, in whose words there may be spaces or not."""
    for number, line in lines:
        if not line.strip():
            continue
        fields = line.rstrip().split(b" ")
        word, vector = fields[:-dim], _numbers(fields[-dim:])
        more = len(word) > 1 and (not with_spaces or _numbers(word[1:]) is not None)
        if dim < 1 or not word or more or vector is None:
            raise ValueError(
                f"{path}: line {number} must hold a word and {dim} numbers, separated "
                f"by spaces, found {line[:40]!r}. {_KINDS}"
            )
        yield _checked(b" ".join(word), vector, f"line {number}", path)


def _numbers(fields: list[bytes]) -> NDArray[np.float32] | None:
    """Return numbers, or None if they are none."""
    try:
        with np.errstate(over="ignore"):  # what is infinite then is refused
            return np.array(fields, dtype=np.float32)
    except ValueError:
        return None


def _counted(
    rows: Iterator[tuple[str, NDArray[np.float32]]], n_words: int, path: Path
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Pass on as many rows as the first line says there are."""
    n_found = 0
    for row in rows:
        n_found += 1
        yield row
    if n_found != n_words:
        raise ValueError(
            f"{path}: must hold {n_words} words, as line 1 says, found {n_found}. Copy "
            f"or download it again, or correct line 1."
        )


def _binary(
    file: IO[bytes], n_words: int, dim: int, path: Path
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the rows of word2vec's binary format."""
    for row in range(n_words):
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b""):
            if byte != b"\n":
                word += byte
        content = file.read(4 * dim)
        if len(content) < 4 * dim:
            raise ValueError(
                f"{path}: must hold {n_words} words, found {row}; it was cut short. "
                f"Copy or download it again."
            )
        if not content.strip(b"0123456789.eE+- \n"):
            raise ValueError(
                f"{path}: must be binary, as its name ends in .bin, found the text "
                f"{content[:40]!r} in word {row + 1}. Rename it."
            )
        vector = np.frombuffer(content, "<f4")
        yield _checked(bytes(word), vector, f"word {row + 1}", path)
    rest = file.read(1 << 20)
    if rest.strip(b"\n"):
        raise ValueError(
            f"{path}: must end after {n_words} words of {dim} numbers of four bytes, "
            f"found {rest[:40]!r} behind them. Copy or download it again."
        )
    while file.read(1 << 20):
        pass  # a gzip file is verified where it ends


def _checked(
    word: bytes, vector: NDArray[np.float32], place: str, path: Path
) -> tuple[str, NDArray[np.float32]]:
    try:
        decoded = word.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: {place} must be in UTF-8, found {word[:40]!r}. Convert the file, "
            f"or take the word out."
        ) from error
    if not np.isfinite(vector).all():
        raise ValueError(
            f"{path}: the vectors must be finite, but that of {decoded!r:.40} in "
            f"{place} is not. Take the word out, or train again."
        )
    return decoded, vector
