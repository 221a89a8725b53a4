"""A document with its tokens coloured by what they contribute."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skelmo.display.looks import BLACK, COLORS, SMALL, cut
from skelmo.encoding.contributions import TokenContributions
from skelmo.estimators.classifier import ElmoClassifier
from skelmo.estimators.regressor import ElmoRegressor

_POINTS = 72  # of an inch
_FIGSIZE, _MOST = (7.0, 1.5), 20.0  # inches, of which the height may grow
_TRIES = 5
_FONT = (5.0, 11.0)  # points, least and most
# Around a token, from one to the next, from line to line, and from the top to the first
# line's baseline: in sizes of the font.
_PAD, _GAP, _LINE, _BASELINE = 0.25, 0.75, 2.0, 1.25
_FOR, _AGAINST = COLORS[0], COLORS[1]
_STRONGEST = 0.75  # opacity in HTML, where text may be black or white
_MORE = "…"


class TokenContributionsDisplay:
    """A document, of which each token has the colour of its contribution.

    Make one with `from_estimator` or `from_contributions`. A notebook shows it in HTML,
    of any script and length; `plot` draws it by matplotlib.

    Parameters
    ----------
    tokens : sequence of str
    contributions : array-like of shape (n_tokens,)
        Above 0 for a token that speaks for what is explained, below for one against it.
    label : str or None, default=None
        What is explained, as a class, for the title.
    vmax : float or None, default=None
        Contribution of the strongest colour, to compare documents; None takes the
        largest of this one.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the tokens are.
    figure_ : matplotlib.figure.Figure
        The figure that holds them.
    text_ : list of matplotlib.text.Text
        The tokens, in order. Where not all have room, the last is "…".
    colorbar_ : matplotlib.colorbar.Colorbar or None
        What colours stand for.

    See Also
    --------
    skelmo.ElmoClassifier.explain : Contributions to classes.
    skelmo.explain_linear : Contributions to a linear model behind a vectorizer.

    Examples
    --------
    >>> from skelmo.display import TokenContributionsDisplay
    >>> display = TokenContributionsDisplay(
    ...     tokens=["not", "a", "good", "film"], contributions=[-0.4, 0.0, 0.7, 0.1],
    ...     label="positive",
    ... )
    >>> [text.get_text() for text in display.plot().text_]
    ['not', 'a', 'good', 'film']
    >>> display.ax_.get_title()
    'Contributions to positive, +0.4 in all'
    """

    def __init__(
        self,
        *,
        tokens: Sequence[str],
        contributions: ArrayLike,
        label: str | None = None,
        vmax: float | None = None,
    ) -> None:
        self.tokens = list(tokens)
        self.contributions: NDArray[np.float64] = np.asarray(contributions, float)
        self.label = label
        self.vmax = vmax

    @classmethod
    def from_estimator(
        cls,
        estimator: ElmoClassifier | ElmoRegressor,
        document: Any,
        *,
        target: Any = None,
        vmax: float | None = None,
        cmap: Any = None,
        colorbar: bool = True,
        ax: Any = None,
    ) -> TokenContributionsDisplay:
        """Explain a document and draw it.

        Parameters
        ----------
        estimator : ElmoClassifier or ElmoRegressor
            Fitted.
        document : str or list of str
            One document, of the kind that the estimator takes.
        target : object, default=None
            The class to show, or the number of an output of a regressor. None takes the
            class that is predicted; of labels or several outputs, the one that the
            tokens speak for most.
        vmax : float or None, default=None
            Contribution of the strongest colour; None takes the largest.
        cmap : str, Colormap or None, default=None
            Colour map of matplotlib, its middle for 0; None goes from vermilion over
            white to blue.
        colorbar : bool, default=True
            Whether there is a colour bar.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure that is large enough.

        Returns
        -------
        display : TokenContributionsDisplay

        Raises
        ------
        TypeError
            If the estimator explains nothing.
        ValueError
            If there is no such class or output, or no token.
        """
        owner = cls.__name__
        check_matplotlib_support(f"{owner}.from_estimator")
        if not hasattr(estimator, "explain"):
            raise TypeError(
                f"{owner} needs an estimator with explain, as ElmoClassifier, got "
                f"{type(estimator).__name__}. Of a pipeline of ElmoVectorizer and a "
                f"linear model, call explain_linear, and from_contributions."
            )
        (found,) = estimator.explain([document])
        if target is None and is_classifier(estimator):
            predicted = estimator.predict([document])
            target = predicted[0] if predicted.ndim == 1 else None
        return cls.from_contributions(
            found, target=target, vmax=vmax, cmap=cmap, colorbar=colorbar, ax=ax
        )

    @classmethod
    def from_contributions(
        cls,
        found: TokenContributions,
        *,
        target: Any = None,
        vmax: float | None = None,
        cmap: Any = None,
        colorbar: bool = True,
        ax: Any = None,
    ) -> TokenContributionsDisplay:
        """Draw one document that has been explained.

        Parameters
        ----------
        found : TokenContributions
            One of those that `explain_linear` or ``explain`` returns.
        target : object, default=None
            The class to show; or where the classes are not known, the number of an
            output. None takes the one that the tokens speak for most.
        vmax : float or None, default=None
            Contribution of the strongest colour; None takes the largest.
        cmap : str, Colormap or None, default=None
            Colour map of matplotlib, its middle for 0; None goes from vermilion over
            white to blue.
        colorbar : bool, default=True
            Whether there is a colour bar.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure that is large enough.

        Returns
        -------
        display : TokenContributionsDisplay

        Raises
        ------
        TypeError
            If it is anything else, as a list of several.
        ValueError
            If there is no such class or output, or no token.
        """
        owner = cls.__name__
        check_matplotlib_support(f"{owner}.from_contributions")
        if not isinstance(found, TokenContributions):
            raise TypeError(
                f"{owner} draws the TokenContributions of one document, got "
                f"{type(found).__name__}. Pass one of those that explain or "
                f"explain_linear returns."
            )
        if not found.tokens:
            raise ValueError(
                f"{owner} needs a token, but the document has none. Choose another."
            )
        number = _output(found, target, owner)
        classes = found.classes
        return cls(
            tokens=found.tokens,
            contributions=found.contributions[:, number],
            label=f"output {number}" if classes is None else str(classes[number]),
            vmax=vmax,
        ).plot(ax=ax, cmap=cmap, colorbar=colorbar)

    def plot(
        self, ax: Any = None, *, cmap: Any = None, colorbar: bool = True
    ) -> TokenContributionsDisplay:
        """Draw the tokens, in lines.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure that is large enough.
        cmap : str, Colormap or None, default=None
            Colour map of matplotlib, its middle for 0; None goes from vermilion over
            white to blue.
        colorbar : bool, default=True
            Whether there is a colour bar.

        Returns
        -------
        display : TokenContributionsDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LinearSegmentedColormap, Normalize

        is_own = ax is None
        if is_own:
            _, ax = plt.subplots(figsize=_FIGSIZE, layout="constrained")
        if cmap is None:
            ends = [_AGAINST, "white", _FOR]
            # An odd number, of which the middle one is white.
            cmap = LinearSegmentedColormap.from_list("contributions", ends, 257)
        shades = ScalarMappable(Normalize(-self._limit, self._limit), cmap)
        ax.set_axis_off()
        ax.set_title(self._title, parse_math=False)
        self.ax_, self.figure_, self.colorbar_ = ax, ax.figure, None
        if colorbar:
            self.colorbar_ = ax.figure.colorbar(
                shades, ax=ax, location="bottom", label="contribution of a token",
                ticks=np.linspace(-self._limit, self._limit, 5),
                format=lambda value, _: _signed(value),
                shrink=0.6, aspect=40, fraction=0.1, pad=0.03,
            )  # fmt: skip
            self.colorbar_.ax.tick_params(labelsize=SMALL)
        self.text_ = self._write(shades)
        lines = _Lines([self._width(text) for text in self.text_])
        if is_own:
            self._make_room(lines.height(self._room()[0], _FONT[1]))
        self._arrange(lines)
        return self

    @property
    def _limit(self) -> float:
        """The contribution of the strongest colour."""
        if self.vmax is not None:
            return self.vmax
        return float(np.abs(self.contributions).max(initial=0.0)) or 1.0

    @property
    def _title(self) -> str:
        about = "" if self.label is None else f" to {self.label}"
        return f"Contributions{about}, {_signed(self.contributions.sum())} in all"

    def _repr_html_(self) -> str:
        """Return the tokens for notebooks; they take the colours of the page."""
        spans = " ".join(
            f'<span style="{self._shade(value)};border-radius:3px;padding:1px 3px;'
            f'white-space:pre-wrap" title="{_signed(value)}">{escape(token)}</span>'
            for token, value in zip(self.tokens, self.contributions, strict=True)
        )
        ends = [_rgba(_AGAINST), "transparent", _rgba(_FOR)]
        limit = _signed(self._limit)
        return (
            f'<div style="max-width:60em"><p><b>{escape(self._title)}</b></p>'
            f'<p style="line-height:1.9">{spans}</p>'
            f"<p><small>\N{MINUS SIGN}{limit[1:]} "
            f'<span style="display:inline-block;width:8em;height:0.8em;'
            f'background:linear-gradient(to right,{",".join(ends)})"></span> '
            f"{limit}</small></p></div>"
        )

    def _shade(self, value: float) -> str:
        """Return the style of a token's background."""
        opacity = _STRONGEST * min(abs(value) / self._limit, 1.0)
        color = _rgba(_FOR if value > 0 else _AGAINST, opacity)
        return f"background:{color};color:inherit"

    def _write(self, shades: Any) -> list[Any]:
        """Write all tokens somewhere, each in its colour."""
        colors = shades.to_rgba(self.contributions)
        is_light = colors[:, :3] @ (0.299, 0.587, 0.114) > 0.5
        return [
            self.ax_.text(
                0, 0, cut(token), color=BLACK if light else "white",
                va="baseline", parse_math=False, in_layout=False,
                bbox={"boxstyle": f"round,pad={_PAD}", "fc": color, "ec": "none"},
            )
            for token, color, light in zip(self.tokens, colors, is_light, strict=True)
        ]  # fmt: skip

    def _room(self) -> tuple[float, float]:
        """Return width and height of the axes as they will be drawn, in points."""
        figure = self.ax_.figure
        figure.canvas.figure.draw_without_rendering()
        box = self.ax_.get_window_extent()
        return box.width * _POINTS / figure.dpi, box.height * _POINTS / figure.dpi

    def _width(self, text: Any) -> float:
        """Return how wide a token is, in sizes of the font."""
        text.set_fontsize(_FONT[1])
        pixels = text.get_window_extent().width
        return pixels * _POINTS / self.ax_.figure.dpi / _FONT[1]

    def _make_room(self, height: float) -> None:
        """Make a figure of one's own as high as its lines, in points, ask for."""
        figure = self.ax_.figure
        for _ in range(_TRIES):  # the colour bar takes its share of what is added
            lacking = height - self._room()[1]
            inches = figure.get_figheight() + lacking / _POINTS
            figure.set_figheight(min(max(inches, _FIGSIZE[1]), _MOST))

    def _arrange(self, lines: _Lines) -> None:
        """Put the tokens in lines, as small as it takes, or as many as have room."""
        width, height = self._room()
        sizes = np.arange(_FONT[1], _FONT[0] - 1, -0.5)
        fitting = [size for size in sizes if lines.height(width, size) <= height + 1]
        size = fitting[0] if fitting else _FONT[0]
        places = lines.places(width, size)
        self.ax_.set(xlim=(0, width), ylim=(-height, 0))
        kept = [place for place in places if fitting or -place[1] <= height]
        for text, place in zip(self.text_, kept, strict=False):
            text.set(position=place, fontsize=size)
        for text in self.text_[len(kept) :]:
            text.remove()
        del self.text_[len(kept) :]
        if len(kept) < len(places) and kept:
            self.text_[-1].set(text=_MORE, color=BLACK, bbox=None)


