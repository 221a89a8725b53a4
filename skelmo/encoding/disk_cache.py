"""Pooled activations of documents, kept in a directory, for any number of processes."""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from skelmo.encoding.activation_cache import CacheInfo
from skelmo.files import user_path
from skelmo.forks import Lock
from skelmo.validation import stack_level

MAX_BYTES = 4 * 2**30
FILE_NAME = "activations.sqlite3"
_SUFFIXES = ("", "-journal", "-wal", "-shm")  # of the files that are one database
PATIENCE = 60.0  # seconds to wait for other processes
_ENTRY_BYTES = 300  # a key, its place in the index and the rest of a row, about
_LONG_LOG = 2**18  # bytes that the next to open it may have to read
_ATTEMPTS = 3  # at a database that is damaged each time

_APPLICATION_ID = 0x736B656C  # "skel"
_VERSION = 1
_SCHEMA = (
    """CREATE TABLE activations (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, n_bytes INTEGER NOT NULL,
    shape BLOB NOT NULL, checksum INTEGER NOT NULL, data BLOB NOT NULL)""",
    """CREATE TABLE counts (
    hits INTEGER, misses INTEGER, entries INTEGER, bytes INTEGER)""",
    "INSERT INTO counts VALUES (0, 0, 0, 0)",
    """CREATE TRIGGER count_kept AFTER INSERT ON activations BEGIN
    UPDATE counts SET entries = entries + 1, bytes = bytes + new.n_bytes; END""",
    """CREATE TRIGGER count_dropped AFTER DELETE ON activations BEGIN
    UPDATE counts SET entries = entries - 1, bytes = bytes - old.n_bytes; END""",
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {_VERSION}",
)
_GET = "SELECT id, shape, checksum, data FROM activations WHERE key = ?"
_INSERT = "INSERT OR IGNORE INTO activations VALUES (random(), ?, ?, ?, ?, ?)"
# Numbers are random, so that the next one after a random place is any entry.
_DROP = """DELETE FROM activations WHERE id = coalesce(
    (SELECT min(id) FROM activations WHERE id >= (SELECT random())),
    (SELECT min(id) FROM activations))"""

# What says nothing about the content. All else means that the file is damaged,
_CIRCUMSTANCES = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_READONLY,
}  # fmt: skip
# and so does a file that may be written but says no, or one that is cut.
_SIGNS_OF_DAMAGE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR_SHORT_READ}

_OBSTACLES = (sqlite3.OperationalError, OSError)  # to work on a file
# Held while a database is open: SQLite in a child would think its locks remain.
_lock = Lock()
_warned: set[Path] = set()  # directories of which this process has complained
_T = TypeVar("_T")
_Value = NDArray[np.float32]
_Row = tuple[bytes, int, bytes, int, bytes]  # key, n_bytes, shape, checksum, data


