"""Results that outlive the process: one JSON file for a representation and a fold."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from types import FunctionType
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import scipy
import sklearn
import torch
from sklearn.frozen import FrozenEstimator

from skelmo.comparison.fold_result import FoldResult
from skelmo.files import make_directory, replace_file, user_path
from skelmo.version import __version__

FORMAT = 1
# Parameters that say where to work and what to show, not what comes out.
_WITHOUT_EFFECT = ("cache", "checkpoint", "memory", "verbose", "n_jobs")


class ResultStore:
    """A directory of results, or nothing.

    Parameters
    ----------
    directory : path-like or None
        Made if need be; None keeps nothing.
    """

    def __init__(self, directory: str | os.PathLike[str] | None) -> None:
        self.directory = None
        if directory is not None:
            self.directory = make_directory(directory)

    def get(self, key: str) -> FoldResult | None:
        """Return a result.

        Parameters
        ----------
        key : str

        Returns
        -------
        result : FoldResult or None
            None if there is none, or its file is damaged.
        """
        if self.directory is None:
            return None
        try:
            content = json.loads((self.directory / f"{key}.json").read_text("utf-8"))
            return FoldResult(**content)
        except (OSError, ValueError, TypeError):
            return None

    def put(self, key: str, result: FoldResult) -> None:
        """Write a result whole or not at all.

        Parameters
        ----------
        key : str
        result : FoldResult
        """
        if self.directory is None:
            return
        content = json.dumps(asdict(result), indent=1)
        replace_file(
            self.directory / f"{key}.json",
            lambda path: path.write_text(content, "utf-8"),
        )


def key_of(*parts: Any) -> str:
    """Return the name of a result: a hash of what it follows from.

    Parameters
    ----------
    *parts : object
        As `described` takes them; the versions of the libraries are added.

    Returns
    -------
    key : str
        32 hexadecimal digits.
    """
    modules = (np, scipy, sklearn, torch)
    versions = [__version__, *(module.__version__ for module in modules)]
    content = json.dumps([FORMAT, versions, described(parts)])
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def digest_of(documents: Iterable[str]) -> str:
    """Return a hash of texts.

    Parameters
    ----------
    documents : iterable of str

    Returns
    -------
    digest : str
    """
    digest = hashlib.sha256()
    for text in documents:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(f"{len(content)}:".encode() + content)
    return digest.hexdigest()


def described(value: Any) -> Any:
    """Turn a value into what JSON can hold and what differs where the value does.

    Parameters
    ----------
    value : object
        An estimator is described by its class and parameters, a frozen one also by
        what it has learned; a function by its code; a path by what stands there.

    Returns
    -------
    description : str, number, None, list or dict
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str | os.PathLike):
        return [os.fspath(value), *_files_at(value)]
    if isinstance(value, FrozenEstimator):
        return ["frozen", _hashed(value.estimator)]
    if hasattr(value, "get_params") and not isinstance(value, type):
        parameters = value.get_params(deep=False)
        kept = {k: v for k, v in parameters.items() if k not in _WITHOUT_EFFECT}
        return [_name(type(value)), described(kept)]
    if isinstance(value, Mapping):
        return {repr(name): described(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [type(value).__name__, *map(described, value)]
    if isinstance(value, FunctionType):
        code = value.__code__
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        held = [code.co_names, value.__defaults__, value.__kwdefaults__, cells]
        return [_name(value), code.co_code.hex(), _constants(code), described(held)]
    if isinstance(value, type):
        return _name(value)
    return _hashed(value)


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _constants(code: Any) -> list[Any]:
    """Return the constants of a function; those of functions inside it, too."""
    return [
        [item.co_code.hex(), _constants(item)]
        if hasattr(item, "co_code")
        else repr(item)
        for item in code.co_consts
    ]


def _files_at(value: str | os.PathLike[str]) -> list[Any]:
    """Return names, sizes and times of the files that a path or a name may mean."""
    try:
        path = user_path(value)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        stats = [(file.name, file.stat()) for file in files]
    except (OSError, ValueError):  # no path, or too long for one
        return []
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]


def _hashed(value: Any) -> str:
    try:
        return joblib.hash(value)
    except (pickle.PicklingError, AttributeError, TypeError):
        return uuid.uuid4().hex  # never found again, which is safe
