"""From an estimator's parameters to indexed documents, a plan and a trained network."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skelmo.estimators.callbacks import FitTasks
from skelmo.estimators.parameters import check_filters, check_word_embedding
from skelmo.models.history import EpochRecord
from skelmo.nn.bilm import BiLMConfig, LanguageModel
from skelmo.nn.device import torch_device, working_precision
from skelmo.scoring.corpus import Corpus, make_corpus
from skelmo.scoring.likelihood import negative_log_likelihood
from skelmo.text.analysis import Analyzer
from skelmo.text.documents import stream_documents
from skelmo.text.sequences import Sequences, index_documents
from skelmo.text.truncation import Truncation, count_truncation
from skelmo.training.pretraining import Plan, Pretrained, Start, pretrain
from skelmo.training.progress import ProgressBar
from skelmo.training.state import (
    Observers,
    TrainingOptions,
    TrainingState,
)
from skelmo.validation import check_corpus_size, check_not_empty, stack_level

if TYPE_CHECKING:
    from skelmo.estimators.language_model import ElmoLanguageModel


_OPTIONS = {field.name for field in fields(TrainingOptions)} - {"seed", "precision"}


class Trained(NamedTuple):
    """What `ElmoLanguageModel` keeps of training."""

    model: LanguageModel
    vocabulary: list[str]
    history: list[EpochRecord]
    n_epochs: int
    n_tokens: int
    unknown_share: float
    truncation: Truncation
    optimizer: dict[str, NDArray[np.float32]]

    def attributes(self) -> dict[str, Any]:
        """Return it as the attributes of a fitted estimator."""
        return {
            "network_": self.model,
            "config_": self.model.bilm.config,
            "vocabulary_": self.vocabulary,
            "history_": self.history,
            "n_epochs_": self.n_epochs,
            "n_tokens_": self.n_tokens,
            "unknown_share_": self.unknown_share,
            "truncation_": self.truncation,
            "_optimizer": self.optimizer,
        }


def fit(
    estimator: ElmoLanguageModel,
    X: Any,
    y: Any = None,
    X_val: Any = None,
    *,
    one_pass: bool = False,
) -> ElmoLanguageModel:
    """Train an estimator, telling its callbacks, and give it what training gave.

    Parameters
    ----------
    estimator : ElmoLanguageModel
    X : iterable of str, or os.PathLike
    y : object, optional
        For the callbacks.
    X_val : iterable of str, or os.PathLike, optional
    one_pass : bool, default=False
        As for `pretrain_on`.

    Returns
    -------
    estimator : ElmoLanguageModel
    """
    name, max_epochs = "fit", estimator.max_epochs
    if one_pass:
        name, max_epochs = "partial_fit", 1
    tasks = FitTasks(estimator, name, max_epochs, X, y)
    trained = pretrain_on(estimator, X, X_val, tasks, one_pass=one_pass)
    for attribute, value in trained.attributes().items():
        setattr(estimator, attribute, value)
    tasks.end()
    return estimator


def analyzer_of(estimator: ElmoLanguageModel) -> Analyzer:
    """Return the estimator's way from a document to sequences of tokens."""
    return Analyzer(
        estimator.tokenizer,
        estimator.sentence_splitter,
        estimator.sequence,
        estimator.input,
    )


