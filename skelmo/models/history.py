"""What is kept of a training run, epoch by epoch."""

from __future__ import annotations

from typing import NamedTuple


class EpochRecord(NamedTuple):
    """One row of the history."""

    epoch: int
    n_tokens: int  # seen in training so far
    seconds: float  # spent so far
    learning_rate: float
    train_loss: float  # nats per token, mean over the epoch as it went
    validation_perplexity_forward: float
    validation_perplexity_backward: float
    validation_perplexity: float
    validation_tokens: int = 0  # predictions in one direction that validation read
