"""What a comparison shows of itself while it runs."""

from __future__ import annotations

import sys

from tqdm.auto import tqdm

from skelmo.comparison.fold_result import FoldResult


class Progress:
    """A bar in a terminal, lines anywhere else.

    Parameters
    ----------
    n_steps : int
        Representations times folds.
    n_folds : int
    verbose : int
        0 shows nothing.
    """

    def __init__(self, n_steps: int, n_folds: int, verbose: int) -> None:
        self.n_folds, self.verbose = n_folds, verbose
        self.bar: tqdm | None = None
        if verbose and sys.stderr.isatty():
            self.bar = tqdm(total=n_steps, desc="compare", unit="fold")

    def begin(self, name: str, fold: int) -> None:
        """Say what is worked on."""
        if self.bar is not None:
            self.bar.set_postfix_str(f"{name}, fold {fold + 1} of {self.n_folds}")

    def end(self, result: FoldResult, seconds: float | None) -> None:
        """Say what came out; no seconds is a result that was there."""
        if self.bar is not None:
            self.bar.update()
        elif self.verbose:
            metric, score = next(iter(result.scores.items()))
            took = "from the cache" if seconds is None else f"{seconds:.1f} s"
            tqdm.write(
                f"{result.representation}, fold {result.fold + 1} of {self.n_folds}: "
                f"{metric} {score:.3f} ({took})",
                file=sys.stderr,
            )

    def close(self) -> None:
        """Close the bar, as after an interrupt."""
        if self.bar is not None:
            self.bar.close()
