"""The weights of the layers, learnt from targets."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight

from skelmo.validation import is_missing

Floats = NDArray[np.float64]

MOST_DIRECTIONS = 1024  # of features that the search looks at; more are reduced to it
_CHUNK = 2**23  # numbers of one chunk of layers, 64 MiB in float64
_ROUNDING = 1e-5  # relative; what differs by less is the same
_EXPLAINED = 1e-6  # what explains targets better than this is as good as perfect
_GAMMA_SD = 3.0  # of the prior of log gamma
# Safe ranges: layers have a norm of 1 here, so that a gamma of 1 explains next to
# nothing, and at exp(10) the penalty is next to nothing and products keep 7 digits.
_LARGEST_LOGIT = 5.0
_LOG_GAMMA = (0.0, 10.0)
_LOG_GAMMA_STARTS = (1.0, 4.0, 7.0)


class LayerMix(NamedTuple):
    """Weights to mix layers by, ``gamma * sum_l layer_weights[l] * layer_l``."""

    layer_weights: Floats  # (L + 1,), a softmax: positive, sum 1
    gamma: float  # positive


def learn_mix(
    layers: NDArray[np.float32],
    y: Any,
    sample_weight: ArrayLike | None = None,
    *,
    owner: str,
) -> LayerMix:
    """Learn the weights of the layers and gamma, of eq. 1 of [1]_, from targets.

    They are those whose features let a ridge regression of `y`, with penalty 1 and a
    free intercept, predict best by generalised cross-validation [2]_. Features times
    gamma do what a penalty divided by its square does, so nothing else is learnt.

    Parameters
    ----------
    layers : ndarray of shape (N, n_poolings, L + 1, 2P), dtype float32
        Pooled activations of each document; a document with nan is left out. They are
        not changed.
    y : array-like of shape (N,) or (N, n_outputs)
        Class labels, a multilabel indicator, or numbers. Whole numbers are labels,
        unless more than 20 documents have over half as many different numbers. Each
        class, label and output counts the same.
    sample_weight : array-like of shape (N,), float or None, default=None
        A weight of 2 stands for a document given twice, 0 for one not given. None is
        a weight of 1.
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    LayerMix
        For the layers as they are. It does not depend on the order of documents.

    Raises
    ------
    TypeError
        If labels cannot be compared with each other.
    ValueError
        If `y` misses a value, is constant, or is of a wrong kind or length;
        if a weight is negative or not finite; if an activation is infinite; or if no
        two different documents are left.

    Notes
    -----
    The criterion is ``n * RSS / (n - 1 - tr(H)) ** 2`` of the `n` different documents.
    Documents that are alike count as one, with their weights added and their targets
    averaged: one of them, left out, would be predicted by its copy.

    Each layer is first divided by its norm over centred documents, which is undone at
    the end. ``n / 2`` times the logarithm of the criterion is taken as a likelihood,
    with a Dirichlet prior of parameter 3/2 for the weights and a normal one for log
    gamma, around features of norm 1, with standard deviation 3. They decide between
    layers that are alike, or where documents are few, and are outvoted by many.

    With ``d = n_poolings * 2P``, products of layers have the shape (d, d), or (n, n)
    if ``n <= d``. If both exceed 1,024, features are first projected on the 1,024
    directions in which the layers vary most. That takes about four float64 matrices
    of shape (d, d), and 0.3 GiB.

    References
    ----------
    .. [1] Peters et al. (2018), arXiv:1802.05365.
    .. [2] Golub, Heath and Wahba (1979), "Generalized cross-validation as a method for
       choosing a good ridge parameter", Technometrics 21 (2).
    """
    check_consistent_length(layers, y)
    given = _check_weight(sample_weight, layers, owner)
    left, first = _distinct_documents(layers, given, owner)
    targets = _targets(_rows(y, left), given[left], len(first), owner)
    weight = np.add.reduceat(given[left], first)
    targets = np.add.reduceat(given[left][:, None] * targets, first) / weight[:, None]
    documents, scale = _scaled(layers, left[first], weight)
    mix = _search(_problem(documents, targets)) / scale
    return LayerMix(mix / mix.sum(), float(mix.sum()))


def _check_weight(sample_weight: Any, layers: Any, owner: str) -> Floats:
    if sample_weight is None:
        return np.ones(len(layers))
    weight = _check_sample_weight(sample_weight, layers, dtype=np.float64)
    if weight.min() < 0:
        raise ValueError(
            f"{owner}(layers='learned') needs weights of documents of at least 0, but "
            f"sample_weight has {weight.min():g}. Set it to 0 to leave a document out."
        )
    return weight


def _distinct_documents(
    layers: NDArray[np.float32], weight: Floats, owner: str
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return documents left, those that are alike together, and where others begin."""
    key, norm = np.empty(len(layers)), np.empty(len(layers))
    for chunk, block in _chunks(layers, np.arange(len(layers))):
        flat = block.reshape(len(block), -1)
        key[chunk] = flat.sum(axis=1)
        norm[chunk] = np.linalg.norm(flat, axis=1)
    left = np.flatnonzero(~np.isnan(norm) & (weight > 0))
    if not len(left):
        raise ValueError(
            f"{owner}(layers='learned') learns the weights of the layers from "
            f"documents, but all {len(layers)} are missing or have weight 0. Pass "
            f"some text, or choose layers='mean'."
        )
    if np.isinf(norm[left]).any():
        raise ValueError(
            f"{owner}(layers='learned') needs finite activations, but row "
            f"{left[np.isinf(norm[left])][0]} of X has infinite ones. Train the "
            f"language model anew, or choose another."
        )
    # In the order of their sums, copies are neighbours, and the result does not depend
    # on the order in which documents came.
    left = left[np.argsort(key[left], kind="stable")]
    limit = _ROUNDING * norm[left[1:]]
    alike = np.diff(key[left]) <= limit * np.sqrt(layers[0].size)
    for k in np.flatnonzero(alike):
        alike[k] = np.linalg.norm(layers[left[k + 1]] - layers[left[k]]) <= limit[k]
    first = np.flatnonzero(np.append(True, ~alike))
    if len(first) < 2:
        raise ValueError(
            f"{owner}(layers='learned') learns the weights of the layers from what "
            f"documents differ in, but there is 1 sample, or all are alike. Pass "
            f"different documents, or choose layers='mean'."
        )
    return left, first


