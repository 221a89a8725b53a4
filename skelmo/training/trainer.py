"""The training loop.

Every random draw is a function of the seed, the epoch and the step, so that a run can
be taken up at any step without a generator's state.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skelmo.activations import token_vectors
from skelmo.batching import PackedBatch, cut_by_budget, pack
from skelmo.nn.softmax import Candidates, draw_candidates
from skelmo.text.vocabulary import UNKNOWN
from skelmo.training.corpus import Corpus
from skelmo.training.evaluation import (
    LanguageModel,
    Perplexity,
    negative_log_likelihood,
)
from skelmo.training.schedule import learning_rate_at

logger = logging.getLogger(__name__)

# Sequences are sorted by length within pools of this many batches: similar lengths
# share a batch, and yet the batches of an epoch differ from those of the next.
BATCHES_PER_POOL = 50
ADAPTIVE_FACTOR = 0.2
SOLVERS = ("adam", "sgd", "rmsprop", "adagrad")


@dataclass(frozen=True)
class TrainingOptions:
    """How to train; the parameters of `ElmoLanguageModel` by the same names."""

    solver: str = "adam"
    momentum: float = 0.9
    learning_rate: str = "cosine"
    learning_rate_init: float = 2e-3
    warmup: float = 0.05
    alpha: float = 0.0
    l1: float = 0.0
    word_dropout: float = 0.0
    max_grad_norm: float | None = 1.0
    batch_tokens: int = 2048
    max_epochs: int = 10
    max_time: float | None = None
    early_stopping: bool = True
    n_iter_no_change: int = 3
    tol: float = 1e-3
    softmax: str = "sampled"
    n_samples: int = 2048
    seed: int = 0


class EpochRecord(NamedTuple):
    """One row of the history."""

    epoch: int
    n_tokens: int  # seen in training so far
    seconds: float  # spent so far
    learning_rate: float
    train_loss: float  # nats per token, mean over the epoch as it went
    validation_perplexity_forward: float
    validation_perplexity_backward: float
    validation_perplexity: float


class Observer(Protocol):
    """What a training run tells while it goes."""

    def begin_epoch(self, epoch: int, n_steps: int) -> None:
        """Take note of an epoch's begin."""

    def end_step(self, loss: float, n_tokens: int, learning_rate: float) -> bool:
        """Take note of a step; True stops training."""

    def end_epoch(self, record: EpochRecord) -> bool:
        """Take note of an epoch; True stops training."""


@dataclass
class TrainingState:
    """Where a run stands; with weights and optimiser, all that the next step needs."""

    epoch: int = 0
    step: int = 0  # within the epoch
    n_tokens: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0  # of the epoch so far
    n_losses: int = 0
    rate_scale: float = 1.0
    best_loss: float = math.inf
    best_epoch: int = -1
    n_no_change: int = 0
    diverged: bool = False
    history: list[EpochRecord] = field(default_factory=list)


