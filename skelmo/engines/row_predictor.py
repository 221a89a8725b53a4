"""What a fitted pipeline predicts of a batch of values, on any machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skelmo.engines.failed_rows import parts_that_succeed


@dataclass(frozen=True)
class RowPredictor:
    """Predict classes or numbers, and probabilities of classes.

    Parameters
    ----------
    predictor : estimator
        Fitted, from texts to one class or number each.
    probabilities : bool, default=False
        Whether those are wanted as well.
    """

    predictor: Any
    probabilities: bool = False

    @classmethod
    def of(cls, predictor: Any, *, probabilities: bool, owner: str) -> RowPredictor:
        """Check that an estimator predicts what a column can hold.

        Parameters
        ----------
        predictor : estimator
        probabilities : bool
            Whether those of classes are wanted as well.
        owner : str
            The function that asks, for the messages.

        Returns
        -------
        RowPredictor

        Raises
        ------
        TypeError
            If it predicts nothing, or no probabilities although they are wanted.
        ValueError
            If it predicts several targets.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        """
        name = type(predictor).__name__
        if not hasattr(predictor, "predict"):
            raise TypeError(
                f"{owner} needs a pipeline that predicts, but {name} has no predict. "
                f"Add a classifier or a regressor, or call transform."
            )
        check_is_fitted(predictor)
        if not is_regressor(predictor) and np.ndim(predictor.classes_[0]):
            raise ValueError(
                f"{owner} gives one column of labels, but {name} predicts several "
                f"targets. Fit a pipeline for each."
            )
        if probabilities and not hasattr(predictor, "predict_proba"):
            raise TypeError(
                f"{owner}(probabilities=True) needs a pipeline with predict_proba, "
                f"which {name} has not. Fit another classifier, or set "
                f"probabilities=False."
            )
        return cls(predictor, probabilities)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the labels."""
        if is_regressor(self.predictor):
            return np.dtype(np.float64)
        return np.asarray(self.predictor.classes_).dtype

    def __call__(
        self, values: Sequence[Any], *, skips_errors: bool = False
    ) -> tuple[list[Any], list[NDArray[np.float64] | None]]:
        """Predict.

        Parameters
        ----------
        values : sequence of length n
            Texts.
        skips_errors : bool, default=False
            Whether values that raise an error are left out; by default it is raised.

        Returns
        -------
        labels : list of length n
            None for what is left out.
        probabilities : list of length n
            An array of shape (n_classes,) for each label, if they are wanted.
        """
        every = np.arange(len(values))
        labels: list[Any] = [None] * len(values)
        probabilities: list[NDArray[np.float64] | None] = [None] * len(values)
        if skips_errors:
            parts = list(parts_that_succeed(self._predict, values, every))
        else:
            parts = [(every, self._predict(values))] if len(values) else []
        for rows, (found, shares) in parts:
            for k, row in enumerate(rows.tolist()):
                labels[row] = found[k]
                if shares is not None:
                    probabilities[row] = shares[k]
        return labels, probabilities

    def _predict(
        self, values: Sequence[Any]
    ) -> tuple[list[Any], NDArray[np.float64] | None]:
        """Predict; texts are encoded once for both."""
        predictor, X = self.predictor, list(values)
        if self.probabilities and isinstance(predictor, Pipeline):
            X, predictor = predictor[:-1].transform(X), predictor[-1]
        labels = np.asarray(predictor.predict(X)).tolist()
        if not self.probabilities:
            return labels, None
        return labels, np.asarray(predictor.predict_proba(X), dtype=np.float64)
