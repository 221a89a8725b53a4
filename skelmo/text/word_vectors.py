"""Word vectors from the text and binary files of word2vec, GloVe and gensim."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

_PICKLE = b"\x80"  # how gensim's own `save` begins


class WordVectors(NamedTuple):
    """Words and their vectors."""

    words: list[str]
    vectors: NDArray[np.float32]  # (n_words, dim)


def read_word_vectors(
    path: str | os.PathLike[str], wanted: set[str] | None = None
) -> WordVectors:
    """Read word vectors.

    Parameters
    ----------
    path : str or os.PathLike
        A word2vec file, text or binary (as gensim's ``save_word2vec_format`` writes it
        too), or a GloVe text file; ``.gz`` is unpacked on the way.
    wanted : set of str, optional
        Words to keep, which bounds the memory; None keeps all.

    Returns
    -------
    WordVectors

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is none of these formats, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file of word vectors. Give the path of a word2vec or "
            f"GloVe file."
        )
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            words, vectors = _read(cast(IO[bytes], stream), path, wanted)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: is no whole gzip file: {error}. Copy or download it again."
        ) from error
    if not words:
        found = "no word" if wanted is None else "none of the words looked for"
        raise ValueError(
            f"{path}: holds {found}. Give word vectors of the same language and "
            f"tokenisation."
        )
    return WordVectors(words, np.stack(vectors))


def _read(
    file: IO[bytes], path: Path, wanted: set[str] | None
) -> tuple[list[str], list[NDArray[np.float32]]]:
    """Tell the formats apart and read the words that are wanted."""
    first = file.readline(1 << 20)
    if first.startswith(_PICKLE):
        raise ValueError(
            f"{path}: is a pickle, which skelmo never opens. Save the vectors with "
            f"gensim's KeyedVectors.save_word2vec_format."
        )
    fields = first.split()
    sized = len(fields) == 2 and all(field.isdigit() for field in fields)
    if sized and path.name.removesuffix(".gz").endswith(".bin"):
        rows = _binary(file, int(fields[0]), int(fields[1]), path)
    elif sized:
        rows = _text(file, int(fields[1]), path, 2)
    else:
        file.seek(0)
        rows = _text(file, len(fields) - 1, path, 1)
    words, vectors = [], []
    for word, vector in rows:
        if wanted is None or word in wanted:
            words.append(word)
            vectors.append(vector)
    return words, vectors


def _text(
    file: IO[bytes], dim: int, path: Path, first_line: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the rows of a text file; a word may hold spaces, as some of GloVe's do."""
    for number, line in enumerate(file, first_line):
        fields = line.rstrip().split(b" ")
        if len(fields) <= 1:
            continue
        try:
            vector = np.array(fields[-dim:], dtype=np.float32)
        except ValueError:
            vector = np.empty(0, dtype=np.float32)
        if len(fields) <= dim or len(vector) != dim or dim < 1:
            raise ValueError(
                f"{path}: line {number} must hold a word and {dim} numbers, found "
                f"{line[:40]!r}. Give a word2vec or GloVe file; a binary one must end "
                f"in .bin."
            )
        yield b" ".join(fields[:-dim]).decode("utf-8", "ignore"), vector


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
        yield word.decode("utf-8", "ignore"), np.frombuffer(content, "<f4")
    while file.read(1 << 20):
        pass  # a gzip file is verified where it ends
