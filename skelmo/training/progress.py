"""What a run shows of itself: a progress bar, or nothing."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from tqdm.auto import tqdm

from skelmo.training.state import TrainingState


class ProgressBar:
    """A bar an epoch: tokens per second, loss, perplexity, time left for all epochs.

    Parameters
    ----------
    max_epochs : int
    verbose : int
        0 shows nothing.
    max_time : float, optional
        Seconds that training may take, those before it was taken up included.
    shows_perplexity : bool, default=True
        Whether the exponential of the loss is shown, too.
    """

    def __init__(
        self,
        max_epochs: int,
        verbose: int,
        max_time: float | None = None,
        *,
        shows_perplexity: bool = True,
    ) -> None:
        self.shows_perplexity = shows_perplexity
        self.max_epochs, self.verbose = max_epochs, verbose
        self.max_time = math.inf if max_time is None else max_time
        self.bar: tqdm | None = None
        self.n_tokens = 0  # of the epoch, as the loss
        self.loss_sum = 0.0
        self.epoch_begin = 0.0
        self.fit_begin: float | None = None
        self.seconds_before = 0.0
        self.n_steps_done = 0  # since `fit_begin`
        self.n_steps_left = 0  # of all epochs

    def take_up(self, state: TrainingState) -> None:
        """Say where training goes on."""
        self.seconds_before = state.seconds
        if self.verbose:
            tqdm.write(
                f"training goes on in epoch {state.epoch + 1}, after step {state.step}",
                file=sys.stderr,
            )

    def begin_epoch(self, epoch: int, n_steps: int, n_done: int) -> None:
        """Open the bar of an epoch."""
        self.n_tokens, self.loss_sum = 0, 0.0
        self.epoch_begin = time.perf_counter()
        if self.fit_begin is None:
            self.fit_begin = self.epoch_begin
        self.n_steps_left = (self.max_epochs - epoch) * n_steps - n_done
        if self.verbose:
            self.bar = tqdm(
                total=n_steps,
                initial=n_done,
                desc=f"epoch {epoch + 1}/{self.max_epochs}",
                unit="step",
                leave=True,
            )

    def end_step(self, loss: float, n_tokens: int, learning_rate: float) -> bool:
        """Move the bar on."""
        self.n_tokens += n_tokens
        self.loss_sum += loss * n_tokens
        self.n_steps_done += 1
        self.n_steps_left -= 1
        if self.bar is not None:
            seconds = max(1e-9, time.perf_counter() - self.epoch_begin)
            mean = self.loss_sum / max(1, self.n_tokens)
            shown = f"{self.n_tokens / seconds:,.0f} tokens/s, loss {mean:.3f}, "
            if self.shows_perplexity:
                shown += f"perplexity {math.exp(min(mean, 700)):,.1f}, "
            left = tqdm.format_interval(self._seconds_left())
            self.bar.set_postfix_str(f"{shown}{left} left in all", refresh=False)
            self.bar.update()
        return False

    def _seconds_left(self) -> float:
        """Return how long training will last if it stops neither early nor changes.

        Steps are of about the same number of tokens; validation counts with the steps.
        """
        spent = time.perf_counter() - (self.fit_begin or 0.0)
        of_work = spent * self.n_steps_left / self.n_steps_done
        return max(0.0, min(of_work, self.max_time - self.seconds_before - spent))

    def end_epoch(self, record: Any) -> bool:
        """Close the bar with the quality reached."""
        if self.bar is not None:
            self.bar.set_postfix_str(record.summary)
            self.close()
        return False

    def close(self) -> None:
        """Close the bar, as after an interrupt."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
