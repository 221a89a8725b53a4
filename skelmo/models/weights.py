"""A network to and from arrays by name."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from skelmo.nn.bilm import BiLM, BiLMConfig, LanguageModel
from skelmo.nn.modes import modes
from skelmo.nn.softmax import SoftmaxLoss
from skelmo.pretrained.saved_model import is_tied


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


@modes(grad=False)
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
