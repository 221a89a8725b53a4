"""Statistics of the token activations of a document.

Directions are pooled apart, each in the order it walks, so that a sequence may arrive
in stretches. Sentence markers and padding never take part.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

POOLINGS = ("mean", "max", "min", "last", "std")
_START = {"sum": 0.0, "squares": 0.0, "max": -torch.inf, "min": torch.inf, "last": 0.0}
# Sums of many tokens need the precision; it costs next to nothing.
_WIDE = ("sum", "squares")
_NEEDED = {"mean": ("sum",), "std": ("sum", "squares")}


def _kept(pooling: Sequence[str]) -> list[str]:
    """Return what is to be kept while tokens come in."""
    names = [name for asked in pooling for name in _NEEDED.get(asked, (asked,))]
    return list(dict.fromkeys(names))


class HalfPool:
    """Pool one direction's half of the activations of a batch of sequences.

    Parameters
    ----------
    pooling : sequence of {"mean", "max", "min", "last", "std"}
        Statistics that are asked for. "last" is the last token in walking direction:
        the last one of the forward half, the first one of the backward half. "std" is
        the population's standard deviation.
    shape : tuple of int
        ``(L + 1, B, P)``.
    like : torch.Tensor
        Gives dtype and device.
    """

    def __init__(
        self, pooling: Sequence[str], shape: tuple[int, int, int], like: Tensor
    ) -> None:
        self.values = {
            name: like.new_full(
                shape, _START[name], dtype=torch.float64 if name in _WIDE else None
            )
            for name in _kept(pooling)
        }

    def add(self, step: Tensor) -> None:
        """Take in the tokens of one time step.

        Parameters
        ----------
        step : torch.Tensor of shape (L + 1, k, P)
            Activations of the first k sequences.
        """
        n = step.shape[1]
        for name, value in self.values.items():
            head = value[:, :n]
            if name == "sum":
                head += step
            elif name == "squares":
                wide = step.to(head.dtype)
                head.addcmul_(wide, wide)
            elif name == "max":
                torch.maximum(head, step, out=head)
            elif name == "min":
                torch.minimum(head, step, out=head)
            else:
                head.copy_(step)


class DocumentPool:
    """Join the statistics of sequences to those of documents.

    Parameters
    ----------
    pooling : sequence of str
        As in `HalfPool`.
    n_documents : int
        N.
    n_layers : int
        L + 1.
    proj_size : int
        P.
    """

    def __init__(
        self, pooling: Sequence[str], n_documents: int, n_layers: int, proj_size: int
    ) -> None:
        shape = (2, n_documents, n_layers, proj_size)
        self.pooling = pooling
        self.values = {
            name: torch.full(
                shape,
                _START[name],
                dtype=torch.float64 if name in _WIDE else torch.float32,
            )
            for name in _kept(pooling)
        }

    def add(
        self,
        halves: Sequence[HalfPool],
        documents: Tensor,
        is_edge: Sequence[Tensor],
    ) -> None:
        """Take in a batch of sequences.

        Parameters
        ----------
        halves : sequence of HalfPool
            Forward and backward.
        documents : torch.Tensor of shape (B,), int64
            Document of each sequence.
        is_edge : sequence of torch.BoolTensor of shape (B,)
            For "last": sequences that end a document, and those that begin one.
        """
        for direction, half in enumerate(halves):
            for name, value in half.values.items():
                target = self.values[name][direction]
                source = value.transpose(0, 1).to("cpu", target.dtype)  # (B, L + 1, P)
                if name in _WIDE:
                    target.index_add_(0, documents, source)
                elif name == "last":
                    edge = is_edge[direction]
                    target[documents[edge]] = source[edge]
                else:
                    index = documents[:, None, None].expand_as(source)
                    target.scatter_reduce_(0, index, source, f"a{name}")

    def finish(self, n_tokens: Tensor) -> Tensor:
        """Return the statistics of all documents.

        Parameters
        ----------
        n_tokens : torch.Tensor of shape (N,)
            Tokens of each document. One without tokens gets zeros.

        Returns
        -------
        pooled : torch.Tensor of shape (N, n_poolings, L + 1, 2P), float32
        """
        rows = []
        for name in self.pooling:
            value = self._statistic(name, n_tokens.clamp(min=1)[:, None, None])
            value[:, n_tokens == 0] = 0.0
            both = torch.cat([value[0], value[1]], dim=-1)  # (N, L + 1, 2P)
            rows.append(both.float())
        return torch.stack(rows, dim=1)

    def _statistic(self, name: str, n_tokens: Tensor) -> Tensor:
        if name not in _NEEDED:
            return self.values[name]
        mean = self.values["sum"] / n_tokens
        if name == "mean":
            return mean
        variance = self.values["squares"] / n_tokens - mean.square()
        return variance.clamp(min=0.0).sqrt()
