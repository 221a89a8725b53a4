"""A trained head as a value: what pickles and estimators hold."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from skelmo.models.history import HeadRecord
from skelmo.nn.heads import Head, HeadConfig
from skelmo.nn.modes import modes


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A head, and how it came about.

    Nothing of it changes, the weights included: whoever trains on copies them first.

    Parameters
    ----------
    network : Head
        In evaluation mode.
    history : tuple of HeadRecord, default=()
        A row for each epoch.
    optimizer : mapping of str to ndarray or None, default=None
        What the optimiser remembers, if the head was trained alone; not in pickles.
    """

    network: Head
    history: tuple[HeadRecord, ...] = ()
    optimizer: Mapping[str, NDArray[np.float32]] | None = field(
        default=None, repr=False
    )

    @property
    def config(self) -> HeadConfig:
        """Architecture."""
        return self.network.config

    @modes(grad=False)
    def to(self, device: torch.device) -> TrainedHead:
        """Return the head on a device: itself, or a copy of its weights there.

        Parameters
        ----------
        device : torch.device

        Returns
        -------
        head : TrainedHead
        """
        if device == next(self.network.parameters()).device:
            return self
        return replace(self, network=copy.deepcopy(self.network).to(device))

    def __copy__(self) -> TrainedHead:
        """Return itself: nothing of it changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TrainedHead:
        """Return itself: nothing of it changes."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Hold weights as the bytes of a file: a pickle needs none of torch's classes.

        What the optimiser remembers, twice the size of the weights, is left out.
        """
        arrays = {
            name: tensor.detach().cpu().numpy()
            for name, tensor in self.network.state_dict().items()
        }
        return {
            "config": self.config,
            "weights": save_arrays(arrays),
            "history": self.history,
        }

    @modes(grad=False)
    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the head again, on the CPU."""
        state = dict(state)
        with torch.device("meta"):
            network = Head(state.pop("config"))
        arrays = load_arrays(state.pop("weights"))
        tensors = {name: torch.tensor(array) for name, array in arrays.items()}
        network.load_state_dict(tensors, assign=True)
        self.__dict__.update(state, network=network.eval(), optimizer=None)
