"""From results of folds to tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skelmo.comparison.fold_result import FoldResult
from skelmo.comparison.statistics import corrected_p_value

_MEANS = (
    "n_features", "fit_seconds", "transform_seconds", "documents_per_second",
    "classifier_seconds", "model_bytes",
)  # fmt: skip
_RATES = ("unseen_rate", "oov_rate", "accuracy_unseen")


class Tables(NamedTuple):
    """All that a comparison found, and what reading it takes.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each representation, the best first.
    folds : pandas.DataFrame
        A row for each representation and fold.
    curve : pandas.DataFrame
        A row for each representation, fold and number of labels.
    skipped : dict of str to str
        Representations that were left out, and why.
    metrics : tuple of str
        The table is sorted by the first.
    baseline : str or None
        Name of TF-IDF in the table.
    """

    table: pd.DataFrame
    folds: pd.DataFrame
    curve: pd.DataFrame
    skipped: dict[str, str]
    metrics: tuple[str, ...]
    baseline: str | None


def make_tables(
    results: Sequence[FoldResult],
    metrics: Sequence[str],
    baseline: str | None,
    skipped: dict[str, str],
) -> Tables:
    """Sum up results.

    Parameters
    ----------
    results : sequence of FoldResult
    metrics : sequence of str
        The table is sorted by the first.
    baseline : str or None
        The representation that the others are compared with.
    skipped : dict of str to str
        Representations without results, and why.

    Returns
    -------
    tables : Tables
    """
    folds = pd.DataFrame([_row(result) for result in results])
    curve = pd.DataFrame([row for result in results for row in _curve_rows(result)])
    groups = folds.groupby("representation", sort=False)
    columns: dict[str, Any] = {}
    for metric in metrics:
        columns[metric] = groups[metric].mean()
        columns[f"{metric}_std"] = groups[metric].std()
    if baseline is not None:
        main = folds.pivot(index="fold", columns="representation", values=metrics[0])
        share = float((folds["n_test"] / folds["n_train"]).mean())
        differences = main.sub(main[baseline], axis=0)
        columns["difference"] = differences.mean()
        columns["p_value"] = pd.Series(
            {
                name: corrected_p_value(differences[name], share)
                if name != baseline
                else np.nan
                for name in main.columns
            }
        )
    for name in _MEANS:
        columns[name] = groups[name].mean()
    # Later folds use memory that the first has asked for.
    columns["peak_bytes"] = groups["peak_bytes"].max()
    for name in _RATES:
        columns[name] = groups[name].mean()
    order = groups.size().index
    table = pd.DataFrame(columns).loc[order]
    table = table.sort_values(metrics[0], ascending=False, kind="stable")
    table = table.rename_axis("representation")
    return Tables(table, folds, curve, skipped, tuple(metrics), baseline)


def _row(result: FoldResult) -> dict[str, Any]:
    numbers = dict(vars(result))
    for name in ("scores", "curve", "chosen"):
        del numbers[name]
    for name in ("model_bytes", "peak_bytes", "oov_rate", "accuracy_unseen"):
        numbers[name] = np.nan if numbers[name] is None else float(numbers[name])
    seconds = result.transform_seconds
    speed = result.n_test / seconds if seconds else np.inf
    chosen = ", ".join(f"{name}={value}" for name, value in result.chosen.items())
    head = {"representation": result.representation, "fold": result.fold}
    numbers |= {"documents_per_second": speed, "chosen": chosen}
    return head | result.scores | numbers


def _curve_rows(result: FoldResult) -> list[dict[str, Any]]:
    return [
        {
            "representation": result.representation,
            "fold": result.fold,
            "n_labels": count,
            "is_all": count == result.n_train,
            **scores,
        }
        for count, scores in result.curve
    ]
