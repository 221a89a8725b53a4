"""What a comparison found: tables, a figure, a page, and words."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skelmo.comparison.page import page_of, table_html
from skelmo.comparison.summary import shown_table, summary_of
from skelmo.comparison.tables import Tables
from skelmo.files import replace_file, user_path


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What `skelmo.compare` found.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each representation, the best first. By metric the mean and, under
        its name with "_std", the standard deviation over folds. "difference" is the
        first metric minus that of TF-IDF, "p_value" that of a corrected resampled
        t-test of the difference (Nadeau and Bengio, 2003), not corrected for several
        comparisons. "fit_seconds" is fitting with encoding of the training documents;
        time that a cache saved is added. "model_bytes" is the size of a pickle,
        weights included. "peak_bytes" is the most that the resident memory grew by in
        a fold; memory that was there already, as of a language model that an earlier
        representation has read, is not in it. "unseen_rate" is the share
        of words of test documents that no training document holds, "oov_rate" the
        share of tokens that the representation itself cannot read, nan where it does
        not tell. "accuracy_unseen" is that on documents with an unseen word.
    folds : pandas.DataFrame
        A row for each representation and fold, with what its classifier's search chose.
    curve : pandas.DataFrame
        A row for each representation, fold and number of labels; "is_all" marks all
        labels of the training fold.
    skipped : dict of str to str
        Representations that were left out, and why.
    metrics : tuple of str
    baseline : str or None
        Name of TF-IDF in the table.

    See Also
    --------
    compare : Makes one.
    """

    table: pd.DataFrame
    folds: pd.DataFrame
    curve: pd.DataFrame
    skipped: dict[str, str]
    metrics: tuple[str, ...]
    baseline: str | None = None

    @property
    def _tables(self) -> Tables:
        return Tables(*(getattr(self, name) for name in Tables._fields))

    def summary(self) -> str:
        """Say in plain words what is best, and when TF-IDF is enough.

        Returns
        -------
        text : str
            A sentence or two per line.
        """
        return "\n".join(summary_of(self._tables))

    def plot(self) -> Any:
        """Draw the scores, and how they grow with the number of labels.

        Returns
        -------
        figure : matplotlib.figure.Figure
            Of one panel if there is one number of labels only.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        from skelmo.comparison.figure import draw, size_of

        figure = plt.figure(figsize=size_of(self._tables), layout="constrained")
        draw(self._tables, figure)
        return figure

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return one page with summary, table and figure, which needs no other file.

        Parameters
        ----------
        path : str, os.PathLike or None, default=None
            File to write it to as well.

        Returns
        -------
        html : str
            Without the figure if matplotlib is not installed.
        """
        page = page_of(self._tables)
        if path is not None:
            target = user_path(path)
            replace_file(target, lambda staged: staged.write_text(page, "utf-8"))
        return page

    def __repr__(self) -> str:
        """Return the table and the summary."""
        table = shown_table(self._tables).to_string(index_names=False)
        return f"{table}\n\n{self.summary()}"

    def _repr_html_(self) -> str:
        """Return the table and the summary for notebooks."""
        return table_html(self._tables)
