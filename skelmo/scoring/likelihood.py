"""Likelihood under the full softmax, each direction apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skelmo.models.trained import TrainedModel
from skelmo.nn.bilm import BiLM, LanguageModel
from skelmo.nn.modes import modes
from skelmo.nn.packing import cut_by_budget, pack, sort_by_length
from skelmo.nn.running import run_batch, token_vectors
from skelmo.scoring.corpus import Corpus, make_corpus
from skelmo.text.sequences import CHUNK, Sequences, ranges


class Perplexity(NamedTuple):
    """Perplexity of a text, each direction and both.

    ``mean`` is the exponential of the mean of both directions' negative log-likelihoods
    per token, in nats; the end of a sequence counts as a token.
    """

    forward: float
    backward: float
    mean: float

    @classmethod
    def of(cls, nll: NDArray[np.float64], n_predictions: float) -> Perplexity:
        """Return it for both directions' summed negative log-likelihoods, in nats."""
        forward, backward = nll / n_predictions
        # A model far off may pass what a float holds.
        values = np.exp(np.minimum([forward, backward, (forward + backward) / 2], 700))
        return cls(*map(float, values))


@modes(grad=False)
def negative_log_likelihood(
    model: LanguageModel,
    corpus: Corpus,
    which: NDArray[np.int64],
    max_batch_tokens: int = 8192,
) -> NDArray[np.float64]:
    """Return the negative log-likelihood of each sequence, in nats.

    Parameters
    ----------
    model : LanguageModel
        In evaluation mode.
    corpus : Corpus
    which : ndarray of shape (S,), int64
        Sequences to evaluate.
    max_batch_tokens : int, default=8192

    Returns
    -------
    nll : ndarray of shape (S, 2), float64
        Forward and backward, summed over the ``n_tokens + 1`` predictions of each.
    """
    nll = np.zeros((len(which), 2))
    sequences = corpus.sequences
    place = np.zeros(len(sequences.lengths), dtype=np.int64)
    place[which] = np.arange(len(which))
    for d, hidden, targets in predicting_rows(model, corpus, which, max_batch_tokens):
        words = torch.from_numpy(corpus.word_of_token[sequences.token_ids[targets]])
        losses = model.softmax.nll(hidden, words.to(hidden.device))
        owners = np.searchsorted(sequences.offsets, targets, side="right") - 1
        np.add.at(nll[:, d], place[owners], losses.double().cpu().numpy())
    return nll


@torch.no_grad()
def predicting_rows(
    model: LanguageModel,
    corpus: Corpus,
    which: NDArray[np.int64],
    max_batch_tokens: int = 8192,
) -> Iterator[tuple[int, Tensor, NDArray[np.int64]]]:
    """Run sequences; pair the activations that predict with what they predict.

    Parameters
    ----------
    model : LanguageModel
        In evaluation mode.
    corpus : Corpus
    which : ndarray of shape (S,), int64
        Sequences to run.
    max_batch_tokens : int, default=8192

    Yields
    ------
    direction : int
        0 forward, 1 backward.
    hidden : torch.Tensor of shape (m, P)
        Top layer of some tokens, which has seen the token itself and what lies before
        it, in this direction.
    targets : ndarray of shape (m,), int64
        Where the tokens that come next, in this direction, lie in ``token_ids``.
    """
    if not len(which):
        return
    sequences = corpus.sequences
    order = sort_by_length(which, sequences.token_ids, sequences.offsets)
    vectors = _vectors(model.bilm, corpus, order)
    prepared = model.bilm.prepare()
    lengths = sequences.lengths[order]
    for cut in cut_by_budget(lengths, max_batch_tokens):
        members = order[cut]
        batch = pack(members, sequences.offsets[members], lengths[cut])
        ids = torch.from_numpy(sequences.token_ids[batch.positions]).long()
        earlier, later = batch.following
        first_row = np.concatenate([[0], np.cumsum(batch.batch_sizes)])
        for stretch in run_batch(
            model.bilm, batch, vectors, ids.to(vectors.device), max_batch_tokens,
            prepared,
        ):  # fmt: skip
            directions = (
                (stretch.forward, stretch.forward_steps, earlier, later),
                (stretch.backward, stretch.backward_steps, later, earlier),
            )
            for d, (hidden, steps, source, target) in enumerate(directions):
                low, high = first_row[min(steps)], first_row[max(steps) + 1]
                inside = (source >= low) & (source < high)
                at = torch.from_numpy(source[inside] - low).to(vectors.device)
                yield d, hidden[-1][at], batch.positions[target[inside]]


def _vectors(bilm: BiLM, corpus: Corpus, which: NDArray[np.int64]) -> torch.Tensor:
    """Encode the tokens that some sequences use; other rows stay zero."""
    sequences = corpus.sequences
    starts, lengths = sequences.offsets[which], sequences.lengths[which]
    is_used = np.zeros(len(sequences.tokens), dtype=bool)
    for cut in cut_by_budget(lengths, CHUNK):
        is_used[sequences.token_ids[ranges(starts[cut], lengths[cut])]] = True
    used = np.flatnonzero(is_used)
    words = corpus.word_of_token[used] if bilm.config.word_embedding_dim else None
    encoded = token_vectors(bilm, corpus.char_ids[used], words)
    vectors = encoded.new_zeros(len(sequences.tokens), encoded.shape[1])
    vectors[torch.from_numpy(used).to(vectors.device)] = encoded
    return vectors


def check_softmax(model: TrainedModel, owner: str, purpose: str) -> None:
    """Raise unless a model predicts words.

    Parameters
    ----------
    model : TrainedModel
    owner : str
        The class that asks, for the message.
    purpose : str
        What the softmax is for, as the message has it: "give likelihoods".

    Raises
    ------
    ValueError
        If the model came without a softmax.
    """
    if not model.has_softmax:
        raise ValueError(
            f"{owner} needs a softmax to {purpose}, but the files it was read from "
            f"hold none: they suffice for features only. Train a model with fit."
        )


def document_nll(
    model: TrainedModel, sequences: Sequences
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the negative log-likelihood of each document.

    Parameters
    ----------
    model : TrainedModel
        With a softmax.
    sequences : Sequences

    Returns
    -------
    nll : ndarray of shape (N, 2), float64
        Forward and backward, in nats.
    n_predictions : ndarray of shape (N,), int64
        Predictions in one direction: tokens plus one for each sequence; 0 for a
        document without tokens.
    """
    corpus = make_corpus(sequences, model.indexer)
    which = np.arange(len(sequences.lengths))
    by_sequence = negative_log_likelihood(model.network, corpus, which)
    nll = np.zeros((sequences.n_documents, 2))
    n_predictions = np.zeros(sequences.n_documents, dtype=np.int64)
    owners = sequences.document_of_sequence
    np.add.at(nll, owners, by_sequence)
    np.add.at(n_predictions, owners, sequences.lengths - 1)
    return nll, n_predictions
