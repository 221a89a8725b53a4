"""A fitted language model to and from files and pickles."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from skelmo.models.history import EpochRecord
from skelmo.models.weights import build_network, network_arrays
from skelmo.nn.bilm import BiLMConfig, LanguageModel
from skelmo.nn.device import here, torch_device
from skelmo.pretrained import registry
from skelmo.pretrained.safetensors_format import write_model
from skelmo.pretrained.saved_model import SavedModel, add_tied, drop_tied
from skelmo.text.truncation import Truncation
from skelmo.validation import stack_level
from skelmo.version import __version__

if TYPE_CHECKING:
    from skelmo.estimators.language_model import ElmoLanguageModel

_CODE = ("tokenizer", "sentence_splitter")
_ARCHITECTURE = (
    "filters", "char_embedding_dim", "n_highway", "activation", "max_characters",
    "word_embedding_dim", "lowercase", "hidden_size", "proj_size", "num_layers",
    "cell_clip", "proj_clip", "skip_connections",
)  # fmt: skip


def save(estimator: ElmoLanguageModel, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator in skelmo's own format."""
    model = SavedModel(
        estimator.config_,
        network_arrays(estimator.network_),
        _settings(estimator),
        estimator.vocabulary_,
    )
    write_model(model, path)


def load(
    estimator: ElmoLanguageModel,
    path: str | os.PathLike[str],
    parameters: dict[str, Any],
) -> ElmoLanguageModel:
    """Make a new estimator fitted, from files of any format.

    Parameters
    ----------
    estimator : ElmoLanguageModel
        Filled in place.
    path : str or os.PathLike
    parameters : dict
        Parameters that replace those of the files.

    Returns
    -------
    estimator : ElmoLanguageModel

    Raises
    ------
    ValueError
        If the model was trained with a function that is not among `parameters`.
    """
    return restore(estimator, registry.load(path), parameters, build_network)


def restore(
    estimator: ElmoLanguageModel,
    saved: SavedModel,
    parameters: dict[str, Any],
    build: Callable[[BiLMConfig, dict[str, np.ndarray], torch.device], LanguageModel],
) -> ElmoLanguageModel:
    """Make a new estimator fitted, from what was read.

    Parameters
    ----------
    estimator : ElmoLanguageModel
        Filled in place.
    saved : SavedModel
    parameters : dict
        Parameters that replace those of the files.
    build : callable
        `build_network`, or what gives back a network built before.

    Returns
    -------
    estimator : ElmoLanguageModel

    Raises
    ------
    ValueError
        If the model was trained with a function that is not among `parameters`.
    """
    settings = saved.settings
    known = dict(settings.get("parameters", {}))
    for name in _CODE:
        if isinstance(known.get(name), dict):
            function = known.pop(name)["function"]
            if name not in parameters:
                raise ValueError(
                    f"{saved.source}: the model was trained with a {name} of its own, "
                    f"{function}, which files do not hold. Give it again, as in "
                    f"{name}={function.rpartition('.')[2]}."
                )
    architecture = {name: getattr(saved.config, name) for name in _ARCHITECTURE}
    estimator.set_params(**{**known, **architecture, **parameters})
    device = torch_device(estimator.device)
    estimator.config_ = saved.config
    estimator.network_ = build(saved.config, saved.arrays, device)
    estimator.vocabulary_ = saved.vocabulary
    training = settings.get("training", {})
    history: list[list[Any]] = training.get("history", [])
    rows: list[list[Any]] = [
        [math.nan if value is None else value for value in row] for row in history
    ]
    estimator.history_ = [EpochRecord(*row) for row in rows]
    estimator.n_epochs_ = training.get("n_epochs", 0)
    estimator.n_tokens_ = training.get("n_tokens", 0)
    share = training.get("unknown_share")
    estimator.unknown_share_ = math.nan if share is None else share
    estimator.truncation_ = Truncation(*training.get("truncation", (0, 0)))
    return estimator


def _settings(estimator: ElmoLanguageModel) -> dict[str, Any]:
    """Return what JSON can hold of parameters and training."""
    parameters: dict[str, Any] = {}
    for name, value in estimator.get_params(deep=False).items():
        if name in _CODE and callable(value):
            where = getattr(value, "__module__", None) or type(value).__module__
            what = getattr(value, "__qualname__", type(value).__qualname__)
            parameters[name] = {"function": f"{where}.{what}"}
        elif isinstance(value, np.generic):
            parameters[name] = value.item()
        elif isinstance(value, str | int | float | bool | None):
            parameters[name] = value
    unknown_share = estimator.unknown_share_
    return {
        "skelmo_version": __version__,
        "parameters": parameters,
        "training": {
            "n_epochs": estimator.n_epochs_,
            "n_tokens": estimator.n_tokens_,
            "unknown_share": None if math.isnan(unknown_share) else unknown_share,
            "truncation": list(estimator.truncation_),
            "history": [
                [None if math.isnan(value) else value for value in row]
                for row in estimator.history_
            ],
        },
    }


def without_network(state: dict[str, Any]) -> dict[str, Any]:
    """Return an estimator's state with its network as the bytes of a weight file."""
    if "network_" not in state:
        return state
    weights = save_arrays(drop_tied(network_arrays(state["network_"])))
    state = {**state, "network_": weights, "_skelmo_version": __version__}
    # Twice the size of the weights, and of use to `partial_fit` alone.
    state.pop("_optimizer", None)
    return state


def with_network(state: dict[str, Any], owner: str) -> dict[str, Any]:
    """Undo `without_network`; a device that is not here is replaced by the CPU."""
    if "network_" not in state:
        return state
    state = checked_version(state, owner)
    arrays = add_tied(load_arrays(state["network_"]))
    device = here(state["device"])
    return {**state, "network_": build_network(state["config_"], arrays, device)}


def checked_version(state: dict[str, Any], owner: str) -> dict[str, Any]:
    """Return the state of an unpickled estimator without its version stamp.

    Parameters
    ----------
    state : dict
    owner : str
        Its class, for the message.

    Returns
    -------
    state : dict

    Warns
    -----
    UserWarning
        If another version of skelmo wrote it.
    """
    state = dict(state)
    found = state.pop("_skelmo_version", __version__)
    if found != __version__:
        warnings.warn(
            f"This {owner} was pickled by skelmo {found}, and skelmo {__version__} "
            f"reads it: features may differ, or fail. Fit it again, or install skelmo "
            f"{found}.",
            UserWarning,
            stacklevel=stack_level(),
        )
    return state
