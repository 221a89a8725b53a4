"""A language model in the pickle of a vectorizer: its weights, or where they are."""

from __future__ import annotations

import copy
from typing import Any

from skelmo.estimators.language_model import (
    NOT_IN_FILES,
    ElmoLanguageModel,
    shared_model,
)
from skelmo.models.change import Change
from skelmo.models.source import ModelReference
from skelmo.models.trained import TrainedModel
from skelmo.nn.device import here


class PickledModel:
    """A language model in the state of an estimator.

    A copy shares it. A pickle holds it, or what it can be read again by: where its
    files are and, if it was trained on from these, the weights that have changed.

    Parameters
    ----------
    content : ElmoLanguageModel or ModelReference
    source : str or None
        What it, or the model that it was trained on from, can be read again by.
    store_weights : bool or "auto"
        The parameter of the estimator.
    owner : type
        Class of the estimator, for the message.
    base : TrainedModel or None, default=None
        What it was trained on from; by default it comes from files as it is.
    """

    def __init__(
        self,
        content: ElmoLanguageModel,
        source: str | None,
        store_weights: bool | str,
        owner: type,
        base: TrainedModel | None = None,
    ) -> None:
        self.content: ElmoLanguageModel | ModelReference = content
        self.source, self.store_weights, self.owner = source, store_weights, owner
        self.base = base

    def __deepcopy__(self, memo: dict[int, Any]) -> PickledModel:
        copied = copy.copy(self)
        copied.content = copy.deepcopy(self.content, memo)
        return copied

    def __copy__(self) -> PickledModel:
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        model = self.content
        if isinstance(model, ModelReference) or self.store_weights is True:
            return {"content": model}
        if self.source is not None:
            given = {name: getattr(model._as_fitted, name) for name in NOT_IN_FILES}
            base = self.base or model.model_
            content = ModelReference(self.source, base.digest.hex(), given)
            if base is model.model_:
                return {"content": content}
            return {"content": content, "change": Change.of(model.model_, base)}
        if self.store_weights == "auto":
            return {"content": model}
        raise ValueError(
            f"{self.owner.__name__}(store_weights=False) is pickled without its "
            f"weights, but these come from no file. Write them by "
            f"language_model_.save(directory) and fit with language_model=directory, "
            f"or set store_weights='auto'."
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def unpickled_model(
    pickled: PickledModel, owner: str
) -> tuple[ElmoLanguageModel, TrainedModel]:
    """Return what was pickled, and what it was trained on from.

    Parameters
    ----------
    pickled : PickledModel
        Of a pickle, or of a copy.
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    language_model : ElmoLanguageModel
    base : TrainedModel
        Itself, if nothing is known of another.
    """
    model = pickled.content
    if not isinstance(model, ModelReference):
        base = vars(pickled).get("base")
        return model, model.model_ if base is None else base
    model = referred_model(model, owner)
    base = model.model_
    change = vars(pickled).get("change")
    if change is not None:
        model._take(change.made_to(base))
    return model, base


def referred_model(reference: ModelReference, owner: str) -> ElmoLanguageModel:
    """Read a model that a pickle refers to, and check that it is the same.

    Parameters
    ----------
    reference : ModelReference
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    language_model : ElmoLanguageModel

    Raises
    ------
    FileNotFoundError
        If nothing is there any more.
    ValueError
        If it has other weights.
    """
    source, digest, parameters = reference
    device = str(here(parameters["device"]))
    try:
        model = shared_model(source, {**parameters, "device": device})
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"This {owner} was pickled without the weights of its language model, "
            f"which it looks for in {source} (hash of the weights {digest}), but "
            f"nothing is there. Put the model there, or pickle with "
            f"store_weights=True."
        ) from error
    found = model.model_.digest.hex()
    if found != digest:
        raise ValueError(
            f"This {owner} was pickled with the language model in {source}, whose "
            f"weights had the hash {digest}, but now have {found}. Put the model of "
            f"then there, or fit again."
        )
    return model
