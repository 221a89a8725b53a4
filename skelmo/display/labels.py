"""Labels beside points, of which none overlaps another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skelmo.display.looks import DARK, GREY

Floats = NDArray[np.float64]

_POINTS = 72  # of an inch
_TRIES = 20  # points for each label that is asked for
_PADDING = 5.0  # pixels around a label
_DISTANCES = (12.0, 26.0, 44.0)  # pixels from a point to its label
_DIRECTIONS = ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1))
_ON_LINE = np.linspace(0, 1, 6)[:, None]


def label_points(
    ax: Any, points: Floats, labels: Sequence[str], n_labels: int, size: float
) -> list[Any]:
    """Write labels beside points far from each other, where there is room.

    A label overlaps no other label and covers as few points as can be.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        In its final size and limits.
    points : ndarray of shape (n_points, 2)
    labels : sequence of str
        Of length n_points.
    n_labels : int
        Labels to write, if there is room for as many.
    size : float
        Of the font, in points.

    Returns
    -------
    written : list of matplotlib.text.Annotation
    """
    from matplotlib.patheffects import withStroke

    figure = ax.figure.canvas.figure
    figure.draw_without_rendering()  # settles the limits
    pixels = ax.transData.transform(points)
    bounds = np.reshape(ax.get_window_extent().extents, (2, 2))
    written: list[Any] = []
    taken: list[Floats] = []  # boxes, as their lower left and upper right corners
    for k in islice(_spread(pixels), _TRIES * n_labels):
        if len(written) == n_labels:
            break
        half = _half_size(ax, labels[k], size)
        found = _place(pixels[k], half, pixels, bounds, taken)
        if found is None:
            continue
        centre, direction = found
        text = ax.annotate(
            labels[k], points[k], textcoords="offset points",
            xytext=(centre - pixels[k]) * _POINTS / figure.dpi,
            fontsize=size, color=DARK, ha="center", va="center", parse_math=False,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.8,
                        "shrinkA": 0, "shrinkB": 3,
                        "relpos": tuple((1 - direction) / 2)},  # the nearest corner
            zorder=5, in_layout=False,
        )  # fmt: skip
        taken.append(np.array([centre - half, centre + half]))
        taken.append(np.array([pixels[k] - _PADDING, pixels[k] + _PADDING]))
        written.append(text)
    return written


def _spread(points: Floats) -> Iterator[int]:
    """Yield all indices, each of the point farthest from those before."""
    distance = np.linalg.norm(points - points.mean(axis=0), axis=1)
    for _ in range(len(points)):
        k = int(distance.argmax())
        yield k
        distance = np.minimum(distance, np.linalg.norm(points - points[k], axis=1))
        distance[k] = -1.0


def _half_size(ax: Any, label: str, size: float) -> Floats:
    """Return half of the width and height of a label, in pixels."""
    text = ax.text(0, 0, label, fontsize=size, parse_math=False)
    drawn = text.get_window_extent()
    text.remove()
    return np.array([drawn.width, drawn.height]) / 2 + _PADDING


def _place(
    point: Floats, half: Floats, points: Floats, bounds: Floats, taken: list[Floats]
) -> tuple[Floats, Floats] | None:
    """Return centre and direction of the box that covers fewest points, or None."""
    best, fewest = None, np.inf
    for distance in _DISTANCES:
        for direction in np.array(_DIRECTIONS):
            # The nearest side or corner is at the distance.
            near = point + direction * distance / np.linalg.norm(direction)
            centre = near + direction * half
            box = np.array([centre - half, centre + half])
            if (box[0] < bounds[0]).any() or (box[1] > bounds[1]).any():
                continue
            line = point + (near - point) * _ON_LINE
            if any(_overlap(box, other) or _within(line, other).any()
                   for other in taken):  # fmt: skip
                continue
            covered = _within(points, box).sum()
            if covered < fewest:
                best, fewest = (centre, direction), covered
    return best


def _overlap(box: Floats, other: Floats) -> bool:
    return bool((box[0] < other[1]).all() and (other[0] < box[1]).all())


def _within(points: Floats, box: Floats) -> NDArray[np.bool_]:
    return ((points > box[0]) & (points < box[1])).all(axis=1)
