"""A comparison in words and in numbers that are short enough to read."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from skelmo.comparison.tables import Tables

SIGNIFICANT = 0.05
_NOTHING = "–"


def summary_of(tables: Tables) -> list[str]:
    """Return what a comparison found, a sentence or two each.

    Parameters
    ----------
    tables : Tables

    Returns
    -------
    lines : list of str
    """
    table: Any = tables.table
    metric = tables.metrics[0]
    best, n_folds = table.index[0], tables.folds["fold"].nunique()
    lines = [
        f"Best {metric}: {best}, {_score(tables, best)} (mean ± standard deviation "
        f"of {n_folds} folds)."
        if n_folds > 1
        else f"Best {metric}: {best}, {table[metric].iloc[0]:.3f} in one split."
    ]
    if len(table) > 1:
        lines.append(_verdict(tables))
        lines += _few_labels(tables)
        lines += _cost(tables)
        lines += _unseen(tables)
    if tables.skipped:
        names: dict[str, list[str]] = {}
        for name, reason in tables.skipped.items():
            names.setdefault(reason, []).append(name)
        said = [f"{', '.join(these)} {reason}" for reason, these in names.items()]
        lines.append(f"Left out: {'; '.join(said)}.")
    return lines


def shown_table(tables: Tables) -> pd.DataFrame:
    """Return the table as text, with units in its header.

    Parameters
    ----------
    tables : Tables

    Returns
    -------
    table : pandas.DataFrame
        Of str.
    """
    table: Any = tables.table
    columns: dict[str, Any] = {
        metric: [_score(tables, name, metric) for name in table.index]
        for metric in tables.metrics
    }
    if "p_value" in table:
        columns["p vs TF-IDF"] = table["p_value"].map(_p)
    formats: dict[str, tuple[str, Callable[[float], str]]] = {
        "fit_seconds": ("fit [s]", "{:.3g}".format),
        "documents_per_second": ("documents/s", _rounded),
        "model_bytes": ("model [MB]", _megabytes),
        "peak_bytes": ("peak memory [MB]", _megabytes),
        "oov_rate": ("cannot read [%]", _percent),
        "unseen_rate": ("unseen words [%]", _percent),
        "accuracy_unseen": ("accuracy, unseen words", "{:.3f}".format),
    }
    for name, (header, shown) in formats.items():
        columns[header] = [
            _NOTHING if math.isnan(value) else shown(value) for value in table[name]
        ]
    return pd.DataFrame(columns, index=table.index)


def _score(tables: Tables, name: str, metric: str | None = None) -> str:
    metric = metric or tables.metrics[0]
    table: Any = tables.table
    mean, deviation = table.loc[name, [metric, f"{metric}_std"]]
    return f"{mean:.3f}" + ("" if math.isnan(deviation) else f" ± {deviation:.3f}")


def _verdict(tables: Tables) -> str:
    """Say whether TF-IDF is enough."""
    table: Any = tables.table
    metric = tables.metrics[0]
    baseline, best = tables.baseline, table.index[0]
    if baseline is None:
        lead = table[metric].iloc[0] - table[metric].iloc[1]
        return (
            f"The next is {table.index[1]}, {lead:.3f} lower. TF-IDF was not compared, "
            f"so it is not known whether it would be enough."
        )
    if best == baseline or table.loc[best, "difference"] <= 0:
        other = next(name for name in table.index if name != baseline)
        return (
            f"TF-IDF is enough here: nothing has a higher {metric}. The next is "
            f"{other}, {_score(tables, other)}."
        )
    lead, p = table.loc[best, ["difference", "p_value"]]
    n_compared = len(table) - 1
    corrected = min(1.0, p * n_compared)
    tested = f"corrected resampled t-test, p = {_p(p)}"
    if n_compared > 1:
        tested += f", {_p(corrected)} after correction for {n_compared} comparisons"
    scores = f"{best} is {lead:.3f} above TF-IDF ({_score(tables, baseline)})"
    if math.isnan(p):
        return (
            f"{scores}; one split cannot tell whether that is more than noise. Raise "
            f"cv before giving up TF-IDF."
        )
    if corrected < SIGNIFICANT:
        return (
            f"TF-IDF is not enough for the best {metric}: {scores}, more than the "
            f"noise between folds ({tested})."
        )
    return (
        f"TF-IDF is enough as far as these data tell: {scores}, within the noise "
        f"between folds ({tested})."
    )


def _few_labels(tables: Tables) -> list[str]:
    """Say who leads with the fewest labels."""
    metric, baseline = tables.metrics[0], tables.baseline
    curve = tables.curve[~tables.curve["is_all"]]
    if curve.empty:
        return []
    fewest = curve["n_labels"].min()
    scores = curve[curve["n_labels"] == fewest].pivot(
        index="fold", columns="representation", values=metric
    )
    means = scores.mean().sort_values(ascending=False)
    best = means.index[0]
    line = f"With {fewest} labels the best is {best}, {means.iloc[0]:.3f}"
    if baseline is None or best == baseline or baseline not in means:
        return [f"{line}."]
    leads = scores[best] - scores[baseline]
    n_ahead = int((leads > 0).sum())
    return [
        f"{line}; TF-IDF has {means[baseline]:.3f}, and less in {n_ahead} of "
        f"{len(leads)} folds."
    ]


def _cost(tables: Tables) -> list[str]:
    """Say what the best costs, beside TF-IDF."""
    table: Any = tables.table
    baseline = tables.baseline
    if baseline is None:
        return []
    best = next(name for name in table.index if name != baseline)
    parts = []
    for name in (baseline, best):
        row = table.loc[name]
        size = row["model_bytes"]
        held = "" if math.isnan(size) else f" with a model of {_megabytes(size)} MB"
        speed = f"{_rounded(row['documents_per_second'])} documents a second"
        fit = f"{row['fit_seconds']:.2g} s to fit and encode the training documents"
        parts.append(f"{name} takes {fit}, and then encodes {speed}{held}")
    return [f"Cost: {'; '.join(parts)}."]


def _unseen(tables: Tables) -> list[str]:
    table: Any = tables.table
    scores = table["accuracy_unseen"].dropna()
    if scores.empty:
        return []
    best = scores.idxmax()
    line = (
        f"Unseen words: {_percent(table['unseen_rate'].iloc[0])} % of the words of "
        f"test documents are in no training document. On documents with one, accuracy "
        f"is highest by {best}, {scores[best]:.3f}"
    )
    baseline = tables.baseline
    if baseline not in (None, best) and baseline in scores:
        line += f" (TF-IDF {scores[baseline]:.3f})"
    return [f"{line}."]


def _p(value: float) -> str:
    if math.isnan(value):
        return _NOTHING
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _rounded(value: float) -> str:
    if math.isinf(value):
        return "∞"
    return f"{float(f'{value:.2g}'):,.10g}"


def _megabytes(n_bytes: float) -> str:
    return _rounded(n_bytes / 1e6)


def _percent(share: float) -> str:
    return "<0.1" if 0 < share < 0.001 else f"{100 * share:.1f}"