def pretrain_on(
    estimator: ElmoLanguageModel,
    X: Any,
    X_val: Any,
    tasks: FitTasks,
    *,
    one_pass: bool = False,
) -> Trained:
    """Train a network as the estimator's parameters say.

    Parameters
    ----------
    estimator : ElmoLanguageModel
    X : iterable of str, or os.PathLike
        Documents to train on; see `stream_documents`.
    X_val : iterable of str, or os.PathLike, or None
        Documents to validate with; None holds some of X out.
    tasks : FitTasks
        What the callbacks are told by.
    one_pass : bool, default=False
        Go through X once, at a constant rate, on from what the estimator has learned.

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        If X holds no document or fewer than two tokens, or if parameters do not go
        together.
    """
    owner = type(estimator).__name__
    plan = _plan(estimator)
    goes_on = hasattr(estimator, "network_") and (one_pass or estimator.warm_start)
    start = start_from(estimator) if goes_on else _read_init(estimator)
    seed = int(check_random_state(estimator.random_state).randint(2**31 - 1))
    options = TrainingOptions(
        **{name: getattr(estimator, name) for name in _OPTIONS},
        precision=working_precision(
            estimator.precision, torch.device(plan.device), owner
        ),
        seed=seed,
    )
    if one_pass:
        options = replace(
            options, learning_rate="constant", warmup=0.0, max_epochs=1,
            early_stopping=False,
        )  # fmt: skip
        plan = replace(plan, checkpoint=None)
    if plan.checkpoint is not None and estimator.random_state is None:
        warnings.warn(
            f"checkpoint={plan.checkpoint!r} of {owner} will not be found again: with "
            f"random_state=None every run is another one. Set random_state to an "
            f"integer.",
            stacklevel=stack_level(),
        )
    streams = [_documents(estimator, X)]
    if X_val is not None:
        streams.append(_documents(estimator, X_val))
    sequences, (n_documents, *_) = _index(estimator, *streams)
    check_not_empty(n_documents, owner)
    n_sequences = sequences.document_offsets[n_documents]
    check_corpus_size(int(sequences.offsets[n_sequences] - 2 * n_sequences), owner)

    def trained(result: Pretrained) -> Trained:
        limit = result.model.bilm.config.max_characters
        before = start if goes_on and one_pass else None
        return _joined(before, result, count_truncation(sequences, limit))

    bar = ProgressBar(options.max_epochs, estimator.verbose, options.max_time)
    with closing(bar):
        result = pretrain(
            sequences, plan, options, Observers(bar, tasks),
            start=start, keep_vocabulary=goes_on and one_pass,
            n_train=None if X_val is None else n_documents,
            watch=lambda so_far: tasks.give(lambda: trained(so_far()).attributes()),
        )  # fmt: skip
    if result.state.diverged:
        _warn_of_divergence(estimator, result.state)
    return trained(result)


def _joined(
    before: Start | None, result: Pretrained, truncation: Truncation
) -> Trained:
    """Return what was trained, counted on from what was there before."""
    history = [] if before is None else list(before.history)
    n_epochs = 0 if before is None else before.n_epochs
    n_tokens = 0 if before is None else before.n_tokens
    for record in result.state.history:
        later = record.epoch + n_epochs, record.n_tokens + n_tokens
        history.append(record._replace(epoch=later[0], n_tokens=later[1]))
    return Trained(
        result.model,
        result.vocabulary,
        history,
        n_epochs + result.state.epoch,
        n_tokens + result.state.n_tokens,
        result.unknown_share,
        truncation,
        result.optimizer,
    )


def _warn_of_divergence(estimator: ElmoLanguageModel, state: TrainingState) -> None:
    kept = f"epoch {state.best_epoch}" if state.best_epoch else "the start"
    warnings.warn(
        f"The loss of {type(estimator).__name__} became {state.last_loss:.3g} in epoch "
        f"{state.epoch + 1} (learning_rate_init={estimator.learning_rate_init}); the "
        f"weights of {kept} are kept. Lower learning_rate_init or max_grad_norm.",
        ConvergenceWarning,
        stacklevel=stack_level(),
    )


def start_from(estimator: ElmoLanguageModel) -> Start:
    """Return a fitted estimator as a point to go on from."""
    return Start(
        estimator.network_,
        estimator.vocabulary_,
        estimator.n_epochs_,
        estimator.n_tokens_,
        estimator.history_,
        getattr(estimator, "_optimizer", None),
    )


def _read_init(estimator: ElmoLanguageModel) -> Start | None:
    """Read the model of `init`; functions, which files lack, are the estimator's."""
    if estimator.init is None:
        return None
    given = {"device": estimator.device}
    for name in ("tokenizer", "sentence_splitter"):
        if getattr(estimator, name) is not None:
            given[name] = getattr(estimator, name)
    return start_from(type(estimator).load(estimator.init, **given))