def _chunks(
    layers: NDArray[np.float32], rows: NDArray[np.intp]
) -> Iterator[tuple[slice, Floats]]:
    step = max(1, _CHUNK // layers[0].size)
    for start in range(0, len(rows), step):
        chunk = slice(start, start + step)
        yield chunk, layers[rows[chunk]].astype(np.float64)


def _rows(y: Any, rows: NDArray[np.intp]) -> Any:
    """Return rows of y as an array, whatever holds it."""
    options = {"ensure_2d": False, "allow_nd": True, "ensure_all_finite": False}
    values = check_array(y, accept_sparse="csr", dtype=None, input_name="y", **options)
    values = values[rows]
    return values.toarray() if hasattr(values, "toarray") else values


def _targets(y: Any, weight: Floats, n_documents: int, owner: str) -> Floats:
    """Return a standardised column for each class, label or output."""
    if y.dtype == object and any(map(is_missing, y.flat)):
        raise ValueError(
            f"{owner}(layers='learned') needs a target for every document, but "
            f"{sum(map(is_missing, y.flat))} in y are missing. Leave these documents "
            f"out, or set their sample_weight to 0."
        )
    with warnings.catch_warnings():
        # Of many different whole numbers; _one_hot has a rule for them.
        warnings.simplefilter("ignore")
        kind = type_of_target(y, input_name="y", raise_unknown=True)
    columns = y.reshape(len(y), -1)
    targets = columns
    if kind in ("binary", "multiclass", "multiclass-multioutput"):
        encoded = [_one_hot(column, n_documents) for column in columns.T]
        targets = np.concatenate(encoded, axis=1)
    targets = targets - np.average(targets, axis=0, weights=weight)
    varies = np.ptp(targets, axis=0) > 0
    if not varies.any():
        only = ", ".join(repr(value) for value in columns[0].tolist())
        raise ValueError(
            f"{owner}(layers='learned') learns the weights of the layers from what "
            f"targets differ in, but y has one class or value only, {only}. Pass "
            f"documents of at least 2, or choose layers='mean'."
        )
    targets = targets[:, varies]
    return targets / np.sqrt(np.average(np.square(targets), axis=0, weights=weight))


def _one_hot(column: Any, n_documents: int) -> Floats:
    classes, codes = np.unique(column, return_inverse=True)
    many = n_documents > 20 and 2 * len(classes) > n_documents
    if many and column.dtype.kind in "iuf":  # quantities rather than labels
        return column[:, None].astype(np.float64)
    return (codes[:, None] == np.arange(len(classes))).astype(np.float64)


class _Documents(NamedTuple):
    """Different documents, in an order of their own."""

    layers: NDArray[np.float32]
    rows: NDArray[np.intp]  # (n,) of layers
    weight: Floats  # (n,)
    mean: Floats  # (n_poolings, L + 1, 2P)
    share: Floats  # (L + 1,), factor of each layer; 0 if constant

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield some documents, centred, weighted and scaled: (L + 1, n, d)."""
        root = np.sqrt(self.weight)
        for chunk, block in _chunks(self.layers, self.rows):
            block -= self.mean
            block *= root[chunk, None, None, None]
            block *= self.share[:, None]
            n, _, n_layers, _ = block.shape
            yield chunk, block.transpose(2, 0, 1, 3).reshape(n_layers, n, -1)


def _scaled(
    layers: NDArray[np.float32], rows: NDArray[np.intp], weight: Floats
) -> tuple[_Documents, Floats]:
    """Return documents whose layers have norm 1, and the norms they had."""
    chunks = _chunks(layers, rows)
    mean = sum(np.tensordot(weight[c], block, 1) for c, block in chunks) / weight.sum()
    documents = _Documents(layers, rows, weight, mean, np.ones(layers.shape[2]))
    squares = sum(np.square(block).sum(axis=(1, 2)) for _, block in documents.blocks())
    scale = np.sqrt(squares)
    # What rounding makes of a constant layer must not be taken for a signal.
    size = np.linalg.norm(mean, axis=(0, 2)) * np.sqrt(weight.sum())
    varies = scale > _ROUNDING * size
    if not varies.any():
        varies = scale > 0
    scale = np.where(varies, scale, scale[varies].max())
    return documents._replace(share=varies / scale), scale


class _Problem(NamedTuple):
    """What the criterion needs; products are of features, or else of documents."""

    products: Floats  # (n_pairs, k, k), symmetric, of layers i <= j
    targets: Floats  # (L + 1, k, n_targets) of layers and targets, or (k, n_targets)
    pairs: NDArray[np.intp]  # (2, n_pairs), i and j
    n_documents: int
    intercept: Floats | None  # (k,), what explains it; of products of documents alone


def _problem(documents: _Documents, targets: Floats) -> _Problem:
    n, weight = len(documents.rows), documents.weight
    targets = np.sqrt(weight)[:, None] * (targets - np.average(targets, 0, weight))
    # Nothing is left of targets that differ between documents that are alike only.
    least = _EXPLAINED * np.sqrt(weight.sum())
    targets /= max(float(np.linalg.norm(targets)), least)
    n_layers, d = len(documents.share), documents.mean[:, 0].size
    pairs = np.array(list(combinations_with_replacement(range(n_layers), 2))).T
    if n <= min(d, MOST_DIRECTIONS):
        layers = np.concatenate([block for _, block in documents.blocks()], axis=1)
        products = np.array([_product(layers[i].T, layers[j].T) for i, j in pairs.T])
        return _Problem(products, targets, pairs, n, np.sqrt(weight / weight.sum()))
    basis = _basis(documents) if d > MOST_DIRECTIONS else None
    k = min(d, MOST_DIRECTIONS)
    products = np.zeros((pairs.shape[1], k, k))
    projections = np.zeros((n_layers, k, targets.shape[1]))
    for chunk, block in documents.blocks():
        layers = block if basis is None else block @ basis
        for product, (i, j) in zip(products, pairs.T, strict=True):
            product += _product(layers[i], layers[j])
        projections += layers.transpose(0, 2, 1) @ targets[chunk]
    return _Problem(products, projections, pairs, n, None)


def _product(a: Floats, b: Floats) -> Floats:
    product = a.T @ b
    return (product + product.T) / 2


def _basis(documents: _Documents) -> Floats:
    """Return the directions in which layers vary most."""
    d = documents.mean[:, 0].size
    total = np.zeros((d, d))
    for _, block in documents.blocks():
        for layer in block:
            total += _product(layer, layer)
    wanted = [d - MOST_DIRECTIONS, d - 1]
    return eigh(total, subset_by_index=wanted, overwrite_a=True, check_finite=False)[1]


def _criterion(problem: _Problem, mix: Floats) -> tuple[float, Floats]:
    """Return the criterion, as a share of the mean's, and its gradient by the mix."""
    i, j = problem.pairs
    times = np.where(i == j, 1.0, 2.0)
    matrix = np.tensordot(times * mix[i] * mix[j], problem.products, 1)
    k, n = len(matrix), problem.n_documents
    if problem.intercept is None:
        right = np.tensordot(mix, problem.targets, 1)
        freedom = n - 1.0 - k
    else:
        right = problem.targets
        # Its own direction is no one else's: made long, it rounds off nothing.
        length = np.square(mix.sum())
        matrix += length * np.outer(problem.intercept, problem.intercept)
        freedom = -1 / (1 + length)
    matrix.flat[:: k + 1] += 1.0
    factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    inverse = cho_solve(factor, np.eye(k), check_finite=False)
    once = cho_solve(factor, right, check_finite=False)
    twice = cho_solve(factor, once, check_finite=False)
    freedom += np.trace(inverse)
    # The residual sum of squares, and its gradients by the matrix and by the mix.
    if problem.intercept is None:
        rss = max(1.0 - np.vdot(right, once) - np.vdot(once, once), 0.0)
        by_matrix = once @ (once + twice).T + twice @ once.T
        by_mix = -2 * np.tensordot(problem.targets, once + twice, 2)
    else:
        rss = np.vdot(once, once)
        by_matrix = -once @ twice.T - twice @ once.T
        by_mix = np.zeros(len(mix))
    by_matrix += 2 * rss / freedom * (inverse @ inverse)
    by_pair = times * np.tensordot(problem.products, by_matrix, 2)
    by_mix += np.bincount(i, by_pair * mix[j]) + np.bincount(j, by_pair * mix[i])
    inflation = np.square((n - 1) / freedom)
    return float(inflation * rss), inflation * by_mix


def _objective(parameters: Floats, problem: _Problem) -> tuple[float, Floats]:
    """Return what is minimised over logits and log gamma, and its gradient."""
    shares = softmax(parameters[:-1])
    log_gamma = parameters[-1]
    mix = np.exp(log_gamma) * shares
    criterion, by_mix = _criterion(problem, mix)
    n = problem.n_documents
    away = log_gamma - np.log(n) / 2
    prior = np.square(away / _GAMMA_SD) - np.log(shares).sum()
    value = np.log(criterion + _EXPLAINED) + prior / n
    slope = mix * by_mix / (criterion + _EXPLAINED)
    by_logits = slope - shares * slope.sum() + (len(shares) * shares - 1) / n
    by_log_gamma = slope.sum() + 2 * away / (n * _GAMMA_SD**2)
    return float(value), np.append(by_logits, by_log_gamma)


def _search(problem: _Problem) -> Floats:
    """Return the best gamma * softmax(logits)."""
    n_layers = problem.pairs.max() + 1
    alone = 3.0 * np.eye(n_layers)
    found = []
    for logits in (np.zeros(n_layers), *(alone - alone.mean(axis=0))):
        starts = [np.append(logits, log_gamma) for log_gamma in _LOG_GAMMA_STARTS]
        start = min(starts, key=lambda point: _objective(point, problem)[0])
        found.append(_descend(problem, start, ftol=1e-6, gtol=1e-4))
    best = min(found, key=lambda result: result.fun).x
    best = _descend(problem, best, ftol=1e-14, gtol=1e-9).x
    return np.exp(best[-1]) * softmax(best[:-1])


def _descend(problem: _Problem, start: Floats, ftol: float, gtol: float) -> Any:
    limit = (-_LARGEST_LOGIT, _LARGEST_LOGIT)
    return minimize(
        _objective,
        start,
        args=(problem,),
        method="L-BFGS-B",
        jac=True,
        bounds=[limit] * (len(start) - 1) + [_LOG_GAMMA],
        options={"ftol": ftol, "gtol": gtol, "maxiter": 200},
    )
