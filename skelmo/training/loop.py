"""The training loop.

Every random draw is a function of the seed, the epoch and the step, so that a run can
be taken up at any step without a generator's state.
"""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skelmo.training.checkpoint import Checkpoint, Checkpointer
from skelmo.training.interruption import uninterrupted
from skelmo.training.objective import EpochEnd, Objective
from skelmo.training.optimizer import (
    is_of_the_same_kind,
    make_optimizer,
    optimizer_tensors,
    restore_optimizer,
    shrink,
)
from skelmo.training.ranks import ALONE, RankLostError, Ranks
from skelmo.training.schedule import learning_rate_at
from skelmo.training.state import Observer, TrainingOptions, TrainingState
from skelmo.training.word_gradients import DenseGradients
from skelmo.validation import stack_level

logger = logging.getLogger(__name__)

ADAPTIVE_FACTOR = 0.2
VALIDATION_SHARE = 0.1  # of the time limit, for all validations of a run


class Loop:
    """Train whatever there is an objective of.

    Parameters
    ----------
    objective : Objective
        Its module is trained in place; holds the best epoch's weights in the end.
    options : TrainingOptions
    observer : Observer
    checkpointer : Checkpointer, optional
        Where the run keeps its checkpoints, and may find those of an earlier try.
    first_epoch : int, default=0
        Epochs that the weights have behind them; decides the random draws.
    clock : callable, default=time.perf_counter
        Gives the time in seconds.
    rate_scales : mapping of str to float, optional
        What the learning rate of each parameter is multiplied by, by its name; by
        default 1.
    ranks : Ranks, default=ALONE
        Processes that train the same together, by the same objective. The first one's
        clock and checkpoints are those of all.

    Attributes
    ----------
    optimizer : torch.optim.Optimizer
    state : TrainingState
    best_weights : dict of str to torch.Tensor
        Weights of the best epoch so far.
    """

    def __init__(
        self,
        objective: Objective,
        options: TrainingOptions,
        observer: Observer,
        checkpointer: Checkpointer | None = None,
        first_epoch: int = 0,
        clock: Callable[[], float] = time.perf_counter,
        rate_scales: Mapping[str, float] | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.objective, self.options, self.observer = objective, options, observer
        self.checkpointer, self.first_epoch = checkpointer, first_epoch
        self.clock, self.ranks = clock, ranks
        self.module = objective.module
        self.parameters = list(self.module.parameters())
        self.optimizer = make_optimizer(self.module, options, rate_scales)
        self.dense_gradients = DenseGradients()
        self.state = TrainingState()
        self.best_weights = _copy(self.module.state_dict())
        self.last_write, self.has_warned = clock(), False
        self.n_steps_written = 0  # of the last checkpoint
        self.is_whole = True  # no step is half done

    def run(self) -> TrainingState:
        """Train to the end and restore the best epoch.

        Returns
        -------
        TrainingState
        """
        self._take_up()
        try:
            self._run_epochs()
        except (KeyboardInterrupt, RankLostError):
            self._write_interrupted()
            raise
        self.module.load_state_dict(self.best_weights)
        self.module.eval()
        return self.state

    def remembered(self) -> dict[str, NDArray[Any]]:
        """Return a copy of what the optimiser remembers."""
        return {
            name: tensor.cpu().numpy().copy()
            for name, tensor in optimizer_tensors(self.optimizer).items()
        }

    def go_on_from(self, remembered: Mapping[str, NDArray[Any]] | None) -> None:
        """Let the optimiser remember what one of the same kind did.

        Parameters
        ----------
        remembered : mapping of str to ndarray or None
            As `remembered` gave it; that of another solver, or of other weights, is
            passed over.
        """
        if remembered is None:
            return
        tensors = {name: torch.tensor(array) for name, array in remembered.items()}
        if is_of_the_same_kind(tensors, self.optimizer, self.options):
            restore_optimizer(self.optimizer, tensors)

    def _run_epochs(self) -> None:
        """Train until an epoch is the last or a run is stopped."""
        state = self.state
        while not state.finished:
            stopped = self._run_epoch()
            if not all(p.isfinite().all() for p in self.module.parameters()):
                state.diverged, state.last_loss = True, math.nan
            if state.diverged:
                break
            checkpoint = None
            if stopped:
                # Taken up later, with more time, the run goes on in mid-epoch.
                checkpoint = self._checkpoint()
                self._write(checkpoint)
                if not state.step:
                    break  # time was up before the epoch began
            self._finish_epoch()
            if stopped:
                if checkpoint is not None:
                    # Validation has taken its time, wherever the run goes on.
                    checkpoint.state["seconds"] = state.seconds
                    self._write(checkpoint)
                break
            self._write(self._checkpoint())

    def _run_epoch(self) -> bool:
        """Take the steps that are left of an epoch; tell whether to stop short."""
        state, options = self.state, self.options
        batches = list(self.objective.batches(self.first_epoch + state.epoch))
        self.observer.begin_epoch(state.epoch, len(batches), state.step)
        self.module.train()
        for batch in batches[state.step :]:
            if state.seconds >= (options.max_time or math.inf):
                return True
            begin = self.clock()
            n_tokens = self.objective.n_units(batch)
            rate = self._rate(n_tokens)
            loss = self._find_gradient(batch, rate)
            with self._change():
                self._step(loss, rate)
                state.step += 1
                state.n_steps += 1
                state.n_tokens += n_tokens
                state.seconds += self.clock() - begin
                state.last_loss = loss
                if not loss < self.objective.worst_loss:
                    state.diverged = True
                    return True
                state.loss_sum += loss * n_tokens
                state.n_losses += n_tokens
            stop = self.observer.end_step(loss, n_tokens, rate)
            if self._is_due():
                self._write(self._checkpoint())
            stop, state.seconds = self.ranks.agree(stop, state.seconds)
            if stop:
                return True
        return False

    def _is_due(self) -> bool:
        every = self.options.checkpoint_every
        if isinstance(every, Integral):
            return self.state.n_steps % int(every) == 0
        return self.clock() - self.last_write >= 60.0 * every

    def _checkpoint(self) -> Checkpoint | None:
        """Copy what the next step depends on, if it is to be kept."""
        if self.checkpointer is None:
            return None
        parts = {
            "model": self.module.state_dict(),
            "best": self.best_weights,
            "optimizer": optimizer_tensors(self.optimizer),
        }
        tensors = {
            # A copy each: tied weights share memory, which a file cannot.
            f"{part}/{name}": tensor.detach().cpu().clone()
            for part, named in parts.items()
            for name, tensor in named.items()
        }
        return Checkpoint(tensors, self.state.to_plain())

    def _write(self, checkpoint: Checkpoint | None) -> None:
        if self.checkpointer is None or checkpoint is None:
            return
        try:
            self.checkpointer.write(checkpoint, self.state.n_steps)
            self.n_steps_written = self.state.n_steps
        except OSError as error:
            self._report(self.checkpointer.directory, error)
        self.last_write = self.clock()

    def _report(self, directory: Path, error: OSError) -> None:
        """Say that a checkpoint is missing, which is no reason to lose the training."""
        text = (
            f"The checkpoint after step {self.state.n_steps} could not be written to "
            f"{directory} ({error.strerror or error}). Training goes on, and the next "
            f"is tried when it is due. Free space on the disk, or change permissions."
        )
        if self.has_warned:
            logger.warning("%s", text)
        else:
            self.has_warned = True
            warnings.warn(text, stacklevel=stack_level())

    def _write_interrupted(self) -> None:
        """Keep the steps since the last checkpoint."""
        state = self.state
        is_news = state.n_steps > self.n_steps_written
        if is_news and self.is_whole and not state.diverged:
            self._write(self._checkpoint())

    def _take_up(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        checkpoint = self._last_checkpoint()
        if checkpoint is None:
            return
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
        for key, tensor in checkpoint.tensors.items():
            part, _, name = key.partition("/")
            parts[part][name] = tensor
        self.module.load_state_dict(parts["model"])
        restore_optimizer(self.optimizer, parts["optimizer"])
        self.best_weights = parts["best"]
        self.state = TrainingState.from_plain(
            checkpoint.state, self.objective.record_type
        )
        self.n_steps_written = self.state.n_steps
        self.observer.take_up(self.state)

    def _last_checkpoint(self) -> Checkpoint | None:
        """Return that of the first process, which alone needs to see the file."""
        checkpoint = None
        if self.checkpointer is not None:
            self.checkpointer.prepare()
            checkpoint = self.checkpointer.read()
        if self.ranks.size == 1:
            return checkpoint
        content = self.ranks.spread(checkpoint and checkpoint.to_bytes())
        return None if content is None else Checkpoint.from_bytes(content)

    def _rate(self, n_ahead: int) -> float:
        """Return the rate in the middle of a step: at its begin the first has none."""
        state = self.state
        planned = self.objective.units_per_epoch * self.options.max_epochs
        middle = state.n_tokens + n_ahead / 2
        progress = middle / planned
        if self.options.max_time and state.n_tokens:
            seconds = state.seconds * middle / state.n_tokens
            progress = min(1.0, max(progress, seconds / self.options.max_time))
        return learning_rate_at(
            progress,
            schedule=self.options.learning_rate,
            initial=self.options.learning_rate_init,
            warmup=self.options.warmup,
            scale=self.state.rate_scale,
        )

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Let weights and state change together: a checkpoint holds both or neither."""
        with uninterrupted():
            self.is_whole = False
            yield
            self.is_whole = True

    def _find_gradient(self, batch: Any, rate: float) -> float:
        """Set the gradients of a batch; return the loss per unit."""
        state, options = self.state, self.options
        key = [options.seed, self.first_epoch + state.epoch, state.step]
        rng = np.random.default_rng(key)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.objective.loss(batch, rng)
        if loss.requires_grad:  # there is something of the batch for this process
            loss.backward()
            self.dense_gradients.set(self.parameters)
        return self.ranks.add_gradients(self.parameters, loss).item()

    def _step(self, loss: float, rate: float) -> None:
        """Take one optimisation step."""
        options = self.options
        if not math.isfinite(loss):
            return
        if options.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(
                self.module.parameters(), options.max_grad_norm
            )
        self.optimizer.step()
        if options.l1:
            for group in self.optimizer.param_groups:
                shrink(group["params"], rate * group["scale"] * options.l1)

    def _max_validation(self) -> int | None:
        """Return the units that may be evaluated in the time for it, in each epoch.

        A unit is taken to cost what it costs in training, and epochs to last as long as
        the first.
        """
        state, limit = self.state, self.options.max_time or math.inf
        if math.isinf(limit) or not state.seconds:
            return None
        n_validations = min(self.options.max_epochs, math.ceil(limit / state.seconds))
        seconds = VALIDATION_SHARE * limit / n_validations
        return int(seconds * state.n_tokens / state.seconds)

    def _finish_epoch(self) -> None:
        """Evaluate, keep the best weights, write history; decide whether to stop."""
        state = self.state
        begin = self.clock()
        train_loss = state.loss_sum / max(1, state.n_losses)
        self.module.eval()
        if not state.history:
            # Decided once: epochs compare by the same sequences only.
            state.max_validation = self._max_validation()
        evaluation = self.objective.evaluate(state.max_validation)
        loss = train_loss if evaluation is None else evaluation.loss
        rate = self._rate(0)
        seconds = self.ranks.first(self.clock() - begin)
        with self._change():
            record = self._note_epoch(loss, rate, train_loss, evaluation, seconds)
        stop, _ = self.ranks.agree(bool(self.observer.end_epoch(record)), 0.0)
        state.finished |= stop

    def _note_epoch(
        self,
        loss: float,
        rate: float,
        train_loss: float,
        evaluation: Any,
        seconds: float,
    ) -> Any:
        """Write history, and make ready for the next epoch."""
        state, options = self.state, self.options
        state.epoch, state.step = state.epoch + 1, 0
        state.loss_sum, state.n_losses = 0.0, 0
        improved = loss < state.best_loss - options.tol
        state.n_no_change = 0 if improved else state.n_no_change + 1
        if loss < state.best_loss:
            state.best_loss, state.best_epoch = loss, state.epoch
            self.best_weights = _copy(self.module.state_dict())
        elif evaluation is None:
            # Without validation the last epoch is as good as any.
            self.best_weights = _copy(self.module.state_dict())
            state.best_epoch = state.epoch
        if not improved and options.learning_rate == "adaptive":
            state.rate_scale *= ADAPTIVE_FACTOR
        state.seconds += seconds
        end = EpochEnd(state.epoch, state.n_tokens, state.seconds, rate, train_loss)
        record = self.objective.record(end, evaluation)
        state.history.append(record)
        stalled = state.n_no_change >= options.n_iter_no_change
        state.finished = stalled or state.epoch == options.max_epochs
        return record


def _copy(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in weights.items()}
