"""From an estimator's parameters to indexed documents, a plan and a trained network."""

from __future__ import annotations

import os
import warnings
from contextlib import closing
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skelmo.nn.bilm import BiLMConfig
from skelmo.parameters import check_filters, check_word_embedding
from skelmo.persistence import torch_device
from skelmo.text.analysis import Analyzer
from skelmo.text.sequences import Sequences, index_documents
from skelmo.text.truncation import Truncation, count_truncation
from skelmo.training.corpus import make_corpus
from skelmo.training.evaluation import LanguageModel, negative_log_likelihood
from skelmo.training.pretraining import Plan, Pretrained, Start, pretrain
from skelmo.training.progress import ProgressBar
from skelmo.training.state import EpochRecord, TrainingOptions, TrainingState
from skelmo.validation import (
    check_corpus_size,
    check_documents,
    check_not_empty,
    stack_level,
)

if TYPE_CHECKING:
    from skelmo.language_model import ElmoLanguageModel


_OPTIONS = {field.name for field in fields(TrainingOptions)} - {"seed"}


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
    X_val: Any = None,
    *,
    one_pass: bool = False,
) -> Trained:
    """Train a network as the estimator's parameters say.

    Parameters
    ----------
    estimator : ElmoLanguageModel
    X : iterable of str
        Documents to train on.
    X_val : iterable of str, optional
        Documents to validate with; None holds some of X out.
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
        **{name: getattr(estimator, name) for name in _OPTIONS}, seed=seed
    )
    if one_pass:
        options = replace(
            options, learning_rate="constant", warmup=0.0, max_epochs=1,
            early_stopping=False,
        )  # fmt: skip
        plan = replace(plan, checkpoint=None)
    documents = _documents(estimator, X)
    check_not_empty(documents, owner)
    n_train = None
    if X_val is not None:
        n_train = len(documents)
        documents = documents + _documents(estimator, X_val)
    sequences = _index(estimator, documents)
    n_documents = sequences.n_documents if n_train is None else n_train
    n_sequences = sequences.document_offsets[n_documents]
    check_corpus_size(int(sequences.offsets[n_sequences] - 2 * n_sequences), owner)
    with closing(ProgressBar(options.max_epochs, estimator.verbose)) as bar:
        result = pretrain(
            sequences, plan, options, bar,
            start=start, keep_vocabulary=goes_on and one_pass, n_train=n_train,
        )  # fmt: skip
    if result.state.diverged:
        _warn_of_divergence(estimator, result.state)
    max_characters = result.model.bilm.config.max_characters
    truncation = count_truncation(sequences, max_characters)
    return _joined(start if goes_on and one_pass else None, result, truncation)


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


def document_nll(
    estimator: ElmoLanguageModel, X: Any
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the negative log-likelihood of each document.

    Parameters
    ----------
    estimator : ElmoLanguageModel
        Fitted.
    X : iterable of str

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
    check_is_fitted(estimator)
    owner = type(estimator).__name__
    if not len(estimator.network_.softmax.bias):
        raise ValueError(
            f"{owner} needs a softmax to give likelihoods, but the files it was read "
            f"from hold none: they suffice for features only. Train a model with fit."
        )
    sequences = _index(estimator, _documents(estimator, X))
    if not len(sequences.lengths):
        raise ValueError(
            f"{owner} needs at least 1 token to give likelihoods, but X has "
            f"{sequences.n_documents} documents and no token. Pass some text."
        )
    corpus = make_corpus(
        sequences, estimator.vocabulary_ or [], estimator.config_.max_characters
    )
    which = np.arange(len(sequences.lengths))
    by_sequence = negative_log_likelihood(estimator.network_, corpus, which)
    nll = np.zeros((sequences.n_documents, 2))
    n_predictions = np.zeros(sequences.n_documents, dtype=np.int64)
    owners = sequences.document_of_sequence
    np.add.at(nll, owners, by_sequence)
    np.add.at(n_predictions, owners, sequences.lengths - 1)
    return nll, n_predictions


def _documents(estimator: ElmoLanguageModel, X: Any) -> list[Any]:
    owner = type(estimator).__name__
    return check_documents(
        X, owner=owner, missing=estimator.missing, input=estimator.input
    ).values


def _index(estimator: ElmoLanguageModel, documents: list[Any]) -> Sequences:
    analyze = analyzer_of(estimator)
    # A missing document keeps its place, without a sequence.
    return index_documents(
        [] if value is None else analyze(value) for value in documents
    )


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
