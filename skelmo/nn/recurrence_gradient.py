"""The gradient of the projected LSTM recurrence.

It walks back over segments of time steps: what does not depend on the gradient coming
in, and the products for input and weights, are computed for a whole segment at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor

from skelmo.nn.packing import previous_rows
from skelmo.nn.recurrence import Clip, State, Tape, Weights

# Rows of a segment: many enough for the matrix unit, few enough for the cache.
ROWS_AT_ONCE = 512


def scan_gradient(
    grad_out: Tensor,
    x: Tensor,
    out: Tensor,
    tape: Tape,
    batch_sizes: Sequence[int],
    weights: Sequence[Weights],
    state: State | None,
    clip: Clip,
) -> tuple[Tensor, list[Weights]]:
    """Propagate the gradient of `scan`'s output to its input and weights.

    A clipped value passes no gradient. The initial state is a constant.

    Parameters
    ----------
    grad_out : torch.Tensor of shape (D, n, P)
    x : torch.Tensor of shape (D, n, P)
        What `scan` was given.
    out : torch.Tensor of shape (D, n, P)
        What it returned.
    tape : Tape
        What it kept.
    batch_sizes : sequence of int of length T
    weights : sequence of Weights of length D
    state : State or None
    clip : Clip

    Returns
    -------
    by_x : torch.Tensor of shape (D, n, P)
    by_weights : list of Weights
    """
    n_directions, _, hidden_size = tape.cells.shape
    first, wide = batch_sizes[0], tape.cells.dtype
    by_x = torch.empty_like(x)
    by_weights = [
        Weights(*(None if w is None else torch.zeros_like(w) for w in own))  # type: ignore[arg-type]
        for own in weights
    ]
    to_x = torch.stack([own.weight_ih for own in weights]).to(x.dtype)
    to_h = torch.stack([own.weight_hh for own in weights]).to(x.dtype)
    projections = [own.weight_hr for own in weights if own.weight_hr is not None]
    to_m = torch.stack(projections).to(x.dtype) if projections else None
    previous = torch.from_numpy(previous_rows(batch_sizes)).to(x.device)
    segments = list(_segments(batch_sizes))
    longest = max(rows.stop - rows.start for rows, _ in segments)
    # Fresh memory for each segment would cost more in page faults than the arithmetic.
    space = x.new_empty(4, n_directions, longest, hidden_size, dtype=wide)
    slopes = x.new_empty(n_directions, longest, 4, hidden_size, dtype=wide)
    flat = x.new_empty(n_directions, longest, 4, hidden_size)
    grad_cell = x.new_zeros(n_directions, first, hidden_size, dtype=wide)
    grad_hidden: Tensor | None = None  # what the step after sent back
    for rows, sizes in reversed(segments):
        n_rows = rows.stop - rows.start
        local = _local_gradients(
            Tape(tape.gates[:, rows], tape.cells[:, rows]),
            _before(tape.cells, previous[rows], state and state.cell * 2.0),
            clip,
            space[:, :, :n_rows],
            slopes[:, :n_rows],
        )
        grad_gates = flat[:, :n_rows]
        grad = grad_out[:, rows].to(wide, copy=True)
        passes = None if to_m is None else _passes(out[:, rows], clip.proj, wide)
        steps = zip(
            sizes,
            grad.split(sizes, 1),
            local.slopes.split(sizes, 1),
            local.cell_by_m.split(sizes, 1),
            _split(local.passes, sizes),
            _split(passes, sizes),
            tape.gates[:, rows, hidden_size : 2 * hidden_size].split(sizes, 1),
            grad_gates.split(sizes, 1),
            strict=True,
        )
        for n, dh, slope, cell_by_m, passes_c, passes_h, f, dg in reversed(list(steps)):
            if grad_hidden is not None:
                dh[:, : grad_hidden.shape[1]].add_(grad_hidden)
            if passes_h is not None:
                dh.mul_(passes_h)
            dm = dh if to_m is None else torch.bmm(dh.to(x.dtype), to_m).to(wide)
            dc = grad_cell[:, :n].addcmul_(dm, cell_by_m)
            if passes_c is not None:
                dc.mul_(passes_c)
            torch.mul(slope[:, :, :3], dc[:, :, None], out=dg[:, :, :3])
            torch.mul(slope[:, :, 3], dm, out=dg[:, :, 3])
            dc.mul_(f)
            grad_hidden = torch.bmm(dg.flatten(2), to_h)
        part = grad_gates.flatten(2)
        torch.bmm(part, to_x, out=by_x[:, rows])
        before = _before(out, previous[rows], state and state.hidden)
        for d, total in enumerate(by_weights):
            _add_product(total.weight_ih, part[d], x[d, rows])
            _add_product(total.weight_hh, part[d], before[d])
            total.bias.add_(part[d].sum(0, dtype=wide))
            if total.weight_hr is not None:
                m = local.m[d].to(x.dtype)
                _add_product(total.weight_hr, grad[d].to(x.dtype), m)
    return by_x, by_weights


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add ``left.T @ right`` to `total`."""
    if total.dtype == left.dtype:
        total.addmm_(left.t(), right)
    else:
        total.add_(left.t() @ right)


