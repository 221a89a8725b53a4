"""What each parameter of an estimator may be, alone and together with others."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import _check_sample_weight

from skelmo.encoding.pooling import POOLINGS
from skelmo.training.optimizer import SOLVERS
from skelmo.training.schedule import SCHEDULES

LANGUAGE_MODEL: dict[str, list[Any]] = {
    "tokenizer": [callable, None],
    "sentence_splitter": [callable, StrOptions({"lines"}), None],
    "input": [StrOptions({"text", "tokens"})],
    "missing": [StrOptions({"error", "empty", "nan"})],
    "sequence": [StrOptions({"sentence", "document"})],
    "max_characters": [Interval(Integral, 3, None, closed="left")],
    "char_embedding_dim": [Interval(Integral, 1, None, closed="left")],
    "filters": ["array-like"],
    "n_highway": [Interval(Integral, 0, None, closed="left")],
    "activation": [StrOptions({"relu", "tanh"})],
    "word_embedding_dim": [Interval(Integral, 0, None, closed="left")],
    "init_word_vectors": [str, os.PathLike, None],
    "lowercase": ["boolean"],
    "hidden_size": [Interval(Integral, 1, None, closed="left")],
    "proj_size": [Interval(Integral, 1, None, closed="left")],
    "num_layers": [Interval(Integral, 1, None, closed="left")],
    "cell_clip": [Interval(Real, 0, None, closed="neither"), None],
    "proj_clip": [Interval(Real, 0, None, closed="neither"), None],
    "skip_connections": ["boolean"],
    "min_count": [Interval(Integral, 1, None, closed="left")],
    "max_vocabulary": [Interval(Integral, 4, None, closed="left"), None],
    "softmax": [StrOptions({"sampled", "full"})],
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "tie_weights": ["boolean"],
    "solver": [StrOptions(set(SOLVERS))],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "learning_rate": [StrOptions(set(SCHEDULES))],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "warmup": [Interval(Real, 0, 1, closed="left")],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "l1": [Interval(Real, 0, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "word_dropout": [Interval(Real, 0, 1, closed="left")],
    "misspelling": [Interval(Real, 0, 1, closed="left")],
    "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
    "batch_tokens": [Interval(Integral, 2, None, closed="left")],
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "max_time": [Interval(Real, 0, None, closed="neither"), None],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "init": [str, os.PathLike, None],
    "warm_start": ["boolean"],
    "checkpoint": [str, os.PathLike, None],
    "checkpoint_every": [
        Interval(Integral, 1, None, closed="left"),
        Interval(RealNotInt, 0, None, closed="neither"),
    ],
    "device": [str],
    "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def check_filters(
    filters: Any, max_characters: int, owner: str
) -> tuple[tuple[int, int], ...]:
    """Return the filters as pairs of integers.

    Parameters
    ----------
    filters : iterable of (int, int)
    max_characters : int
        Characters of a token, which no filter may be wider than.
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    filters : tuple of (int, int)

    Raises
    ------
    ValueError
        If they are not pairs of positive integers, or wider than a token.
    """
    try:
        pairs = [(width, n) for width, n in filters]
        good = bool(pairs) and all(_is_whole(a) and a >= 1 for p in pairs for a in p)
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(
            f"The 'filters' parameter of {owner} must be pairs (width, number) of "
            f"positive integers. Got {filters!r} instead."
        )
    whole = tuple((int(width), int(n)) for width, n in pairs)
    widest = max(width for width, _ in whole)
    if widest > max_characters:
        raise ValueError(
            f"The 'filters' parameter of {owner} must not be wider than max_characters="
            f"{max_characters}. Got a width of {widest} instead."
        )
    return whole


def check_word_embedding(estimator: Any, owner: str) -> None:
    """Raise if parameters ask for a word-level embedding that is not there, or misfits.

    Parameters
    ----------
    estimator : ElmoLanguageModel
    owner : str
        The class that asks, for the messages.

    Raises
    ------
    ValueError
        If `tie_weights` is set and the sizes differ, or if `init_word_vectors` is and
        there is no word-level embedding.
    """
    if estimator.init is not None:
        return  # sizes are those of that model, and checked when it is read
    if estimator.tie_weights and estimator.word_embedding_dim != estimator.proj_size:
        raise ValueError(
            f"tie_weights=True of {owner} needs word_embedding_dim equal to proj_size, "
            f"got {estimator.word_embedding_dim} and {estimator.proj_size}. Set "
            f"word_embedding_dim={estimator.proj_size}, or tie_weights=False."
        )
    if estimator.init_word_vectors is not None and not estimator.word_embedding_dim:
        raise ValueError(
            f"init_word_vectors of {owner} needs a word-level embedding, got "
            f"word_embedding_dim=0. Set it to the size of the vectors."
        )


def check_pooling(pooling: Any, owner: str) -> list[str]:
    """Return the poolings as a list.

    Parameters
    ----------
    pooling : str or sequence of str
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    pooling : list of str

    Raises
    ------
    ValueError
        If one is unknown, or there is none.
    """
    names = [pooling] if isinstance(pooling, str) else list(pooling)
    if not names or any(n not in POOLINGS or names.count(n) > 1 for n in names):
        raise ValueError(
            f"The 'pooling' parameter of {owner} must be one of {', '.join(POOLINGS)} "
            f"or a list of different ones. Got {pooling!r} instead."
        )
    return names


def check_layers(layers: Any, n_layers: int, owner: str) -> list[int] | None:
    """Return the indices of the layers to use; None stands for one mix of them.

    Parameters
    ----------
    layers : str, int or sequence of int
    n_layers : int
        Layers there are, the character CNN included.
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    layers : list of int or None

    Raises
    ------
    ValueError
        If a layer does not exist or is named twice, or none is named.
    """
    if layers in ("mean", "learned"):
        return None
    if layers == "concat":
        return list(range(n_layers))
    if layers == "top":
        return [n_layers - 1]
    chosen = list(layers) if isinstance(layers, list | tuple) else [layers]
    good = all(_is_whole(k) and -n_layers <= k < n_layers for k in chosen)
    found = [int(k) % n_layers for k in chosen] if good else []
    if not found or len(set(found)) < len(found):
        raise ValueError(
            f"The 'layers' parameter of {owner} must name different layers of this "
            f"language model, 0 to {n_layers - 1} or -{n_layers} to -1, or be 'mean', "
            f"'top', 'concat' or 'learned'. Got {layers!r} instead."
        )
    return found


def check_targets(y: Any, owner: str) -> None:
    """Raise unless there is something to learn the mix from.

    Parameters
    ----------
    y : object
    owner : str
        The class that asks, for the message.

    Raises
    ------
    ValueError
        If `y` is None.
    """
    if y is None:
        raise ValueError(
            f"{owner}(layers='learned') learns the weights of the layers from y, but "
            f"y is None. Pass the targets to fit, or choose layers='mean'."
        )


def check_sample_weight(sample_weight: Any, n_documents: int, owner: str) -> None:
    """Raise unless weights of documents are as many numbers, not all of them 0.

    Parameters
    ----------
    sample_weight : array-like or None
    n_documents : int
    owner : str
        The class that asks, for the message.

    Raises
    ------
    ValueError
        If they are of another shape, or all 0.
    """
    if sample_weight is None:
        return
    weight = _check_sample_weight(sample_weight, np.empty((n_documents, 1)))
    if not weight.any():
        raise ValueError(
            f"{owner} needs a weight that is not zero, but all {n_documents} of "
            f"sample_weight are. Leave it out, or weight some documents."
        )


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def text_tags(tags: Tags, missing: str) -> Tags:
    """Say in an estimator's tags that it takes documents, not a matrix.

    Parameters
    ----------
    tags : sklearn.utils.Tags
        Changed in place.
    missing : str
        The estimator's parameter.

    Returns
    -------
    tags : sklearn.utils.Tags
    """
    tags.input_tags.string = tags.input_tags.one_d_array = True
    tags.input_tags.two_d_array = False
    tags.input_tags.allow_nan = missing != "error"
    return tags
