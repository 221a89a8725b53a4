"""Where a model comes from: a name or path, told apart, and found again."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from skelmo.pretrained import registry


class ModelReference(NamedTuple):
    """A language model that is not in a pickle, but in files."""

    source: str  # a bundled name, or the real path
    digest: str  # of the model, hexadecimal
    parameters: dict[str, Any]  # of its estimator, that files cannot know


def source_of(given: object) -> str | None:
    """Return what a model can be read by again, from any directory.

    Parameters
    ----------
    given : object
        What a user gave as language model.

    Returns
    -------
    source : str or None
        A bundled name or a real path; None if it comes from no file.
    """
    if not isinstance(given, str | os.PathLike):
        return None
    if isinstance(given, str) and given in registry.BUNDLED:
        return given
    return os.path.realpath(registry.find(given))


def key_of(given: str | os.PathLike[str]) -> tuple[Any, ...]:
    """Return what tells files apart, and notices that they have changed.

    Parameters
    ----------
    given : str or os.PathLike
        A bundled name, or the path of a model or of any other file.

    Returns
    -------
    key : tuple
        The real path, with name, size and time of the last change of each file.
    """
    path = registry.find(given)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [(file.name, file.stat()) for file in files if file.exists()]
    return os.path.realpath(path), *(
        (name, stat.st_size, stat.st_mtime_ns) for name, stat in stats
    )
