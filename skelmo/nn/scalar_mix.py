"""The weighted sum of layers that makes one vector of the layers' activations."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ScalarMix(nn.Module):
    """Mix layers, ``gamma * sum_k softmax(weights)_k * layer_k``.

    Parameters
    ----------
    n_layers : int
        Number of layers, the character CNN included.
    layer_norm : bool, default=False
        Normalise each layer first, by one mean and one variance over all its real
        tokens. The result then depends on the other tokens of the batch.

    References
    ----------
    .. [1] Peters et al. (2018), arXiv:1802.05365, eq. 1.
    """

    def __init__(self, n_layers: int, *, layer_norm: bool = False) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(n_layers))
        self.gamma = nn.Parameter(torch.ones(()))
        self.layer_norm = layer_norm

    def forward(self, activations: Tensor, mask: Tensor | None = None) -> Tensor:
        """Mix along the first axis.

        Parameters
        ----------
        activations : torch.Tensor of shape (L + 1, ..., D)
        mask : torch.BoolTensor of shape (...), optional
            True at real tokens; used by the layer norm alone.

        Returns
        -------
        mixed : torch.Tensor of shape (..., D)
        """
        if self.layer_norm:
            activations = torch.stack([_normalise(a, mask) for a in activations])
        weights = torch.softmax(self.weights, dim=0)
        return self.gamma * torch.tensordot(weights, activations, dims=1)


def _normalise(layer: Tensor, mask: Tensor | None) -> Tensor:
    real = layer if mask is None else layer[mask]
    variance, mean = torch.var_mean(real, correction=0)
    return (layer - mean) / torch.sqrt(variance + 1e-12)
