"""The figure of a comparison: scores, and how they grow with labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skelmo.comparison.tables import Tables
from skelmo.display.looks import BLACK, COLORS, DARK, LIGHT, PALE, SMALL, cut, look_of

_LINES = ("-", (0, (4, 1.5)))
_WIDTH, _ROW, _LEAST = 8.0, 0.34, 3.6  # inches
_MOST_TICKS = 6
_MOST_BANDS = 3  # more cannot be told apart


class Look(NamedTuple):
    """How one representation is drawn, in both panels."""

    color: str
    marker: str
    line: Any


_BASELINE = Look(BLACK, "s", ":")  # of TF-IDF alone


def size_of(tables: Tables) -> tuple[float, float]:
    """Return the size that a figure needs.

    Parameters
    ----------
    tables : Tables

    Returns
    -------
    width : float
        Inches.
    height : float
        Inches.
    """
    return _WIDTH, max(_LEAST, 1.0 + _ROW * len(tables.table))


def draw(tables: Tables, figure: Any) -> None:
    """Draw a comparison.

    Parameters
    ----------
    tables : Tables
    figure : matplotlib.figure.Figure
        Empty.
    """
    looks = _looks(tables)
    has_curve = not tables.curve["is_all"].all()
    panels = figure.subplots(1, 1 + has_curve, squeeze=False)[0]
    _draw_scores(tables, looks, panels[0])
    if has_curve:
        _draw_curve(tables, looks, panels[1])
    for ax in panels:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=SMALL)


def _looks(tables: Tables) -> dict[str, Look]:
    names = tables.table.index
    others = [name for name in names if name != tables.baseline]
    looks = {
        name: Look(*look_of(k), _LINES[k // len(COLORS) % len(_LINES)])
        for k, name in enumerate(others)
    }
    return {name: looks.get(name, _BASELINE) for name in names}


def _draw_scores(tables: Tables, looks: dict[str, Look], ax: Any) -> None:
    """One row per representation, the best on top."""
    table, metric = tables.table, tables.metrics[0]
    deviations = table[f"{metric}_std"].fillna(0.0)
    for row, name in enumerate(table.index):
        ax.errorbar(
            table.loc[name, metric],
            row,
            xerr=deviations[name],
            color=looks[name].color,
            marker=looks[name].marker,
            markersize=6,
            capsize=3,
            elinewidth=1.5,
        )
    if tables.baseline is not None:
        score = table.loc[tables.baseline, metric]
        ax.axvline(score, color=LIGHT, linewidth=1, linestyle=":", zorder=0)
    ax.set_yticks(range(len(table)), [cut(name) for name in table.index])
    for label in ax.get_yticklabels():
        label.set_parse_math(False)
    ax.set_ylim(len(table) - 0.4, -0.6)
    n_folds = tables.folds["fold"].nunique()
    spread = f"mean ± standard deviation of {n_folds} folds" if n_folds > 1 else ""
    ax.set_title(f"{metric}, all labels", fontsize=SMALL + 1, loc="left")
    ax.set_xlabel(f"{metric}\n({spread})" if spread else metric, fontsize=SMALL)
    ax.grid(axis="x", color=PALE, linewidth=0.8)
    ax.set_axisbelow(True)


def _draw_curve(tables: Tables, looks: dict[str, Look], ax: Any) -> None:
    """One line per representation, named at its end."""
    metric = tables.metrics[0]
    curve = tables.curve.copy()
    # Folds differ by a document or so in what "all" is.
    n_all = int(curve.loc[curve["is_all"], "n_labels"].mean().round())
    curve.loc[curve["is_all"], "n_labels"] = n_all
    has_bands = len(looks) <= _MOST_BANDS and curve["fold"].nunique() > 1
    ends = {}
    for name, look in looks.items():
        found = curve[curve["representation"] == name].groupby("n_labels")[metric]
        means, deviations = found.mean(), found.std().fillna(0.0)
        if has_bands:
            ax.fill_between(
                means.index, means - deviations, means + deviations,
                color=look.color, alpha=0.1, linewidth=0,
            )  # fmt: skip
        ax.plot(
            means.index, means, color=look.color, marker=look.marker,
            linestyle=look.line, markersize=4.5, linewidth=1.5,
        )  # fmt: skip
        ends[name] = float(means.iloc[-1])
    ax.set_xscale("log")
    counts = sorted(curve["n_labels"].unique())
    every = -(-len(counts) // _MOST_TICKS)
    ticks = counts[::-1][::every][::-1]
    ax.set_xticks(ticks, [f"{count:,}" for count in ticks])
    ax.minorticks_off()
    ax.set_title(f"{metric} by number of labels", fontsize=SMALL + 1, loc="left")
    ax.set_xlabel("labels in training (logarithmic)", fontsize=SMALL)
    spread = " (mean, band ± std)" if has_bands else " (mean)"
    ax.set_ylabel(metric + spread, fontsize=SMALL)
    ax.grid(axis="y", color=PALE, linewidth=0.8)
    ax.set_axisbelow(True)
    _name_ends(ax, ends, looks, n_all)


def _name_ends(ax: Any, ends: dict[str, float], looks: dict[str, Look], x: int) -> None:
    """Write names beside the ends of lines, moved apart where they would overlap."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    names = list(ends)
    shares = [(ends[name] - low) / (high - low) for name in names]
    gap = (SMALL + 3) / 72 / (ax.figure.get_size_inches()[1] - 1.0)
    for name, share, at in zip(names, shares, _apart(shares, gap), strict=True):
        ax.annotate(
            cut(name),
            (x, low + share * (high - low)),
            xytext=(1.09, at),
            textcoords="axes fraction",
            va="center",
            fontsize=SMALL,
            color=DARK,
            parse_math=False,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": looks[name].color, "linewidth": 1.0,
                "relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 4,
            },
        )  # fmt: skip


def _apart(shares: Sequence[float], gap: float) -> list[float]:
    """Return places in 0 to 1, in the same order, near, and `gap` apart."""
    order = np.argsort(shares, kind="stable")
    wanted = np.asarray(shares)[order] - gap * np.arange(len(shares))
    # Isotonic regression: those that would overlap share the mean of their places.
    groups: list[list[float]] = []
    for value in wanted:
        groups.append([value, 1])
        while len(groups) > 1 and groups[-2][0] >= groups[-1][0]:
            (first, m), (second, n) = groups[-2:]
            groups[-2:] = [[(first * m + second * n) / (m + n), m + n]]
    flat = [value for value, n in groups for _ in range(int(n))]
    room = max(0.0, 1 - gap * (len(shares) - 1))
    places = np.empty(len(shares))
    places[order] = np.clip(flat, 0, room) + gap * np.arange(len(shares))
    return places.tolist()