class _Local(NamedTuple):
    """Derivatives within a step that do not depend on the gradient coming in."""

    slopes: Tensor  # (D, n, 4, H), of the cell, of m for the output gate, by the gates
    cell_by_m: Tensor  # (D, n, H), of m by the doubled cell
    m: Tensor  # (D, n, H), what the projection reads
    passes: Tensor | None  # (D, n, H), 1 where the cell was not clipped


def _local_gradients(
    tape: Tape, before: Tensor, clip: Clip, space: Tensor, slopes: Tensor
) -> _Local:
    """Compute them into `slopes` and the four blocks of `space`, each (D, n, H).

    With s, the sigmoid of the doubled candidate, and q, that of the doubled cell u:
    u = f u' + 4 i s - 2 i and m = (2 q - 1) o.
    """
    i, _, g, o = tape.gates.chunk(4, 2)
    q, tangent, m, cell_by_m = space
    torch.addcmul(tape.gates, tape.gates, tape.gates, value=-1, out=slopes.flatten(2))
    torch.sigmoid(tape.cells, out=q)
    torch.mul(q, 2.0, out=tangent).sub_(1.0)
    torch.mul(tangent, o, out=m)
    torch.addcmul(q, q, q, value=-1, out=cell_by_m).mul_(o).mul_(2.0)
    slopes[:, :, 0].mul_(torch.mul(g, 4.0, out=q).sub_(2.0))
    slopes[:, :, 1].mul_(before)
    slopes[:, :, 2].mul_(torch.mul(i, 8.0, out=q))
    slopes[:, :, 3].mul_(tangent)
    bound = None if clip.cell is None else 2.0 * clip.cell
    return _Local(slopes, cell_by_m, m, _passes(tape.cells, bound, q.dtype))


def _passes(values: Tensor, bound: float | None, dtype: torch.dtype) -> Tensor | None:
    """Return 1 where a value was not clipped, or None if none was."""
    if bound is None:
        return None
    inside = values.abs() < bound
    return None if inside.all() else inside.to(dtype)


def _split(values: Tensor | None, sizes: list[int]) -> Iterable[Tensor | None]:
    """Cut rows by time steps; None is None at each."""
    return repeat(None, len(sizes)) if values is None else values.split(sizes, 1)


def _before(values: Tensor, previous: Tensor, initial: Tensor | None) -> Tensor:
    """Return the values of the rows one step earlier, with the initial ones."""
    n_first = int((previous < 0).sum())
    earlier = values[:, previous[n_first:]]
    if not n_first:
        return earlier
    if initial is None:
        initial = values.new_zeros(values.shape[0], n_first, values.shape[2])
    return torch.cat([initial.to(values.dtype), earlier], 1)


def _segments(batch_sizes: Sequence[int]) -> Iterator[tuple[slice, list[int]]]:
    """Cut the time steps where ROWS_AT_ONCE rows are full: their rows and sizes."""
    start = stop = 0
    sizes: list[int] = []
    for k, n in enumerate(batch_sizes):
        sizes.append(n)
        stop += n
        if stop - start >= ROWS_AT_ONCE or k == len(batch_sizes) - 1:
            yield slice(start, stop), sizes
            start, sizes = stop, []
