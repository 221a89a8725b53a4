"""What is kept of a training run, epoch by epoch."""

from __future__ import annotations

import math
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

    @property
    def summary(self) -> str:
        """The quality reached, in a few words."""
        if math.isnan(self.validation_perplexity):
            return f"loss {self.train_loss:.3f}"
        return (
            f"loss {self.train_loss:.3f}, validation perplexity "
            f"{self.validation_perplexity_forward:.1f} forward, "
            f"{self.validation_perplexity_backward:.1f} backward"
        )


class HeadRecord(NamedTuple):
    """One row of the history of a head."""

    epoch: int
    n_documents: int  # seen in training so far
    seconds: float  # spent so far
    learning_rate: float
    train_loss: float  # of a document, mean over the epoch as it went
    validation_loss: float
    validation_score: float  # accuracy, or coefficient of determination

    @property
    def summary(self) -> str:
        """The quality reached, in a few words."""
        if math.isnan(self.validation_loss):
            return f"loss {self.train_loss:.3f}"
        return (
            f"loss {self.train_loss:.3f}, validation loss {self.validation_loss:.3f}, "
            f"score {self.validation_score:.3f}"
        )
