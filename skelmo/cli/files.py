"""Files as streams of bytes, unpacked on the way."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

PACKED = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma", ".zst": "zstd"}
STDIN = "-"


def shown(path: str) -> str:
    """Return a path as messages name it."""
    return "stdin" if path == STDIN else path


def check_input(path: str) -> None:
    """Raise unless something can be read.

    Parameters
    ----------
    path : str

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If the path names no file.
    ImportError
        If nothing here unpacks it.
    """
    if path == STDIN:
        return
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a directory. Give a file of texts.")
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file. Check the path.")
    if Path(path).suffix.lower() == ".zst":
        _zstd(path)


def unpacked_name(path: str) -> str:
    """Return the name of a file without the ending of its packing."""
    name = Path(path)
    return name.stem if name.suffix.lower() in PACKED else name.name


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file or stdin to read it unpacked.

    Parameters
    ----------
    path : str

    Yields
    ------
    stream : binary file

    Raises
    ------
    ValueError
        If it is damaged, when that comes to light.
    """
    if path == STDIN:
        yield sys.stdin.buffer
        return
    suffix = Path(path).suffix.lower()
    if suffix not in PACKED:
        with Path(path).open("rb") as file:
            yield file
        return
    module = _zstd(path) if suffix == ".zst" else import_module(PACKED[suffix])
    names = ("LZMAError", "ZstdError")
    damage = [getattr(module, name) for name in names if hasattr(module, name)]
    try:
        with module.open(path, "rb") as stream:
            yield stream
    except (EOFError, OSError, zlib.error, *damage) as error:
        if getattr(error, "errno", None) is not None:  # the system's own error
            raise
        raise ValueError(
            f"{path} is no whole {suffix} file ({error}). Copy it again, or rename it "
            f"if it is not packed."
        ) from error


def _zstd(path: str) -> Any:
    """Return what unpacks zstd: a module of Python 3.14, or a package."""
    for name in ("compression.zstd", "zstandard"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError(
        f"{path} is packed by zstd, which needs Python 3.14 or the package zstandard. "
        f"Install it with: pip install skelmo[zst]"
    )
