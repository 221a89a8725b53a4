"""Language models of this process: each distinct one is read, or trained, once."""

from __future__ import annotations

import copy
import os
import shutil
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from numbers import Integral
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

import numpy as np
import torch

from skelmo import persistence
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.fitting import analyzer_of
from skelmo.models.weights import build_network
from skelmo.nn.bilm import BiLMConfig, LanguageModel
from skelmo.pretrained import registry
from skelmo.pretrained.saved_model import SavedModel
from skelmo.validation import FEW_TOKENS, stack_level
from skelmo.version import __version__

MOST_READ = 4  # models
MOST_TRAINED_BYTES = 256 * 2**20
MOST_IN_DIRECTORY = 64  # models

# Parameters that files cannot know, or that belong to the machine.
NOT_IN_FILES = ("tokenizer", "sentence_splitter", "device")
# They do not change what is learned, or are told by the documents' tokens.
_NOT_LEARNED_FROM = {
    "tokenizer", "sentence_splitter", "input", "missing", "device", "verbose",
    "checkpoint", "checkpoint_every", "warm_start",
}  # fmt: skip
_FILES = ("init", "init_word_vectors")


class _Read(NamedTuple):
    saved: SavedModel  # without its arrays
    networks: dict[torch.device, LanguageModel]


_read: OrderedDict[tuple[Any, ...], _Read] = OrderedDict()
_trained: OrderedDict[bytes, ElmoLanguageModel] = OrderedDict()
_lock = RLock()


def forget() -> None:
    """Drop all models; those in use stay with their users."""
    with _lock:
        _read.clear()
        _trained.clear()


def load(
    given: str | os.PathLike[str], parameters: dict[str, Any]
) -> ElmoLanguageModel:
    """Return what ``ElmoLanguageModel.load`` returns, around a shared network.

    Parameters
    ----------
    given : str or os.PathLike
        A bundled name, or a directory or zip archive.
    parameters : dict
        Parameters that replace those of the files.

    Returns
    -------
    language_model : ElmoLanguageModel
        The network is that of everybody who loads these files: not to be changed.
    """
    with _lock:
        key = files_key(given)
        read = _read.get(key)
        arrays: dict[str, np.ndarray] = {}
        if read is None:
            saved = registry.load(given)
            arrays, read = saved.arrays, _Read(replace(saved, arrays={}), {})
        model = persistence.restore(
            ElmoLanguageModel(), read.saved, parameters, _builder(read, arrays)
        )
        _read[key] = read
        _read.move_to_end(key)
        while len(_read) > MOST_READ:
            _read.popitem(last=False)
    return model


def _builder(
    read: _Read, arrays: dict[str, np.ndarray]
) -> Callable[[BiLMConfig, dict[str, np.ndarray], torch.device], LanguageModel]:
    def build(
        config: BiLMConfig, _: dict[str, np.ndarray], device: torch.device
    ) -> LanguageModel:
        networks = read.networks
        if not networks:
            networks[device] = build_network(config, arrays, device)
        elif device not in networks:
            other = next(iter(networks.values()))
            networks[device] = copy.deepcopy(other).to(device)
        return networks[device]

    return build


def files_key(given: str | os.PathLike[str]) -> tuple[Any, ...]:
    """Return what tells files apart, and notices that they have changed.

    Parameters
    ----------
    given : str or os.PathLike
        A bundled name, or a path.

    Returns
    -------
    key : tuple
        The real path, with name, size and time of the last change of each file.
    """
    name = os.fspath(given)
    path = registry.BUNDLED.get(name, Path(name).expanduser())
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [(file.name, file.stat()) for file in files if file.exists()]
    return os.path.realpath(path), *(
        (name, stat.st_size, stat.st_mtime_ns) for name, stat in stats
    )


def train(
    model: ElmoLanguageModel, documents: Sequence[Any], directory: Path | None = None
) -> ElmoLanguageModel:
    """Train a language model, unless the same one was trained on the same tokens.

    Parameters
    ----------
    model : ElmoLanguageModel
        Not fitted; fitted in place. It is always trained if `random_state` is no
        integer, for no two runs are the same then, or if there are so few tokens that
        training warns of it.
    documents : sequence
        Without missing ones.
    directory : pathlib.Path, optional
        Where trained models are kept for other processes, besides in memory.

    Returns
    -------
    model : ElmoLanguageModel
        The given one.
    """
    if not isinstance(model.random_state, Integral):
        return model.fit(documents)
    key = _training_key(model, documents)
    if key is None:
        return model.fit(documents)
    with _lock:
        found = _trained.get(key)
    if found is None and directory is not None:
        found = _from_directory(directory / key.hex(), model)
    if found is None:
        found = model.fit(documents)
        if directory is not None:
            _to_directory(directory / key.hex(), model)
    _take_over(model, found)
    _remember(key, model)
    return model


def _training_key(model: ElmoLanguageModel, documents: Sequence[Any]) -> bytes | None:
    """Hash all that training depends on: parameters, seed, tokens and their order."""
    parameters = model.get_params(deep=False)
    learned_from: dict[str, Any] = {}
    for name in sorted(set(parameters) - _NOT_LEARNED_FROM):
        value = parameters[name]
        if name in _FILES and value is not None:
            value = files_key(value)
        learned_from[name] = value
    hasher = sha256(ascii((__version__, learned_from)).encode())
    analyze, n_tokens = analyzer_of(model), 0
    for document in documents:
        sequences = analyze(document)
        hasher.update(ascii(sequences).encode())
        n_tokens += sum(map(len, sequences))
    return None if n_tokens < FEW_TOKENS else hasher.digest()


def _take_over(model: ElmoLanguageModel, found: ElmoLanguageModel) -> None:
    """Give a model the fitted attributes of another, and not its parameters."""
    for name, value in vars(found).items():
        if name == "_optimizer" or (name.endswith("_") and not name.startswith("_")):
            setattr(model, name, value)


def _remember(key: bytes, model: ElmoLanguageModel) -> None:
    # Not the one that its user may go on training.
    own = ElmoLanguageModel()
    _take_over(own, model)
    with _lock:
        _trained[key] = own
        _trained.move_to_end(key)
        while len(_trained) > 1 and _n_bytes(_trained.values()) > MOST_TRAINED_BYTES:
            _trained.popitem(last=False)


def _n_bytes(models: Any) -> int:
    return sum(
        tensor.numel() * tensor.element_size()
        for model in models
        for tensor in model.network_.parameters()
    )


def _from_directory(path: Path, model: ElmoLanguageModel) -> ElmoLanguageModel | None:
    """Read a model that was trained before; None if there is none."""
    if not path.is_dir():
        return None
    try:
        found = load(path, {name: getattr(model, name) for name in NOT_IN_FILES})
        os.utime(path)
    except (OSError, ValueError) as error:
        warnings.warn(
            f"ElmoVectorizer: the language model kept in {path} cannot be read "
            f"({error}); it is trained anew. Delete the directory if this comes again.",
            UserWarning,
            stacklevel=stack_level(),
        )
        return None
    return found


def _to_directory(path: Path, model: ElmoLanguageModel) -> None:
    """Keep a trained model, and drop those that were not used for the longest time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        persistence.save(model, path)
        kept = sorted(path.parent.iterdir(), key=lambda each: each.stat().st_mtime)
        for old in kept[:-MOST_IN_DIRECTORY]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        warnings.warn(
            f"ElmoVectorizer: the trained language model cannot be kept in {path} "
            f"({error}). Choose a directory that can be written to as cache.",
            UserWarning,
            stacklevel=stack_level(),
        )
