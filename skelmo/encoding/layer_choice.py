"""Which layers of a language model make the features, and how."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LayerChoice:
    """Put layers side by side, or mix all of them.

    Parameters
    ----------
    side_by_side : tuple of int or None, default=None
        Layers to put side by side, 0 the token encoder; None mixes all of them.
    weights : ndarray of shape (L + 1,), float64, or None, default=None
        Of a mix; None is the mean.
    """

    side_by_side: tuple[int, ...] | None = None
    weights: NDArray[np.float64] | None = None

    def __call__(self, activations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Choose or mix.

        Parameters
        ----------
        activations : ndarray of shape (..., L + 1, 2P), float32

        Returns
        -------
        features : ndarray of shape (..., n), float32
            2P for each layer of the choice, or for the mix.
        """
        if self.side_by_side is not None:
            rows, n_features = activations.shape[:-2], activations.shape[-1]
            chosen = activations[..., list(self.side_by_side), :]
            return chosen.reshape(*rows, len(self.side_by_side) * n_features)
        if self.weights is not None:
            weights = self.weights.astype(np.float32)
            return np.einsum("...lp,l->...p", activations, weights)
        return activations.mean(axis=-2)

    @property
    def names(self) -> list[str]:
        """Name of each layer, "mix" for all of them mixed."""
        if self.side_by_side is None:
            return ["mix"]
        return [f"layer{k}" for k in self.side_by_side]
