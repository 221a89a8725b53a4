"""Which tokens a linear model behind a vectorizer goes by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skelmo.encoding.contributions import TokenContributions, linear_contributions
from skelmo.encoding.features import Features
from skelmo.estimators.vectorizer import ElmoVectorizer

_OWNER = "explain_linear"


def explain_linear(
    vectorizer: ElmoVectorizer,
    coef: ArrayLike,
    X: Any,
    *,
    classes: Sequence[Any] | None = None,
) -> list[TokenContributions]:
    """Divide the answer of a linear model behind a vectorizer among the tokens.

    Nothing is approximated: the contributions of a document's tokens sum to the
    decision value of the model, its intercept left out.

    Parameters
    ----------
    vectorizer : ElmoVectorizer
        Fitted, with ``pooling="mean"``.
    coef : array-like of shape (n_outputs, n_features) or (n_features,)
        Of the linear model, as ``LogisticRegression.coef_``.
    X : iterable of str
        Documents, as the vectorizer takes them.
    classes : sequence or None, default=None
        As ``LogisticRegression.classes_``, for names of the outputs. Of two classes and
        one row of coefficients, the second is what the output speaks for.

    Returns
    -------
    found : list of TokenContributions
        For each document its ``tokens`` and their ``contributions``, an ndarray of
        shape (n_tokens, n_outputs), float64.

    Raises
    ------
    TypeError
        If it is no ElmoVectorizer.
    ValueError
        If the vectorizer pools in another way, whose parts do not sum up; or if there
        is not a coefficient for each feature, or a class for each output.

    See Also
    --------
    skelmo.display.TokenContributionsDisplay : Draws a document with its tokens
        coloured.

    Notes
    -----
    All of `layers` and `n_components` will do. Principal components are taken of
    features less their mean over the documents of `fit`: so are tokens then, and a
    contribution tells how a token differs from the average.

    Of what stands between vectorizer and model, ``StandardScaler`` is linear too: pass
    ``coef_ / scaler.scale_``. Contributions then sum to the decision value less
    ``intercept_ - coef_ @ (scaler.mean_ / scaler.scale_)``.

    A token's vector has read the tokens around it. Its contribution is that of the
    word in its place, and not what would be lost if the word were left out.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skelmo import ElmoVectorizer, explain_linear
    >>> texts = ["A fine film.", "Dull and long.", "Great fun.", "A boring mess."] * 5
    >>> elmo = ElmoVectorizer(pooling="mean")
    >>> model = LogisticRegression().fit(elmo.fit_transform(texts), [1, 0, 1, 0] * 5)
    >>> (found,) = explain_linear(elmo, model.coef_, ["A boring film."])
    >>> found.tokens
    ['A', 'boring', 'film', '.']
    >>> found.tokens[found.contributions[:, 0].argmin()]
    'boring'
    """
    if not isinstance(vectorizer, ElmoVectorizer):
        raise TypeError(
            f"{_OWNER} needs an ElmoVectorizer, got {type(vectorizer).__name__}. Of a "
            f"pipeline, pass the steps: pipeline[0], pipeline[-1].coef_."
        )
    check_is_fitted(vectorizer, "language_model_")
    features = vectorizer.features_
    if features.pooling != ("mean",):
        raise ValueError(
            f"{_OWNER} divides a mean over tokens among them, but this ElmoVectorizer "
            f"was fitted with the pooling {' and '.join(features.pooling)}, which is "
            f"no sum of tokens. Fit vectorizer and model anew with pooling='mean'."
        )
    weights = _weights(coef, features)
    names = None if classes is None else _names(classes, len(weights))
    return linear_contributions(features, weights, vectorizer._check(X), names)


def _weights(coef: ArrayLike, features: Features) -> NDArray[np.float64]:
    """Return a row of coefficients for each output."""
    found = check_array(coef, ensure_2d=False, dtype=np.float64, input_name="coef")
    weights: NDArray[np.float64] = np.atleast_2d(found)
    if weights.shape[1] != features.n_features:
        raise ValueError(
            f"{_OWNER} needs a coefficient for each of the {features.n_features} "
            f"features, got coef of shape {np.shape(coef)}. Pass the coef_ of a model "
            f"that was fitted on the features of this vectorizer."
        )
    return weights


def _names(classes: Sequence[Any], n_outputs: int) -> list[Any]:
    """Return the class that each output speaks for."""
    names = list(classes)
    if n_outputs == 1 and len(names) == 2:
        return names[1:]
    if len(names) != n_outputs:
        raise ValueError(
            f"{_OWNER} needs a class for each row of coef, got {len(names)} classes "
            f"for {n_outputs}. Pass the classes_ of the model that coef is from."
        )
    return names
