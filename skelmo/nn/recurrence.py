"""The projected LSTM recurrence over packed rows.

Both directions run at once, as a batch of two: what the backward direction reads is the
same packed sequences, each from its end (see `skelmo.nn.packing`).

Axes: D directions, B sequences, n packed rows, P projection, H hidden (cell). Gates are
stored as ``[input, forget, candidate, output]``, the order of `torch.nn.LSTM`.

All nonlinearities are sigmoids, which is one call for all gates, and on many CPUs
several times faster than the hyperbolic tangent: tanh(x) = 2 sigmoid(2x) - 1. The cell
is kept doubled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor

from skelmo.nn.packing import last_rows
from skelmo.nn.precision import operand, stored_dtype

# So few rows a step, and reading the weights takes longer than the arithmetic: input
# products of many steps are then computed at once, of so many rows.
FEW_ROWS = 8
ROWS_AHEAD = 512


class Weights(NamedTuple):
    """Weights of one LSTM layer in one direction, in the shapes of `torch.nn.LSTM`."""

    weight_ih: Tensor  # (4H, P)
    weight_hh: Tensor  # (4H, P)
    bias: Tensor  # (4H,)
    weight_hr: Tensor | None  # (P, H); None: no projection, and H = P


class Prepared(NamedTuple):
    """Weights of one layer in all directions, as the recurrence multiplies by them."""

    weight_ih: Tensor  # (D, P, 4H)
    weight_hh: Tensor  # (D, P, 4H)
    bias: Tensor  # (D, 1, 4H)
    weight_hr: Tensor | None  # (D, H, P)
    dtype: torch.dtype  # of the products: what the weights are rounded to


class State(NamedTuple):
    """Recurrent state of one layer, a row per sequence."""

    hidden: Tensor  # (D, B, P)
    cell: Tensor  # (D, B, H)


class Clip(NamedTuple):
    """Bounds of the cell and of the projection; None does not clip."""

    cell: float | None
    proj: float | None


class Tape(NamedTuple):
    """What the gradient needs of a forward pass."""

    gates: Tensor  # (D, n, 4H), activated
    cells: Tensor  # (D, n, H), after each step, doubled


def prepare(
    weights: Sequence[Weights],
    dtype: torch.dtype | None = None,
    *,
    share: bool = False,
) -> Prepared:
    """Stack directions, transpose and convert.

    Parameters
    ----------
    weights : sequence of Weights of length D
    dtype : torch.dtype, optional
        What products are computed in; by default that of the weights. The cell is kept
        in that of the weights.
    share : bool, default=False
        Make the weights, in their own dtype, views of what is returned, which spares
        the memory of a copy. Their values stay; an optimiser must not hold state for
        them.

    Returns
    -------
    Prepared
        Without gradient.
    """
    weight = weights[0].weight_ih
    dtype = dtype or weight.dtype
    stored = stored_dtype(dtype, weight.device)

    def turned(name: str) -> Tensor:
        each = [getattr(own, name) for own in weights]
        shape = len(each), *reversed(each[0].shape)
        # The small products of a step are slow unless the transposition is real.
        both = torch.empty(shape, dtype=stored, device=each[0].device)
        for weight, place in zip(each, both, strict=True):
            place.copy_(operand(weight.detach(), dtype).t())
            if share and weight.dim() == 2:
                weight.data = place.t()
        return both

    weight_ih, weight_hh = turned("weight_ih"), turned("weight_hh")
    weight_hr = None if weights[0].weight_hr is None else turned("weight_hr")
    return Prepared(weight_ih, weight_hh, turned("bias")[:, None], weight_hr, dtype)


def scan(
    x: Tensor,
    batch_sizes: Sequence[int],
    weights: Prepared,
    state: State | None,
    clip: Clip,
    keep: bool,
) -> tuple[Tensor, State, Tape | None]:
    """Run one layer.

    Parameters
    ----------
    x : torch.Tensor of shape (D, n, P)
        Packed input, an `operand` of the dtype of `weights`; each direction in its
        walking order.
    batch_sizes : sequence of int of length T
        Rows alive at each time step, not increasing; their sum is n.
    weights : Prepared
    state : State or None
        Initial state; None is zero.
    clip : Clip
    keep : bool
        Keep what the gradient needs.

    Returns
    -------
    out : torch.Tensor of shape (D, n, P)
    final : State
        State after the last step of each sequence.
    tape : Tape or None
    """
    n_directions, n_rows, _ = x.shape
    hidden_size, proj_size = weights.bias.shape[2] // 4, weights.weight_hh.shape[1]
    candidate = slice(2 * hidden_size, 3 * hidden_size)
    wide = torch.promote_types(x.dtype, torch.float32)
    first = batch_sizes[0]
    bounds = Clip(None if clip.cell is None else 2.0 * clip.cell, clip.proj)
    out = x.new_empty(n_directions, n_rows, proj_size)
    h: Tensor | None = None
    if state is None:
        c = x.new_zeros(n_directions, first, hidden_size, dtype=wide)
    else:
        h, c = state.hidden.to(x.dtype), state.cell.to(wide) * 2.0
    n_kept = n_rows if keep else 0
    tape = Tape(
        x.new_empty(n_directions, n_kept, 4 * hidden_size, dtype=wide),
        x.new_empty(n_directions, n_kept, hidden_size, dtype=wide),
    )
    kept: Iterable[tuple[Tensor, ...] | None] = repeat(None, len(batch_sizes))
    if keep:
        kept = zip(*(part.split(batch_sizes, 1) for part in tape), strict=True)
    room = _Room(x, first, weights, wide)
    for n, given, out_now, keeps in zip(
        batch_sizes,
        _inputs(x, batch_sizes, weights),
        out.split(batch_sizes, 1),
        kept,
        strict=True,
    ):
        # Products are fastest into memory without gaps.
        pre, active, m, narrow_m, h_new = room.of(n)
        _products(given, None if h is None else h[:, :n], weights, pre)
        pre[..., candidate].mul_(2.0)
        if pre.dtype != wide:
            active.copy_(pre)
        gates, c_new = keeps or (active, c[:, :n])
        i, f, g, o = torch.sigmoid(active, out=gates).chunk(4, 2)
        torch.mul(c[:, :n], f, out=c_new)
        c_new.addcmul_(i, g, value=4.0).sub_(i, alpha=2.0)
        if bounds.cell is not None:
            c_new.clamp_(-bounds.cell, bounds.cell)
        torch.sigmoid(c_new, out=m).sub_(0.5).mul_(o)
        _project(m, narrow_m, weights, bounds, h_new)
        out_now.copy_(h_new)
        h = h_new
        if keep:
            c = c_new
    last = torch.from_numpy(last_rows(batch_sizes)).to(x.device)
    cell = tape.cells[:, last] if keep else c
    return out, State(out[:, last], cell * 0.5), tape if keep else None


def _inputs(
    x: Tensor, batch_sizes: Sequence[int], weights: Prepared
) -> Iterator[tuple[Tensor, bool]]:
    """Yield the input of each step, and whether it is multiplied already."""
    if batch_sizes[0] > FEW_ROWS:
        for x_now in x.split(batch_sizes, 1):
            yield x_now, False
        return
    n_steps = max(1, ROWS_AHEAD // batch_sizes[0])
    start = 0
    for k in range(0, len(batch_sizes), n_steps):
        sizes = batch_sizes[k : k + n_steps]
        stop = start + sum(sizes)
        ahead = torch.baddbmm(weights.bias, x[:, start:stop], weights.weight_ih)
        for products in ahead.split(sizes, 1):
            yield products, True
        start = stop


def _products(
    given: tuple[Tensor, bool], h: Tensor | None, weights: Prepared, out: Tensor
) -> None:
    """Compute the gates of a step before their activation."""
    x, multiplied = given
    if multiplied:
        out.copy_(x)
    else:
        torch.baddbmm(weights.bias, x, weights.weight_ih, out=out)
    if h is not None:
        out.baddbmm_(h, weights.weight_hh)


def _project(
    m: Tensor, narrow_m: Tensor, weights: Prepared, clip: Clip, out: Tensor
) -> None:
    """Project the cell's output, twice m, to the hidden state."""
    is_rounded = out.dtype != weights.dtype
    if weights.weight_hr is None:
        torch.mul(m, 2.0, out=out)
    else:
        if narrow_m.dtype != m.dtype:
            narrow_m.copy_(m)
        elif is_rounded:
            narrow_m.copy_(operand(m, weights.dtype))
        torch.bmm(narrow_m, weights.weight_hr, out=out).mul_(2.0)
        if clip.proj is not None:
            out.clamp_(-clip.proj, clip.proj)
    if is_rounded:
        out.copy_(operand(out, weights.dtype))


class _Room:
    """Memory for the steps of a scan, without gaps at any number of rows."""

    def __init__(self, x: Tensor, n: int, weights: Prepared, wide: torch.dtype) -> None:
        n_directions, proj_size, n_gates = weights.weight_hh.shape
        narrow = x.dtype

        def empty(width: int, dtype: torch.dtype) -> tuple[Tensor, int]:
            return x.new_empty(n_directions * n * width, dtype=dtype), width

        pre, m = empty(n_gates, narrow), empty(n_gates // 4, wide)
        active, narrow_m = pre, m
        if narrow != wide:
            active, narrow_m = empty(n_gates, wide), empty(n_gates // 4, narrow)
        self.parts = pre, active, m, narrow_m, empty(proj_size, narrow)
        self.n_directions, self.n = n_directions, 0
        self.views: tuple[Tensor, ...] = ()

    def of(self, n: int) -> tuple[Tensor, ...]:
        """Return gates before and after, cell output wide and narrow, and hidden."""
        if n != self.n:
            self.n, rows = n, self.n_directions * n
            self.views = tuple(
                flat[: rows * width].view(self.n_directions, n, width)
                for flat, width in self.parts
            )
        return self.views
