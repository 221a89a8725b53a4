"""By what trainings are told apart: the same one need not be done again."""

from __future__ import annotations

import warnings
from hashlib import sha256
from numbers import Integral
from typing import Any

import numpy as np

from skelmo.files import user_path
from skelmo.models import shared
from skelmo.models.source import key_of
from skelmo.text.sequences import Sequences
from skelmo.training.ranks import place
from skelmo.validation import FEW_TOKENS, stack_level
from skelmo.version import __version__

# They do not change what is learned, or are told by the documents' tokens.
_NOT_LEARNED_FROM = {
    "tokenizer", "sentence_splitter", "input", "missing", "device", "verbose",
    "checkpoint", "checkpoint_every", "warm_start",
}  # fmt: skip


def training_key(parameters: dict[str, Any], sequences: Sequences) -> bytes | None:
    """Hash all that training depends on: parameters, seed, tokens and their order.

    Parameters
    ----------
    parameters : dict
        Of the language model.
    sequences : Sequences
        The documents.

    Returns
    -------
    key : bytes or None
        None if no two runs are the same, or if training warns of few tokens: it has to
        warn each time.
    """
    n_tokens = len(sequences.token_ids) - 2 * len(sequences.lengths)
    if not isinstance(parameters["random_state"], Integral) or n_tokens < FEW_TOKENS:
        return None
    given = ascii((__version__, _learned_from(parameters), sequences.tokens))
    hasher = sha256(given.encode())
    for array in (sequences.token_ids, sequences.offsets, sequences.document_offsets):
        hasher.update(np.ascontiguousarray(array).data)
    return hasher.digest()


def warn_of_repetition(
    parameters: dict[str, Any], sequences: Sequences, owner: str
) -> None:
    """Warn if the same is trained again, for want of a seed to know it by.

    Parameters
    ----------
    parameters : dict
        Of the language model.
    sequences : Sequences
        The documents.
    owner : str
        The class that asks, for the message.

    Warns
    -----
    UserWarning
        Once for the same parameters, the second time that documents come.
    """
    seed = parameters["random_state"]
    if isinstance(seed, Integral):
        return
    seeded = {**parameters, "random_state": 0}
    key = training_key(seeded, sequences)
    if key is None:
        return
    how = sha256(ascii(_learned_from(seeded)).encode()).digest()
    if shared.repeats(key, how):
        what = "None" if seed is None else "no int"
        warnings.warn(
            f"{owner} trains the same language model on the same documents again, as "
            f"in a search for every candidate: its random_state is {what}, so that no "
            f"training can stand for another. Set random_state=0 to train it once, or "
            f"train it first and pass FrozenEstimator(language_model).",
            UserWarning,
            stacklevel=stack_level(),
        )


def _learned_from(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that decide what is learned, with the state of files."""
    learned_from = {
        name: value
        for name, value in sorted(parameters.items())
        if name not in _NOT_LEARNED_FROM
    }
    if place().size > 1:  # the steps are as much larger
        learned_from["processes"] = place().size
    if learned_from["init"] is not None:
        learned_from["init"] = key_of(learned_from["init"])
    if learned_from["init_word_vectors"] is not None:
        # A path always: no word vectors come with the package.
        path = user_path(learned_from["init_word_vectors"])
        learned_from["init_word_vectors"] = key_of(path)
    return learned_from
