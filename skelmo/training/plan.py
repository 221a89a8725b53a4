"""What to train and how, from an estimator's parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch

from skelmo.files import user_path
from skelmo.nn.bilm import BiLMConfig
from skelmo.nn.device import torch_device, working_precision
from skelmo.training.state import TrainingOptions
from skelmo.validation import is_whole

# An architecture's fields that are parameters, by the same names: the others follow
# from vocabulary and alphabet, or are of other programs' models.
ARCHITECTURE = tuple(
    field.name
    for field in fields(BiLMConfig)
    if field.name
    not in (
        "n_words", "n_characters", "token_projection", "lstm_projection", "forget_bias"
    )
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What to train; `TrainingOptions` says how.

    ``config.n_words`` is filled in from the vocabulary.
    """

    config: BiLMConfig
    min_count: int = 2
    max_vocabulary: int | None = 30_000
    validation_fraction: float = 0.1
    dropout: float = 0.1
    tie_weights: bool = False
    init_word_vectors: str | None = None
    checkpoint: str | None = None
    device: str = "cpu"


def plan_from(parameters: Mapping[str, Any], owner: str) -> Plan:
    """Return what to train, by the parameters of an estimator.

    Parameters
    ----------
    parameters : mapping of str to object
        Those of `ElmoLanguageModel`, checked one by one.
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    plan : Plan

    Raises
    ------
    ValueError
        If parameters do not go together.
    """
    _check_word_embedding(parameters, owner)
    network = {name: parameters[name] for name in ARCHITECTURE}
    network["filters"] = ()
    if parameters["char_embedding_dim"]:
        network["filters"] = _check_filters(
            parameters["filters"], parameters["max_characters"], owner
        )
    network["lowercase"] = bool(parameters["lowercase"])
    vectors, checkpoint = parameters["init_word_vectors"], parameters["checkpoint"]
    return Plan(
        BiLMConfig(**network),
        parameters["min_count"],
        parameters["max_vocabulary"],
        parameters["validation_fraction"],
        parameters["dropout"],
        parameters["tie_weights"],
        None if vectors is None else os.fspath(user_path(vectors)),
        None if checkpoint is None else os.fspath(user_path(checkpoint)),
        str(torch_device(parameters["device"])),
    )


def options_from(
    parameters: Mapping[str, Any], seed: int, device: torch.device
) -> TrainingOptions:
    """Return how to train, by the parameters of an estimator.

    Parameters
    ----------
    parameters : mapping of str to object
        Those of `ElmoLanguageModel`.
    seed : int
    device : torch.device

    Returns
    -------
    options : TrainingOptions
    """
    names = {field.name for field in fields(TrainingOptions)} - {"seed", "precision"}
    given = {name: parameters[name] for name in names}
    precision = working_precision(parameters["precision"], device)
    return TrainingOptions(**given, precision=precision, seed=seed)


def _check_filters(
    filters: Any, max_characters: int, owner: str
) -> tuple[tuple[int, int], ...]:
    """Return the filters as pairs of positive integers, no wider than a token."""
    try:
        pairs = [(width, n) for width, n in filters]
        good = bool(pairs) and all(is_whole(a) and a >= 1 for p in pairs for a in p)
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


def _check_word_embedding(parameters: Mapping[str, Any], owner: str) -> None:
    """Raise if a word-level embedding is asked for that is not there, or misfits."""
    if parameters["init"] is not None:
        return  # sizes are those of that model, and checked when it is read
    word_dim, proj_size = parameters["word_embedding_dim"], parameters["proj_size"]
    if not word_dim and not parameters["char_embedding_dim"]:
        raise ValueError(
            f"{owner} reads neither characters nor words, got char_embedding_dim=0 and "
            f"word_embedding_dim=0. Set one of them to a size above 0."
        )
    if parameters["tie_weights"] and word_dim != proj_size:
        raise ValueError(
            f"tie_weights=True of {owner} needs word_embedding_dim equal to proj_size, "
            f"got {word_dim} and {proj_size}. Set word_embedding_dim={proj_size}, or "
            f"tie_weights=False."
        )
    if parameters["init_word_vectors"] is not None and not word_dim:
        raise ValueError(
            f"init_word_vectors of {owner} needs a word-level embedding, got "
            f"word_embedding_dim=0. Set it to the size of the vectors."
        )
