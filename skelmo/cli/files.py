"""Files as streams of bytes, unpacked on the way."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from skelmo.text.documents import UNPACKERS, unpacked

PACKED = {*UNPACKERS, ".zst"}
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


def opened(path: str) -> AbstractContextManager[BinaryIO]:
    """Open a file or stdin to read it unpacked.

    Parameters
    ----------
    path : str

    Returns
    -------
    stream : context manager of a binary file
        Raises ValueError if it is damaged, when that comes to light.
    """
    if path == STDIN:
        return nullcontext(sys.stdin.buffer)
    is_zst = Path(path).suffix.lower() == ".zst"
    return unpacked(path, path, _zstd(path) if is_zst else None)


def _zstd(path: str) -> ModuleType:
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
