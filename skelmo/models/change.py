"""What training has changed of a model: all that a pickle need hold of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from skelmo.models.trained import TrainedModel
from skelmo.models.weights import build_network, network_arrays

_ROWS, _VALUES = "rows of ", "values of "


@dataclass(frozen=True)
class Change:
    """The weights that have changed, of some a part of the rows, and the rest.

    Parameters
    ----------
    weights : bytes
        Arrays as those of a file.
    rest : dict of str to object
        Fields of the `TrainedModel` that are no weights.
    """

    weights: bytes
    rest: dict[str, Any]

    @classmethod
    def of(cls, model: TrainedModel, base: TrainedModel) -> Change:
        """Compare a model with what it was trained on from.

        Parameters
        ----------
        model : TrainedModel
        base : TrainedModel
            Of the same architecture.

        Returns
        -------
        change : Change
        """
        before, changed = network_arrays(base.network), {}
        for name, array in network_arrays(model.network).items():
            old = before.get(name)
            if old is None or old.shape != array.shape:
                changed[name] = array
                continue
            # As bits, in which nan equals itself and 0 differs from -0.
            differs = old.view(np.uint32) != array.view(np.uint32)
            rows = np.flatnonzero(differs.reshape(len(array), -1).any(axis=1))
            if 2 * len(rows) > len(array):
                changed[name] = array
            elif len(rows):
                changed[_ROWS + name], changed[_VALUES + name] = rows, array[rows]
        rest = {
            field.name: getattr(model, field.name)
            for field in fields(TrainedModel)
            if field.name not in ("network", "vocabulary", "optimizer")
        }
        if model.vocabulary != base.vocabulary:
            rest["vocabulary"] = model.vocabulary
        return cls(save_arrays(changed), rest)

    def made_to(self, base: TrainedModel) -> TrainedModel:
        """Return the model again.

        Parameters
        ----------
        base : TrainedModel
            What it was trained on from.

        Returns
        -------
        model : TrainedModel
            On the device of `base`.
        """
        arrays, changed = network_arrays(base.network), load_arrays(self.weights)
        for name, array in changed.items():
            if name.startswith(_VALUES):
                name = name.removeprefix(_VALUES)
                whole = arrays[name].copy()  # the others are shared with the base
                whole[changed[_ROWS + name]] = array
                arrays[name] = whole
            elif not name.startswith(_ROWS):
                arrays[name] = array
        network = build_network(base.config, arrays, base.device)
        rest = {"vocabulary": base.vocabulary, **self.rest}
        return TrainedModel(network, **rest)
