"""What a pickle of a fitted vectorizer holds of its language model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from skelmo.models import shared as shared_models
from skelmo.nn.device import here
from skelmo.persistence import checked_version
from skelmo.pretrained import registry
from skelmo.resolving import weights_hash_of
from skelmo.version import __version__

if TYPE_CHECKING:
    from skelmo.estimators.vectorizer import ElmoVectorizer


class ModelReference(NamedTuple):
    """A language model that is not in the pickle, but in files."""

    source: str  # a bundled name or a path
    digest: str  # of its weights, hexadecimal
    parameters: dict[str, Any]


def source_of(language_model: Any) -> str | None:
    """Return where a vectorizer's language model can be read from again.

    Parameters
    ----------
    language_model : object
        The vectorizer's parameter.

    Returns
    -------
    source : str or None
        A bundled name or a real path; None if it comes from no file.
    """
    if not isinstance(language_model, str | os.PathLike):
        return None
    name = os.fspath(language_model)
    if name in registry.BUNDLED:
        return name
    return os.path.realpath(Path(name).expanduser())


def without_weights(
    vectorizer: ElmoVectorizer, state: dict[str, Any]
) -> dict[str, Any]:
    """Return a vectorizer's state as its parameter `store_weights` says.

    Parameters
    ----------
    vectorizer : ElmoVectorizer
    state : dict

    Returns
    -------
    state : dict
        With the language model itself, or a reference to it.

    Raises
    ------
    ValueError
        If the weights are to be left out, and are nowhere else.
    """
    if "language_model_" not in state:
        return state
    state = {**state, "_skelmo_version": __version__}
    source, stored = state["_source"], vectorizer.store_weights
    if stored is True or (stored == "auto" and source is None):
        return state
    owner = type(vectorizer).__name__
    if source is None:
        raise ValueError(
            f"{owner}(store_weights=False) is pickled without its weights, but these "
            f"come from no file. Write them by language_model_.save(directory) and fit "
            f"with language_model=directory, or set store_weights='auto'."
        )
    model = state["language_model_"]
    parameters = {name: getattr(model, name) for name in shared_models.NOT_IN_FILES}
    digest = weights_hash_of(model).hex()
    state["language_model_"] = ModelReference(source, digest, parameters)
    return state


def with_weights(state: dict[str, Any], owner: str) -> dict[str, Any]:
    """Undo `without_weights`: read the language model again, if need be.

    Parameters
    ----------
    state : dict
    owner : str
        The class that is unpickled, for the messages.

    Returns
    -------
    state : dict

    Raises
    ------
    FileNotFoundError
        If the files of the language model are not where they were.
    ValueError
        If they hold other weights.
    """
    if "language_model_" not in state:
        return state
    state = checked_version(state, owner)
    reference = state["language_model_"]
    if not isinstance(reference, ModelReference):
        return state
    source, digest, parameters = reference
    device = str(here(parameters["device"]))
    try:
        model = shared_models.load(source, {**parameters, "device": device})
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"This {owner} was pickled without the weights of its language model, "
            f"which it looks for in {source} (hash of the weights {digest}), but "
            f"nothing is there. Put the model there, or pickle with "
            f"store_weights=True."
        ) from error
    found = weights_hash_of(model).hex()
    if found != digest:
        raise ValueError(
            f"This {owner} was pickled with the language model in {source}, whose "
            f"weights had the hash {digest}, but now have {found}. Put the model of "
            f"then there, or fit again."
        )
    return {**state, "language_model_": model}