def read_corpus(estimator: ElmoLanguageModel, X: Any, purpose: str) -> Corpus:
    """Read documents as a fitted estimator with a softmax reads them.

    Parameters
    ----------
    estimator : ElmoLanguageModel
    X : iterable of str, or os.PathLike
    purpose : str
        What the softmax is for, as the message has it: "give likelihoods".

    Returns
    -------
    Corpus

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If its model came without a softmax.
    """
    check_is_fitted(estimator)
    if not len(estimator.network_.softmax.bias):
        raise ValueError(
            f"{type(estimator).__name__} needs a softmax to {purpose}, but the files "
            f"it was read from hold none: they suffice for features only. Train a "
            f"model with fit."
        )
    sequences, _ = _index(estimator, _documents(estimator, X))
    vocabulary, config = estimator.vocabulary_ or [], estimator.config_
    return make_corpus(sequences, vocabulary, config.max_characters, config.lowercase)


def document_nll(
    estimator: ElmoLanguageModel, X: Any
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the negative log-likelihood of each document.

    Parameters
    ----------
    estimator : ElmoLanguageModel
        Fitted.
    X : iterable of str, or os.PathLike

    Returns
    -------
    nll : ndarray of shape (N, 2), float64
        Forward and backward, in nats.
    n_predictions : ndarray of shape (N,), int64
        Predictions in one direction: tokens plus one for each sequence.

    Raises
    ------
    ValueError
        If the model came without a softmax, or X without a token.
    """
    corpus = read_corpus(estimator, X, "give likelihoods")
    sequences = corpus.sequences
    if not len(sequences.lengths):
        raise ValueError(
            f"{type(estimator).__name__} needs at least 1 token to give likelihoods, "
            f"but X has {sequences.n_documents} documents and no token. Pass some text."
        )
    which = np.arange(len(sequences.lengths))
    by_sequence = negative_log_likelihood(estimator.network_, corpus, which)
    nll = np.zeros((sequences.n_documents, 2))
    n_predictions = np.zeros(sequences.n_documents, dtype=np.int64)
    owners = sequences.document_of_sequence
    np.add.at(nll, owners, by_sequence)
    np.add.at(n_predictions, owners, sequences.lengths - 1)
    return nll, n_predictions


def _documents(estimator: ElmoLanguageModel, X: Any) -> Iterator[Any]:
    owner = type(estimator).__name__
    return stream_documents(
        X, owner=owner, missing=estimator.missing, input=estimator.input
    )


def _index(
    estimator: ElmoLanguageModel, *streams: Iterable[Any]
) -> tuple[Sequences, list[int]]:
    """Index documents, those of one stream after the other; count those of each."""
    analyze = analyzer_of(estimator)
    sizes = [0] * len(streams)

    def analyzed() -> Iterator[list[list[str]]]:
        for k, stream in enumerate(streams):
            for value in stream:
                sizes[k] += 1
                # A missing document keeps its place, without a sequence.
                yield [] if value is None else analyze(value)

    return index_documents(analyzed()), sizes


def _plan(estimator: ElmoLanguageModel) -> Plan:
    owner = type(estimator).__name__
    check_word_embedding(estimator, owner)
    vectors, checkpoint = estimator.init_word_vectors, estimator.checkpoint
    config = BiLMConfig(
        filters=check_filters(estimator.filters, estimator.max_characters, owner),
        char_embedding_dim=estimator.char_embedding_dim,
        n_highway=estimator.n_highway,
        activation=estimator.activation,
        max_characters=estimator.max_characters,
        word_embedding_dim=estimator.word_embedding_dim,
        lowercase=bool(estimator.lowercase),
        hidden_size=estimator.hidden_size,
        proj_size=estimator.proj_size,
        num_layers=estimator.num_layers,
        cell_clip=estimator.cell_clip,
        proj_clip=estimator.proj_clip,
        skip_connections=estimator.skip_connections,
    )
    return Plan(
        config,
        estimator.min_count,
        estimator.max_vocabulary,
        estimator.validation_fraction,
        estimator.dropout,
        estimator.tie_weights,
        None if vectors is None else os.fspath(vectors),
        None if checkpoint is None else os.fspath(checkpoint),
        str(torch_device(estimator.device)),
    )
