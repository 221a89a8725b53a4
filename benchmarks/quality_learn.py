"""What is learnt from features: logistic regression, and nearest neighbours."""

import warnings

import numpy as np
from quality_data import folds_of
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

# Of features of variance 1, of TF-IDF rows of norm 1, and of both together.
DENSE_CS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
SPARSE_CS = (0.1, 1.0, 10.0, 100.0, 1000.0)
UNION_CS = (1.0, 10.0, 100.0, 1000.0)
WEIGHTS = (0.1, 0.3, 1.0)  # norm of a dense row beside a TF-IDF row of norm 1
INNER_FOLDS = 3
PATIENCE = 2  # values of C in a row that are worse than the best: larger ones are too
GRIDS = (DENSE_CS, SPARSE_CS, UNION_CS, WEIGHTS, INNER_FOLDS, PATIENCE)


def classifier(C=1.0, tol=1e-5):
    """Return logistic regression; sparse features need a small tolerance."""
    return LogisticRegression(C=C, tol=tol, max_iter=500, warm_start=True)


def choose(candidates, y, n_folds=INNER_FOLDS):
    """Return the best of several matrices, and its C, by cross-validation.

    The values of C are tried upwards until accuracy falls.

    Parameters
    ----------
    candidates : list of (matrix, sequence of float)
        Features of the training texts and ascending values of C.
    y : ndarray
    n_folds : int

    Returns
    -------
    number : int
        Of the candidate; of equally good ones the first.
    C : float
        Of equally good ones the least.
    """
    folds = folds_of(y, n_folds)
    right = {}
    for number, (X, Cs) in enumerate(candidates):
        parts = [(X[inside], y[inside], X[outside]) for inside, outside in folds]
        models = [classifier() for _ in folds]
        best, n_worse = 0, 0
        for C in Cs:
            hits = 0
            for model, part, (_, outside) in zip(models, parts, folds, strict=True):
                model.set_params(C=C).fit(*part[:2])
                hits += np.sum(model.predict(part[2]) == y[outside])
            right[number, C] = hits
            n_worse = n_worse + 1 if hits < best else 0
            best = max(best, hits)
            if n_worse == PATIENCE:
                break
    return max(right, key=right.get)


def learn(blocks, y):
    """Fit the best of several blocks.

    Parameters
    ----------
    blocks : list of (train, tests, Cs)
        A matrix of training texts, a list of matrices to predict, and values of C.
    y : ndarray

    Returns
    -------
    predictions : list of ndarray
    chosen : dict
        The number of the block and C.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        number, C = choose([(train, Cs) for train, _, Cs in blocks], y)
        train, tests, _ = blocks[number]
        model = classifier(C).fit(train, y)
    return [model.predict(X) for X in tests], {"block": number, "C": C}


def nearest(train, y, test):
    """Return the class of the nearest row by cosine, the commonest of equally near."""
    classes, y = np.unique(y, return_inverse=True)
    cosines = _normed(test) @ _normed(train).T
    near = cosines > cosines.max(axis=1, keepdims=True) - 1e-5
    return classes[np.argmax(near.astype(float) @ np.eye(len(classes))[y], axis=1)]


def _normed(X):
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norms == 0, 1, norms)


def hits(predicted, y):
    """Return a string of "1" where a prediction is right and "0" elsewhere."""
    return "".join("01"[bool(good)] for good in predicted == y)


def right(strings):
    """Return all hits of several strings as an array of bool."""
    return np.frombuffer("".join(strings).encode(), dtype=np.uint8) == ord("1")


def accuracy(strings):
    """Return the mean of hits, and its deviation.

    It is that of several folds, and of a single test set the standard error.
    """
    means = [right([s]).mean() for s in strings]
    if len(means) > 1:
        return float(np.mean(means)), float(np.std(means, ddof=1))
    p = float(means[0])
    return p, (p * (1 - p) / len(strings[0])) ** 0.5


def difference(ours, theirs):
    """Return how much more often we are right on the same texts, and its error."""
    gain = right(ours).astype(float) - right(theirs)
    return float(gain.mean()), float(gain.std(ddof=1) / len(gain) ** 0.5)
