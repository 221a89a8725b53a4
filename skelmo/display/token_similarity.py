"""Similarities between the tokens of two texts, as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skelmo.display.looks import SMALL, cut
from skelmo.estimators.vectorizer import ElmoVectorizer

_POINTS = 72  # of an inch
_CELL = (0.18, 0.5)  # inches, least and most
_ROOM = (2.4, 1.9)  # inches beside and below the cells
_WIDTH, _HEIGHT, _MOST = 4.2, 3.6, 20.0  # inches, least twice, and most
_FONT = (5.0, float(SMALL))  # points, least and most
_NUMBER = 24.0  # points that a number needs
_BAR = 12.0  # points, width of a colour bar


class TokenSimilarityDisplay:
    """Cosine similarities between the tokens of two texts.

    Make one with `from_estimator` or `from_similarities`.

    Parameters
    ----------
    similarities : array-like of shape (n_first, n_second)
        A row for each token of the first text.
    first_tokens : sequence of str
        Of length n_first.
    second_tokens : sequence of str
        Of length n_second.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the map is.
    figure_ : matplotlib.figure.Figure
        The figure that holds it.
    im_ : matplotlib.image.AxesImage
        The map.
    text_ : list of matplotlib.text.Text
        The numbers in the cells, row by row; empty if there are none.

    Examples
    --------
    >>> from skelmo import ElmoLanguageModel, ElmoVectorizer
    >>> from skelmo.display import TokenSimilarityDisplay
    >>> texts = ["The cat sat on the mat.", "The dog sat on the rug."] * 100
    >>> model = ElmoLanguageModel(hidden_size=16, proj_size=8, max_epochs=1)
    >>> elmo = ElmoVectorizer(language_model=model, random_state=0).fit(texts)
    >>> display = TokenSimilarityDisplay.from_estimator(elmo, "A cat sat.", "Dogs.")
    >>> display.similarities.shape
    (4, 2)
    >>> [label.get_text() for label in display.ax_.get_xticklabels()]
    ['Dogs', '.']
    """

    def __init__(
        self,
        *,
        similarities: ArrayLike,
        first_tokens: Sequence[str],
        second_tokens: Sequence[str],
    ) -> None:
        self.similarities = np.asarray(similarities)
        self.first_tokens = list(first_tokens)
        self.second_tokens = list(second_tokens)

    @classmethod
    def from_estimator(
        cls,
        vectorizer: ElmoVectorizer,
        first: Any,
        second: Any,
        *,
        include_values: bool | None = None,
        cmap: str = "viridis",
        colorbar: bool = True,
        im_kw: dict[str, Any] | None = None,
        ax: Any = None,
    ) -> TokenSimilarityDisplay:
        """Encode two texts and draw the similarities between their tokens.

        Parameters
        ----------
        vectorizer : ElmoVectorizer
            Fitted; its layers are those compared. A vectorizer of `skelmo.baselines`
            will do, too.
        first : str or list of str
            One document, of the kind that the vectorizer takes.
        second : str or list of str
            Another one.
        include_values : bool or None, default=None
            Whether cells hold their number; None writes it where it has room.
        cmap : str, default="viridis"
            Colour map of matplotlib.
        colorbar : bool, default=True
            Whether there is a colour bar.
        im_kw : dict or None, default=None
            For ``imshow``, as ``{"vmin": 0, "vmax": 1}`` to compare figures.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure that is large enough.

        Returns
        -------
        display : TokenSimilarityDisplay

        Raises
        ------
        TypeError
            If the estimator has no vectors of tokens.
        ValueError
            If a text has no token.
        """
        owner = cls.__name__
        check_matplotlib_support(f"{owner}.from_estimator")
        check_token_vectors(vectorizer, owner)
        tokens = vectorizer.tokenize([first, second])
        named = ("first", first), ("second", second)
        for (name, text), found in zip(named, tokens, strict=True):
            if not found:
                raise ValueError(
                    f"{owner} needs a token in each text, but the {name} has none "
                    f"({text!r:.40}). Pass a text with words."
                )
        rows, columns = vectorizer.transform_tokens([first, second])
        return cls.from_similarities(
            cosine_similarity(rows, columns),
            *tokens,
            include_values=include_values,
            cmap=cmap,
            colorbar=colorbar,
            im_kw=im_kw,
            ax=ax,
        )

    @classmethod
    def from_similarities(
        cls,
        similarities: ArrayLike,
        first_tokens: Sequence[str],
        second_tokens: Sequence[str],
        *,
        include_values: bool | None = None,
        cmap: str = "viridis",
        colorbar: bool = True,
        im_kw: dict[str, Any] | None = None,
        ax: Any = None,
    ) -> TokenSimilarityDisplay:
        """Draw given similarities.

        Parameters
        ----------
        similarities : array-like of shape (n_first, n_second)
        first_tokens : sequence of str
            Of length n_first.
        second_tokens : sequence of str
            Of length n_second.
        include_values : bool or None, default=None
            Whether cells hold their number; None writes it where it has room.
        cmap : str, default="viridis"
            Colour map of matplotlib.
        colorbar : bool, default=True
            Whether there is a colour bar.
        im_kw : dict or None, default=None
            For ``imshow``, as ``{"vmin": 0, "vmax": 1}`` to compare figures.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure that is large enough.

        Returns
        -------
        display : TokenSimilarityDisplay

        Raises
        ------
        ValueError
            If there is not one similarity for each pair of tokens.
        """
        check_matplotlib_support(f"{cls.__name__}.from_similarities")
        display = cls(
            similarities=similarities,
            first_tokens=first_tokens,
            second_tokens=second_tokens,
        )
        found, needed = display.similarities.shape, display._shape
        if found != needed or 0 in needed:
            raise ValueError(
                f"{cls.__name__} needs a similarity for each pair of tokens, an array "
                f"of shape {needed} for {needed[0]} and {needed[1]} tokens, got shape "
                f"{found}. Pass a row for each token of the first text."
            )
        return display.plot(
            ax=ax,
            include_values=include_values,
            cmap=cmap,
            colorbar=colorbar,
            im_kw=im_kw,
        )

    def plot(
        self,
        ax: Any = None,
        *,
        include_values: bool | None = None,
        cmap: str = "viridis",
        colorbar: bool = True,
        im_kw: dict[str, Any] | None = None,
    ) -> TokenSimilarityDisplay:
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure that is large enough.
        include_values : bool or None, default=None
            Whether cells hold their number; None writes it where it has room.
        cmap : str, default="viridis"
            Colour map of matplotlib.
        colorbar : bool, default=True
            Whether there is a colour bar.
        im_kw : dict or None, default=None
            For ``imshow``, as ``{"vmin": 0, "vmax": 1}`` to compare figures.

        Returns
        -------
        display : TokenSimilarityDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=self._figsize(), layout="constrained")
        self.im_ = ax.imshow(self.similarities, **{"cmap": cmap, **(im_kw or {})})
        ax.set_title("Cosine similarity of tokens")
        ax.set_xlabel("tokens of the second text")
        ax.set_ylabel("tokens of the first text")
        self.ax_, self.figure_ = ax, ax.figure
        self._set_labels(_FONT[1], 90, 1)
        if colorbar:
            self._draw_colorbar()
        self._name_tokens()
        room = self._cell()
        if include_values is None:
            include_values = room >= _NUMBER
        self.text_ = self._write_numbers(room) if include_values else []
        return self

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.first_tokens), len(self.second_tokens)

    def _figsize(self) -> tuple[float, float]:
        """Return inches of a figure in which labels of tokens have room."""
        n_rows, n_columns = self._shape
        least, most = _CELL
        cell = min(max(5.6 / n_columns, least), most)
        width = min(max(_ROOM[0] + cell * n_columns, _WIDTH), _MOST)
        height = min(max(_ROOM[1] + cell * n_rows, _HEIGHT), _MOST)
        return width, height

    def _cell(self) -> float:
        """Return the size of a cell as it will be drawn, in points."""
        figure = self.ax_.figure
        figure.canvas.figure.draw_without_rendering()
        box = self.ax_.get_window_extent()
        n_rows, n_columns = self._shape
        pixels = min(box.width / n_columns, box.height / n_rows)
        return pixels * _POINTS / figure.dpi

    def _draw_colorbar(self) -> None:
        """Draw a colour bar as high as the map."""
        width = self._cell() * len(self.second_tokens)
        place = [1 + _BAR / width, 0, _BAR / width, 1]
        beside = self.ax_.inset_axes(place)
        self.ax_.figure.colorbar(self.im_, cax=beside, label="cosine similarity")

    def _name_tokens(self) -> None:
        """Write the tokens at the sides, all that have room."""
        room = self._cell()  # with labels of the largest size
        size = min(max(0.8 * room, _FONT[0]), _FONT[1])
        every = max(1, int(np.ceil(1.2 * size / room)))
        # Slanted is easier to read; upright takes no more than a cell.
        self._set_labels(size, 45 if room >= 1.8 * size else 90, every)

    def _set_labels(self, size: float, rotation: int, every: int) -> None:
        ax, rows, columns = self.ax_, self.first_tokens, self.second_tokens
        ax.set_yticks(
            range(0, len(rows), every), [cut(token) for token in rows[::every]]
        )
        ax.set_xticks(
            range(0, len(columns), every), [cut(token) for token in columns[::every]]
        )
        for label in (*ax.get_xticklabels(), *ax.get_yticklabels()):
            label.set(parse_math=False, fontsize=size)
        for label in ax.get_xticklabels():
            label.set(
                rotation=rotation, rotation_mode="anchor", ha="right", va="center"
            )

    def _write_numbers(self, room: float) -> list[Any]:
        """Write the number into each cell, in black or white, whichever is clearer."""
        size = min(SMALL - 1, room / 3.4)
        shades = self.im_.cmap(self.im_.norm(self.similarities))
        is_light = shades[..., :3] @ (0.299, 0.587, 0.114) > 0.5
        return [
            self.ax_.text(
                column, row, f"{value:z.2f}".replace("-", "−"),
                ha="center", va="center", fontsize=size,
                color="black" if is_light[row, column] else "white",
            )
            for (row, column), value in np.ndenumerate(self.similarities.astype(float))
        ]  # fmt: skip


def check_token_vectors(vectorizer: Any, owner: str) -> None:
    """Raise unless an estimator gives vectors of tokens."""
    if not hasattr(vectorizer, "transform_tokens"):
        raise TypeError(
            f"{owner} needs an estimator with transform_tokens, got "
            f"{type(vectorizer).__name__}. Of a pipeline, pass the step: pipeline[0]."
        )
