"""How to train, where a run stands, and what it tells while it goes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from skelmo.models.history import EpochRecord


@dataclass(frozen=True)
class TrainingOptions:
    """How to train; the parameters of `ElmoLanguageModel` by the same names."""

    solver: str = "adam"
    momentum: float = 0.9
    learning_rate: str = "cosine"
    learning_rate_init: float = 2e-3
    warmup: float = 0.05
    alpha: float = 0.0
    l1: float = 0.0
    word_dropout: float = 0.1
    misspelling: float = 0.0
    max_grad_norm: float | None = 1.0
    batch_tokens: int = 512
    max_epochs: int = 10
    max_time: float | None = None
    early_stopping: bool = True
    n_iter_no_change: int = 3
    tol: float = 1e-3
    softmax: str = "sampled"
    n_samples: int = 2048
    checkpoint_every: int | float = 500
    precision: str = "float32"  # or "bfloat16": of the matrix products
    seed: int = 0


class Observer(Protocol):
    """What a training run tells while it goes."""

    def take_up(self, state: TrainingState) -> None:
        """Take note that the run goes on from a checkpoint."""

    def begin_epoch(self, epoch: int, n_steps: int, n_done: int) -> None:
        """Take note of an epoch's begin, or of its going on after `n_done` steps."""

    def end_step(self, loss: float, n_tokens: int, learning_rate: float) -> bool:
        """Take note of a step; True stops training."""

    def end_epoch(self, record: Any) -> bool:
        """Take note of an epoch by the objective's record; True stops training."""


class Observers:
    """Several observers as one; any of them stops training.

    Parameters
    ----------
    *observers : Observer
    """

    def __init__(self, *observers: Observer) -> None:
        self.observers = observers

    def take_up(self, state: TrainingState) -> None:
        """Tell each."""
        for observer in self.observers:
            observer.take_up(state)

    def begin_epoch(self, epoch: int, n_steps: int, n_done: int) -> None:
        """Tell each."""
        for observer in self.observers:
            observer.begin_epoch(epoch, n_steps, n_done)

    def end_step(self, loss: float, n_tokens: int, learning_rate: float) -> bool:
        """Tell each; return whether one of them stops training."""
        told = [o.end_step(loss, n_tokens, learning_rate) for o in self.observers]
        return any(told)

    def end_epoch(self, record: Any) -> bool:
        """Tell each; return whether one of them stops training."""
        told = [observer.end_epoch(record) for observer in self.observers]
        return any(told)


@dataclass
class TrainingState:
    """Where a run stands; with weights and optimiser, all that the next step needs."""

    epoch: int = 0
    step: int = 0  # within the epoch
    n_steps: int = 0  # in all
    n_tokens: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0  # of the epoch so far
    n_losses: int = 0
    rate_scale: float = 1.0
    best_loss: float = math.inf
    best_epoch: int = 0  # 0: the weights it started with
    n_no_change: int = 0
    last_loss: float = math.nan
    diverged: bool = False
    finished: bool = False
    max_validation: int | None = None  # units; None reads all
    history: list[Any] = field(default_factory=list)

    def to_plain(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_plain(
        cls, plain: dict[str, Any], record_type: Callable[..., Any] = EpochRecord
    ) -> TrainingState:
        """Undo `to_plain`.

        Parameters
        ----------
        plain : dict
        record_type : callable, default=EpochRecord
            Makes a row of the history of its columns.

        Returns
        -------
        TrainingState
        """
        history = [record_type(*row) for row in plain["history"]]
        return cls(**{**plain, "history": history})
