"""From indexed documents to a trained language model."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from skelmo.models.trained import TrainedModel
from skelmo.nn.bilm import LanguageModel
from skelmo.nn.modes import modes
from skelmo.pretrained import registry
from skelmo.pretrained.saved_model import FUNCTIONS, check_functions
from skelmo.scoring.corpus import (
    choose_alphabet,
    choose_vocabulary,
    make_corpus,
    sequences_of,
    split_documents,
)
from skelmo.text.sequences import Sequences
from skelmo.text.token_indexer import TokenIndexer
from skelmo.text.truncation import count_truncation
from skelmo.training.checkpoint import Checkpointer, run_hash
from skelmo.training.initialization import build_model
from skelmo.training.language_modeling import LanguageModeling
from skelmo.training.loop import Loop
from skelmo.training.plan import Plan, options_from, plan_from
from skelmo.training.progress import ProgressBar
from skelmo.training.ranks import ALONE, Ranks, device_name, join
from skelmo.training.state import (
    Observer,
    Observers,
    TrainingOptions,
    TrainingState,
)
from skelmo.validation import check_corpus_size, check_not_empty, stack_level
from skelmo.version import __version__


@dataclass(frozen=True)
class Pretraining:
    """A training run that knows all but its documents.

    Parameters
    ----------
    plan : Plan
    options : TrainingOptions
    owner : str
        The class that asks, for the messages.
    start : TrainedModel or None, default=None
        Model to go on from.
    goes_on : bool, default=False
        As for `pretrain`.
    verbose : int, default=0
        1 shows progress bars.
    ranks : Ranks, default=ALONE
        Processes that train together; `options.batch_tokens` are those of all.
    """

    plan: Plan
    options: TrainingOptions
    owner: str
    start: TrainedModel | None = None
    goes_on: bool = False
    verbose: int = 0
    ranks: Ranks = ALONE

    @classmethod
    def from_parameters(
        cls,
        parameters: Mapping[str, Any],
        owner: str,
        *,
        model: TrainedModel | None = None,
        one_pass: bool = False,
    ) -> Pretraining:
        """Make ready what an estimator's parameters ask for.

        Parameters
        ----------
        parameters : mapping of str to object
            Those of `ElmoLanguageModel`. A RandomState among them is drawn from.
        owner : str
            The class that asks, for the messages.
        model : TrainedModel, optional
            What the estimator has learned before.
        one_pass : bool, default=False
            Go through the documents once, at a constant rate, on from `model`.

        Returns
        -------
        Pretraining

        Raises
        ------
        ValueError
            If parameters do not go together, or if RANK or what comes with it makes no
            sense.
        RankLostError
            If not all processes of the run come together.

        Warns
        -----
        UserWarning
            If there are to be checkpoints that no run will find again.
        """
        parameters = {**parameters, "device": device_name(parameters["device"])}
        plan = plan_from(parameters, owner)
        ranks = join(torch.device(plan.device))
        device = torch.device(plan.device)
        goes_on = model is not None and (one_pass or parameters["warm_start"])
        start = model if goes_on else _read_init(parameters, device)
        seed = int(check_random_state(parameters["random_state"]).randint(2**31 - 1))
        seed_of_first = int(ranks.first(seed))
        if parameters["random_state"] is None:
            seed = seed_of_first
        options = _shared(options_from(parameters, seed, device), ranks)
        if one_pass:
            options = replace(
                options,
                learning_rate="constant",
                warmup=0.0,
                max_epochs=1,
                early_stopping=False,
            )
            plan = replace(plan, checkpoint=None)
        if plan.checkpoint is not None and parameters["random_state"] is None:
            warnings.warn(
                f"checkpoint={plan.checkpoint!r} of {owner} will not be found again: "
                f"with random_state=None every run is another one. Set random_state to "
                f"an integer.",
                stacklevel=stack_level(),
            )
        verbose = parameters["verbose"] if ranks.is_first else 0
        goes_on = goes_on and one_pass
        return cls(plan, options, owner, start, goes_on, verbose, ranks)

    def __call__(
        self,
        sequences: Sequences,
        observer: Observer,
        *,
        n_train: int | None = None,
        watch: Callable[[Callable[[], TrainedModel]], None] | None = None,
    ) -> TrainedModel:
        """Train.

        Parameters
        ----------
        sequences : Sequences
        observer : Observer
            Told besides the progress bar.
        n_train : int, optional
            Documents to train on, the others being for validation; None draws them.
        watch : callable, optional
            As for `pretrain`.

        Returns
        -------
        model : TrainedModel

        Raises
        ------
        ValueError
            If there is no document, or fewer than two tokens, to train on.
        """
        n_documents = sequences.n_documents if n_train is None else n_train
        check_not_empty(n_documents, self.owner)
        n_sequences = sequences.document_offsets[n_documents]
        n_tokens = int(sequences.offsets[n_sequences] - 2 * n_sequences)
        check_corpus_size(n_tokens, self.owner)
        options = self.options
        bar = ProgressBar(options.max_epochs, self.verbose, options.max_time)
        with closing(bar):
            return pretrain(
                sequences,
                self.plan,
                options,
                Observers(bar, observer),
                owner=self.owner,
                start=self.start,
                goes_on=self.goes_on,
                n_train=n_train,
                watch=watch,
                ranks=self.ranks,
            )


def _shared(options: TrainingOptions, ranks: Ranks) -> TrainingOptions:
    """Return the options of all processes by those of each."""
    max_time = ranks.first(options.max_time or math.inf)
    return replace(
        options,
        batch_tokens=options.batch_tokens * ranks.size,
        max_time=None if math.isinf(max_time) else max_time,
    )


def _read_init(
    parameters: Mapping[str, Any], device: torch.device
) -> TrainedModel | None:
    """Read the model of `init`; functions, which files lack, are the estimator's."""
    if parameters["init"] is None:
        return None
    saved = registry.load(parameters["init"])
    check_functions(saved, [n for n in FUNCTIONS if parameters[n] is not None])
    return TrainedModel.from_saved(saved, device)


