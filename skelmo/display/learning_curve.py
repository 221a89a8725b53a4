"""The learning curve of a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import check_is_fitted

from skelmo.display.looks import COLORS, GREY
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.models.history import EpochRecord


class PerplexityDisplay:
    """Learning curve of a pre-training run.

    Make one with `from_estimator`.

    Parameters
    ----------
    history : sequence of EpochRecord
        As `ElmoLanguageModel.history_`.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the curves are.
    figure_ : matplotlib.figure.Figure
        The figure that holds them.
    lines_ : list of matplotlib.lines.Line2D
        Forward, backward and training curve, those that there are.

    Examples
    --------
    >>> from skelmo import ElmoLanguageModel
    >>> from skelmo.display import PerplexityDisplay
    >>> texts = ["The cat sat on the mat.", "The dog sat on the rug."] * 100
    >>> model = ElmoLanguageModel(hidden_size=16, proj_size=8, max_epochs=3).fit(texts)
    >>> display = PerplexityDisplay.from_estimator(model)
    >>> display.ax_.get_xlabel()
    'training tokens'
    """

    def __init__(self, *, history: Sequence[EpochRecord]) -> None:
        self.history = history

    @classmethod
    def from_estimator(
        cls, estimator: ElmoLanguageModel, *, ax: Any = None
    ) -> PerplexityDisplay:
        """Draw the history of a fitted language model.

        Parameters
        ----------
        estimator : ElmoLanguageModel
            Fitted.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : PerplexityDisplay

        Raises
        ------
        TypeError
            If it is another estimator.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        if not hasattr(estimator, "history_"):
            inner = hasattr(estimator, "language_model_")
            raise TypeError(
                f"{cls.__name__}.from_estimator draws the history of a fitted "
                f"ElmoLanguageModel, got {type(estimator).__name__}. Pass "
                f"{'its language_model_' if inner else 'one'}."
            )
        return cls(history=estimator.history_).plot(ax=ax)

    def plot(self, ax: Any = None) -> PerplexityDisplay:
        """Draw perplexity against the tokens trained on, logarithmically.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : PerplexityDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt
        import numpy as np
        from matplotlib.ticker import EngFormatter, LogFormatter

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        tokens = [record.n_tokens for record in self.history]
        curves = {
            "validation, forward": ("validation_perplexity_forward", "o-", COLORS[0]),
            "validation, backward": ("validation_perplexity_backward", "s-", COLORS[1]),
        }
        self.lines_ = []
        for label, (name, style, color) in curves.items():
            values = [getattr(record, name) for record in self.history]
            if not np.all(np.isnan(values)):
                self.lines_ += ax.plot(tokens, values, style, color=color, label=label)
        # In training values are dropped and words sampled: it may lie above.
        train = np.exp([record.train_loss for record in self.history])
        self.lines_ += ax.plot(tokens, train, ":", color=GREY, label="training")
        ax.set(xlabel="training tokens", ylabel="perplexity", yscale="log")
        ax.set_title("Learning curve of the language model")
        ax.xaxis.set_major_formatter(EngFormatter(sep=" "))
        ax.yaxis.set_major_formatter(LogFormatter())
        ax.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
