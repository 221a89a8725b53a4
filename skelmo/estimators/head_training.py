"""The training of a head, from an estimator's parameters."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from skelmo.encoding.document_outputs import token_reader
from skelmo.encoding.settings import EncoderSettings
from skelmo.estimators.parameters import check_sizes
from skelmo.files import user_path
from skelmo.models.trained import TrainedModel
from skelmo.models.trained_head import TrainedHead
from skelmo.nn.device import working_precision
from skelmo.nn.heads import HeadConfig
from skelmo.text.distinct import Distinct
from skelmo.text.token_indexer import TokenIndexer
from skelmo.training.finetuning import TokenInputs
from skelmo.training.state import Observer, TrainingOptions
from skelmo.training.task import Task
from skelmo.training.tuning import Documents, Tuned, TuningPlan, tune

FROZEN = ("mix", "none")
# max_iter="auto" goes through the documents as often as makes so many steps, but not
# less or more often than so.
STEPS = 600
EPOCHS_TUNED, EPOCHS_FROZEN = (3, 30), (5, 100)
WARMUP = 0.1  # share of training in which the rate rises


class Targets(NamedTuple):
    """What documents are learned to have."""

    kind: str  # of a `Task`
    values: NDArray[Any]  # (N,), int64, or (N, K), float32
    weight: NDArray[np.float32]  # (N,)
    fitted: dict[str, Any]  # attributes that tell what outputs mean

    @property
    def n_outputs(self) -> int:
        """Outputs of a head, K."""
        if self.kind == "classes":
            return len(self.fitted["classes_"])
        return int(self.values.shape[1])


@dataclass(frozen=True)
class HeadTraining:
    """A training run that is ready to begin.

    Parameters
    ----------
    documents : Documents
    distinct : Distinct
        The same documents, with what a cache knows them by.
    model : TrainedModel
    plan : TuningPlan
    options : TrainingOptions
    parameters : SimpleNamespace
        Those of the estimator.
    """

    documents: Documents
    distinct: Distinct
    model: TrainedModel
    plan: TuningPlan
    options: TrainingOptions
    parameters: SimpleNamespace

    def __call__(
        self,
        observer: Observer,
        owner: str,
        start: TrainedHead | None,
        watch: Callable[[Callable[[], Tuned]], None],
        *,
        goes_on: bool,
    ) -> Tuned:
        """Train.

        Parameters
        ----------
        observer : Observer
        owner : str
            The class that asks, for the warning.
        start : TrainedHead or None
            Head to go on from.
        watch : callable
            As for `tune`.
        goes_on : bool
            As for `tune`.

        Returns
        -------
        tuned : Tuned
        """
        return tune(
            self.documents,
            self.model,
            self._inputs(),
            self.plan,
            self.options,
            observer,
            owner=owner,
            start=start,
            goes_on=goes_on,
            watch=watch,
        )

    def _inputs(self) -> TokenInputs | TokenIndexer:
        """Return activations, or what a language model that is tuned gives them by."""
        settings = settings_of(self.parameters)
        if not self.plan.is_frozen:
            return settings.encoder(self.model).indexer
        reader = token_reader(self.model, settings, self.parameters.cache)
        return reader.read(self.distinct)


def settings_of(parameters: SimpleNamespace) -> EncoderSettings:
    """Return how documents go through a language model."""
    return EncoderSettings(
        parameters.max_batch_tokens, parameters.precision, parameters.unknown_words
    )


def plan_of(
    parameters: SimpleNamespace, targets: Targets, model: TrainedModel, owner: str
) -> TuningPlan:
    """Return what to train.

    Parameters
    ----------
    parameters : SimpleNamespace
        Those of the estimator.
    targets : Targets
    model : TrainedModel
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    plan : TuningPlan

    Raises
    ------
    ValueError
        If sizes of the head are no sizes, or do not fit the language model.
    """
    config, heads = model.config, parameters.n_attention_heads
    if parameters.head == "attention" and config.n_features % heads:
        raise ValueError(
            f"The 'n_attention_heads' parameter of {owner} must divide the "
            f"{config.n_features} features of the language model. Got {heads!r} "
            f"instead."
        )
    head = HeadConfig(
        config.n_layers,
        config.n_features,
        targets.n_outputs,
        parameters.head,
        check_sizes("hidden_layer_sizes", parameters.hidden_layer_sizes, owner),
        parameters.n_filters,
        check_sizes("kernel_sizes", parameters.kernel_sizes, owner),
        heads,
        mixes=parameters.tune != "none",
    )
    smoothing = vars(parameters).get("label_smoothing", 0.0)
    checkpoint = parameters.checkpoint
    return TuningPlan(
        head,
        Task(targets.kind, targets.n_outputs, smoothing),
        parameters.tune,
        parameters.unfreeze == "gradual",
        parameters.learning_rate_decay,
        parameters.dropout,
        parameters.batch_size,
        None if checkpoint is None else os.fspath(user_path(checkpoint)),
        parameters.unknown_words,
    )


def options_of(
    parameters: SimpleNamespace,
    seed: int,
    device: torch.device,
    n_documents: int,
    one_pass: bool,
) -> TrainingOptions:
    """Return how to train.

    Parameters
    ----------
    parameters : SimpleNamespace
        Those of the estimator.
    seed : int
    device : torch.device
    n_documents : int
        Documents to train on.
    one_pass : bool
        Once through the documents, at a constant rate.

    Returns
    -------
    options : TrainingOptions
    """
    max_epochs = parameters.max_iter
    if max_epochs == "auto":
        n_steps = -(-n_documents // parameters.batch_size)
        wanted = -(-STEPS // n_steps)
        least, most = EPOCHS_FROZEN if parameters.tune in FROZEN else EPOCHS_TUNED
        max_epochs = max(least, min(most, wanted))
    return TrainingOptions(
        solver=parameters.solver,
        learning_rate="constant" if one_pass else parameters.learning_rate,
        learning_rate_init=parameters.learning_rate_init,
        warmup=0.0 if one_pass else WARMUP,
        alpha=parameters.alpha,
        l1=parameters.l1,
        max_grad_norm=parameters.max_grad_norm,
        batch_tokens=parameters.max_batch_tokens,
        max_epochs=1 if one_pass else max_epochs,
        max_time=parameters.max_time,
        early_stopping=parameters.early_stopping,
        n_iter_no_change=parameters.n_iter_no_change,
        tol=parameters.tol,
        checkpoint_every=parameters.checkpoint_every,
        precision=working_precision(parameters.precision, device),
        seed=seed,
    )
