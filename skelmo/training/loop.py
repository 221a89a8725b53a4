"""The training loop.

Every random draw is a function of the seed, the epoch and the step, so that a run can
be taken up at any step without a generator's state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skelmo.models.history import EpochRecord
from skelmo.nn.bilm import LanguageModel
from skelmo.nn.packing import PackedBatch, cut_by_budget, pack
from skelmo.nn.running import token_vectors
from skelmo.nn.softmax import Candidates, draw_candidates
from skelmo.scoring.corpus import Corpus
from skelmo.scoring.likelihood import (
    Perplexity,
    negative_log_likelihood,
)
from skelmo.text.vocabulary import UNKNOWN
from skelmo.training.checkpoint import Checkpoint, Checkpointer
from skelmo.training.misspelling import misspell
from skelmo.training.optimizer import (
    make_optimizer,
    optimizer_tensors,
    restore_optimizer,
    shrink,
)
from skelmo.training.schedule import learning_rate_at
from skelmo.training.state import Observer, TrainingOptions, TrainingState

# Sequences are sorted by length within pools of this many batches: similar lengths
# share a batch, and yet the batches of an epoch differ from those of the next.
BATCHES_PER_POOL = 50
ADAPTIVE_FACTOR = 0.2


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
    checkpointer : Checkpointer, optional
        Where the run keeps its checkpoints, and may find those of an earlier try.
    first_epoch : int, default=0
        Epochs that the model has behind it; decides the random draws.
    """

    def __init__(
        self,
        model: LanguageModel,
        corpus: Corpus,
        train: NDArray[np.int64],
        validation: NDArray[np.int64],
        options: TrainingOptions,
        observer: Observer,
        checkpointer: Checkpointer | None = None,
        first_epoch: int = 0,
    ) -> None:
        self.model, self.corpus, self.options = model, corpus, options
        self.checkpointer, self.first_epoch = checkpointer, first_epoch
        self.observer = observer
        self.validation = validation
        self.windows = cut_windows(
            corpus.sequences.offsets, train, options.batch_tokens
        )
        # Guessing among all words costs log(V): ten times that is no training any more.
        self.worst_loss = 10.0 * math.log(max(10, len(model.softmax.bias)))
        self.tokens_per_epoch = int((self.windows.lengths - 1).sum())
        self.optimizer = make_optimizer(model, options)
        self.state = TrainingState()
        self.best_weights = _copy(model.state_dict())
        self.last_write = time.perf_counter()

    def run(self) -> TrainingState:
        """Train to the end and restore the best epoch.

        Returns
        -------
        TrainingState
        """
        self._take_up()
        state = self.state
        while not state.finished:
            stopped = self._run_epoch()
            if not all(p.isfinite().all() for p in self.model.parameters()):
                state.diverged, state.last_loss = True, math.nan
            if state.diverged:
                break
            if stopped:
                # Taken up later, with more time, the run goes on in mid-epoch.
                self._write()
                if not state.step:
                    break  # time was up before the epoch began
            state.finished = self._finish_epoch() or state.epoch == self.max_epochs
            if stopped:
                break
            self._write()
        self.model.load_state_dict(self.best_weights)
        self.model.eval()
        return state

    @property
    def max_epochs(self) -> int:
        """Epochs planned."""
        return self.options.max_epochs

    def _run_epoch(self) -> bool:
        """Take the steps that are left of an epoch; tell whether to stop short."""
        state, options = self.state, self.options
        batches = list(self._batches(state.epoch))
        self.observer.begin_epoch(state.epoch, len(batches), state.step)
        self.model.train()
        for members in batches[state.step :]:
            if state.seconds >= (options.max_time or math.inf):
                return True
            begin = time.perf_counter()
            rate = self._rate(members)
            loss, n_tokens = self._step(members, rate)
            state.step += 1
            state.n_steps += 1
            state.n_tokens += n_tokens
            state.seconds += time.perf_counter() - begin
            state.last_loss = loss
            if not loss < self.worst_loss:
                state.diverged = True
                return True
            state.loss_sum += loss * n_tokens
            state.n_losses += n_tokens
            stop = self.observer.end_step(loss, n_tokens, rate)
            if self._is_due():
                self._write()
            if stop:
                return True
        return False

    def _is_due(self) -> bool:
        every = self.options.checkpoint_every
        if isinstance(every, Integral):
            return self.state.n_steps % int(every) == 0
        return time.perf_counter() - self.last_write >= 60.0 * every

    def _write(self) -> None:
        if self.checkpointer is None:
            return
        parts = {
            "model": self.model.state_dict(),
            "best": self.best_weights,
            "optimizer": optimizer_tensors(self.optimizer),
        }
        tensors = {
            # A copy each: tied weights share memory, which a file cannot.
            f"{part}/{name}": tensor.detach().cpu().clone()
            for part, named in parts.items()
            for name, tensor in named.items()
        }
        checkpoint = Checkpoint(tensors, self.state.to_plain())
        self.checkpointer.write(checkpoint, self.state.n_steps)
        self.last_write = time.perf_counter()

    def _take_up(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        checkpoint = None if self.checkpointer is None else self.checkpointer.read()
        if checkpoint is None:
            return
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
        for key, tensor in checkpoint.tensors.items():
            part, _, name = key.partition("/")
            parts[part][name] = tensor
        self.model.load_state_dict(parts["model"])
        restore_optimizer(self.optimizer, parts["optimizer"])
        self.best_weights = parts["best"]
        self.state = TrainingState.from_plain(checkpoint.state)
        self.observer.take_up(self.state)

    def _rate(self, members: NDArray[np.int64]) -> float:
        """Return the rate in the middle of a step: at its begin the first has none."""
        planned = self.tokens_per_epoch * self.options.max_epochs
        ahead = float((self.windows.lengths[members] - 1).sum()) / 2
        return learning_rate_at(
            (self.state.n_tokens + ahead) / planned,
            schedule=self.options.learning_rate,
            initial=self.options.learning_rate_init,
            warmup=self.options.warmup,
            scale=self.state.rate_scale,
        )

    def _step(self, members: NDArray[np.int64], rate: float) -> tuple[float, int]:
        """Take one optimisation step; return the loss per token and the tokens."""
        state, options = self.state, self.options
        key = [options.seed, self.first_epoch + state.epoch, state.step]
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
        words, char_ids = corpus.word_of_token[used], corpus.char_ids[used]
        word_ids, unknown = None, np.zeros(len(used), dtype=bool)
        if self.options.misspelling:
            chosen = rng.random(len(used)) < self.options.misspelling
            char_ids, unknown = misspell(char_ids, chosen, rng)
        if model.bilm.config.word_embedding_dim:
            unknown |= rng.random(len(used)) < self.options.word_dropout
            word_ids = np.where(unknown, UNKNOWN, words)
        low = None if self.options.precision == "float32" else torch.bfloat16
        vectors = token_vectors(model.bilm, char_ids, word_ids, dtype=low)
        rows = torch.from_numpy(inverse).to(device)
        output = model.bilm(
            torch.nn.functional.embedding(rows, vectors), batch.batch_sizes, dtype=low
        )
        earlier, later = torch.from_numpy(batch.following).to(device)
        targets = torch.from_numpy(words[inverse]).to(device)
        hidden = torch.cat([output.forward[-1][earlier], output.backward[-1][later]])
        targets = torch.cat([targets[later], targets[earlier]])
        loss = model.softmax(hidden, targets, self._candidates(rng), low)
        return loss / len(targets)

    def _candidates(self, rng: np.random.Generator) -> Candidates | None:
        n_words = len(self.model.softmax.bias)
        if self.options.softmax == "full" or n_words <= self.options.n_samples:
            return None
        return draw_candidates(self.options.n_samples, n_words, rng)

    def _batches(self, epoch: int) -> Iterator[NDArray[np.int64]]:
        """Yield the windows of each batch of an epoch, in its order."""
        rng = np.random.default_rng([self.options.seed, self.first_epoch + epoch])
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
        rate = self._rate(np.arange(0))
        state.epoch, state.step = state.epoch + 1, 0
        state.loss_sum, state.n_losses = 0.0, 0
        improved = loss < state.best_loss - options.tol
        state.n_no_change = 0 if improved else state.n_no_change + 1
        if loss < state.best_loss:
            state.best_loss, state.best_epoch = loss, state.epoch
            self.best_weights = _copy(self.model.state_dict())
        elif not len(self.validation):
            # Without validation the last epoch is as good as any.
            self.best_weights = _copy(self.model.state_dict())
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


def _copy(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


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