class Windows(NamedTuple):
    """Stretches of the corpus to train on."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


class Trainer:
    """Train a language model on a corpus.

    Parameters
    ----------
    model : LanguageModel
        Trained in place; holds the best epoch's weights in the end.
    corpus : Corpus
    train : ndarray of int64
        Sequences to train on. One longer than `batch_tokens` is cut into windows that
        overlap by a token, each read from a fresh state.
    validation : ndarray of int64
        Sequences held out; may be empty.
    options : TrainingOptions
    observer : Observer
    """

    def __init__(
        self,
        model: LanguageModel,
        corpus: Corpus,
        train: NDArray[np.int64],
        validation: NDArray[np.int64],
        options: TrainingOptions,
        observer: Observer,
    ) -> None:
        self.model, self.corpus, self.options = model, corpus, options
        self.observer = observer
        self.validation = validation
        self.windows = cut_windows(
            corpus.sequences.offsets, train, options.batch_tokens
        )
        self.tokens_per_epoch = int((self.windows.lengths - 1).sum())
        self.optimizer = make_optimizer(model, options)
        self.state = TrainingState()
        self.best_weights: dict[str, Tensor] | None = None

    def run(self) -> TrainingState:
        """Train to the end and restore the best epoch.

        Returns
        -------
        TrainingState
        """
        state, options = self.state, self.options
        stop = False
        while state.epoch < options.max_epochs and not stop:
            stop = self._run_epoch()
            if state.diverged:
                break
            stop = self._finish_epoch() or stop
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)
        self.model.eval()
        return state

    def _run_epoch(self) -> bool:
        state, options = self.state, self.options
        batches = list(self._batches(state.epoch))
        self.observer.begin_epoch(state.epoch, len(batches))
        self.model.train()
        for members in batches[state.step :]:
            begin = time.perf_counter()
            rate = self._rate()
            loss, n_tokens = self._step(members, rate)
            state.step += 1
            state.n_tokens += n_tokens
            state.seconds += time.perf_counter() - begin
            if not math.isfinite(loss):
                state.diverged = True
                return True
            state.loss_sum += loss * n_tokens
            state.n_losses += n_tokens
            stop = self.observer.end_step(loss, n_tokens, rate)
            if stop or state.seconds >= (options.max_time or math.inf):
                return True
        return False

    def _rate(self) -> float:
        planned = self.tokens_per_epoch * self.options.max_epochs
        return learning_rate_at(
            self.state.n_tokens / planned,
            schedule=self.options.learning_rate,
            initial=self.options.learning_rate_init,
            warmup=self.options.warmup,
            scale=self.state.rate_scale,
        )

    def _step(self, members: NDArray[np.int64], rate: float) -> tuple[float, int]:
        """Take one optimisation step; return the loss per token and the tokens."""
        state, options = self.state, self.options
        key = [options.seed, state.epoch, state.step]
        rng = np.random.default_rng(key)
        batch = pack(
            members, self.windows.starts[members], self.windows.lengths[members]
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        device = self.model.softmax.bias.device
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(rng.integers(2**63)))
            loss = self._loss(batch, rng)
            loss.backward()
        value = loss.item()
        if math.isfinite(value):
            if options.max_grad_norm is not None:
                torch.nn.utils.clip_grad_norm_(
                    self.model.parameters(), options.max_grad_norm
                )
            self.optimizer.step()
            if options.l1:
                shrink(self.model, rate * options.l1)
        return value, len(batch.positions) - len(batch.sequences)

    def _loss(self, batch: PackedBatch, rng: np.random.Generator) -> Tensor:
        """Return the mean of both directions' losses per token."""
        corpus, model = self.corpus, self.model
        device = model.softmax.bias.device
        tokens = corpus.sequences.token_ids[batch.positions]
        used, inverse = np.unique(tokens, return_inverse=True)
        words = corpus.word_of_token[used]
        word_ids = None
        if model.bilm.config.word_embedding_dim:
            dropped = rng.random(len(used)) < self.options.word_dropout
            word_ids = np.where(dropped, UNKNOWN, words)
        vectors = token_vectors(model.bilm, corpus.char_ids[used], word_ids, 512)
        rows = torch.from_numpy(inverse).to(device)
        output = model.bilm(
            torch.nn.functional.embedding(rows, vectors), batch.batch_sizes
        )
        earlier, later = torch.from_numpy(batch.following).to(device)
        targets = torch.from_numpy(words[inverse]).to(device)
        hidden = torch.cat([output.forward[-1][earlier], output.backward[-1][later]])
        targets = torch.cat([targets[later], targets[earlier]])
        return model.softmax(hidden, targets, self._candidates(rng)) / len(targets)

    def _candidates(self, rng: np.random.Generator) -> Candidates | None:
        n_words = len(self.model.softmax.bias)
        if self.options.softmax == "full" or n_words <= self.options.n_samples:
            return None
        return draw_candidates(self.options.n_samples, n_words, rng)

    def _batches(self, epoch: int) -> Iterator[NDArray[np.int64]]:
        """Yield the windows of each batch of an epoch, in its order."""
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
        for k in rng.permutation(len(batches)):
            yield batches[k]

    def _finish_epoch(self) -> bool:
        """Evaluate, keep the best weights, write history; tell whether to stop."""
        state, options = self.state, self.options
        begin = time.perf_counter()
        train_loss = state.loss_sum / max(1, state.n_losses)
        quality = Perplexity(math.nan, math.nan, math.nan)
        if len(self.validation):
            quality = self._validate()
            loss = math.log(quality.mean)
        else:
            loss = train_loss
        rate = self._rate()
        state.epoch, state.step = state.epoch + 1, 0
        state.loss_sum, state.n_losses = 0.0, 0
        improved = loss < state.best_loss - options.tol
        state.n_no_change = 0 if improved else state.n_no_change + 1
        if loss < state.best_loss:
            state.best_loss, state.best_epoch = loss, state.epoch
            self.best_weights = copy.deepcopy(self.model.state_dict())
        elif not len(self.validation):
            # Without validation the last epoch is as good as any.
            self.best_weights = copy.deepcopy(self.model.state_dict())
            state.best_epoch = state.epoch
        if not improved and options.learning_rate == "adaptive":
            state.rate_scale *= ADAPTIVE_FACTOR
        state.seconds += time.perf_counter() - begin
        record = EpochRecord(
            state.epoch, state.n_tokens, state.seconds, rate, train_loss, *quality
        )
        state.history.append(record)
        stop = self.observer.end_epoch(record)
        return stop or state.n_no_change >= options.n_iter_no_change

    def _validate(self) -> Perplexity:
        self.model.eval()
        nll = negative_log_likelihood(self.model, self.corpus, self.validation)
        n_predictions = self.corpus.sequences.lengths[self.validation] - 1
        return Perplexity.of(nll.sum(axis=0), int(n_predictions.sum()))


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


def make_optimizer(
    model: torch.nn.Module, options: TrainingOptions
) -> torch.optim.Optimizer:
    """Return the solver; `alpha` decays matrices, not biases."""
    weights = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    biases = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": options.alpha},
        {"params": biases, "weight_decay": 0.0},
    ]
    rate = options.learning_rate_init
    if options.solver == "adam":
        return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=True)
    if options.solver == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=options.momentum)
    if options.solver == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate, momentum=options.momentum)
    return torch.optim.Adagrad(groups, lr=rate, initial_accumulator_value=0.1)


def shrink(model: torch.nn.Module, threshold: float) -> None:
    """Move every weight of a matrix towards 0 by `threshold`, stopping there.

    The proximal step of the L1 penalty: it makes weights exactly zero.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                kept = (parameter.abs() - threshold).clamp_(min=0.0)
                parameter.copy_(kept.mul_(parameter.sign()))
