"""What a training loop needs to know of what it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
from torch import Tensor, nn


class Evaluation(NamedTuple):
    """How good the weights are."""

    loss: float  # what training minimises, and stops early by
    quality: Any  # what the epoch's record is to tell of it


class EpochEnd(NamedTuple):
    """What a loop knows at the end of an epoch."""

    epoch: int  # the first is 1
    n_tokens: int  # units trained on so far
    seconds: float  # spent so far
    learning_rate: float
    train_loss: float  # per unit, mean over the epoch as it went


class Objective(Protocol):
    """What a `Loop` trains, and with what.

    A unit is what losses are means over: a token, say, or a document. All that an
    objective does is decided by its data, a seed of its own and what it is given.
    """

    @property
    def module(self) -> nn.Module:
        """Weights to train, all on one device."""

    @property
    def units_per_epoch(self) -> int:
        """Units in all the batches of an epoch."""

    @property
    def worst_loss(self) -> float:
        """Loss beyond which training has diverged."""

    @property
    def record_type(self) -> Callable[..., Any]:
        """Make a record, a tuple, of the columns of one that was saved."""

    def batches(self, epoch: int) -> Iterable[Any]:
        """Return what each step of an epoch reads, in order.

        Parameters
        ----------
        epoch : int
            Counts those too that the weights had behind them before the run.
        """

    def n_units(self, batch: Any) -> int:
        """Return the units in a batch."""

    def loss(self, batch: Any, rng: np.random.Generator) -> Tensor:
        """Return the mean loss per unit of a batch.

        Of several processes that train together, each returns its own part of it, of
        which the mean is the sum; one without a gradient has no part in the batch.
        Gradients of parameters may be sparse.

        Parameters
        ----------
        batch : object
            One of `batches`.
        rng : numpy.random.Generator
            For every draw, those of torch included (see `skelmo.nn.randomness`).
        """

    def evaluate(self, max_units: int | None = None) -> Evaluation | None:
        """Evaluate the weights.

        Parameters
        ----------
        max_units : int, optional
            Read about so many units at most, always the same ones.

        Returns
        -------
        evaluation : Evaluation or None
            None if there are no data to evaluate with.
        """

    def record(self, end: EpochEnd, evaluation: Evaluation | None) -> Any:
        """Return a row of the history.

        Parameters
        ----------
        end : EpochEnd
        evaluation : Evaluation, optional

        Returns
        -------
        record : tuple
            Of numbers, those that JSON can hold; its property ``summary`` tells the
            quality in a few words.
        """
