"""Which words fit a place: what both directions say of a masked token."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from skelmo.models.trained import TrainedModel
from skelmo.nn.bilm import LanguageModel
from skelmo.nn.modes import modes
from skelmo.nn.softmax import LOGITS_AT_ONCE
from skelmo.scoring.corpus import Corpus, make_corpus
from skelmo.scoring.likelihood import predicting_rows
from skelmo.text.sequences import Sequences
from skelmo.text.vocabulary import UNKNOWN
from skelmo.validation import is_whole

FIRST_WORD = UNKNOWN + 1  # the special words, which are never proposed, come before


class WordPrediction(NamedTuple):
    """One word for one place.

    ``forward`` and ``backward`` are its probabilities given the tokens to the left and
    to the right; ``probability`` is their geometric mean, scaled so that it sums to one
    over the vocabulary, special words included.
    """

    position: int  # of the place, among the tokens of the document
    token: str  # what stands there, and was not looked at
    word: str
    probability: float
    forward: float
    backward: float


class _Places(NamedTuple):
    """Q tokens to predict, document by document."""

    documents: NDArray[np.int64]
    positions: NDArray[np.int64]  # among the tokens of the document
    rows: NDArray[np.int64]  # in ``token_ids``


class _Guesses(NamedTuple):
    """The K best words of Q places."""

    words: NDArray[np.int64]  # (Q, K), rows of the vocabulary, best first
    probabilities: NDArray[np.float64]  # (3, Q, K): combined, forward, backward


def check_words_wanted(n_words: Any, owner: str) -> None:
    """Raise unless so many words can be given.

    Parameters
    ----------
    n_words : object
        What the user asked for.
    owner : str
        The method that asks, for the messages.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is below 1.
    """
    if not is_whole(n_words):
        raise TypeError(
            f"{owner} needs an int as n_words, got {n_words!r}. Pass the number of "
            f"words to give for each token, as in n_words=10."
        )
    if n_words < 1:
        raise ValueError(
            f"{owner} needs n_words to be at least 1, got {n_words}. Pass the number "
            f"of words to give for each token, as in n_words=10."
        )


def predict_words(
    model: TrainedModel,
    sequences: Sequences,
    position: Any,
    n_words: int,
    *,
    owner: str,
) -> list[list[WordPrediction]]:
    """Predict tokens of documents from what stands around them.

    Parameters
    ----------
    model : TrainedModel
        With a softmax.
    sequences : Sequences
    position : int, sequence of int or None
        Tokens to predict: one in each document, or all.
    n_words : int
        Words to give for each.
    owner : str
        The method that asks, for the messages.

    Returns
    -------
    predictions : list of list of WordPrediction
        For each document, place by place, the best word first.

    Raises
    ------
    TypeError
        If `position` is not made of integers.
    ValueError
        If a document has no token at its position.
    """
    places = _find_places(sequences, position, owner)
    corpus = make_corpus(sequences, model.indexer)
    guesses = _guess(model.network, corpus, places.rows, n_words)
    vocabulary = model.vocabulary or []
    predictions: list[list[WordPrediction]] = [[] for _ in range(sequences.n_documents)]
    for k, (document, place, row) in enumerate(zip(*places, strict=True)):
        token = sequences.tokens[sequences.token_ids[row]]
        columns = guesses.words[k].tolist(), *guesses.probabilities[:, k].tolist()
        predictions[document] += [
            WordPrediction(int(place), token, vocabulary[word], *probabilities)
            for word, *probabilities in zip(*columns, strict=True)
        ]
    return predictions


def _find_places(sequences: Sequences, position: Any, owner: str) -> _Places:
    """Find one token in each document, or all of them."""
    # Tokens before each sequence and before each document, markers not counted.
    before = sequences.offsets - 2 * np.arange(len(sequences.offsets))
    first = before[sequences.document_offsets]
    n_tokens = np.diff(first)
    documents = np.arange(sequences.n_documents)
    if position is None:
        documents = np.repeat(documents, n_tokens)
        positions = np.arange(first[-1]) - first[documents]
    else:
        positions = _check_positions(position, n_tokens, owner)
    tokens = first[documents] + positions
    markers = 2 * np.searchsorted(before, tokens, side="right") - 1
    return _Places(documents, positions, tokens + markers)


def _check_positions(
    position: Any, n_tokens: NDArray[np.int64], owner: str
) -> NDArray[np.int64]:
    """Return the place of a token in each document, counted from its begin."""
    wanted = _one_for_each(position, len(n_tokens), owner)
    wrong = (wanted < -n_tokens) | (wanted >= n_tokens)
    if wrong.any():
        row = int(wrong.argmax())
        n = n_tokens[row]
        remedy = f"Pass a position from {-n} to {n - 1}." if n else "Leave it out of X."
        raise ValueError(
            f"{owner} needs a token at the position of each document, but row {row} of "
            f"X has {n} tokens, and its position is {wanted[row]}. {remedy}"
        )
    return wanted % np.maximum(n_tokens, 1)


def _one_for_each(position: Any, n_documents: int, owner: str) -> NDArray[np.int64]:
    """Return a position for each document."""
    if is_whole(position):
        return np.full(n_documents, int(position))
    is_text = isinstance(position, str | bytes)
    values = [position] if is_text or not np.iterable(position) else list(position)
    bad = [value for value in values if not is_whole(value)]
    if bad:
        raise TypeError(
            f"{owner} needs an int, one int for each document, or None as position, "
            f"got {bad[0]!r}. Pass the index of a token in its document."
        )
    if len(values) != n_documents:
        raise ValueError(
            f"{owner} needs one position for each document, got {len(values)} for "
            f"{n_documents} documents. Pass one int for all, or one for each."
        )
    return np.array(values, dtype=np.int64)


@modes(grad=False)
def _guess(
    model: LanguageModel, corpus: Corpus, rows: NDArray[np.int64], n_words: int
) -> _Guesses:
    """Find the best words for some tokens of a corpus.

    A token is predicted from the rows beside it in its sequence, which have not read
    it: forward from the one before, backward from the one after.
    """
    softmax = model.softmax
    n_columns = len(softmax.bias)
    n_words = min(n_words, max(0, n_columns - FIRST_WORD))
    words = np.zeros((len(rows), n_words), dtype=np.int64)
    probabilities = np.zeros((3, len(rows), n_words))
    beside = _beside(model, corpus, rows)
    size = max(1, LOGITS_AT_ONCE // (3 * n_columns))  # three distributions at once
    for start in range(0, len(rows), size):
        chunk = slice(start, start + size)
        forward, backward = (
            torch.log_softmax(torch.addmm(softmax.bias, h, softmax.weight.t()), dim=1)
            for h in beside[:, chunk].to(softmax.bias.device)
        )
        both = torch.log_softmax((forward + backward) / 2, dim=1)
        best = both[:, FIRST_WORD:].topk(n_words, dim=1).indices + FIRST_WORD
        words[chunk] = best.cpu().numpy()
        for k, distribution in enumerate((both, forward, backward)):
            found = distribution.gather(1, best).double().exp()
            probabilities[k, chunk] = found.cpu().numpy()
    return _Guesses(words, probabilities)


def _beside(
    model: LanguageModel, corpus: Corpus, rows: NDArray[np.int64]
) -> torch.Tensor:
    """Return the top layer that predicts each token: (2, Q, P), on the CPU."""
    sequences = corpus.sequences
    which = np.unique(np.searchsorted(sequences.offsets, rows, side="right") - 1)
    weight = model.softmax.weight
    beside = torch.empty(2, len(rows), weight.shape[1], dtype=weight.dtype)
    for d, hidden, targets in predicting_rows(model, corpus, which):
        wanted = np.flatnonzero(np.isin(targets, rows))
        places = torch.from_numpy(np.searchsorted(rows, targets[wanted]))
        chosen = hidden[torch.from_numpy(wanted).to(hidden.device)]
        beside[d, places] = chosen.to(beside)
    return beside
