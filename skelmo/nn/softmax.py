"""The loss over the words: full or sampled softmax, shared by both directions.

Losses compute their gradient on the way, row chunk by row chunk, so that the logits of
all rows never exist at once. Axes: m rows, V vocabulary, K candidates, P projection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skelmo.nn.precision import operand

# Logits at once: 4M floats are 16 MB, a good size for the matrix unit and the cache.
LOGITS_AT_ONCE = 4_194_304


class Candidates(NamedTuple):
    """Words drawn for a sampled softmax, shared by all rows of a batch."""

    words: NDArray[np.int64]  # (K,), distinct
    n_tries: int  # draws that it took


class _Result(NamedTuple):
    """A summed loss with its gradients."""

    loss: Tensor
    hidden: Tensor
    weight: Tensor
    bias: Tensor


class SoftmaxLoss(nn.Module):
    """Softmax over a vocabulary sorted from frequent to rare words.

    Parameters
    ----------
    n_words : int
        V.
    proj_size : int
        P.

    Attributes
    ----------
    sparse : bool, default=False
        Whether a sampled softmax gives the gradient of `weight` as a sparse tensor, as
        `torch.nn.Embedding` does under the same name.
    """

    def __init__(self, n_words: int, proj_size: int) -> None:
        super().__init__()
        self.sparse = False
        self.weight = nn.Parameter(torch.empty(n_words, proj_size))
        nn.init.normal_(self.weight, std=proj_size**-0.5)
        self.bias = nn.Parameter(torch.zeros(n_words))

    def forward(
        self,
        hidden: Tensor,
        targets: Tensor,
        candidates: Candidates | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Return the negative log-likelihood, summed over rows, in nats.

        Parameters
        ----------
        hidden : torch.Tensor of shape (m, P)
        targets : torch.Tensor of shape (m,), int64
        candidates : Candidates, optional
            Words of a sampled softmax; None takes all words.
        dtype : torch.dtype, optional
            What matrix products are computed in; by default that of the weights.

        Returns
        -------
        loss : torch.Tensor of shape ()

        Notes
        -----
        A sampled softmax estimates the sum over all words: the target counts once, as
        it is always there, any other candidate by the inverse of its expected count.
        That sum is right in expectation, so the loss estimates the full one.
        (TensorFlow's variant divides the target by its expected count as well, which
        has the same optimum, but is lower than the full loss.)

        References
        ----------
        .. [1] Jean et al. (2015), On Using Very Large Target Vocabulary for Neural
           Machine Translation, arXiv:1412.2007, Section 3.
        """

        def compute(hidden: Tensor, weight: Tensor, bias: Tensor) -> _Result:
            if candidates is None:
                return _full(hidden, weight, bias, targets, dtype)
            result = _sampled(hidden, weight, bias, targets, candidates, dtype)
            if self.sparse:
                return result
            return result._replace(weight=result.weight.to_dense())

        return _LossWithGradient.apply(compute, hidden, self.weight, self.bias)

    def nll(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return the negative log-likelihood of each row under the full softmax.

        Parameters
        ----------
        hidden : torch.Tensor of shape (m, P)
        targets : torch.Tensor of shape (m,), int64

        Returns
        -------
        nll : torch.Tensor of shape (m,)
            In nats, without gradient.
        """
        out = hidden.new_empty(len(hidden))
        with torch.no_grad():
            for rows in _chunks(len(hidden), len(self.bias)):
                logits = torch.addmm(self.bias, hidden[rows], self.weight.t())
                true = logits.gather(1, targets[rows, None]).squeeze(1)
                out[rows] = torch.logsumexp(logits, dim=1) - true
        return out


def draw_candidates(
    n_candidates: int, n_words: int, rng: np.random.Generator
) -> Candidates:
    """Draw distinct words log-uniformly: word k with probability about 1 / k.

    Parameters
    ----------
    n_candidates : int
        K, less than `n_words`.
    n_words : int
        V.
    rng : numpy.random.Generator

    Returns
    -------
    Candidates

    Notes
    -----
    Words are drawn with replacement until K distinct ones are found, as by
    TensorFlow's ``log_uniform_candidate_sampler``.
    """
    draws = np.empty(0, dtype=np.int64)
    while True:
        uniform = rng.random(2 * n_candidates)
        new = np.expm1(uniform * np.log(n_words + 1)).astype(np.int64)
        draws = np.concatenate([draws, np.minimum(new, n_words - 1)])
        words, first = np.unique(draws, return_index=True)
        if len(words) >= n_candidates:
            chosen = np.sort(first)[:n_candidates]
            return Candidates(draws[chosen], int(chosen[-1]) + 1)


def log_expected_count(words: Tensor, n_words: int, n_tries: int) -> Tensor:
    """Return the log of how often each word is among the candidates, on average."""
    words = words.double()
    probability = torch.log1p(1.0 / (words + 1.0)) / np.log(n_words + 1)
    return torch.log(-torch.expm1(n_tries * torch.log1p(-probability)))


class _LossWithGradient(torch.autograd.Function):
    """A scalar whose gradient was computed with it."""

    @staticmethod
    def forward(
        ctx: Any,
        compute: Callable[..., _Result],
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
    ) -> Tensor:
        loss, *gradients = compute(hidden, weight, bias)
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return None, *(gradient * grads[0] for gradient in ctx.saved_tensors)


def _chunks(n_rows: int, n_columns: int) -> list[slice]:
    size = max(1, LOGITS_AT_ONCE // n_columns)
    return [slice(start, start + size) for start in range(0, n_rows, size)]


def _product(a: Tensor, b: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Return ``a @ b``, computed in `dtype`."""
    return (operand(a, dtype) @ operand(b, dtype)).to(a.dtype)


def _full(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    dtype: torch.dtype | None,
) -> _Result:
    loss = hidden.new_zeros(())
    by_hidden, by_weight = torch.empty_like(hidden), torch.zeros_like(weight)
    by_bias = torch.zeros_like(bias)
    for rows in _chunks(len(hidden), len(bias)):
        h, target = hidden[rows], targets[rows, None]
        logits = _product(h, weight.t(), dtype).add_(bias)
        total = torch.logsumexp(logits, dim=1, keepdim=True)
        loss += (total - logits.gather(1, target)).sum()
        p = logits.sub_(total).exp_()
        p.scatter_add_(1, target, p.new_full(target.shape, -1.0))
        by_hidden[rows] = _product(p, weight, dtype)
        by_weight += _product(p.t(), h, dtype)
        by_bias += p.sum(0)
    return _Result(loss, by_hidden, by_weight, by_bias)


def _sampled(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    drawn: Candidates,
    dtype: torch.dtype | None,
) -> _Result:
    """Return the loss, with the gradient of the weight as a sparse tensor."""
    words = torch.from_numpy(drawn.words).to(hidden.device)
    n_words, n_candidates = len(bias), len(words)
    expected = log_expected_count(words, n_words, drawn.n_tries).to(hidden.dtype)
    column = words.new_full((n_words,), -1)
    column[words] = torch.arange(n_candidates, device=words.device)
    weight_k, bias_k = weight[words], bias[words] - expected
    loss = hidden.new_zeros(())
    # Of many words a batch has few: rows of the others would be zeros.
    read, place = torch.cat([words, targets]).unique(return_inverse=True)
    place_k, place_t = place.split([n_candidates, len(targets)])
    by_hidden = torch.empty_like(hidden)
    by_read = weight.new_zeros(len(read), weight.shape[1])
    by_bias = torch.zeros_like(bias)
    by_weight_k, by_bias_k = torch.zeros_like(weight_k), torch.zeros_like(bias_k)
    for rows in _chunks(len(hidden), n_candidates):
        h, target = hidden[rows], targets[rows]
        weight_t = weight[target]
        true = (h * weight_t).sum(1) + bias[target]
        logits = _product(h, weight_k.t(), dtype).add_(bias_k)
        # A candidate that is the target itself must not count against it.
        (hit,) = torch.nonzero(column[target] >= 0, as_tuple=True)
        logits[hit, column[target][hit]] = -torch.inf
        total = torch.logaddexp(torch.logsumexp(logits, dim=1), true)
        loss += (total - true).sum()
        p = logits.sub_(total[:, None]).exp_()
        p_true = (true - total).exp_().sub_(1.0)
        by_hidden[rows] = _product(p, weight_k, dtype).addcmul_(
            p_true[:, None], weight_t
        )
        by_read.index_add_(0, place_t[rows], p_true[:, None] * h)
        by_bias.index_add_(0, target, p_true)
        by_weight_k += _product(p.t(), h, dtype)
        by_bias_k += p.sum(0)
    by_read.index_add_(0, place_k, by_weight_k)
    by_bias.index_add_(0, words, by_bias_k)
    by_weight = torch.sparse_coo_tensor(
        read[None], by_read, weight.shape, is_coalesced=True, check_invariants=False
    )
    return _Result(loss, by_hidden, by_weight, by_bias)
