"""The language model that an estimator's parameter of that name means."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skelmo.encoding.caches import models_directory
from skelmo.estimators.callbacks import training_task
from skelmo.estimators.language_model import (
    NOT_IN_FILES,
    ElmoLanguageModel,
    shared_model,
)
from skelmo.estimators.training_key import training_key, warn_of_repetition
from skelmo.models import shared
from skelmo.models.trained import TrainedModel
from skelmo.nn.device import torch_device
from skelmo.text.analysis import Analyzer
from skelmo.text.distinct import Distinct
from skelmo.validation import stack_level


def model_to_be(estimator: Any) -> ElmoLanguageModel:
    """Return the language model of a fit: ready, or still to be trained.

    Parameters
    ----------
    estimator : ElmoVectorizer, ElmoClassifier or ElmoRegressor
        Has the parameters `language_model`, `tokenizer`, `sentence_splitter`, `input`,
        `device`, `random_state` and `verbose`.

    Returns
    -------
    language_model : ElmoLanguageModel
        One that is fitted shares its weights with whoever else reads the same files.

    Raises
    ------
    TypeError
        If what is frozen is no `ElmoLanguageModel`.

    Warns
    -----
    UserWarning
        If a fitted model is given that is not frozen, and so is trained anew.
    """
    given = estimator.language_model
    if isinstance(given, FrozenEstimator):
        return _thawed(given, estimator)
    if given is not None and not isinstance(given, ElmoLanguageModel):
        return shared_model(given, _own_parameters(estimator))
    if hasattr(given, "network_"):
        warnings.warn(
            f"{type(estimator).__name__} trains a clone of the ElmoLanguageModel it is "
            f"given, although this one is fitted. Pass "
            f"FrozenEstimator(language_model) to use it as it is.",
            UserWarning,
            stacklevel=stack_level(),
        )
    model = clone(given or ElmoLanguageModel())
    own = _own_parameters(estimator)
    settings = {"input": estimator.input, "missing": "error", **own}
    if model.random_state is None:
        settings["random_state"] = estimator.random_state
    if estimator.verbose and not model.verbose:
        settings["verbose"] = estimator.verbose
    model.set_params(**settings)
    model._validate_params()  # before the documents, which may take hours to read
    return model


def _thawed(given: FrozenEstimator, estimator: Any) -> ElmoLanguageModel:
    """Return a copy, which training the given one on does not change."""
    model = given.estimator
    if not isinstance(model, ElmoLanguageModel):
        raise TypeError(
            f"The 'language_model' parameter of {type(estimator).__name__} must freeze "
            f"an ElmoLanguageModel, got FrozenEstimator({type(model).__name__}). "
            f"Freeze a fitted ElmoLanguageModel."
        )
    check_is_fitted(model)
    model = copy.copy(model)
    if estimator.device is not None:
        model.model_ = model.model_.to(torch_device(estimator.device))
    return model


def _own_parameters(estimator: Any) -> dict[str, Any]:
    """Return what an estimator says itself instead of its language model."""
    own = {name: getattr(estimator, name) for name in NOT_IN_FILES}
    return {name: value for name, value in own.items() if value is not None}


def train_inside(
    estimator: Any, model: ElmoLanguageModel, distinct: Distinct, X: Any, task: Any
) -> None:
    """Train a language model on documents, unless the same was done before.

    Parameters
    ----------
    estimator : ElmoVectorizer, ElmoClassifier or ElmoRegressor
        Whose fit it is; has the parameter `cache`.
    model : ElmoLanguageModel
        As `model_to_be` gave it; is fitted then.
    distinct : Distinct
        The documents.
    X : object
        They again, for callbacks.
    task : sklearn.callback.CallbackContext or None
        Of the fit.
    """
    sequences = distinct.repeated
    data = None if isinstance(X, Iterator) else X
    owner = type(estimator).__name__

    def train() -> TrainedModel:
        return model._fit_sequences(sequences, data).model_

    with training_task(task, estimator, model):
        if estimator.cache is None:
            train()
            return
        parameters = model.get_params(deep=False)
        warn_of_repetition(parameters, sequences, owner)
        found = shared.get_or_train(
            training_key(parameters, sequences),
            train,
            device=torch_device(model.device),
            owner=owner,
            directory=models_directory(estimator.cache),
        )
        model._take(found)


def n_layers_of(model: ElmoLanguageModel) -> int:
    """Return the layers of a model, ready or not, the character CNN included."""
    if "model_" in vars(model):
        return model.config_.n_layers
    return model.num_layers + 1


def analyzer_of(model: ElmoLanguageModel, parameters: SimpleNamespace) -> Analyzer:
    """Return the language model's way to cut documents, or an estimator's own.

    Parameters
    ----------
    model : ElmoLanguageModel
    parameters : SimpleNamespace
        With `tokenizer`, `sentence_splitter` and `input`.

    Returns
    -------
    analyzer : Analyzer
    """
    own = model.analyzer
    return replace(
        own,
        tokenizer=parameters.tokenizer or own.tokenizer,
        sentence_splitter=parameters.sentence_splitter or own.sentence_splitter,
        input=parameters.input,
    )
