"""Projected LSTM layers: their weights, and a layer as a node of the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skelmo.nn.precision import operand
from skelmo.nn.recurrence import Clip, Prepared, State, Tape, Weights, prepare, scan
from skelmo.nn.recurrence_gradient import scan_gradient


class ProjectedLSTM(nn.Module):
    """Weights of a stack of LSTM layers with projection, in one direction.

    `lstm_layer` runs both directions of a layer at once. Names and shapes are those of
    ``torch.nn.LSTM(proj_size=...)``, with one bias vector instead of two.

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
    forget_bias : bool, default=True
        Whether 1 is added to the bias of the forget gate.

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
        forget_bias: bool = True,
    ) -> None:
        super().__init__()
        self.forget_bias = forget_bias
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

        bias = weight("bias")
        if self.forget_bias:
            # A cell remembers by default: 1 is added to the forget gate (Jozefowicz et
            # al. 2015). As in TensorFlow's cell it is arithmetic, not part of the bias,
            # so that a weight file goes in and out bit for bit.
            forget = torch.zeros_like(bias)
            forget.chunk(4)[1].fill_(1.0)
            bias = bias + forget
        return Weights(
            weight("weight_ih"), weight("weight_hh"), bias, weight("weight_hr")
        )


class _Scan(torch.autograd.Function):
    """`scan` as a node of the graph."""

    @staticmethod
    def forward(
        ctx: Any,
        batch_sizes: Sequence[int],
        clip: Clip,
        state: State | None,
        prepared: Prepared | None,
        dtype: torch.dtype,
        x: Tensor,
        *flat: Any,
    ) -> tuple[Tensor, Tensor, Tensor]:
        keep = any(ctx.needs_input_grad)
        if prepared is None:
            prepared = prepare(_unflatten(flat), dtype)
        out, final, tape = scan(x, batch_sizes, prepared, state, clip, keep)
        if tape is not None:
            ctx.settings = batch_sizes, state, clip
            ctx.save_for_backward(x, out, *tape, *flat)
        ctx.mark_non_differentiable(*final)
        return out, *final

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, out, gates, cells, *flat = ctx.saved_tensors
        batch_sizes, state, clip = ctx.settings
        by_x, by_weights = scan_gradient(
            grads[0], x, out, Tape(gates, cells), batch_sizes, _unflatten(flat),
            state, clip,
        )  # fmt: skip
        by_settings = (None,) * 5
        return *by_settings, by_x, *(w for own in by_weights for w in own)


def _unflatten(flat: Sequence[Any]) -> list[Weights]:
    return [Weights(*flat[k : k + 4]) for k in range(0, len(flat), 4)]


def lstm_layer(
    x: Tensor,
    batch_sizes: Sequence[int],
    weights: Sequence[Weights],
    clip: Clip,
    state: State | None = None,
    prepared: Prepared | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, State]:
    """Run one layer, with gradient to input and weights.

    Parameters
    ----------
    x : torch.Tensor of shape (D, n, P)
        Packed input, each direction in its walking order.
    batch_sizes : sequence of int of length T
        Rows alive at each time step.
    weights : sequence of Weights of length D
    clip : Clip
    state : State, optional
        Initial state; by default zero.
    prepared : Prepared, optional
        ``prepare(weights, dtype)``, to spare its work.
    dtype : torch.dtype, optional
        What matrix products are computed in, by default that of `x`; below float32, the
        cell stays in float32.

    Returns
    -------
    out : torch.Tensor of shape (D, n, P)
    final : State
        Without gradient.
    """
    dtype = dtype or x.dtype
    x = operand(x, dtype)
    if x.is_cuda and clip == Clip(None, None):
        return whole_sequence_layer(x, batch_sizes, weights, state)
    if not torch.is_grad_enabled():
        # A node of the graph would be asked for gradients, and keep what they need.
        prepared = prepared or prepare(weights, dtype)
        return scan(x, batch_sizes, prepared, state, clip, keep=False)[:2]
    flat = (weight for own in weights for weight in own)
    out, hidden, cell = _Scan.apply(batch_sizes, clip, state, prepared, dtype, x, *flat)
    return out, State(hidden, cell)


def whole_sequence_layer(
    x: Tensor,
    batch_sizes: Sequence[int],
    weights: Sequence[Weights],
    state: State | None = None,
) -> tuple[Tensor, State]:
    """Run one layer that clips nothing by torch's own LSTM: on a GPU, by cuDNN.

    There it is one call for all time steps, where `lstm_layer` would launch a dozen
    kernels each.

    Parameters
    ----------
    x : torch.Tensor of shape (D, n, P)
    batch_sizes : sequence of int of length T
    weights : sequence of Weights of length D
    state : State, optional

    Returns
    -------
    out : torch.Tensor of shape (D, n, P)
    final : State
        Without gradient.
    """
    sizes = torch.tensor(batch_sizes)
    outs, ends = [], []
    for d, own in enumerate(weights):
        if state is None:
            hidden = x.new_zeros(1, batch_sizes[0], x.shape[2])
            cell = x.new_zeros(1, batch_sizes[0], len(own.bias) // 4)
        else:
            hidden, cell = (part[d : d + 1].to(x.dtype) for part in state)
        # torch adds two biases, as cuDNN does.
        parts = own.weight_ih, own.weight_hh, own.bias, torch.zeros_like(own.bias)
        flat = [
            part.to(x.dtype) for part in (*parts, own.weight_hr) if part is not None
        ]
        out, *end = torch.lstm(
            x[d], sizes, (hidden, cell), flat, True, 1, 0.0, torch.is_grad_enabled(),
            False,
        )  # fmt: skip
        outs.append(out)
        ends.append([part.detach() for part in end])
    return torch.stack(outs), State(
        *(torch.cat(part) for part in zip(*ends, strict=True))
    )
