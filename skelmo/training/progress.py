"""What a run shows of itself: a progress bar, or nothing."""

from __future__ import annotations

import math
import sys
import time

from tqdm.auto import tqdm

from skelmo.training.state import EpochRecord, TrainingState


class ProgressBar:
    """A bar an epoch: tokens per second, loss, perplexity and time left.

    Parameters
    ----------
    max_epochs : int
    verbose : int
        0 shows nothing.
    """

    def __init__(self, max_epochs: int, verbose: int) -> None:
        self.max_epochs, self.verbose = max_epochs, verbose
        self.bar: tqdm | None = None
        self.n_tokens = 0
        self.begin = 0.0
        self.loss_sum = 0.0

    def take_up(self, state: TrainingState) -> None:
        """Say where training goes on."""
        if self.verbose:
            tqdm.write(
                f"training goes on in epoch {state.epoch + 1}, after step {state.step}",
                file=sys.stderr,
            )

    def begin_epoch(self, epoch: int, n_steps: int, n_done: int) -> None:
        """Open the bar of an epoch."""
        self.n_tokens, self.loss_sum = 0, 0.0
        self.begin = time.perf_counter()
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
        if self.bar is not None:
            seconds = max(1e-9, time.perf_counter() - self.begin)
            self.bar.set_postfix_str(
                f"{self.n_tokens / seconds:,.0f} tokens/s, "
                f"loss {self.loss_sum / max(1, self.n_tokens):.3f}",
                refresh=False,
            )
            self.bar.update()
        return False

    def end_epoch(self, record: EpochRecord) -> bool:
        """Close the bar with the quality reached."""
        if self.bar is not None:
            quality = f"loss {record.train_loss:.3f}"
            if not math.isnan(record.validation_perplexity):
                forward = record.validation_perplexity_forward
                backward = record.validation_perplexity_backward
                quality += f", validation perplexity {forward:.1f} forward, "
                quality += f"{backward:.1f} backward"
            self.bar.set_postfix_str(quality)
            self.close()
        return False

    def close(self) -> None:
        """Close the bar, as after an interrupt."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
