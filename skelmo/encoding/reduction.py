"""Features reduced to their principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd


@dataclass(frozen=True, eq=False)
class Reduction:
    """Project rows of features on principal components.

    Parameters
    ----------
    mean : ndarray of shape (n_features,), float32
        Of the rows that it was learned from.
    components : ndarray of shape (n_components, n_features), float32
    explained_variance_ratio : ndarray of shape (n_components,), float32
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    explained_variance_ratio: NDArray[np.float32]

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Reduce.

        Parameters
        ----------
        features : ndarray of shape (n_documents, n_features), float32

        Returns
        -------
        reduced : ndarray of shape (n_documents, n_components), float32
            A row of zeros or nan, of a document without tokens, stays one.
        """
        reduced = np.zeros((len(features), len(self.components)), dtype=np.float32)
        reduced[np.isnan(features).any(axis=1)] = np.nan
        told = _has_content(features)
        reduced[told] = (features[told] - self.mean) @ self.components.T
        return reduced


def check_n_components(
    n_components: int, n_documents: int, n_features: int | None = None, *, owner: str
) -> None:
    """Raise if there are more components than documents or features.

    Parameters
    ----------
    n_components : int
    n_documents : int
        Documents to learn from.
    n_features : int or None, default=None
        Features to reduce; None if that is not known yet.
    owner : str
        The class that asks, for the message.

    Raises
    ------
    ValueError
        If there are.
    """
    if n_components > n_documents:
        raise ValueError(
            f"{owner}: n_components={n_components} must be at most the number of "
            f"documents that have tokens, n_samples={n_documents}. Lower it, or pass "
            f"more documents."
        )
    if n_features is not None and n_components > n_features:
        raise ValueError(
            f"{owner}: n_components={n_components} must be at most the number of "
            f"features, n_features={n_features}. Lower it, or take more layers or "
            f"poolings."
        )


def learn_reduction(
    features: NDArray[np.float32],
    n_components: int,
    random_state: Any,
    sample_weight: Any = None,
    *,
    owner: str,
) -> Reduction:
    """Learn principal components by a randomized singular value decomposition.

    Rows of zeros or nan, of documents without tokens, are left out.

    Parameters
    ----------
    features : ndarray of shape (n_documents, n_features), float32
    n_components : int
    random_state : int, RandomState instance or None
    sample_weight : array-like of shape (n_documents,) or None, default=None
        A weight of 2 stands for a document given twice, 0 for one not given.
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    Reduction

    Raises
    ------
    ValueError
        If there are fewer documents or features than components, or if all documents
        are alike.
    """
    weight = np.ones(len(features), dtype=np.float32)
    if sample_weight is not None:
        weight = np.asarray(sample_weight, dtype=np.float32)
    counted = _has_content(features) & (weight > 0)
    rows, weight = features[counted], weight[counted, None]
    check_n_components(n_components, *rows.shape, owner=owner)
    if (rows == rows[0]).all():
        raise ValueError(
            f"{owner}(n_components={n_components}) learns from what documents differ "
            f"in, but there is 1 sample, or all are alike. Pass different documents, "
            f"or set n_components=None."
        )
    mean = ((rows * weight).sum(axis=0, dtype=np.float64) / weight.sum()).astype(
        np.float32
    )
    rows -= mean
    rows *= np.sqrt(weight)
    variance = np.square(rows).sum(dtype=np.float64)
    # As scikit-learn's PCA, which knows no weights.
    _, scale, components = randomized_svd(
        rows, n_components, random_state=random_state, flip_sign=False
    )
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(n_components), largest])
    ratio = np.square(scale) / variance
    return Reduction(mean, components * signs[:, None], ratio.astype(np.float32))


def _has_content(features: NDArray[np.float32]) -> NDArray[np.bool_]:
    found: Any = features.any(axis=1) & ~np.isnan(features).any(axis=1)
    return np.asarray(found, dtype=np.bool_)
