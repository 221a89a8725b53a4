"""Running a language model over unique tokens and packed batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skelmo.nn.bilm import BiLM
from skelmo.nn.char_cnn import trimmed_length
from skelmo.nn.packing import PackedBatch
from skelmo.nn.precision import low_products
from skelmo.nn.recurrence import Prepared

TOKENS_AT_ONCE = 512  # rows of the character CNN


class Stretch(NamedTuple):
    """Activations of the same number of time steps in both directions."""

    forward: tuple[Tensor, ...]  # L + 1 of (n, P)
    backward: tuple[Tensor, ...]
    forward_steps: range  # time steps in walking order
    backward_steps: range


def token_vectors(
    bilm: BiLM,
    char_ids: NDArray[np.integer],
    word_ids: NDArray[np.int64] | None = None,
    rows_at_once: int = TOKENS_AT_ONCE,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Encode unique tokens, those of similar length together.

    Parameters
    ----------
    bilm : BiLM
    char_ids : ndarray of shape (U, C), int16 or int32
    word_ids : ndarray of shape (U,), int64, optional
        Rows of the word-level embedding, when there is one.
    rows_at_once : int, default=512
        Tokens that go through the character CNN together.
    dtype : torch.dtype, optional
        What matrix products are computed in; by default that of the weights.

    Returns
    -------
    vectors : torch.Tensor of shape (U, P)
        In the dtype of the weights.
    """
    parameter = next(bilm.parameters())
    device = parameter.device
    lengths = (char_ids != bilm.config.padding).sum(axis=1)
    order = np.argsort(lengths, kind="stable")
    parts = []
    for start in range(0, len(order), rows_at_once):
        chunk = order[start : start + rows_at_once]
        n_columns = trimmed_length(
            int(lengths[chunk[-1]]),
            bilm.token_encoder.max_width,
            bilm.config.max_characters,
        )
        chars = torch.from_numpy(char_ids[chunk, :n_columns]).to(device)
        words = None
        if word_ids is not None:
            words = torch.from_numpy(word_ids[chunk]).to(device)
        with low_products(dtype, device):
            parts.append(bilm.token_encoder(chars, words).to(parameter.dtype))
    inverse = np.empty(len(order), dtype=np.int64)
    inverse[order] = np.arange(len(order))
    return torch.cat(parts)[torch.from_numpy(inverse).to(device)]


def run_batch(
    bilm: BiLM,
    batch: PackedBatch,
    vectors: Tensor,
    ids: Tensor,
    max_steps: int,
    prepared: Sequence[Prepared],
) -> Iterator[Stretch]:
    """Run a packed batch, or one long sequence from both its ends in stretches.

    Parameters
    ----------
    bilm : BiLM
    batch : PackedBatch
    vectors : torch.Tensor of shape (U, P)
        Vectors of the unique tokens.
    ids : torch.Tensor of shape (n,), int64
        Row of `vectors` for each packed row.
    max_steps : int
        Time steps of a stretch, for a batch of a single sequence.
    prepared : sequence of Prepared
        What `bilm.prepare` returned.

    Yields
    ------
    Stretch
        One for an ordinary batch.
    """
    n_steps = len(batch.batch_sizes)
    run = partial(bilm, prepared=prepared)
    if len(batch.sequences) > 1 or n_steps <= max_steps:
        output = run(vectors[ids], batch.batch_sizes)
        steps = range(n_steps)
        yield Stretch(output.forward, output.backward, steps, steps[::-1])
        return
    states = None
    for start in range(0, n_steps, max_steps):
        n = min(max_steps, n_steps - start)
        ahead = slice(start, start + n)
        back = slice(n_steps - start - n, n_steps - start)
        output = run(vectors[ids[ahead]], [1] * n, states, vectors[ids[back]])
        states = output.states
        steps = range(n_steps)
        yield Stretch(output.forward, output.backward, steps[ahead], steps[back][::-1])
