"""Likelihood under the full softmax, each direction apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from skelmo.activations import run_batch, token_vectors
from skelmo.batching import cut_by_budget, pack, sort_by_length
from skelmo.nn.bilm import BiLM
from skelmo.nn.softmax import SoftmaxLoss
from skelmo.training.corpus import Corpus


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


class LanguageModel(torch.nn.Module):
    """A `BiLM` under its softmax.

    Parameters
    ----------
    bilm : BiLM
    softmax : SoftmaxLoss
        Of no words in a model that gives features only.
    """

    def __init__(self, bilm: BiLM, softmax: SoftmaxLoss) -> None:
        super().__init__()
        self.bilm = bilm
        self.softmax = softmax


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
    sequences = corpus.sequences
    order = sort_by_length(which, sequences.token_ids, sequences.offsets)
    place = {int(s): k for k, s in enumerate(which)}
    nll = np.zeros((len(which), 2))
    if not len(which):
        return nll
    device = model.softmax.bias.device
    with torch.no_grad():
        vectors = _vectors(model.bilm, corpus, order)
        for cut in cut_by_budget(sequences.lengths[order], max_batch_tokens):
            members = order[cut]
            lengths = sequences.lengths[members]
            batch = pack(members, sequences.offsets[members], lengths)
            ids = torch.from_numpy(sequences.token_ids[batch.positions]).long()
            words = torch.from_numpy(corpus.word_of_token)[ids].to(device)
            rows = torch.from_numpy(batch.rows)
            earlier, later = torch.from_numpy(batch.following)
            first_row = np.concatenate([[0], np.cumsum(batch.batch_sizes)])
            total = torch.zeros(2, len(batch.sequences), dtype=torch.float64)
            for stretch in run_batch(
                model.bilm, batch, vectors, ids.to(device), max_batch_tokens
            ):
                directions = (
                    (stretch.forward, stretch.forward_steps, earlier, later),
                    (stretch.backward, stretch.backward_steps, later, earlier),
                )
                for d, (hidden, steps, source, target) in enumerate(directions):
                    low, high = first_row[min(steps)], first_row[max(steps) + 1]
                    inside = (source >= low) & (source < high)
                    at = source[inside]
                    losses = model.softmax.nll(
                        hidden[-1][(at - low).to(device)],
                        words[target[inside].to(device)],
                    )
                    total[d].index_add_(0, rows[at], losses.double().cpu())
            nll[[place[int(s)] for s in members]] = total.numpy().T
    return nll


def _vectors(bilm: BiLM, corpus: Corpus, which: NDArray[np.int64]) -> torch.Tensor:
    """Encode the tokens that some sequences use; other rows stay zero."""
    sequences = corpus.sequences
    spans = [sequences.token_ids[slice(*sequences.offsets[[s, s + 1]])] for s in which]
    used = np.unique(np.concatenate(spans))
    words = corpus.word_of_token[used] if bilm.config.word_embedding_dim else None
    encoded = token_vectors(bilm, corpus.char_ids[used], words)
    vectors = encoded.new_zeros(len(sequences.tokens), encoded.shape[1])
    vectors[torch.from_numpy(used).long().to(vectors.device)] = encoded
    return vectors