class DiskCache:
    """Pooled activations in a directory. Safe in threads and between processes.

    All is in one SQLite file, ``activations.sqlite3``: float32 bytes and checksums. If
    there is no room, entries are dropped by chance, as by `MemoryCache`. A file that is
    damaged or of another version is renamed, with a UserWarning, and one begun anew.

    Parameters
    ----------
    directory : path-like
        Made when it is first needed.
    max_bytes : int, default=4 GiB
        What values and keys may take; the file may be some per cent larger.
    """

    def __init__(
        self, directory: str | os.PathLike[str], max_bytes: int = MAX_BYTES
    ) -> None:
        self.directory = user_path(directory).absolute()
        self.path = self.directory / FILE_NAME
        self.max_bytes = max_bytes

    def get(
        self, keys: Sequence[bytes], which: Sequence[int] | None = None
    ) -> list[NDArray[np.float32] | None]:
        """Return what is kept under each key.

        Parameters
        ----------
        keys : sequence of bytes
        which : sequence of int, optional
            Indices of the parts of values that are wanted; by default all.

        Returns
        -------
        values : list of ndarray or None
            None where nothing is kept or can be read; not to be written to.

        Raises
        ------
        OSError
            If the directory cannot be made or written.
        """
        found: list[_Value | None] = [None] * len(keys)
        self._check_directory()
        with suppress(*_OBSTACLES):
            self._run(lambda: self._read(keys, found))
        if which is not None:
            found = [None if value is None else value[[*which]] for value in found]
        return found

    def put(self, keys: Sequence[bytes], values: Sequence[NDArray[np.float32]]) -> None:
        """Keep values, in so far as there is room.

        Parameters
        ----------
        keys : sequence of bytes
        values : sequence of ndarray

        Raises
        ------
        OSError
            If the directory cannot be made or written.

        Warns
        -----
        UserWarning
            Once for a directory and a process, if values cannot be kept, as on a full
            disk.
        """
        rows = [_row(key, value) for key, value in zip(keys, values, strict=True)]
        self._check_directory()
        try:
            self._run(lambda: self._write(rows))
        except _OBSTACLES as error:
            if self._is_first_to_warn():
                warnings.warn(
                    f"DiskCache cannot keep activations in {self.path} ({error}). They "
                    f"are computed again when needed. Free space on the disk, or "
                    f"choose another directory.",
                    stacklevel=stack_level(),
                )

    def info(self) -> CacheInfo:
        """Return what the cache holds, and what it was good for in all processes.

        Raises an OSError if that cannot be read.
        """
        return self._report(self._read_counts, CacheInfo(0, 0, 0, 0))

    def clear(self) -> None:
        """Forget everything, counts included.

        Raises
        ------
        OSError
            If that cannot be written.
        """
        with suppress(OSError), _lock, self._directory_lock(alone=True) as is_alone:
            if is_alone:  # this takes no time, and frees the disk
                for suffix in _SUFFIXES:
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)
                return
        self._report(self._delete, None)

    def _report(self, work: Callable[[], _T], nothing: _T) -> _T:
        """Return the outcome of work, or `nothing` where there is no file."""
        if not self.path.exists():
            return nothing
        self._check_directory()
        try:
            return self._run(work)
        except _OBSTACLES as error:
            if not self.path.exists():  # deleted meanwhile
                return nothing
            raise OSError(
                f"DiskCache cannot use {self.path} ({error}). Try again, or delete it "
                f"while no process uses it."
            ) from error

    def _read(self, keys: Sequence[bytes], found: list[_Value | None]) -> None:
        wrong = []
        with self._open("ro") as reader:
            if not _has_schema(reader):
                return
            for k, key in enumerate(keys):
                row = reader.execute(_GET, (key,)).fetchone()
                if row is not None:
                    found[k] = _value(key, *row[1:])
                    if found[k] is None:
                        wrong.append(row[:1])
            reader.execute("COMMIT")
            n_hits = sum(value is not None for value in found)
            if not n_hits and not wrong:
                return
            # The last to close the file copies the log back, and waits for the disk.
            # With the reader open that is not the writer, while the log is short.
            log = Path(f"{self.path}-wal")
            if log.exists() and log.stat().st_size > _LONG_LOG:
                reader.close()
            with self._open("rw") as writer:
                writer.execute("UPDATE counts SET hits = hits + ?", (n_hits,))
                writer.executemany("DELETE FROM activations WHERE id = ?", wrong)

    def _write(self, rows: Sequence[_Row]) -> None:
        with self._open("rwc") as connection:
            if not _has_schema(connection):
                for statement in _SCHEMA:
                    connection.execute(statement)
            connection.execute("UPDATE counts SET misses = misses + ?", (len(rows),))
            for row in rows:
                key, n_bytes, *_ = row
                is_known = connection.execute(_GET, (key,)).fetchone()
                if is_known or n_bytes > self.max_bytes:
                    continue
                while _counts(connection).bytes + n_bytes > self.max_bytes:
                    if not connection.execute(_DROP).rowcount:
                        raise sqlite3.DatabaseError("counts are wrong")
                connection.execute(_INSERT, row)

    def _read_counts(self) -> CacheInfo:
        with self._open("ro") as reader:
            return _counts(reader) if _has_schema(reader) else CacheInfo(0, 0, 0, 0)

    def _delete(self) -> None:
        with self._open("rw") as connection:
            if _has_schema(connection):
                connection.execute("DELETE FROM activations")
                connection.execute("UPDATE counts SET hits = 0, misses = 0")

    @contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection]:
        """Open the database for one operation, in one transaction."""
        uri = f"{self.path.as_uri()}?mode={mode}"
        connection = sqlite3.connect(
            uri, timeout=PATIENCE, isolation_level=None, uri=True
        )
        with closing(connection):  # which undoes what is not committed
            connection.text_factory = bytes  # there is no text, only damage
            if mode == "ro":
                connection.execute("BEGIN")
                yield connection
                return
            with suppress(sqlite3.OperationalError):  # of others who begin it just now
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA secure_delete = OFF")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def _run(self, work: Callable[[], _T]) -> _T:
        """Do work on the database, or on a new one; may raise one of _OBSTACLES."""
        for _ in range(_ATTEMPTS):
            with _lock:
                with self._directory_lock():
                    try:
                        return work()
                    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                        if not self._is_damage(error):
                            raise
                        reason, damaged = str(error), self._inode()
                aside = self._set_aside(damaged)
            if aside is not None:
                warnings.warn(
                    f"DiskCache found {self.path} damaged ({reason}). It is now "
                    f"{aside.name}, and the cache starts anew. Delete that file if "
                    f"nobody needs it.",
                    stacklevel=stack_level(),
                )
        raise sqlite3.OperationalError(f"damaged {_ATTEMPTS} times in a row")

    def _is_damage(self, error: Exception) -> bool:
        if isinstance(error, sqlite3.ProgrammingError):
            return False
        code = getattr(error, "sqlite_errorcode", None)
        if code in _SIGNS_OF_DAMAGE:
            return os.access(self.path, os.R_OK | os.W_OK)
        return code is None or code & 0xFF not in _CIRCUMSTANCES

    def _inode(self) -> int | None:
        """Return what tells the file from another one of the same name."""
        return self.path.stat().st_ino if self.path.exists() else None

    def _set_aside(self, damaged: int | None) -> Path | None:
        """Rename the file, unless another process has already done so."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with self._directory_lock(alone=True) as is_alone:
                if is_alone and (damaged is None or damaged != self._inode()):
                    return None
                if is_alone:
                    names = (f"{self.path}.damaged-{n}" for n in itertools.count(1))
                    aside = next(name for name in names if not Path(name).exists())
                    # The database first: SQLite deletes a log that is without one.
                    for suffix in _SUFFIXES:
                        with suppress(FileNotFoundError):
                            Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
                    return Path(aside)
            time.sleep(0.002)
        raise sqlite3.OperationalError("damaged, and in use")

    @contextmanager
    def _directory_lock(self, *, alone: bool = False) -> Iterator[bool]:
        """Share the directory with who reads and writes, or try to have it alone.

        A file must not be renamed or deleted while it is open: who has opened one
        would go on with the log of the next. The lock ends with the process, if killed.
        """
        try:
            import fcntl
        except ImportError:  # Windows, which itself refuses to rename an open file
            yield True
            return
        how = fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH
        handle = os.open(self.directory, os.O_RDONLY)
        try:
            is_held = True
            try:
                fcntl.flock(handle, how)
            except OSError as error:  # or else a file system that knows no locks
                is_held = not isinstance(error, BlockingIOError)
            yield is_held
        finally:
            os.close(handle)

    def _is_first_to_warn(self) -> bool:
        with _lock:  # each call of an estimator has a cache of its own
            is_first = self.directory not in _warned
            _warned.add(self.directory)
            return is_first

    def _check_directory(self) -> None:
        """Make the directory; raise unless the file can be read and written there."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            paths = [self.directory, self.path][: 1 + self.path.exists()]
            if all(os.access(path, os.R_OK | os.W_OK) for path in paths):
                return
            reason: str | None = "Permission denied"
        except OSError as error:
            reason = error.strerror
        raise OSError(
            f"DiskCache needs a directory that it can make and write to, got "
            f"{str(self.directory)!r} ({reason}). Choose another directory, or change "
            f"its permissions."
        )


