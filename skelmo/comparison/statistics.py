"""Whether two representations differ by more than the noise between folds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student


def corrected_p_value(differences: ArrayLike, test_share: float) -> float:
    """Return the p value of the corrected resampled t-test, two-sided.

    Folds share most of their training documents, so that their scores vary less than
    those of independent samples; the test adds to the variance what that hides.

    Parameters
    ----------
    differences : array-like of shape (n_folds,)
        Score of one minus that of the other, in each fold.
    test_share : float
        Test documents per training document.

    Returns
    -------
    p : float
        nan with fewer than two folds.

    References
    ----------
    .. [1] Nadeau and Bengio (2003), Inference for the Generalization Error, Machine
       Learning 52, 239-281.

    Examples
    --------
    >>> from skelmo.comparison.statistics import corrected_p_value
    >>> round(corrected_p_value([0.02, 0.01, 0.03, 0.02, 0.02], test_share=0.25), 3)
    0.014
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if n < 2:
        return math.nan
    mean, variance = values.mean(), values.var(ddof=1)
    if variance < 1e-24:  # rounding alone
        return 1.0 if abs(mean) < 1e-12 else 0.0
    statistic = mean / math.sqrt((1 / n + test_share) * variance)
    return float(2 * student.sf(abs(statistic), n - 1))
