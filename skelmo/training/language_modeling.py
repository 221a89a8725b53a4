"""Predict each token from those before it, and from those behind it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skelmo.models.history import EpochRecord
from skelmo.nn.bilm import LanguageModel
from skelmo.nn.packing import PackedBatch, cut_by_budget, pack
from skelmo.nn.randomness import torch_generator
from skelmo.nn.running import token_vectors
from skelmo.nn.softmax import Candidates, draw_candidates
from skelmo.scoring.corpus import Corpus
from skelmo.scoring.likelihood import Perplexity, negative_log_likelihood
from skelmo.text.vocabulary import UNKNOWN
from skelmo.training.misspelling import misspell
from skelmo.training.objective import EpochEnd, Evaluation
from skelmo.training.ranks import ALONE, Ranks
from skelmo.training.state import TrainingOptions
from skelmo.training.word_gradients import sparse_word_gradients

# Sequences are sorted by length within pools of this many batches: similar lengths
# share a batch, and yet the batches of an epoch differ from those of the next.
BATCHES_PER_POOL = 50


class Windows(NamedTuple):
    """Stretches of the corpus to train on."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


class _Read(NamedTuple):
    """What a step reads: n rows of U distinct tokens."""

    packed: PackedBatch
    tokens: NDArray[np.int32]  # (U,), ascending
    inverse: NDArray[np.int64]  # (n,), which of them each row is
    char_ids: NDArray[np.integer]  # (U, C)
    word_ids: NDArray[np.int64] | None  # (U,)


