"""From documents and targets to a trained head, and a tuned language model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from skelmo.models.history import HeadRecord
from skelmo.models.trained import TrainedModel
from skelmo.models.trained_head import TrainedHead
from skelmo.nn.heads import Head, HeadConfig
from skelmo.nn.modes import modes
from skelmo.nn.randomness import DrawnFrom, Dropout
from skelmo.text.sequences import Sequences
from skelmo.text.token_indexer import TokenIndexer
from skelmo.training.checkpoint import Checkpointer, run_hash
from skelmo.training.finetuning import Examples, Finetuning, TokenInputs
from skelmo.training.loop import Loop
from skelmo.training.pretraining import warn_of_divergence
from skelmo.training.state import Observer, TrainingOptions
from skelmo.training.task import Task
from skelmo.training.tuned_network import LiveActivations, TunedNetwork

TUNE = ("all", "top", "mix", "none")


@dataclass(frozen=True)
class TuningPlan:
    """What to train; `TrainingOptions` says how."""

    head: HeadConfig
    task: Task
    tune: str = "all"  # one of TUNE
    unfreeze: bool = False  # a block of the language model more in each epoch
    learning_rate_decay: float = 1.0  # from the head down, block by block
    dropout: float = 0.0
    batch_size: int = 32  # documents
    checkpoint: str | None = None
    unknown_words: str = "nearest"

    @property
    def is_frozen(self) -> bool:
        """Whether the language model stays as it is."""
        return self.tune in ("mix", "none")


class Documents(NamedTuple):
    """What is learned from."""

    sequences: Sequences  # of distinct documents
    examples: Examples
    train: NDArray[np.int64]  # examples
    held_out: NDArray[np.int64]


class Tuned(NamedTuple):
    """What training gives."""

    model: TrainedModel  # the one given, if that is frozen
    head: TrainedHead


@modes(grad=True)
def tune(
    documents: Documents,
    model: TrainedModel,
    inputs: TokenInputs | TokenIndexer,
    plan: TuningPlan,
    options: TrainingOptions,
    observer: Observer,
    *,
    owner: str = "tune",
    start: TrainedHead | None = None,
    goes_on: bool = False,
    watch: Callable[[Callable[[], Tuned]], None] | None = None,
) -> Tuned:
    """Train a head and, with it, a copy of the language model.

    Parameters
    ----------
    documents : Documents
    model : TrainedModel
        Stays as it is.
    inputs : TokenInputs or TokenIndexer
        Activations of the model's tokens if it is frozen; else what gives it the ids of
        tokens.
    plan : TuningPlan
    options : TrainingOptions
        Its seed decides the first weights of a head.
    observer : Observer
    owner : str, default="tune"
        The class that asks, for the warning.
    start : TrainedHead, optional
        Head to go on from.
    goes_on : bool, default=False
        Whether `start` is trained on as one, with what its optimiser remembers, and
        epochs counted on.
    watch : callable, optional
        Called before training, with a function that returns a copy of what training
        has given by then: the best weights so far.

    Returns
    -------
    tuned : Tuned

    Warns
    -----
    ConvergenceWarning
        If the loss left all bounds; the weights of the best epoch are returned.
    """
    network, given = _network(documents, model, inputs, plan, options, start)
    depth = {"all": network.n_blocks, "top": 1}.get(plan.tune, 0)
    network.train_down_to(depth)
    before = start if goes_on else None
    objective = Finetuning(
        network,
        given,
        plan.task,
        documents.examples,
        documents.train,
        documents.held_out,
        options,
        batch_size=plan.batch_size,
        depth=depth,
        unfreeze=plan.unfreeze,
    )
    if start is None:
        objective.standardize()
    first_epoch = 0 if before is None else len(before.history)
    scales = {
        name: plan.learning_rate_decay ** network.depth(name)
        for name, _ in network.named_parameters()
    }
    loop = Loop(
        objective,
        options,
        observer,
        _checkpointer(plan, options, documents, model, network, first_epoch),
        first_epoch,
        rate_scales=scales,
    )
    if before is not None:
        loop.go_on_from(before.optimizer)

    def result() -> Tuned:
        head = copy.deepcopy(network.head).eval().requires_grad_(True)
        head.dropout = Dropout()
        history = tuple(loop.state.history)
        if before is not None:
            history = _counted_on(before.history, history)
        if isinstance(given, LiveActivations):
            # Of a language model, it would be of the words of these documents alone.
            return Tuned(given.trained(), TrainedHead(head, history))
        return Tuned(model, TrainedHead(head, history, loop.remembered()))

    def so_far() -> Tuned:
        now = {k: v.detach().clone() for k, v in network.state_dict().items()}
        network.load_state_dict(loop.best_weights)
        found = result()
        network.load_state_dict(now)
        return found

    if watch is not None:
        watch(so_far)
    state = loop.run()
    if state.diverged:
        warn_of_divergence(state, options, owner)
    return result()


def _counted_on(
    before: tuple[HeadRecord, ...], later: tuple[HeadRecord, ...]
) -> tuple[HeadRecord, ...]:
    """Return a history with what was trained before it counted in."""
    if not before:
        return later
    last = before[-1]
    return before + tuple(
        record._replace(
            epoch=record.epoch + last.epoch,
            n_documents=record.n_documents + last.n_documents,
        )
        for record in later
    )


def _network(
    documents: Documents,
    model: TrainedModel,
    inputs: TokenInputs | TokenIndexer,
    plan: TuningPlan,
    options: TrainingOptions,
    start: TrainedHead | None,
) -> tuple[TunedNetwork, TokenInputs]:
    """Return what is trained, and where its activations come from."""
    if start is None:
        with DrawnFrom(torch.Generator().manual_seed(options.seed)):
            head = Head(plan.head)
    else:
        head = copy.deepcopy(start.network)
    head.dropout = Dropout(plan.dropout)
    head = head.to(model.device)
    if not isinstance(inputs, TokenIndexer):
        return TunedNetwork(head), inputs
    low = None if options.precision == "float32" else torch.bfloat16
    live = LiveActivations(model, documents.sequences, inputs, low, plan.dropout)
    return TunedNetwork(head, live.bilm), live


def hold_out(
    targets: NDArray[np.float64] | NDArray[np.int64],
    documents: NDArray[np.int64],
    fraction: float,
    seed: int,
    *,
    stratify: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the documents to validate with.

    Parameters
    ----------
    targets : ndarray of shape (N,) or (N, K)
    documents : ndarray of int64
        Those to choose from.
    fraction : float
        Share to hold out; of two documents or more, one at least on either side.
    seed : int
    stratify : bool
        Take of each class its share, but never its only document.

    Returns
    -------
    train : ndarray of int64
        Ascending.
    held_out : ndarray of int64
        Ascending.
    """
    # Longer than the keys of epochs and steps, none of which it equals.
    rng = np.random.default_rng([seed, 0, 0, 2])
    order = rng.permutation(documents)
    if stratify:
        classes, counts = np.unique(targets[documents], return_counts=True)
        order = order[np.isin(targets[order], classes[counts > 1])]
        order = order[np.argsort(targets[order], kind="stable")]
    most = min(len(order), len(documents) - 1)
    n_held_out = min(max(1, round(fraction * len(documents))), most)
    # Evenly spaced where those of a class stand together.
    places = (np.arange(n_held_out) + 0.5) * (len(order) / max(1, n_held_out))
    held_out = np.sort(order[places.astype(np.int64)])
    return np.setdiff1d(documents, held_out), held_out


def _checkpointer(
    plan: TuningPlan,
    options: TrainingOptions,
    documents: Documents,
    model: TrainedModel,
    network: TunedNetwork,
    first_epoch: int,
) -> Checkpointer | None:
    """Give the run a directory named by what decides its outcome."""
    if plan.checkpoint is None:
        return None
    run = run_hash(
        replace(plan, checkpoint=None),
        replace(options, max_time=None, checkpoint_every=0),
        documents,
        model.digest,
        network.state_dict().values(),
        first_epoch,
    )
    return Checkpointer(plan.checkpoint, run)
