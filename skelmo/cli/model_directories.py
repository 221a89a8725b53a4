"""Directories of models, seen from outside."""

from __future__ import annotations

from pathlib import Path

from skelmo.cli.messages import UsageError
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.pretrained.model_files import WEIGHT_SUFFIXES


def check_no_model(path: Path, force: bool) -> None:
    """Raise if there is a model that would be replaced, or a file in the way.

    Parameters
    ----------
    path : Path
    force : bool
        Whether a model is to be replaced.

    Raises
    ------
    FileExistsError
    UsageError
        If it is "-", stdout.
    """
    if str(path) == "-":
        raise UsageError("A model is a directory, and cannot go to stdout. Name one.")
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"{path} is a file. Give a directory to save to.")
    held = [file.name for file in path.iterdir()] if path.is_dir() else []
    is_model = any(n == "config.json" or n.endswith(WEIGHT_SUFFIXES) for n in held)
    if is_model and not force:
        raise FileExistsError(
            f"{path} holds a model. Give another directory, or --force to replace it."
        )


def size_of(path: Path) -> int:
    """Return the bytes of a model on the disk: a directory or an archive.

    Parameters
    ----------
    path : Path

    Returns
    -------
    n_bytes : int
    """
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def weights_of(model: ElmoLanguageModel) -> int:
    """Return the number of weights of a fitted model.

    Parameters
    ----------
    model : ElmoLanguageModel

    Returns
    -------
    n : int
    """
    return sum(parameter.numel() for parameter in model.network_.parameters())