class LanguageModeling:
    """The objective of a language model: both directions' losses per token.

    Its batches are indices of `windows`, its units predictions in one direction.

    Parameters
    ----------
    model : LanguageModel
    corpus : Corpus
    train : ndarray of int64
        Sequences to train on. One longer than `batch_tokens` is cut into windows that
        overlap by a token, each read from a fresh state.
    validation : ndarray of int64
        Sequences held out; may be empty.
    options : TrainingOptions
        Its `batch_tokens` are those of all processes together.
    ranks : Ranks, default=ALONE
        Processes that share the sequences of each batch, and those held out.
    """

    record_type = EpochRecord

    def __init__(
        self,
        model: LanguageModel,
        corpus: Corpus,
        train: NDArray[np.int64],
        validation: NDArray[np.int64],
        options: TrainingOptions,
        ranks: Ranks = ALONE,
    ) -> None:
        self.module, self.corpus, self.options = model, corpus, options
        self.validation, self.ranks = validation, ranks
        self.windows = cut_windows(
            corpus.sequences.offsets, train, options.batch_tokens
        )
        self.units_per_epoch = int((self.windows.lengths - 1).sum())

    @property
    def worst_loss(self) -> float:
        """Ten times what guessing among all words costs: that is no training."""
        return 10.0 * math.log(max(10, len(self.module.softmax.bias)))

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the windows of each batch of an epoch, in its order."""
        rng = np.random.default_rng([self.options.seed, epoch])
        lengths = self.windows.lengths
        order = rng.permutation(len(lengths))
        batches = []
        pool_tokens = BATCHES_PER_POOL * self.options.batch_tokens
        for pool in cut_by_budget(lengths[order], pool_tokens):
            members = order[pool]
            members = members[np.argsort(-lengths[members], kind="stable")]
            cuts = cut_by_budget(lengths[members], self.options.batch_tokens)
            batches += [members[cut] for cut in cuts]
        return [batches[k] for k in rng.permutation(len(batches))]

    def n_units(self, batch: NDArray[np.int64]) -> int:
        """Return the predictions of a batch in one direction."""
        return int((self.windows.lengths[batch] - 1).sum())

    def loss(self, batch: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """Return the mean of both directions' losses per token.

        What numpy draws is drawn for the whole batch, so that it does not depend on how
        many processes share it; dropout is drawn for each process's own part.
        """
        model, device = self.module, self.module.softmax.bias.device
        generator = torch_generator(rng, device, self.ranks.rank)
        read = self._read(batch, rng)
        candidates = self._candidates(rng)
        if self.ranks.size > 1:
            own = batch[self.ranks.share]
            if not len(own):
                return torch.zeros((), device=device)
            read = self._part(read, own)
        with sparse_word_gradients(model):
            loss = self._summed_loss(read, candidates, generator)
        return loss / (2 * self.n_units(batch))

    def _summed_loss(
        self,
        read: _Read,
        candidates: Candidates | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        """Return the sum of both directions' losses of what is read."""
        model, device = self.module, self.module.softmax.bias.device
        low = None if self.options.precision == "float32" else torch.bfloat16
        vectors = token_vectors(model.bilm, read.char_ids, read.word_ids, dtype=low)
        rows = torch.from_numpy(read.inverse).to(device)
        output = model.bilm(
            torch.nn.functional.embedding(rows, vectors),
            read.packed.batch_sizes,
            dtype=low,
            generator=generator,
        )
        earlier, later = torch.from_numpy(read.packed.following).to(device)
        words = self.corpus.word_of_token[read.tokens]
        targets = torch.from_numpy(words[read.inverse]).to(device)
        hidden = torch.cat([output.forward[-1][earlier], output.backward[-1][later]])
        targets = torch.cat([targets[later], targets[earlier]])
        return model.softmax(hidden, targets, candidates, low)

    def _read(self, batch: NDArray[np.int64], rng: np.random.Generator) -> _Read:
        """Read windows, with misspellings and words that are hidden."""
        config = self.module.bilm.config
        packed, tokens, inverse = self._pack(batch)
        char_ids = self.corpus.char_ids[tokens]
        word_ids, unknown = None, np.zeros(len(tokens), dtype=bool)
        if self.options.misspelling:
            chosen = rng.random(len(tokens)) < self.options.misspelling
            char_ids, unknown = misspell(char_ids, chosen, rng, config.padding)
        if config.word_embedding_dim:
            unknown |= rng.random(len(tokens)) < self.options.word_dropout
            word_ids = np.where(unknown, UNKNOWN, self.corpus.word_of_token[tokens])
        return _Read(packed, tokens, inverse, char_ids, word_ids)

    def _part(self, read: _Read, batch: NDArray[np.int64]) -> _Read:
        """Return some windows of those that were read."""
        packed, tokens, inverse = self._pack(batch)
        rows = np.searchsorted(read.tokens, tokens)
        word_ids = None if read.word_ids is None else read.word_ids[rows]
        return _Read(packed, tokens, inverse, read.char_ids[rows], word_ids)

    def _pack(
        self, batch: NDArray[np.int64]
    ) -> tuple[PackedBatch, NDArray[np.int32], NDArray[np.int64]]:
        """Pack windows; return also their distinct tokens, and which each row is."""
        windows = self.windows
        packed = pack(batch, windows.starts[batch], windows.lengths[batch])
        tokens = self.corpus.sequences.token_ids[packed.positions]
        return packed, *np.unique(tokens, return_inverse=True)

    def _candidates(self, rng: np.random.Generator) -> Candidates | None:
        n_words = len(self.module.softmax.bias)
        if self.options.softmax == "full" or n_words <= self.options.n_samples:
            return None
        return draw_candidates(self.options.n_samples, n_words, rng)

    def evaluate(self, max_units: int | None = None) -> Evaluation | None:
        """Return the perplexity of what is held out, under the full softmax.

        Parameters
        ----------
        max_units : int, optional
            Read a sample of the sequences, of so many predictions in one direction at
            most, but of one sequence at least.

        Returns
        -------
        evaluation : Evaluation or None
            None if nothing is held out.
        """
        if not len(self.validation):
            return None
        which = self._sample(max_units)
        own = which[self.ranks.share]
        nll = negative_log_likelihood(self.module, self.corpus, own)
        n_predictions = int((self.corpus.sequences.lengths[which] - 1).sum())
        total = self.ranks.total(nll.sum(axis=0))
        perplexity = Perplexity.of(total, n_predictions)
        return Evaluation(math.log(perplexity.mean), (*perplexity, n_predictions))

    def _sample(self, max_units: int | None) -> NDArray[np.int64]:
        """Return the sequences held out, or some of them that the seed decides."""
        which = self.validation
        n_predictions = self.corpus.sequences.lengths[which] - 1
        if max_units is None or n_predictions.sum() <= max_units:
            return which
        # Longer than the keys of batches and steps, none of which it equals.
        rng = np.random.default_rng([self.options.seed, 0, 0, 1])
        order = rng.permutation(len(which))
        n_kept = (np.cumsum(n_predictions[order]) <= max_units).sum()
        return which[np.sort(order[: max(1, n_kept)])]

    def record(self, end: EpochEnd, evaluation: Evaluation | None) -> EpochRecord:
        """Return a row of the history."""
        if evaluation is None:
            return EpochRecord(*end, math.nan, math.nan, math.nan)
        return EpochRecord(*end, *evaluation.quality)


def cut_windows(
    offsets: NDArray[np.int64], which: NDArray[np.int64], longest: int
) -> Windows:
    """Cut sequences longer than `longest` into windows that overlap by one token.

    The overlap makes every token the target of exactly one prediction each way.
    """
    starts, lengths = offsets[which], np.diff(offsets)[which]
    if not (lengths > longest).any():
        return Windows(starts, lengths)
    cut_starts, cut_lengths = [], []
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        for first in range(0, max(1, length - 1), longest - 1):
            cut_starts.append(start + first)
            cut_lengths.append(min(longest, length - first))
    return Windows(np.array(cut_starts), np.array(cut_lengths))
