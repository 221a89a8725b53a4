"""What the command says on stderr, a line each, and how it ends."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from skelmo.files import naming

FAILED, MISUSED, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141
_PLAIN = (ValueError, TypeError, OSError, ImportError, RuntimeError)


class UsageError(Exception):
    """A command line that cannot be meant, found out after it was parsed."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a sentence on what is kept."""


def say(text: object) -> None:
    """Write a line to stderr.

    Parameters
    ----------
    text : object
        Line breaks in it become spaces.
    """
    sys.stderr.write(f"skelmo: {' '.join(str(text).split())}\n")
    sys.stderr.flush()


def tell(text: str) -> None:
    """Write results to stdout.

    Parameters
    ----------
    text : str
    """
    with naming("stdout"):
        sys.stdout.write(text)
        sys.stdout.flush()


def is_watched() -> bool:
    """Tell whether somebody sees progress: stderr is a terminal."""
    return sys.stderr.isatty()


def described(error: BaseException) -> str:
    """Return what is wrong, in a sentence or two.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    text : str
        The message alone where it is meant for the user; else with the class.
    """
    if isinstance(error, MemoryError):
        return "memory does not suffice. Lower --batch, or close other programs."
    said = str(error)
    if isinstance(error, OSError) and error.strerror:
        said = f"{error.strerror}."
        if error.filename is not None:
            said = f"{error.filename}: {said}"
    text = " ".join(part for part in (said, *getattr(error, "__notes__", ())) if part)
    if isinstance(error, _PLAIN) and text:
        return text
    return f"{type(error).__name__}: {text} (--debug shows where)"


@contextmanager
def short_warnings(words: Callable[[str], str]) -> Iterator[None]:
    """Show warnings as a line each, those of one place in the code once.

    Parameters
    ----------
    words : callable
        From a message to what is said.
    """
    seen = set()

    def show(message: Any, category: Any, filename: str, lineno: int,
             file: Any = None, line: Any = None) -> None:  # fmt: skip
        place = category, filename, lineno
        if place not in seen:
            seen.add(place)
            say(f"warning: {words(str(message))}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