def _row(key: bytes, value: _Value) -> _Row:
    """Return an entry as it is written: all columns but the number."""
    data = np.asarray(value, dtype="<f4").tobytes()
    shape = np.array(value.shape, dtype="<i8").tobytes()
    return key, len(data) + _ENTRY_BYTES, shape, _checksum(key, shape, data), data


def _value(key: bytes, shape: object, checksum: object, data: object) -> _Value | None:
    """Return the value of an entry, or None if it is not what was written."""
    if not isinstance(shape, bytes) or not isinstance(data, bytes):
        return None
    if checksum != _checksum(key, shape, data):
        return None
    sizes = tuple(np.frombuffer(shape, dtype="<i8").tolist())
    return np.ndarray(sizes, "<f4", data).astype(np.float32, copy=False)


def _checksum(key: bytes, shape: bytes, data: bytes) -> int:
    # With the lengths, lest a byte at the end of one part be the start of the next.
    start = f"{len(key)} {len(shape)} {len(data)} ".encode()
    return zlib.crc32(data, zlib.crc32(start + key + shape))


def _has_schema(connection: sqlite3.Connection) -> bool:
    """Tell whether the tables are there; if not, the database is an empty one."""
    names = "application_id", "user_version", "schema_version"
    state = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    if state[:2] == [_APPLICATION_ID, _VERSION]:
        return True
    if any(state):
        raise sqlite3.DatabaseError("file is of another version or program")
    return False


def _counts(connection: sqlite3.Connection) -> CacheInfo:
    row = connection.execute("SELECT * FROM counts").fetchone()
    if row is None or not all(isinstance(n, int) and n >= 0 for n in row):
        raise sqlite3.DatabaseError("counts are wrong")
    return CacheInfo(*row)
