"""Files and directories written whole or not at all.

What is new is written under a temporary name beside its place, down to the disk, and
then renamed. Processes and threads that write the same thing at once do not meet: their
temporary names differ.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ABANDONED = 24 * 3600.0  # seconds; nobody still writes what is so old
_REMEDIES = {
    getattr(errno, name): remedy
    for names, remedy in {
        ("ENOSPC", "EFBIG", "EDQUOT"): "Free space on the disk, or give another path.",
        ("EACCES", "EPERM", "EROFS"): "Change the permissions, or give another path.",
    }.items()
    for name in names
    if hasattr(errno, name)  # Windows has no quotas
}


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return a path that a user gave, to read or to write, with "~" expanded.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    ValueError
        If there is no home directory to put in the place of "~".
    """
    given = Path(os.fsdecode(path))
    try:
        return given.expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"{given}: cannot be found, as the home directory is not known ({error}). "
            f"Give the whole path."
        ) from error


def make_directory(path: str | os.PathLike[str]) -> Path:
    """Return `path`, a directory to write to, made if need be.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    directory : pathlib.Path

    Raises
    ------
    ValueError
        If it is a file.
    """
    directory = user_path(path)
    if directory.exists() and not directory.is_dir():
        raise ValueError(
            f"{directory}: must be a directory to save to, found a file. Give another "
            "path."
        )
    with naming(directory):
        directory.mkdir(parents=True, exist_ok=True)
        sync(directory.parent)
    return directory


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let errors of the system name what was to be written, not its temporary name.

    Parameters
    ----------
    path : str or os.PathLike

    Raises
    ------
    OSError
        As it came, but for `filename`: most writes give none. A note says what to do
        where the disk is full or closed.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        name = error.filename
        if name == os.fspath(path) or (name is not None and not _is_temporary(name)):
            _advise(error)
            raise
        reason = os.strerror(error.errno)
        named = OSError(error.errno, reason, os.fspath(path))
        _advise(named)
        raise named from error


def _advise(error: OSError) -> None:
    """Note what to do about it, once."""
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is not None and remedy not in getattr(error, "__notes__", ()):
        error.add_note(remedy)


def _is_temporary(name: str | bytes) -> bool:
    return re.search(r"\.[0-9a-f]{16}\.tmp($|/)", os.fsdecode(name)) is not None


@contextmanager
def staged(path: Path, write: Callable[[Path], object]) -> Iterator[Path]:
    """Write a file under a temporary name beside `path`, down to the disk.

    Parameters
    ----------
    path : Path
        Where the file will go.
    write : callable
        Called with the temporary path.

    Yields
    ------
    temporary : Path
        To be moved to `path`. It is removed at the end, if it is still there.
    """
    temporary = _beside(path)
    try:
        with naming(path):
            write(temporary)
            sync(temporary)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def move(source: Path, path: Path) -> None:
    """Put a file that is on the disk in its place, where another one may be.

    Parameters
    ----------
    source : Path
    path : Path
        In the same directory.
    """
    with naming(path):
        source.replace(path)
        sync(path.parent)


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file: whoever looks, and whatever happens, finds the old or the new.

    Parameters
    ----------
    path : Path
        Its directory exists.
    write : callable
        Called with the path to write to.
    """
    with staged(path, write) as temporary:
        move(temporary, path)


def replace_directory(
    path: Path,
    write: Callable[[Path], object],
    stays: Callable[[Path], bool] | None = None,
) -> None:
    """Make a directory: nobody finds it empty or half full.

    One that is there already is removed right before, in one step. Who is killed in
    between leaves none, and who reads file after file in that moment may miss some;
    where that matters, let a good one stay.

    Parameters
    ----------
    path : Path
        Its parent exists.
    write : callable
        Called with a new, empty directory to fill.
    stays : callable, optional
        Tells of a directory that is there already, perhaps since `write` began, whether
        it is as good as the new one, which is then dropped. By default none stays.
    """
    aside = _beside(path)
    try:
        with naming(path):
            aside.mkdir()
            write(aside)
            for each in [*aside.rglob("*"), aside]:
                sync(each)
        while not _rename(aside, path):
            if stays is not None and stays(path):
                return
            remove_directory(path)
        sync(path.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def remove_directory(path: Path) -> None:
    """Remove a directory, if there is one: nobody finds it half empty.

    Parameters
    ----------
    path : Path
    """
    aside = _beside(path)
    with suppress(FileNotFoundError):  # another process has removed it
        path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(path: Path, age: float = 0.0) -> None:
    """Remove what killed processes left of a file or directory that they wrote.

    Whoever writes it does this of what is a day old.

    Parameters
    ----------
    path : Path
        The place for which it was meant.
    age : float, default=0.0
        Seconds since it was changed; 0 if nobody else may write there.
    """
    temporary = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}\.tmp")
    with os.scandir(path.parent) as entries:
        found = [entry for entry in entries if temporary.fullmatch(entry.name)]
    for entry in found:
        with suppress(FileNotFoundError):  # it was not a leftover, or another one's
            if time.time() - entry.stat().st_mtime < age:
                continue
            if entry.is_dir():
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink()


def sync(path: Path) -> None:
    """Write a file, or the names in a directory, down to the disk.

    Parameters
    ----------
    path : Path
        Nothing is done for a directory where the system cannot.
    """
    if path.is_dir():
        if not hasattr(os, "O_DIRECTORY"):
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    else:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path) -> Path:
    """Return a temporary path, and remove old ones."""
    with suppress(OSError):
        remove_leftovers(path, _ABANDONED)
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


def _rename(source: Path, path: Path) -> bool:
    """Rename a directory, unless there is another one that is not empty."""
    try:
        source.rename(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True
