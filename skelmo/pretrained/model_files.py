"""Files of a saved model, found in a directory or a zip archive."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from types import TracebackType

_TIMES_PACKED = 100
_ALWAYS_UNPACKED = 64 * 2**20  # bytes
WEIGHT_SUFFIXES = (".hdf5", ".h5", ".safetensors")
PICKLES = ("encoder.pkl", "token_embedder.pkl")  # the weights of ELMoForManyLangs


class ModelFiles:
    """The files of a model, in a directory or a zip archive; a context manager.

    In an archive the model may lie in a folder; it is the folder that holds weights.

    Parameters
    ----------
    path : str or os.PathLike
        Directory or zip archive.

    Attributes
    ----------
    names : list of str
        File names, without folder, sorted; hidden files are left out.

    Raises
    ------
    FileNotFoundError
        If `path` does not exist.
    ValueError
        If it is a file but not a zip archive, or an archive of several models.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root = Path(path)
        self._archive: zipfile.ZipFile | None = None
        self._extracted: dict[str, Path] = {}
        if self._root.is_dir():
            members = {file.name: "" for file in self._root.iterdir() if file.is_file()}
        elif self._root.exists():
            self._archive = self._open_archive()
            try:
                members = self._find_members(self._archive)
            except ValueError:
                self._archive.close()
                raise
            self._scratch = tempfile.TemporaryDirectory(prefix="skelmo-")
        else:
            raise FileNotFoundError(
                f"{self._root}: no such directory or zip file. Check the path."
            )
        self._members = {k: v for k, v in members.items() if not k.startswith(".")}
        self.names = sorted(self._members)

    def __enter__(self) -> ModelFiles:
        """Return self."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the archive and remove what was extracted."""
        if self._archive is not None:
            self._archive.close()
            self._scratch.cleanup()

    def shown(self, name: str) -> str:
        """Return a file's path as messages show it."""
        return str(self._root / self._members.get(name, "") / name)

    def listing(self) -> str:
        """Return the names as messages list them."""
        more = f" and {len(self.names) - 8} more" if len(self.names) > 8 else ""
        return ", ".join(self.names[:8]) + more or "no files"

    def path(self, name: str) -> Path:
        """Return a path to read the file from; an archive's file is extracted first."""
        if self._archive is None:
            return self._root / name
        if name not in self._extracted:
            # The archive's own names never reach the file system.
            target = Path(self._scratch.name) / str(len(self._extracted))
            member = str(PurePosixPath(self._members[name]) / name)
            self._check_size(self._archive.getinfo(member), name)
            try:
                with self._archive.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
            except Exception as error:  # zipfile knows no one kind for damage
                if _is_of_the_system(error):
                    raise
                raise ValueError(
                    f"{self.shown(name)}: cannot be unpacked: {error}. Download the "
                    "archive again, or unpack it and give the directory."
                ) from error
            self._extracted[name] = target
        return self._extracted[name]

    def _open_archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._root)
        except Exception as error:  # zipfile knows no one kind for damage
            if _is_of_the_system(error):
                raise
            raise ValueError(
                f"{self._root}: must be a directory or a zip archive, found another "
                f"file, which begins with {first_bytes(self._root)}. Give the "
                "directory that holds the model's files."
            ) from error

    def _check_size(self, member: zipfile.ZipInfo, name: str) -> None:
        """Raise before a small archive fills the disk, as weights hardly shrink."""
        at_most = max(_ALWAYS_UNPACKED, _TIMES_PACKED * member.compress_size)
        if member.file_size > at_most:
            raise ValueError(
                f"{self.shown(name)}: would be {member.file_size:,} bytes, from "
                f"{member.compress_size:,} in the archive, which no model is. If you "
                "trust it, unpack it and give the directory."
            )

    def _find_members(self, archive: zipfile.ZipFile) -> dict[str, str]:
        """Map names in the folder that holds the weights to that folder."""
        files = [
            PurePosixPath(info.filename)
            for info in archive.infolist()
            if not info.is_dir() and not info.filename.startswith("__MACOSX/")
        ]
        shown = [file for file in files if not file.name.startswith(".")]
        folders = {
            str(file.parent)
            for file in shown
            if file.name in PICKLES or file.suffix.lower() in WEIGHT_SUFFIXES
        }
        if len(folders) > 1:
            raise ValueError(
                f"{self._root}: must hold one model, found weights in the folders "
                f"{', '.join(sorted(folders))}. Unpack it and give one directory."
            )
        folder = folders.pop() if folders else "."
        return {file.name: folder for file in files if str(file.parent) == folder}


def _is_of_the_system(error: Exception) -> bool:
    """Tell a full disk or no memory from what a damaged archive leads to."""
    if isinstance(error, OSError):
        return error.errno not in (None, errno.EINVAL)
    return isinstance(error, MemoryError)


def first_bytes(path: Path) -> str:
    """Return how a file begins, as messages show it."""
    with path.open("rb") as file:
        return repr(file.read(24))
