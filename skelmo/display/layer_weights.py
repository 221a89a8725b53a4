"""The learned mix of layers, as bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import check_is_fitted

from skelmo.display.looks import COLORS, DARK, GREY, SMALL
from skelmo.estimators.vectorizer import ElmoVectorizer

_HEADROOM = 1.4  # for the legend, above the highest bar


class LayerWeightsDisplay:
    """Weights of the layers that ``ElmoVectorizer(layers="learned")`` has learned.

    Make one with `from_estimator` or, for the vectorizers of several folds,
    `from_estimators`.

    Parameters
    ----------
    layer_weights : array-like of shape (n_vectorizers, n_layers) or (n_layers,)
        As `ElmoVectorizer.layer_weights_`, a row for each vectorizer.
    gamma : array-like of shape (n_vectorizers,) or float, default=None
        As `ElmoVectorizer.gamma_`; None is left out of the title.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the bars are.
    figure_ : matplotlib.figure.Figure
        The figure that holds them.
    bars_ : matplotlib.container.BarContainer
        A bar for each layer: its weight, or the mean of several vectorizers.
    points_ : list of matplotlib.collections.PathCollection
        For each layer the weights of all vectorizers; empty if there is only one.

    See Also
    --------
    skelmo.ElmoVectorizer : Learns the weights.

    Notes
    -----
    Weights multiply layers as they are. Those of layers with longer vectors are smaller
    for the same share in the features.

    Examples
    --------
    >>> from skelmo import ElmoLanguageModel, ElmoVectorizer
    >>> from skelmo.display import LayerWeightsDisplay
    >>> texts = [f"{who} {what}." for who in ("The cat", "A dog", "My aunt", "He")
    ...          for what in ("sat", "ran", "ate fish", "saw us")] * 20
    >>> model = ElmoLanguageModel(hidden_size=16, proj_size=8, max_epochs=1)
    >>> elmo = ElmoVectorizer(language_model=model, layers="learned", random_state=0)
    >>> elmo = elmo.fit(texts, [text.startswith("The") for text in texts])
    >>> display = LayerWeightsDisplay.from_estimator(elmo)
    >>> [label.get_text() for label in display.ax_.get_xticklabels()]
    ['characters', 'LSTM 1', 'LSTM 2']
    """

    def __init__(
        self, *, layer_weights: ArrayLike, gamma: ArrayLike | None = None
    ) -> None:
        self.layer_weights: NDArray[np.float64] = np.atleast_2d(layer_weights)
        self.gamma = None if gamma is None else np.atleast_1d(gamma)

    @classmethod
    def from_estimator(
        cls, vectorizer: ElmoVectorizer, *, ax: Any = None
    ) -> LayerWeightsDisplay:
        """Draw the weights that a vectorizer has learned.

        Parameters
        ----------
        vectorizer : ElmoVectorizer
            Fitted with ``layers="learned"``.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : LayerWeightsDisplay

        Raises
        ------
        TypeError
            If it is no ElmoVectorizer.
        ValueError
            If it has learned no weights.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        _check_learned(vectorizer, cls.__name__)
        display = cls(layer_weights=vectorizer.layer_weights_, gamma=vectorizer.gamma_)
        return display.plot(ax=ax)

    @classmethod
    def from_estimators(
        cls, vectorizers: Iterable[ElmoVectorizer], *, ax: Any = None
    ) -> LayerWeightsDisplay:
        """Draw the weights of several vectorizers, as of the folds of a validation.

        Parameters
        ----------
        vectorizers : iterable of ElmoVectorizer
            Fitted with ``layers="learned"``, on models of as many layers.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : LayerWeightsDisplay

        Raises
        ------
        TypeError
            If one is no ElmoVectorizer.
        ValueError
            If there is none, if one has learned no weights, or if they have different
            numbers of layers.
        """
        owner = cls.__name__
        check_matplotlib_support(f"{owner}.from_estimators")
        if hasattr(vectorizers, "fit"):
            raise TypeError(
                f"{owner}.from_estimators needs a list of vectorizers, got one "
                f"{type(vectorizers).__name__}. Call {owner}.from_estimator."
            )
        given = list(vectorizers)
        for vectorizer in given:
            _check_learned(vectorizer, owner)
        if not given:
            raise ValueError(
                f"{owner} needs at least one vectorizer, got an empty list. Pass those "
                f"of cross_validate(..., return_estimator=True)."
            )
        n_layers = sorted({len(vectorizer.layer_weights_) for vectorizer in given})
        if len(n_layers) > 1:
            raise ValueError(
                f"{owner} needs vectorizers with the same number of layers, got "
                f"{' and '.join(map(str, n_layers))}. Draw each kind by itself."
            )
        return cls(
            layer_weights=[vectorizer.layer_weights_ for vectorizer in given],
            gamma=[vectorizer.gamma_ for vectorizer in given],
        ).plot(ax=ax)

    def plot(self, ax: Any = None) -> LayerWeightsDisplay:
        """Draw a bar for each layer.

        With several vectorizers a bar is their mean, with its standard deviation, and
        each of them a point.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : LayerWeightsDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        n_vectorizers, n_layers = self.layer_weights.shape
        places, means = np.arange(n_layers), self.layer_weights.mean(axis=0)
        self.bars_ = ax.bar(places, means, width=0.6, color=COLORS[0])
        equal = 1 / n_layers
        ax.axhline(equal, color=GREY, linestyle=":", label="equal weights", zorder=0.5)
        self.points_: list[Any] = []
        spread, tops = "", means
        if n_vectorizers > 1:
            tops = self._draw_spread(ax, places, means)
            spread = f"\n(mean ± standard deviation of {n_vectorizers} vectorizers)"
        for place, mean, top in zip(places, means, tops, strict=True):
            ax.annotate(
                f"{mean:.2f}",
                (place, top),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none"},
            )
        names = ["characters", *(f"LSTM {k}" for k in range(1, n_layers))]
        ax.set_xticks(places, names)
        ax.set_ylim(0, _HEADROOM * max(equal, *tops))
        ax.set_xlabel("layer")
        ax.set_ylabel(f"weight (share; all sum to 1){spread}")
        ax.set_title(f"Learned mix of layers{self._gamma_text()}")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(loc="upper right", fontsize=SMALL, frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_spread(
        self, ax: Any, places: NDArray[np.intp], means: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Draw points and standard deviations; return what they reach up to."""
        deviations = self.layer_weights.std(axis=0, ddof=1)
        ax.errorbar(places, means, yerr=deviations, fmt="none", ecolor=DARK, capsize=5)
        aside = np.linspace(-0.22, 0.22, len(self.layer_weights))
        for place, weights in zip(places, self.layer_weights.T, strict=True):
            points = ax.scatter(
                place + aside, weights, s=22, color=COLORS[5], edgecolor=DARK,
                linewidth=0.7, zorder=3,
                label=None if self.points_ else "each vectorizer",
            )  # fmt: skip
            self.points_.append(points)
        return np.maximum(means + deviations, self.layer_weights.max(axis=0))

    def _gamma_text(self) -> str:
        if self.gamma is None:
            return ""
        text = f"\nγ = {self.gamma.mean():.3g}"
        if len(self.gamma) > 1:
            text += f" ± {self.gamma.std(ddof=1):.2g}"
        return text


def _check_learned(vectorizer: Any, owner: str) -> None:
    """Raise unless a vectorizer has learned weights."""
    kind = type(vectorizer).__name__
    if not hasattr(vectorizer, "layers"):
        raise TypeError(
            f"{owner} needs an ElmoVectorizer, got {kind}. Of a pipeline, pass the "
            f"step: pipeline[0]."
        )
    check_is_fitted(vectorizer, "language_model_")
    if not hasattr(vectorizer, "layer_weights_"):
        raise ValueError(
            f"{owner} shows learned weights of layers, but this {kind} has none "
            f"(layers={vectorizer.layers!r}). Set layers='learned' and fit it with y."
        )
