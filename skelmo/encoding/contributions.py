"""What each token of a document contributes to the outputs of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from skelmo.encoding.document_outputs import DocumentOutputs
from skelmo.encoding.features import Features
from skelmo.nn.heads import AttentionPooling, Head
from skelmo.nn.modes import modes
from skelmo.text.distinct import index_distinct


@dataclass(frozen=True, eq=False)
class TokenContributions:
    """The tokens of a document, and what each contributes to each output.

    Parameters
    ----------
    tokens : list of str
        As the language model reads them.
    contributions : ndarray of shape (n_tokens, n_outputs), float64
        Above 0 for a token that speaks for an output, below for one against it.
    classes : sequence or None, default=None
        Of length n_outputs: the class that each output speaks for, if it is known.
    attention : ndarray of shape (n_tokens, n_heads), float64, or None, default=None
        Share of each token in what a head of attention reads; of sum 1 over tokens.
    """

    tokens: list[str]
    contributions: NDArray[np.float64]
    classes: Sequence[Any] | None = None
    attention: NDArray[np.float64] | None = None

    @property
    def total(self) -> NDArray[np.float64]:
        """Sum over the tokens, of shape (n_outputs,)."""
        return self.contributions.sum(axis=0)


def linear_contributions(
    features: Features,
    coef: NDArray[np.float64],
    documents: Iterable[object],
    classes: Sequence[Any] | None = None,
) -> list[TokenContributions]:
    """Divide what a linear model makes of documents among their tokens.

    The mean over tokens is linear, and so are a choice or a mix of layers and principal
    components. A token's part is the model's answer to that token alone, divided by the
    number of tokens.

    Parameters
    ----------
    features : Features
        With ``pooling=("mean",)``.
    coef : ndarray of shape (n_outputs, n_features), float64
    documents : iterable of str, of list, or of None
        Checked.
    classes : sequence or None, default=None
        Of length n_outputs.

    Returns
    -------
    found : list of TokenContributions
        One for each document; without tokens for a missing one.
    """
    weights, origin = coef, np.zeros(1, dtype=np.float32)
    if features.reduction is not None:
        weights = coef @ features.reduction.components.astype(np.float64)
        origin = features.reduction.mean
    documents = list(documents)
    (distinct,) = features.index(iter(documents))
    shares = {}
    encoder = features.settings.encoder(features.model)
    for number, activations in encoder.tokens(distinct.sequences):
        rows = features.layers(activations).astype(np.float64) - origin
        shares[number] = rows @ weights.T / max(len(rows), 1)
    nothing = np.zeros((0, len(coef)))
    tokens = features.analyzer.tokens(documents)
    return [
        TokenContributions(words, shares.get(number, nothing).copy(), classes)
        for words, number in zip(tokens, distinct.place.tolist(), strict=True)
    ]


def head_contributions(
    outputs: DocumentOutputs,
    documents: Iterable[object],
    change: NDArray[np.float64],
    classes: Sequence[Any] | None = None,
) -> list[TokenContributions]:
    """Tell what each token contributes to what a head gives of a document.

    It is the gradient by the token's layers, as the head reads them, times these, less
    an equal share of what the average document gets so: how much faster an output grows
    with the token's vector than with any. Of a head without hidden layers or attention,
    the contributions of a document sum to its outputs less their biases.

    Parameters
    ----------
    outputs : DocumentOutputs
    documents : iterable of str or of list
        Checked.
    change : ndarray of shape (K, n_outputs), float64
        What the head's outputs are multiplied by.
    classes : sequence or None, default=None
        Of length n_outputs.

    Returns
    -------
    found : list of TokenContributions
        One for each document.
    """
    documents = list(documents)
    distinct = index_distinct(iter(documents), outputs.analyzer)
    device = outputs.model.device
    shares = {
        number: _gradients(outputs.head.network, torch.tensor(activations).to(device))
        for number, activations in outputs.reader(distinct)
    }
    found = []
    tokens = outputs.analyzer.tokens(documents)
    for words, number in zip(tokens, distinct.place.tolist(), strict=True):
        parts, attention = shares[number]
        weights = None if attention is None else attention.copy()
        found.append(TokenContributions(words, parts @ change, classes, weights))
    return found


@modes(grad=True)
def _gradients(
    head: Head, activations: torch.Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return gradients times inputs of a document, (n, K), and attention, (n, heads).

    A document goes by itself, so that others change nothing.
    """
    mixed = head.mix(activations).detach().requires_grad_()
    lengths = torch.tensor([len(mixed)], device=mixed.device)
    pooled = head.pool_mixed(mixed, lengths)
    columns = []
    for output in head.outputs(pooled)[0]:
        by_token, by_pooled = torch.autograd.grad(
            output, (mixed, pooled), retain_graph=True
        )
        average = (by_pooled @ head.standardization.offset) / max(len(mixed), 1)
        columns.append((by_token * mixed.detach()).sum(1) - average)
    parts = torch.stack(columns, 1).double().cpu().numpy()
    if not isinstance(head.pooling, AttentionPooling):
        return parts, None
    weights = head.pooling.weights(mixed.detach(), lengths)[0, : len(mixed)]
    return parts, weights.detach().double().cpu().numpy()
