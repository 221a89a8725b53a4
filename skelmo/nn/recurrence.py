"""The projected LSTM recurrence over packed rows, with its own gradient.

Rows are packed time-major: rows of time step t are the first ``batch_sizes[t]``
sequences of a batch sorted longest first. The forward direction walks t upwards and
drops rows that ended; the backward direction walks the same layout downwards and rows
join with their initial state. Nothing is padded and nothing is reversed.

Axes: B sequences, n packed rows, P projection, H hidden (cell). Gates are stored as
``[input, forget, candidate, output]``, the order of `torch.nn.LSTM`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Rows whose input projections are computed in one product when nothing is kept for a
# gradient: large enough for the matrix unit, small enough to stay in the cache.
ROWS_AT_ONCE = 1024


class Weights(NamedTuple):
    """Weights of one LSTM layer in one direction, in the shapes of `torch.nn.LSTM`."""

    weight_ih: Tensor  # (4H, P)
    weight_hh: Tensor  # (4H, P)
    bias: Tensor  # (4H,)
    weight_hr: Tensor | None  # (P, H); None: no projection, and H = P


class State(NamedTuple):
    """Recurrent state of one layer in one direction, a row per sequence."""

    hidden: Tensor  # (B, P)
    cell: Tensor  # (B, H)


class Clip(NamedTuple):
    """Bounds of the cell and of the projection; None does not clip."""

    cell: float | None
    proj: float | None


class Tape(NamedTuple):
    """What the gradient needs of a forward pass."""

    gates: Tensor  # (n, 4H), activated
    cell_before: Tensor  # (n, H), the cell that each step started from
    hidden_before: Tensor  # (n, P)


def scan(
    x: Tensor,
    batch_sizes: Sequence[int],
    weights: Weights,
    state: State | None,
    clip: Clip,
    reverse: bool,
    keep: bool,
) -> tuple[Tensor, State, Tape | None]:
    """Run one layer in one direction.

    Parameters
    ----------
    x : torch.Tensor of shape (n, P)
        Packed input.
    batch_sizes : sequence of int of length T
        Rows alive at each time step, not increasing; their sum is n.
    weights : Weights
    state : State or None
        Initial state; None is zero.
    clip : Clip
    reverse : bool
        True walks from the last time step to the first.
    keep : bool
        Keep what `scan_gradient` needs.

    Returns
    -------
    out : torch.Tensor of shape (n, P)
    final : State
        State after the last step of each sequence in walking direction.
    tape : Tape or None
    """
    n_rows, proj_size = x.shape[0], weights.weight_hh.shape[1]
    hidden_size = len(weights.bias) // 4
    offsets = list(accumulate(batch_sizes, initial=0))
    prepared = _prepare(weights)
    if state is None:
        state = zero_state(x, batch_sizes[0], weights)
    hidden, cell = state.hidden.clone(), state.cell.clone()
    out = x.new_empty(n_rows, proj_size)
    scratch = x.new_empty(batch_sizes[0], hidden_size)
    tape = None
    if keep:
        tape = Tape(
            x.new_empty(n_rows, 4 * hidden_size),
            x.new_empty(n_rows, hidden_size),
            x.new_empty(n_rows, proj_size),
        )
    for steps in _segments(offsets, reverse):
        low, high = offsets[min(steps)], offsets[max(steps) + 1]
        gates = torch.addmm(
            weights.bias,
            x[low:high],
            prepared.weight_ih,
            out=None if tape is None else tape.gates[low:high],
        )
        for t in steps:
            start, stop = offsets[t], offsets[t + 1]
            n = stop - start
            now = State(hidden[:n], cell[:n])
            if tape is not None:
                tape.cell_before[start:stop] = now.cell
                tape.hidden_before[start:stop] = now.hidden
            _step(gates[start - low : stop - low], now, prepared, clip, scratch[:n])
            out[start:stop] = now.hidden
    return out, State(hidden, cell), tape


def zero_state(x: Tensor, n_sequences: int, weights: Weights) -> State:
    """Return the state that every sequence starts from unless told otherwise."""
    return State(
        x.new_zeros(n_sequences, weights.weight_hh.shape[1]),
        x.new_zeros(n_sequences, len(weights.bias) // 4),
    )


def _prepare(weights: Weights) -> Weights:
    """Transpose for row-major products; the small products of a step want it real."""
    return Weights(
        weights.weight_ih.t(),
        weights.weight_hh.t().contiguous(),
        weights.bias,
        None if weights.weight_hr is None else weights.weight_hr.t().contiguous(),
    )


def _segments(offsets: list[int], reverse: bool) -> Iterator[range]:
    """Cut the time steps, in walking order, where ROWS_AT_ONCE rows are full."""
    order = range(len(offsets) - 1)
    if reverse:
        order = order[::-1]
    first = rows = 0
    for k, t in enumerate(order):
        rows += offsets[t + 1] - offsets[t]
        if rows >= ROWS_AT_ONCE or k == len(order) - 1:
            yield order[first : k + 1]
            first, rows = k + 1, 0


def _step(
    gates: Tensor, now: State, weights: Weights, clip: Clip, scratch: Tensor
) -> None:
    """Advance `now` by one step in place; `gates` is left activated."""
    h, c = now
    gates.addmm_(h, weights.weight_hh)
    hidden_size = c.shape[1]
    gates[:, : 2 * hidden_size].sigmoid_()
    gates[:, 2 * hidden_size : 3 * hidden_size].tanh_()
    gates[:, 3 * hidden_size :].sigmoid_()
    i, f, g, o = gates.chunk(4, dim=1)
    c.mul_(f).addcmul_(i, g)
    if clip.cell is not None:
        c.clamp_(-clip.cell, clip.cell)
    m = torch.tanh(c, out=scratch).mul_(o)
    if weights.weight_hr is None:
        h.copy_(m)
        return
    torch.mm(m, weights.weight_hr, out=h)
    if clip.proj is not None:
        h.clamp_(-clip.proj, clip.proj)


class Gradients(NamedTuple):
    """Gradients of one `scan`."""

    x: Tensor
    weights: Weights


def scan_gradient(
    grad_out: Tensor,
    x: Tensor,
    out: Tensor,
    tape: Tape,
    batch_sizes: Sequence[int],
    weights: Weights,
    clip: Clip,
    reverse: bool,
) -> Gradients:
    """Propagate the gradient of `scan`'s output to its input and weights.

    A clipped value passes no gradient. The initial state is a constant.

    Parameters
    ----------
    grad_out : torch.Tensor of shape (n, P)
    x, out : torch.Tensor of shape (n, P)
        What `scan` was given and returned.
    tape : Tape
        What it kept.
    batch_sizes : sequence of int of length T
    weights : Weights
    clip : Clip
    reverse : bool

    Returns
    -------
    Gradients
    """
    hidden_size = tape.cell_before.shape[1]
    n_sequences = batch_sizes[0]
    by_x = torch.empty_like(x)
    total = Weights(
        torch.zeros_like(weights.weight_ih),
        torch.zeros_like(weights.weight_hh),
        torch.zeros_like(weights.bias),
        None if weights.weight_hr is None else torch.zeros_like(weights.weight_hr),
    )
    grad = State(
        x.new_zeros(n_sequences, out.shape[1]), x.new_zeros(n_sequences, hidden_size)
    )
    offsets = list(accumulate(batch_sizes, initial=0))
    segments = list(_segments(offsets, reverse))
    longest = max(offsets[max(s) + 1] - offsets[min(s)] for s in segments)
    # Fresh memory for each segment would cost more in page faults than the arithmetic.
    space = x.new_empty(8, longest, hidden_size), x.new_empty(longest, 4, hidden_size)
    for steps in reversed(segments):
        low, high = offsets[min(steps)], offsets[max(steps) + 1]
        rows = slice(low, high)
        part = Tape(*(kept[rows] for kept in tape))
        local = _local_gradients(part, clip, space[0][:, : high - low])
        grad_gates = space[1][: high - low]
        grad_hidden = grad_out[rows].clone()
        if clip.proj is not None and weights.weight_hr is not None:
            proj_passes = out[rows].abs() < clip.proj
        else:
            proj_passes = None
        for t in reversed(steps):
            at = slice(offsets[t] - low, offsets[t + 1] - low)
            n = batch_sizes[t]
            dh = grad_hidden[at].add_(grad.hidden[:n])
            if proj_passes is not None:
                dh.mul_(proj_passes[at])
            dm = dh if weights.weight_hr is None else dh @ weights.weight_hr
            dc = grad.cell[:n].addcmul_(dm, local.cell_by_m[at])
            if local.passes is not None:
                dc.mul_(local.passes[at])
            torch.mul(local.by_cell[:, at], dc, out=grad_gates[at, :3].transpose(0, 1))
            torch.mul(local.output_by_m[at], dm, out=grad_gates[at, 3])
            dc.mul_(local.forget[at])
            torch.mm(grad_gates[at].view(n, -1), weights.weight_hh, out=grad.hidden[:n])
        flat = grad_gates.view(high - low, -1)
        torch.mm(flat, weights.weight_ih, out=by_x[rows])
        total.weight_ih.addmm_(flat.t(), x[rows])
        total.weight_hh.addmm_(flat.t(), part.hidden_before)
        total.bias.add_(flat.sum(0))
        if total.weight_hr is not None:
            total.weight_hr.addmm_(grad_hidden.t(), local.m)
    return Gradients(by_x, total)


class _Local(NamedTuple):
    """Derivatives within a step that do not depend on the gradient coming in."""

    by_cell: Tensor  # (3, n, H), of the input, forget and candidate gates
    output_by_m: Tensor  # (n, H)
    cell_by_m: Tensor  # (n, H)
    m: Tensor  # (n, H), what the projection reads
    forget: Tensor  # (n, H)
    passes: Tensor | None  # (n, H), 1 where the cell was not clipped


def _local_gradients(tape: Tape, clip: Clip, space: Tensor) -> _Local:
    """Compute them into the eight blocks of `space`, each of shape (n, H)."""
    i, f, g, o = tape.gates.chunk(4, dim=1)
    by_cell, (output_by_m, cell_by_m, m, squashed, passes) = space[:3], space[3:]
    cell = torch.mul(tape.cell_before, f, out=squashed).addcmul_(i, g)
    if clip.cell is None:
        passes = None
    else:
        torch.le(cell.abs(), clip.cell, out=passes)
        cell.clamp_(-clip.cell, clip.cell)
    cell.tanh_()
    torch.mul(squashed, o, out=m)
    torch.addcmul(o, m, squashed, value=-1, out=cell_by_m)  # o (1 - tanh(c)^2)
    torch.addcmul(m, m, o, value=-1, out=output_by_m)  # m (1 - o)
    torch.mul(g, i, out=by_cell[0])
    torch.addcmul(i, by_cell[0], g, value=-1, out=by_cell[2])  # i (1 - g^2)
    by_cell[0].addcmul_(by_cell[0], i, value=-1)  # g i (1 - i)
    torch.mul(tape.cell_before, f, out=by_cell[1])
    by_cell[1].addcmul_(by_cell[1], f, value=-1)  # c f (1 - f)
    return _Local(by_cell, output_by_m, cell_by_m, m, f, passes)


class _Scan(torch.autograd.Function):
    """`scan` as a node of the graph."""

    @staticmethod
    def forward(
        ctx: Any,
        batch_sizes: Sequence[int],
        clip: Clip,
        state: State | None,
        reverse: bool,
        x: Tensor,
        *weights: Any,
    ) -> tuple[Tensor, Tensor, Tensor]:
        keep = any(ctx.needs_input_grad)
        out, final, tape = scan(
            x, batch_sizes, Weights(*weights), state, clip, reverse, keep
        )
        if tape is not None:
            ctx.settings = batch_sizes, clip, reverse
            ctx.save_for_backward(x, *weights, out, *tape)
        ctx.mark_non_differentiable(*final)
        return out, *final

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, *weights = ctx.saved_tensors[:5]
        out, *tape = ctx.saved_tensors[5:]
        batch_sizes, clip, reverse = ctx.settings
        by_x, by_weights = scan_gradient(
            grads[0], x, out, Tape(*tape), batch_sizes, Weights(*weights), clip, reverse
        )
        return None, None, None, None, by_x, *by_weights


def lstm_layer(
    x: Tensor,
    batch_sizes: Sequence[int],
    weights: Weights,
    clip: Clip,
    state: State | None = None,
    *,
    reverse: bool,
) -> tuple[Tensor, State]:
    """Run one layer in one direction, with gradient to input and weights.

    Parameters
    ----------
    x : torch.Tensor of shape (n, P)
        Packed input.
    batch_sizes : sequence of int of length T
        Rows alive at each time step.
    weights : Weights
    clip : Clip
    state : State, optional
        Initial state; by default zero.
    reverse : bool
        True walks from the last time step to the first.

    Returns
    -------
    out : torch.Tensor of shape (n, P)
    final : State
        Without gradient.
    """
    out, hidden, cell = _Scan.apply(batch_sizes, clip, state, reverse, x, *weights)
    return out, State(hidden, cell)
