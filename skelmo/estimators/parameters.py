"""What each parameter of an estimator may be, alone and together with others."""

from __future__ import annotations

import os
from dataclasses import Field, fields
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import _check_sample_weight

from skelmo.encoding.layer_choice import LayerChoice
from skelmo.encoding.pooling import POOLINGS
from skelmo.nn.bilm import BiLMConfig
from skelmo.training.optimizer import SOLVERS
from skelmo.training.plan import ARCHITECTURE
from skelmo.training.schedule import SCHEDULES
from skelmo.validation import is_whole


def _limits(field: Field[Any]) -> list[Any]:
    """Return what a field of an architecture may be, as scikit-learn says it."""
    if "minimum" in field.metadata:
        return [Interval(Integral, field.metadata["minimum"], None, closed="left")]
    if "choices" in field.metadata:
        return [StrOptions(set(field.metadata["choices"]))]
    if "positive" in field.metadata:
        return [Interval(Real, 0, None, closed="neither"), None]
    return ["array-like"] if field.name == "filters" else ["boolean"]


LANGUAGE_MODEL: dict[str, list[Any]] = {
    **{
        each.name: _limits(each)
        for each in fields(BiLMConfig)
        if each.name in ARCHITECTURE
    },
    "tokenizer": [callable, None],
    "sentence_splitter": [callable, StrOptions({"lines"}), None],
    "input": [StrOptions({"text", "tokens"})],
    "missing": [StrOptions({"error", "empty", "nan"})],
    "sequence": [StrOptions({"sentence", "document"})],
    "unicode_normalization": [StrOptions({"NFC", "NFKC"}), None],
    "init_word_vectors": [str, os.PathLike, None],
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


def check_sizes(name: str, sizes: Any, owner: str) -> tuple[int, ...]:
    """Return sizes of layers or filters, one or several, as a tuple.

    Parameters
    ----------
    name : str
        Of the parameter.
    sizes : int or sequence of int
    owner : str
        The class that asks, for the message.

    Returns
    -------
    sizes : tuple of int

    Raises
    ------
    ValueError
        If there is none, or one is no whole number of at least 1.
    """
    given = [sizes] if is_whole(sizes) else list(sizes)
    if not given or not all(is_whole(size) and size >= 1 for size in given):
        raise ValueError(
            f"The {name!r} parameter of {owner} must be a whole number of at least 1, "
            f"or several. Got {sizes!r} instead."
        )
    return tuple(int(size) for size in given)


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


def check_layers(layers: Any, n_layers: int, owner: str) -> LayerChoice:
    """Return which layers to use; what is learned from targets is not in it yet.

    Parameters
    ----------
    layers : str, int or sequence of int
    n_layers : int
        Layers there are, the character CNN included.
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    layers : LayerChoice

    Raises
    ------
    ValueError
        If a layer does not exist or is named twice, or none is named.
    """
    if layers in ("mean", "learned"):
        return LayerChoice()
    if layers == "concat":
        return LayerChoice(tuple(range(n_layers)))
    if layers == "top":
        return LayerChoice((n_layers - 1,))
    chosen = list(layers) if isinstance(layers, list | tuple) else [layers]
    good = all(is_whole(k) and -n_layers <= k < n_layers for k in chosen)
    found = tuple(int(k) % n_layers for k in chosen) if good else ()
    if not found or len(set(found)) < len(found):
        raise ValueError(
            f"The 'layers' parameter of {owner} must name different layers of this "
            f"language model, 0 to {n_layers - 1} or -{n_layers} to -1, or be 'mean', "
            f"'top', 'concat' or 'learned'. Got {layers!r} instead."
        )
    return LayerChoice(found)


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
            f"{owner}(layers='learned') requires y to be passed, but the target y is "
            f"None: it learns the weights of the layers from y. Pass the targets to "
            f"fit, or choose layers='mean'."
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