@modes(grad=True)
def pretrain(
    sequences: Sequences,
    plan: Plan,
    options: TrainingOptions,
    observer: Observer,
    *,
    owner: str = "pretrain",
    start: TrainedModel | None = None,
    goes_on: bool = False,
    n_train: int | None = None,
    watch: Callable[[Callable[[], TrainedModel]], None] | None = None,
    ranks: Ranks = ALONE,
) -> TrainedModel:
    """Train a language model, from scratch or from a trained one.

    Parameters
    ----------
    sequences : Sequences
        Documents to train on and to validate with.
    plan : Plan
        With `start`, its sizes give way to those of the model there.
    options : TrainingOptions
    observer : Observer
    owner : str, default="pretrain"
        The class that asks, for the warning.
    start : TrainedModel, optional
        Model to go on from; the rows of words that it knows are kept.
    goes_on : bool, default=False
        Whether `start` is trained on as one model: with its vocabulary and what its
        optimiser remembers, epochs and tokens counted on.
    n_train : int, optional
        Documents to train on, the others being for validation; None draws them.
    watch : callable, optional
        Called before training, with a function that returns a copy of what training
        has given by then: the best weights so far.
    ranks : Ranks, default=ALONE
        Processes that call this together, with the same arguments, and share the
        sequences of each step. The first alone writes checkpoints.

    Returns
    -------
    model : TrainedModel
        The same on all of them.

    Raises
    ------
    ValueError
        If processes are given different things, or have nothing to do in any step.

    Warns
    -----
    ConvergenceWarning
        If the loss left all bounds; the weights of the best epoch are returned.
    """
    train, held_out = _split(sequences, plan, options, n_train)
    before = start if goes_on else None
    vocabulary = _find_vocabulary(sequences, train, plan, start, goes_on)
    alphabet = _find_alphabet(sequences, train, plan, start)
    network = build_model(plan, vocabulary, options.seed, start, alphabet)
    first_epoch = 0 if start is None else start.n_epochs
    config = network.bilm.config
    indexer = TokenIndexer.of(
        vocabulary, config.max_characters, config.lowercase, alphabet
    )
    corpus = make_corpus(sequences, indexer)
    decisive = (
        replace(plan, device="", checkpoint=None),
        replace(options, max_time=None, checkpoint_every=0),
        corpus.sequences,
        vocabulary,
        (train, held_out),
        config,
        network.state_dict().values(),
        first_epoch,
    )
    objective = LanguageModeling(
        network,
        corpus,
        sequences_of(sequences, train),
        sequences_of(sequences, held_out),
        options,
        ranks,
    )
    if ranks.size > 1:
        _check_ranks(ranks, decisive, objective.batches(first_epoch), owner)
    checkpointer = None
    if plan.checkpoint is not None and ranks.is_first:
        # A directory named by what decides the outcome.
        checkpointer = Checkpointer(plan.checkpoint, run_hash(*decisive))
    loop = Loop(objective, options, observer, checkpointer, first_epoch, ranks=ranks)
    if before is not None:
        loop.go_on_from(before.optimizer)
    truncation = count_truncation(sequences, indexer.characters)

    def result(network: LanguageModel) -> TrainedModel:
        state = loop.state
        model = TrainedModel(
            network,
            vocabulary,
            tuple(state.history),
            state.epoch,
            state.n_tokens,
            corpus.unknown_share,
            truncation,
            loop.remembered(),
            alphabet,
        )
        return model if before is None else _counted_on(before, model)

    def so_far() -> TrainedModel:
        copied = copy.deepcopy(network)
        copied.load_state_dict(loop.best_weights)
        return result(copied.eval())

    if watch is not None:
        watch(so_far)
    state = loop.run()
    if state.diverged:
        warn_of_divergence(state, options, owner)
    return result(network)


