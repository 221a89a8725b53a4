"""From an estimator's parameters to indexed documents, a plan and a trained network."""

from __future__ import annotations

import warnings
from contextlib import closing
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skelmo.nn.bilm import BiLMConfig
from skelmo.persistence import torch_device
from skelmo.text.analysis import Analyzer
from skelmo.text.sequences import Sequences, index_documents
from skelmo.text.truncation import Truncation, count_truncation
from skelmo.training.corpus import make_corpus
from skelmo.training.evaluation import LanguageModel, negative_log_likelihood
from skelmo.training.pretraining import Plan, pretrain
from skelmo.training.progress import ProgressBar
from skelmo.training.trainer import TrainingOptions, TrainingState
from skelmo.validation import (
    check_corpus_size,
    check_documents,
    check_filters,
    check_not_empty,
    check_tied_sizes,
)

if TYPE_CHECKING:
    from skelmo.language_model import ElmoLanguageModel


class Trained(NamedTuple):
    """What `ElmoLanguageModel.fit` keeps."""

    model: LanguageModel
    vocabulary: list[str]
    state: TrainingState
    unknown_share: float
    truncation: Truncation


def analyzer_of(estimator: ElmoLanguageModel) -> Analyzer:
    """Return the estimator's way from a document to sequences of tokens."""
    return Analyzer(
        estimator.tokenizer,
        estimator.sentence_splitter,
        estimator.sequence,
        estimator.input,
    )


def pretrain_on(estimator: ElmoLanguageModel, X: Any) -> Trained:
    """Train a network as the estimator's parameters say.

    Raises
    ------
    ValueError
        If X holds no document or fewer than two tokens, or if parameters do not go
        together.
    """
    plan = _plan(estimator)
    owner = type(estimator).__name__
    sequences = _index(estimator, X, fitting=True)
    check_corpus_size(len(sequences.token_ids) - 2 * len(sequences.lengths), owner)
    seed = int(check_random_state(estimator.random_state).randint(2**31 - 1))
    names = {field.name for field in fields(TrainingOptions)} - {"seed"}
    options = TrainingOptions(
        **{name: getattr(estimator, name) for name in names}, seed=seed
    )
    with closing(ProgressBar(estimator.max_epochs, estimator.verbose)) as bar:
        result = pretrain(sequences, plan, options, bar)
    if result.state.diverged:
        warnings.warn(
            f"The loss of {owner} became nan in epoch {result.state.epoch + 1} "
            f"(learning_rate_init={estimator.learning_rate_init}); the weights of "
            f"{_kept(result.state.best_epoch)} are kept. Lower learning_rate_init or "
            f"max_grad_norm.",
            ConvergenceWarning,
            stacklevel=4,
        )
    truncation = count_truncation(sequences, estimator.max_characters)
    return Trained(*result, truncation)


def _kept(epoch: int) -> str:
    return f"epoch {epoch}" if epoch > 0 else "the start"


def document_nll(
    estimator: ElmoLanguageModel, X: Any
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the negative log-likelihood of each document.

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
    sequences = _index(estimator, X, fitting=False)
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


def _index(estimator: ElmoLanguageModel, X: Any, *, fitting: bool) -> Sequences:
    owner = type(estimator).__name__
    documents = check_documents(
        X, owner=owner, missing=estimator.missing, input=estimator.input
    )
    if fitting:
        check_not_empty(documents, owner)
    analyze = analyzer_of(estimator)
    # A missing document keeps its place, without a sequence.
    return index_documents(
        [] if value is None else analyze(value) for value in documents.values
    )


def _plan(estimator: ElmoLanguageModel) -> Plan:
    owner = type(estimator).__name__
    check_tied_sizes(estimator, owner)
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
        str(torch_device(estimator.device)),
    )
