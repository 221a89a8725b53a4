"""Occurrences of a word in its contexts, as points in two dimensions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skelmo.display.labels import label_points
from skelmo.display.looks import COLORS, GREY, MARKERS, PALE, SMALL, cut, look_of
from skelmo.display.token_similarity import check_token_vectors
from skelmo.estimators.vectorizer import ElmoVectorizer
from skelmo.validation import is_missing, iterate_documents

_LEAST = 3  # occurrences; fewer always lie on a line
_AROUND = 3  # tokens of context at each side
_LONGEST = 44  # characters of a context
_FIGSIZE = (8.0, 5.5)  # inches
_MANY = 300  # points, which are drawn smaller


class SenseDisplay:
    """Occurrences of a word in two dimensions: contexts that are alike lie together.

    Make one with `from_estimator`.

    Parameters
    ----------
    word : str
        For the title.
    coordinates : array-like of shape (n_occurrences, 2)
    contexts : sequence of str, default=None
        Of each occurrence, what stands around it; for `annotate`.
    senses : sequence, default=None
        Of each occurrence, a label; None for one without.
    explained_variance_ratio : array-like of shape (2,), default=None
        Shares of the variance that the two dimensions show; None if they are no
        principal components.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the points are.
    figure_ : matplotlib.figure.Figure
        The figure that holds them.
    points_ : list of matplotlib.collections.PathCollection
        The points of each sense, in the order of the legend.
    annotations_ : list of matplotlib.text.Annotation
        The contexts that are written.

    Notes
    -----
    Layers differ in what they tell apart; choose them by the parameter `layers` of the
    vectorizer. Forms of a word, as "line" and "lines", tend to lie apart as well.

    Examples
    --------
    >>> from skelmo import ElmoLanguageModel, ElmoVectorizer
    >>> from skelmo.display import SenseDisplay
    >>> texts = [f"{who} {what} the bank." for who in ("She", "A boat", "The thief")
    ...          for what in ("left", "robbed", "drew near", "saw")] * 20
    >>> model = ElmoLanguageModel(hidden_size=16, proj_size=8, max_epochs=1)
    >>> elmo = ElmoVectorizer(language_model=model, random_state=0).fit(texts)
    >>> senses = ["money" if "robbed" in text else "any" for text in texts]
    >>> display = SenseDisplay.from_estimator(elmo, texts, "bank", senses=senses)
    >>> display.coordinates.shape
    (240, 2)
    """

    def __init__(
        self,
        *,
        word: str,
        coordinates: ArrayLike,
        contexts: Sequence[str] | None = None,
        senses: Sequence[Any] | None = None,
        explained_variance_ratio: ArrayLike | None = None,
    ) -> None:
        self.word = word
        self.coordinates: NDArray[np.float64] = np.asarray(coordinates, dtype=float)
        self.contexts = contexts
        self.senses = senses
        self.explained_variance_ratio = explained_variance_ratio

    @classmethod
    def from_estimator(
        cls,
        vectorizer: ElmoVectorizer,
        texts: Any,
        word: str | Iterable[str],
        *,
        senses: Any = None,
        method: Any = "pca",
        annotate: int = 0,
        ax: Any = None,
    ) -> SenseDisplay:
        """Encode the occurrences of a word and draw them.

        Parameters
        ----------
        vectorizer : ElmoVectorizer
            Fitted; its layers are those that are drawn.
        texts : iterable of str
            Documents, of the kind that the vectorizer takes. Those without the word are
            not encoded.
        word : str or iterable of str
            A token, or several forms of a word, in upper or lower case.
        senses : array-like of shape (n_texts,), default=None
            Of each text a label, which colours the occurrences in it.
        method : "pca" or estimator, default="pca"
            What reduces vectors to two dimensions: principal components, or an
            estimator of yours with ``fit_transform``, as ``TSNE(random_state=0)``.
        annotate : int, default=0
            How many contexts to write beside points, if there is room for as many
            without an overlap.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : SenseDisplay

        Raises
        ------
        TypeError
            If the estimator has no vectors of tokens.
        ValueError
            If there are fewer than 3 occurrences, if all have the same vector, or if
            there is not one sense for each text.
        """
        owner = cls.__name__
        check_matplotlib_support(f"{owner}.from_estimator")
        check_token_vectors(vectorizer, owner)
        # As they were in `fit`, where the vectorizer is one of skelmo's.
        fitted: Any = getattr(vectorizer, "_as_fitted", vectorizer)
        documents = list(
            iterate_documents(
                texts, owner=owner, missing=fitted.missing, input=fitted.input
            )
        )
        labels = None if senses is None else _labels(senses, len(documents), owner)
        forms = [word] if isinstance(word, str) else list(word)
        found = _find(vectorizer, documents, forms, owner)
        coordinates, ratio = _reduce(found.vectors, method, forms, owner)
        return cls(
            word="/".join(forms),
            coordinates=coordinates,
            contexts=found.contexts,
            senses=None if labels is None else [labels[k] for k in found.rows],
            explained_variance_ratio=ratio,
        ).plot(ax=ax, annotate=annotate)

    def plot(self, ax: Any = None, *, annotate: int = 0) -> SenseDisplay:
        """Draw the points, coloured by sense, with a legend at the right.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure. The legend lies beside the axes, where
            ``layout="constrained"`` keeps room for it.
        annotate : int, default=0
            How many contexts to write beside points, if there is room for as many
            without an overlap.

        Returns
        -------
        display : SenseDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=_FIGSIZE, layout="constrained")
        n_points = len(self.coordinates)
        size = 45 if n_points <= _MANY else 28
        self.points_: list[Any] = []
        for name, rows, color, marker in self._groups():
            points = ax.scatter(
                *self.coordinates[rows].T, s=size, color=color, marker=marker,
                edgecolor="white", linewidth=0.4, alpha=0.85,
                label=f"{cut(name)} ({len(rows):,})",
            )  # fmt: skip
            self.points_.append(points)
        ax.set_aspect("equal", adjustable="datalim")  # distances are what is shown
        ax.margins(0.08)
        ax.grid(color=PALE, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        for axis, name in zip((ax.xaxis, ax.yaxis), self._axis_names(), strict=True):
            axis.set_label_text(name)
        title = f"“{cut(self.word, _LONGEST)}” in {n_points:,} contexts"
        ax.set_title(title, parse_math=False)
        if self.senses is not None:
            legend = ax.legend(
                title="sense (occurrences)", loc="upper left", fontsize=SMALL,
                title_fontsize=SMALL, bbox_to_anchor=(1.01, 1), borderaxespad=0,
                frameon=False,
            )  # fmt: skip
            for text in legend.get_texts():
                text.set_parse_math(False)
        self.annotations_: list[Any] = []
        if annotate and self.contexts is not None:
            self.annotations_ = label_points(
                ax, self.coordinates, self.contexts, annotate, SMALL - 1
            )
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _groups(self) -> list[tuple[str, list[int], str, str]]:
        """Return name, occurrences, colour and marker of each sense."""
        if self.senses is None:
            every = list(range(len(self.coordinates)))
            return [("all", every, COLORS[0], MARKERS[0])]
        rows: dict[str, list[int]] = defaultdict(list)
        without: list[int] = []
        for k, sense in enumerate(self.senses):
            (without if is_missing(sense) else rows[str(sense)]).append(k)
        groups = [
            (name, rows[name], *look_of(k)) for k, name in enumerate(sorted(rows))
        ]
        return groups + [("none given", without, GREY, "h")] * bool(without)

    def _axis_names(self) -> list[str]:
        if self.explained_variance_ratio is None:
            return ["first dimension (no unit)", "second dimension (no unit)"]
        return [
            f"{rank} principal component ({share:.0%} of the variance)"
            for rank, share in zip(
                ("first", "second"), np.asarray(self.explained_variance_ratio),
                strict=True,
            )
        ]  # fmt: skip


class _Occurrences(NamedTuple):
    """Of each occurrence its document, its vector and what stands around it."""

    rows: list[int]
    vectors: NDArray[np.float32]
    contexts: list[str]


def _labels(senses: Any, n_texts: int, owner: str) -> list[Any]:
    labels = list(senses)
    if len(labels) != n_texts:
        raise ValueError(
            f"{owner} needs one sense for each text, got {len(labels)} senses for "
            f"{n_texts} texts. Pass None as the sense of a text without one."
        )
    return labels


def _find(
    vectorizer: Any, documents: list[Any], forms: list[str], owner: str
) -> _Occurrences:
    """Encode the documents that hold one of the forms."""
    wanted = {form.lower() for form in forms}
    tokens = vectorizer.tokenize(documents)
    places = [
        [k for k, token in enumerate(found) if token.lower() in wanted]
        for found in tokens
    ]
    rows = [row for row, found in enumerate(places) for _ in found]
    if len(rows) < _LEAST:
        raise ValueError(
            f"{owner} needs at least {_LEAST} occurrences of {_named(forms)} as a "
            f"token, found {len(rows)} in {len(documents)} texts. Pass more texts, or "
            f"all forms of the word; tokenize shows the tokens."
        )
    holders = [row for row, found in enumerate(places) if found]
    encoded = vectorizer.transform_tokens([documents[row] for row in holders])
    vectors = [
        vectors[places[row]] for row, vectors in zip(holders, encoded, strict=True)
    ]
    contexts = [_context(tokens[row], k) for row in holders for k in places[row]]
    return _Occurrences(rows, np.concatenate(vectors), contexts)


def _context(tokens: list[str], k: int) -> str:
    """Return a token and as many around it as a label has room for."""
    text = ""
    for around in range(_AROUND, 0, -1):
        first, end = max(0, k - around), k + around + 1
        before = "… " if first else ""
        after = " …" if end < len(tokens) else ""
        text = before + " ".join(tokens[first:end]) + after
        if len(text) <= _LONGEST:
            break
    return cut(text, _LONGEST)


def _reduce(
    vectors: NDArray[np.float32], method: Any, forms: list[str], owner: str
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return two dimensions and, of principal components, their variance."""
    if (vectors == vectors[0]).all():
        raise ValueError(
            f"{owner} needs vectors that depend on the context, but all {len(vectors)} "
            f"of {_named(forms)} are the same. Choose layers above 0 of an "
            f"ElmoVectorizer, or pass different texts."
        )
    if isinstance(method, str) and method == "pca":
        pca = PCA(n_components=2, svd_solver="full")
        coordinates = pca.fit_transform(vectors.astype(np.float64))
        return coordinates, pca.explained_variance_ratio_
    if not hasattr(method, "fit_transform"):
        raise ValueError(
            f"{owner} takes method='pca' or an estimator with fit_transform, got "
            f"{method!r:.40}. Pass one, as TSNE(random_state=0)."
        )
    return np.asarray(clone(method).fit_transform(vectors), dtype=float)[:, :2], None


def _named(forms: list[str]) -> str:
    return " or ".join(map(repr, forms))
