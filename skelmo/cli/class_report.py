"""How well classes are told apart, in numbers and as it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LONGEST = 24  # characters of a class
_MEASURES = ("precision", "recall", "f1")


@dataclass(frozen=True, eq=False)
class ClassReport:
    """Accuracy, the measures of each class, and which are taken for which.

    Parameters
    ----------
    classes : list of str
        Those that occur as truth or prediction, sorted.
    confusion : ndarray of shape (n_classes, n_classes), int64
        Rows are true classes, columns predicted ones.
    """

    classes: list[str]
    confusion: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Share of the rows that are predicted right."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def by_class(self) -> NDArray[np.float64]:
        """Precision, recall and F1, (n_classes, 3); 0 where nothing is divided by."""
        right = np.diag(self.confusion).astype(np.float64)
        given, there = self.confusion.sum(axis=0), self.confusion.sum(axis=1)
        parts = (given, there, (given + there) / 2)
        return np.stack([right / np.maximum(part, 0.5) for part in parts], axis=1)

    @property
    def macro(self) -> NDArray[np.float64]:
        """Means of the measures over classes, of shape (3,)."""
        return self.by_class.mean(axis=0)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as JSON can hold them.

        Returns
        -------
        numbers : dict
        """
        rows = self.confusion.sum(axis=1)
        every = zip(self.classes, self.by_class.tolist(), rows.tolist(), strict=True)
        return {
            "rows": int(rows.sum()),
            "accuracy": self.accuracy,
            "macro": dict(zip(_MEASURES, self.macro.tolist(), strict=True)),
            "classes": {
                name: {**dict(zip(_MEASURES, values, strict=True)), "rows": n}
                for name, values, n in every
            },
            "confusion": self.confusion.tolist(),
        }

    def __str__(self) -> str:
        """Say it in two tables."""
        names = [_cut(name) for name in self.classes]
        rows = self.confusion.sum(axis=1).tolist()
        measured = [["", *_MEASURES, "rows"]]
        for name, values, n in zip(
            [*names, "macro mean"],
            [*self.by_class, self.macro],
            [*rows, sum(rows)],
            strict=True,
        ):
            measured.append([name, *(f"{value:.3f}" for value in values), f"{n:,}"])
        confused = [["true \\ predicted", *names]]
        for name, counts in zip(names, self.confusion.tolist(), strict=True):
            confused.append([name, *(f"{n:,}" for n in counts)])
        return f"accuracy {self.accuracy:.3f}\n\n{_table(measured)}\n{_table(confused)}"


def class_report(truth: Sequence[str], predicted: Sequence[str]) -> ClassReport:
    """Compare predicted classes with the true ones.

    Parameters
    ----------
    truth : sequence of str
    predicted : sequence of str
        Of the same length, at least 1.

    Returns
    -------
    report : ClassReport
        Its numbers are those of scikit-learn's ``classification_report``.
    """
    classes = sorted({*truth, *predicted})
    place = {name: k for k, name in enumerate(classes)}
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for true, given in zip(truth, predicted, strict=True):
        confusion[place[true], place[given]] += 1
    return ClassReport(classes, confusion)


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Return lines whose columns stand below one another, the first to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def _cut(name: str) -> str:
    shown = " ".join(name.split())
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