def _find_vocabulary(
    sequences: Sequences,
    train: NDArray[np.int64],
    plan: Plan,
    start: TrainedModel | None,
    goes_on: bool,
) -> list[str]:
    """Return the vocabulary of the model that is trained on, or a new one."""
    if goes_on and start is not None and start.vocabulary is not None:
        return start.vocabulary
    return choose_vocabulary(
        sequences,
        train,
        min_count=plan.min_count,
        max_vocabulary=plan.max_vocabulary,
        lowercase=(start or plan).config.lowercase,
    )


def _find_alphabet(
    sequences: Sequences,
    train: NDArray[np.int64],
    plan: Plan,
    start: TrainedModel | None,
) -> list[str] | None:
    """Return the alphabet of the model to go on from, or a new one if one is read."""
    if start is not None:
        return start.alphabet
    if plan.config.characters == "bytes":
        return None
    return choose_alphabet(sequences, train, min_count=plan.min_count)


def _counted_on(before: TrainedModel, model: TrainedModel) -> TrainedModel:
    """Return a model with what was trained before it counted in."""
    later = tuple(
        record._replace(
            epoch=record.epoch + before.n_epochs,
            n_tokens=record.n_tokens + before.n_tokens,
        )
        for record in model.history
    )
    return replace(
        model,
        history=before.history + later,
        n_epochs=before.n_epochs + model.n_epochs,
        n_tokens=before.n_tokens + model.n_tokens,
    )


def warn_of_divergence(
    state: TrainingState, options: TrainingOptions, owner: str
) -> None:
    """Warn that a loss has left all bounds.

    Parameters
    ----------
    state : TrainingState
        Of the run that it happened to.
    options : TrainingOptions
    owner : str
        The class that asks, for the message.

    Warns
    -----
    ConvergenceWarning
    """
    kept = f"epoch {state.best_epoch}" if state.best_epoch else "the start"
    warnings.warn(
        f"The loss of {owner} became {state.last_loss:.3g} in epoch "
        f"{state.epoch + 1} (learning_rate_init={options.learning_rate_init}); the "
        f"weights of {kept} are kept. Lower learning_rate_init or max_grad_norm.",
        ConvergenceWarning,
        stacklevel=stack_level(),
    )


def _split(
    sequences: Sequences, plan: Plan, options: TrainingOptions, n_train: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold out documents that have text; those without are no use on either side."""
    written = np.flatnonzero(np.diff(sequences.document_offsets))
    if n_train is not None:
        return written[written < n_train], written[written >= n_train]
    if not options.early_stopping:
        return written, written[:0]
    rng = np.random.default_rng(options.seed)
    train, held_out = split_documents(len(written), plan.validation_fraction, rng)
    return written[train], written[held_out]


def _check_ranks(
    ranks: Ranks,
    decisive: tuple[Any, ...],
    batches: list[NDArray[np.int64]],
    owner: str,
) -> None:
    """Raise unless all processes do the same, and each has something to do."""
    plan, options, sequences, vocabulary, documents, *start = decisive
    digests = {
        "versions of skelmo or torch": run_hash(__version__, str(torch.__version__)),
        "parameters": run_hash(plan, options),
        "documents": run_hash(sequences, vocabulary, documents),
        "starting weights": run_hash(*start),
    }
    ranks.check_same(digests, owner)
    most = max(map(len, batches))
    if most < ranks.size:
        raise ValueError(
            f"{owner} is trained by {ranks.size} processes, but no step has more than "
            f"{most} sequence{'s' * (most != 1)} for them to share. Start fewer "
            f"processes, or raise batch_tokens={options.batch_tokens // ranks.size}."
        )
