"""Models that this process keeps: each distinct one is read, or trained, once."""

from __future__ import annotations

import os
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from skelmo.files import remove_directory, replace_directory
from skelmo.forks import Lock
from skelmo.models.source import key_of
from skelmo.models.trained import TrainedModel
from skelmo.pretrained import registry
from skelmo.pretrained.safetensors_format import write_model
from skelmo.pretrained.saved_model import SavedModel
from skelmo.validation import stack_level

MOST_READ = 4  # models
MOST_TRAINED_BYTES = 256 * 2**20
MOST_IN_DIRECTORY = 64  # models
MOST_UNSHARED = 4096  # trainings


class SharedModel(NamedTuple):
    """A model that was read, for everybody who reads the same files."""

    model: TrainedModel
    saved: SavedModel  # without its arrays


_read: OrderedDict[tuple[Any, ...], dict[torch.device, SharedModel]] = OrderedDict()
_trained: OrderedDict[bytes, TrainedModel] = OrderedDict()
_unshared: OrderedDict[tuple[bytes, bytes], None] = OrderedDict()
_lock = Lock(level=2)


def forget() -> None:
    """Drop all models; those in use stay with their users."""
    with _lock:
        _read.clear()
        _trained.clear()
        _unshared.clear()


def load(
    given: str | os.PathLike[str], device_of: Callable[[SavedModel], torch.device]
) -> SharedModel:
    """Read a model, unless it is there from before and its files are the same.

    Parameters
    ----------
    given : str or os.PathLike
        A bundled name, or a directory or zip archive.
    device_of : callable
        From what was read to the device that is to compute; called once.

    Returns
    -------
    SharedModel
    """
    with _lock:
        key = key_of(given)
        found = _read.get(key, {})
        known = next(iter(found.values()), None)
        saved = registry.load(given) if known is None else known.saved
        device = device_of(saved)
        if known is None:
            model = TrainedModel.from_saved(saved, device)
            found[device] = SharedModel(model, replace(saved, arrays={}))
        elif device not in found:
            found[device] = known._replace(model=known.model.to(device))
        _read[key] = found
        _read.move_to_end(key)
        while len(_read) > MOST_READ:
            _read.popitem(last=False)
        return found[device]


def get_or_train(
    key: bytes | None,
    train: Callable[[], TrainedModel],
    *,
    device: torch.device,
    owner: str,
    directory: Path | None = None,
) -> TrainedModel:
    """Train a model, unless the same training was done before.

    Parameters
    ----------
    key : bytes or None
        Hash of all that training depends on; None trains always.
    train : callable
        Returns the model.
    device : torch.device
        Where the model is wanted.
    owner : str
        The class that asks, for the warnings.
    directory : pathlib.Path, optional
        Where trained models are kept for other processes, besides in memory.

    Returns
    -------
    model : TrainedModel

    Warns
    -----
    UserWarning
        If a model in the directory cannot be read, or none can be written there.
    """
    if key is None:
        return train()
    with _lock:
        model = _trained.get(key)
    path = None if directory is None else directory / key.hex()
    if model is None and path is not None:
        model = _from_directory(path, device, owner)
    if model is None:
        model = train()
        if path is not None:
            _to_directory(path, model, owner)
    _remember(key, model)
    return model.to(device)


def repeats(what: bytes, how: bytes) -> bool:
    """Tell whether a training whose model is not kept is done again, the first time.

    Parameters
    ----------
    what : bytes
        Hash of the documents and of all parameters but the seed.
    how : bytes
        Hash of the parameters alone: of those it is told once.

    Returns
    -------
    repeats : bool
        Whether the same was done before, and was not told of.
    """
    told = b"", how
    with _lock:
        if told in _unshared:
            return False
        found = (what, how) in _unshared
        _unshared[told if found else (what, how)] = None
        while len(_unshared) > MOST_UNSHARED:
            _unshared.popitem(last=False)
        return found


def _remember(key: bytes, model: TrainedModel) -> None:
    with _lock:
        _trained[key] = model
        _trained.move_to_end(key)
        while len(_trained) > 1 and _n_bytes(_trained.values()) > MOST_TRAINED_BYTES:
            _trained.popitem(last=False)


def _n_bytes(models: Iterable[TrainedModel]) -> int:
    return sum(model.n_bytes for model in models)


def _from_directory(
    path: Path, device: torch.device, owner: str
) -> TrainedModel | None:
    """Read a model that was trained before; None if there is none."""
    if not path.is_dir():
        return None
    try:
        model = TrainedModel.from_saved(registry.load(path), device)
        os.utime(path)
    except (OSError, ValueError) as error:
        warnings.warn(
            f"{owner}: the language model kept in {path} cannot be read ({error}); it "
            f"is trained anew. Delete the directory if this comes again.",
            UserWarning,
            stacklevel=stack_level(),
        )
        return None
    return model


def _to_directory(path: Path, model: TrainedModel, owner: str) -> None:
    """Keep a trained model, and drop those that were not used for the longest time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        saved = model.to_saved({})
        replace_directory(path, lambda aside: write_model(saved, aside), _can_be_read)
        kept = [each for each in path.parent.iterdir() if not each.name.startswith(".")]
        kept.sort(key=lambda each: each.stat().st_mtime)
        for old in kept[:-MOST_IN_DIRECTORY]:
            remove_directory(old)
    except OSError as error:
        warnings.warn(
            f"{owner}: the trained language model cannot be kept in {path} ({error}). "
            f"Choose a directory that can be written to as cache.",
            UserWarning,
            stacklevel=stack_level(),
        )


def _can_be_read(path: Path) -> bool:
    """Tell whether a model that another process has put there can be read."""
    try:
        registry.load(path)
    except (OSError, ValueError):
        return False
    return True
