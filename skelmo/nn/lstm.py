"""One direction of the language model: a stack of projected LSTM layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from skelmo.nn.recurrence import Weights


class ProjectedLSTM(nn.Module):
    """Weights of a stack of LSTM layers with projection, in one direction.

    The recurrence itself is `skelmo.nn.recurrence`, which runs both directions of a
    layer at once. Names and shapes are those of ``torch.nn.LSTM(proj_size=...)``, with
    one bias vector instead of two, to which the forget gate's 1 is added.

    Parameters
    ----------
    proj_size : int
        Size P of input, output and recurrent state.
    hidden_size : int
        Size H of the cell.
    num_layers : int, default=2
        Number of layers.
    projection : bool, default=True
        False leaves the projection out; `hidden_size` must then equal `proj_size`.

    References
    ----------
    .. [1] Sak et al. (2014), Long Short-Term Memory Based Recurrent Neural Network
       Architectures for Large Vocabulary Speech Recognition, arXiv:1402.1128.
    """

    def __init__(
        self,
        proj_size: int,
        hidden_size: int,
        num_layers: int = 2,
        *,
        projection: bool = True,
    ) -> None:
        super().__init__()
        # A cell remembers by default: 1 is added to the forget gate (Jozefowicz et al.
        # 2015). As in TensorFlow's cell it is arithmetic, not part of the bias, so that
        # a weight file goes in and out bit for bit.
        forget_bias = torch.zeros(4 * hidden_size)
        forget_bias[hidden_size : 2 * hidden_size] = 1.0
        self.register_buffer("forget_bias", forget_bias, persistent=False)
        for layer in range(num_layers):
            self._add(f"weight_ih_l{layer}", 4 * hidden_size, proj_size)
            self._add(f"weight_hh_l{layer}", 4 * hidden_size, proj_size)
            bias = nn.Parameter(torch.zeros(4 * hidden_size))
            self.register_parameter(f"bias_l{layer}", bias)
            if projection:
                self._add(f"weight_hr_l{layer}", proj_size, hidden_size)

    def _add(self, name: str, n_out: int, n_in: int) -> None:
        weight = nn.Parameter(torch.empty(n_out, n_in))
        nn.init.uniform_(weight, -(n_in**-0.5), n_in**-0.5)
        self.register_parameter(name, weight)

    def layer(self, index: int) -> Weights:
        """Return the weights of one layer."""

        def weight(name: str) -> Any:
            return getattr(self, f"{name}_l{index}", None)

        return Weights(
            weight("weight_ih"),
            weight("weight_hh"),
            weight("bias") + self.forget_bias,
            weight("weight_hr"),
        )
