"""A fitted language model to and from files and pickles."""

from __future__ import annotations

import math
import os
import platform
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from torch.overrides import TorchFunctionMode

from skelmo.nn.bilm import BiLM, BiLMConfig
from skelmo.nn.softmax import SoftmaxLoss
from skelmo.pretrained import registry
from skelmo.pretrained.safetensors_format import write_model
from skelmo.pretrained.saved_model import SavedModel, add_tied, drop_tied, is_tied
from skelmo.text.truncation import Truncation
from skelmo.training.evaluation import LanguageModel
from skelmo.training.state import EpochRecord
from skelmo.validation import stack_level
from skelmo.version import __version__

if TYPE_CHECKING:
    from skelmo.language_model import ElmoLanguageModel

_CODE = ("tokenizer", "sentence_splitter")
_ARCHITECTURE = (
    "filters", "char_embedding_dim", "n_highway", "activation", "max_characters",
    "word_embedding_dim", "lowercase", "hidden_size", "proj_size", "num_layers",
    "cell_clip", "proj_clip", "skip_connections",
)  # fmt: skip


def network_arrays(network: LanguageModel) -> dict[str, np.ndarray]:
    """Return the weights as float32 arrays, by the names of a `SavedModel`."""
    arrays = {
        name.removeprefix("bilm."): tensor.detach().float().cpu().numpy()
        for name, tensor in network.state_dict().items()
    }
    return {
        name: np.ascontiguousarray(array)
        for name, array in arrays.items()
        if array.size or not name.startswith("softmax.")
    }


def build_network(
    config: BiLMConfig, arrays: dict[str, np.ndarray], device: torch.device
) -> LanguageModel:
    """Build a network around given weights, in evaluation mode.

    It takes over the memory of float32 arrays that may be written to.
    """
    empty = {
        "softmax.weight": np.zeros((0, config.proj_size), np.float32),
        "softmax.bias": np.zeros(0, np.float32),
    }
    arrays = empty | arrays
    # Weights that are about to be replaced need neither memory nor random numbers.
    with torch.device("meta"), _Uninitialised():
        softmax = SoftmaxLoss(len(arrays["softmax.bias"]), config.proj_size)
        network = LanguageModel(BiLM(config), softmax)
    state = {
        name if name.startswith("softmax.") else f"bilm.{name}": _own(array)
        for name, array in arrays.items()
    }
    network.load_state_dict(state, assign=True)
    embedding = network.bilm.token_encoder.word_embedding
    if embedding is not None and is_tied(arrays):
        # Counted and moved once.
        network.softmax.weight = cast(torch.nn.Parameter, embedding.weight)
    return network.to(device).eval()


class _Uninitialised(TorchFunctionMode):
    """Have the functions of torch.nn.init leave tensors as they are.

    On the device "meta" some of them import torch's compiler, which takes as long as
    torch itself.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", None) == torch.nn.init.__name__:
            return given["tensor"] if "tensor" in given else args[0]
        return func(*args, **given)


def _own(array: np.ndarray) -> torch.Tensor:
    if array.dtype == np.float32 and array.flags.writeable:
        return torch.from_numpy(np.ascontiguousarray(array))
    return torch.tensor(array, dtype=torch.float32)


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
    estimator.history_ = [
        EpochRecord._make(math.nan if value is None else value for value in row)
        for row in history
    ]
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


def here(name: str) -> torch.device:
    """Return a device, or the CPU if it is not on this machine."""
    try:
        return torch_device(name)
    except ValueError:
        return torch.device("cpu")


def torch_device(name: str) -> torch.device:
    """Return a device by its name, or the best there is for "auto".

    Parameters
    ----------
    name : str

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If there is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={name!r} cannot be used here: {reason}. Set device='auto' or "
            f"device='cpu'."
        ) from error
    return device


def working_precision(name: str, device: torch.device, owner: str) -> str:
    """Return what matrix products are computed in, and warn where that is slow.

    Parameters
    ----------
    name : {"auto", "float32", "bfloat16"}
        "auto" is "bfloat16" on a CUDA device that has it, and "float32" elsewhere.
    device : torch.device
    owner : str
        The class that asks, for the message.

    Returns
    -------
    precision : {"float32", "bfloat16"}

    Warns
    -----
    UserWarning
        If this CPU has no instructions for bfloat16.
    """
    if name == "auto":
        native = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return "bfloat16" if native else "float32"
    if name == "bfloat16" and device.type == "cpu" and not _cpu_has_bfloat16():
        warnings.warn(
            f"{owner} computes in bfloat16, which this CPU has no instructions for: it "
            f"works, but slower than float32. Set precision='float32'.",
            stacklevel=stack_level(),
        )
    return name


def _cpu_has_bfloat16() -> bool:
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    # Arm's support cannot be asked for by the oldest torch: no warning there.
    asked = [getattr(torch.cpu, name, None) for name in names]
    if platform.machine() not in ("x86_64", "AMD64") or None in asked:
        return True
    return any(ask() for ask in asked if ask is not None)
