"""Files of word vectors in word2vec's formats, written whole and checked when read."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from skelmo.files import replace_file, user_path
from skelmo.text.word_vectors import read_word_vectors


def read_vectors(
    path: str | os.PathLike[str], max_vocabulary: int | None
) -> tuple[list[str], NDArray[np.float32]]:
    """Read words and vectors.

    Parameters
    ----------
    path : str or os.PathLike
        As `read_word_vectors` takes it.
    max_vocabulary : int or None
        Largest number of words: the first are kept, which are the most frequent.

    Returns
    -------
    words : list of str
        Each once; the first of several rows counts.
    vectors : ndarray of shape (n_words, dim), float32

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds no word vectors, is damaged, or has numbers that are not finite.
    """
    words, vectors = read_word_vectors(path)
    return words[:max_vocabulary], vectors[:max_vocabulary]


def write_vectors(
    path: str | os.PathLike[str],
    words: Sequence[str],
    vectors: NDArray[np.float32],
    owner: str,
) -> None:
    """Write words and vectors, in place of an old file when all is written.

    Parameters
    ----------
    path : str or os.PathLike
        ``.bin`` is binary, any other name text; ``.gz`` behind it packs the file.
    words : sequence of str of length n_words
    vectors : ndarray of shape (n_words, dim), float32
    owner : str
        The class that asks, for the message.

    Raises
    ------
    ValueError
        If the format cannot hold a word.
    """
    path = user_path(path)
    encoded = [_encoded(word, owner) for word in words]
    is_binary = path.name.removesuffix(".gz").endswith(".bin")
    write = _write_binary if is_binary else _write_text

    def write_to(temporary: Path) -> None:
        with ExitStack() as stack:
            file: IO[bytes] = stack.enter_context(temporary.open("wb"))
            if path.suffix == ".gz":
                # Or else the archive would tell of the temporary name and the time.
                packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0)
                file = cast(IO[bytes], stack.enter_context(packed))
            file.write(f"{len(encoded)} {vectors.shape[1]}\n".encode())
            write(file, encoded, vectors)

    replace_file(path, write_to)


def _write_text(
    file: IO[bytes], words: Sequence[bytes], vectors: NDArray[np.float32]
) -> None:
    # Nine digits give back every float32.
    form = " %.9g" * vectors.shape[1] + "\n"
    for word, vector in zip(words, vectors, strict=True):
        file.write(word + (form % tuple(vector.tolist())).encode())


def _write_binary(
    file: IO[bytes], words: Sequence[bytes], vectors: NDArray[np.float32]
) -> None:
    for word, vector in zip(words, vectors.astype("<f4"), strict=True):
        file.write(word + b" " + vector.tobytes())


def _encoded(word: str, owner: str) -> bytes:
    try:
        content = word.encode()
    except UnicodeEncodeError:
        content = b""
    if not word or word.split() != [word] or not content:
        raise ValueError(
            f"{owner}.save_vectors needs words in UTF-8 without white space, as "
            f"word2vec's format has no other, got {word!r:.40}. Pickle the vectorizer "
            f"instead, or train with another tokenizer."
        )
    return content