class _Lines(NamedTuple):
    """Where tokens stand, one behind the other; lengths are in sizes of the font."""

    widths: list[float]

    def places(self, width: float, size: float) -> list[tuple[float, float]]:
        """Return the left end of each token's baseline, in points.

        Parameters
        ----------
        width : float
            Of a line, in points.
        size : float
            Of the font, in points.

        Returns
        -------
        places : list of (float, float)
            From the upper left corner, so that heights are below 0.
        """
        x, line, places = _PAD, 0, []
        for long in self.widths:
            if x > _PAD and (x + long + _PAD) * size > width:
                x, line = _PAD, line + 1
            places.append((x * size, -(_BASELINE + _LINE * line) * size))
            x += long + _GAP
        return places

    def height(self, width: float, size: float) -> float:
        """Return the height of all lines, in points.

        Parameters
        ----------
        width : float
            Of a line, in points.
        size : float
            Of the font, in points.

        Returns
        -------
        height : float
        """
        places = self.places(width, size)
        return (_LINE - _BASELINE) * size - places[-1][1] if places else 0.0


def _rgba(color: str, opacity: float = _STRONGEST) -> str:
    """Return a colour as a page of HTML wants it."""
    parts = [int(color[k : k + 2], 16) for k in (1, 3, 5)]
    return f"rgba({parts[0]},{parts[1]},{parts[2]},{opacity:.3f})"


def _output(found: TokenContributions, target: Any, owner: str) -> int:
    """Return the number of the output that a target names."""
    n_outputs = found.contributions.shape[1]
    names = list(range(n_outputs) if found.classes is None else found.classes)
    if target is None:
        return int(found.total.argmax())
    if target not in names:
        shown = ", ".join(map(repr, names))
        raise ValueError(
            f"{owner}: target must be one of {shown}, got {target!r}. Pass one of "
            f"these, or None for the one that the tokens speak for most."
        )
    return names.index(target)


def _signed(value: float) -> str:
    """Return a number with its sign, and a minus that is one."""
    text = f"{value:+.2g}" if value else "0"
    return text.replace("-", "\N{MINUS SIGN}")
