"""Documents one at a time, from whatever holds them or from a file."""

from __future__ import annotations

import codecs
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from skelmo.files import user_path
from skelmo.validation import iterate_documents

# A Python may have been built without the last two: imported when there is a file.
UNPACKERS = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}
_AROUND = 20  # bytes that a message shows on either side of a wrong one


def stream_documents(
    X: Any, *, owner: str, missing: str = "error", input: str = "text"
) -> Iterator[Any]:
    """Check documents and pass them on, without a copy of those that are read.

    What knows its length is in memory already, and is checked as a whole before the
    first document is passed on; an iterator or a file is checked on the way.

    Parameters
    ----------
    X : iterable or os.PathLike
        Documents: all that `iterate_documents` takes, or the path of a text file in
        UTF-8. There a line is a document, without its LF or CRLF, and an empty line is
        an empty document; a file that ends in ".gz", ".bz2" or ".xz" is unpacked.
    owner : str
        The class that asks, for the messages.
    missing : {"error", "empty", "nan"}, default="error"
        What None, nan, NA and NaT do: raise, or else come as None.
    input : {"text", "tokens"}, default="text"
        Whether a document is a str or a list of tokens (or of lists of tokens).

    Returns
    -------
    documents : iterator of str, of list, or of None
        Raises what is wrong with a document, and ValueError for a line that is not
        UTF-8 or for a damaged file, when it comes to it.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If a path names no file.
    TypeError, ValueError
        If X is one str, a path under ``input="tokens"``, or holds no documents.
    """
    if isinstance(X, str):
        raise ValueError(
            "Iterable over raw text documents expected, string object received. "
            "Wrap it in a list, [X], or pass pathlib.Path(X) if it names a file with a "
            "document on each line."
        )
    if isinstance(X, os.PathLike):
        path = user_path(X)
        _check_path(path, owner, input)
        return _documents_in(path, owner)
    return iterate_documents(X, owner=owner, missing=missing, input=input)


def _check_path(path: Path, owner: str, input: str) -> None:
    """Raise before anything is read, as what comes first may take hours."""
    if input != "text":
        raise ValueError(
            f"{owner} takes a file of documents under input='text' only, but input is "
            f"{input!r} and X is {path}. Pass a generator of lists of tokens, such as "
            f"(line.split() for line in file), or set input='text'."
        )
    if path.is_dir():
        raise IsADirectoryError(
            f"{owner} needs a text file with a document on each line, but {path} is a "
            f"directory. Pass one file, or a generator of the lines of several."
        )
    if not path.exists():
        raise FileNotFoundError(
            f"{owner} needs a text file with a document on each line, but {path} does "
            f"not exist. Check the path."
        )


def _documents_in(path: Path, owner: str) -> Iterator[str]:
    def refusal(number: int, error: UnicodeDecodeError) -> ValueError:
        near = error.object[max(0, error.start - _AROUND) : error.start + _AROUND]
        return ValueError(
            f"{owner}: line {number} of {path} must be UTF-8, but {near!r} in it is "
            f"not ({error.reason} at byte {error.start}). Convert the file to UTF-8, "
            f"or pass a generator of its lines, decoded."
        )

    with unpacked(path, f"{owner}: {path}") as stream:
        yield from decoded_lines(stream, refusal)


@contextmanager
def unpacked(
    path: str | Path, name: str, module: ModuleType | None = None
) -> Iterator[BinaryIO]:
    """Open a file to read it unpacked.

    Parameters
    ----------
    path : str or Path
    name : str
        What messages call it.
    module : module, optional
        What unpacks it; by default what `UNPACKERS` has for its ending, if any.

    Yields
    ------
    stream : binary file

    Raises
    ------
    ValueError
        If it is damaged, when that comes to light.
    """
    suffix = Path(path).suffix.lower()
    if module is None and suffix in UNPACKERS:
        module = import_module(UNPACKERS[suffix])
    if module is None:
        with Path(path).open("rb") as file:
            yield file
        return
    kinds = ("LZMAError", "ZstdError")
    damage = [getattr(module, kind) for kind in kinds if hasattr(module, kind)]
    try:
        with module.open(path, "rb") as stream:
            yield stream
    except (EOFError, OSError, zlib.error, *damage) as error:
        if getattr(error, "errno", None) is not None:  # the system's own error
            raise
        raise ValueError(
            f"{name} is no whole {suffix} file ({error}). Copy it again, or rename it "
            f"if it is not packed."
        ) from error


def decoded_lines(
    stream: BinaryIO, refusal: Callable[[int, UnicodeDecodeError], ValueError]
) -> Iterator[str]:
    """Yield lines without their LF or CRLF; any other break is text.

    Parameters
    ----------
    stream : binary file
        In UTF-8, with or without a byte order mark.
    refusal : callable
        From the number of a line that is not UTF-8, and the error, to what is raised.

    Yields
    ------
    line : str
    """
    for number, line in enumerate(unterminated(stream), 1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise refusal(number, error) from error


def unterminated(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines without their LF or CRLF, the first without a byte order mark.

    Parameters
    ----------
    stream : binary file

    Yields
    ------
    line : bytes
    """
    for number, line in enumerate(stream):
        content = line.removesuffix(b"\n").removesuffix(b"\r")
        yield content if number else content.removeprefix(codecs.BOM_UTF8)
