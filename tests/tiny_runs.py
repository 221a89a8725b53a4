"""Small training runs without the estimator, and what watches them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

from skelmo.encoding.settings import EncoderSettings
from skelmo.models.trained import TrainedModel
from skelmo.nn.bilm import BiLMConfig
from skelmo.scoring.corpus import choose_vocabulary, make_corpus
from skelmo.text.sequences import index_documents
from skelmo.text.token_indexer import TokenIndexer
from skelmo.training.initialization import build_model
from skelmo.training.language_modeling import LanguageModeling
from skelmo.training.loop import Loop
from skelmo.training.plan import Plan
from skelmo.training.pretraining import pretrain
from skelmo.training.state import TrainingOptions, TrainingState

CONFIG = BiLMConfig(
    filters=((1, 4), (2, 4)), char_embedding_dim=4, hidden_size=16, proj_size=8
)
PLAN = Plan(CONFIG, min_count=1)
OPTIONS = TrainingOptions(
    batch_tokens=64, max_epochs=3, learning_rate_init=0.02, word_dropout=0.0
)
_WORDS = (
    ("the", "a", "my", "every"),
    ("cat", "dog", "river", "house", "bird", "doctor"),
    ("sees", "hears", "likes", "finds", "paints"),
    ("the", "a", "this", "no"),
    ("moon", "letter", "tree", "song", "road", "window"),
)


class Interrupted(Exception):
    """What an observer raises to stop a run as an error would."""


class Watcher:
    """An observer that keeps all it is told, and may stop the run or raise."""

    def __init__(self, *, raise_at=None, stop_at=None):
        self.raise_at, self.stop_at = raise_at, stop_at
        self.steps, self.epochs, self.begun, self.taken_up = [], [], [], []

    def take_up(self, state):
        self.taken_up.append((state.epoch, state.step, state.n_steps))

    def begin_epoch(self, epoch, n_steps, n_done):
        self.begun.append((epoch, n_steps, n_done))

    def end_step(self, loss, n_tokens, learning_rate):
        self.steps.append((loss, n_tokens, learning_rate))
        if len(self.steps) == self.raise_at:
            raise Interrupted("the run was interrupted")
        return len(self.steps) == self.stop_at

    def end_epoch(self, record):
        self.epochs.append(record)
        return False


def documents_of(n=40, seed=0):
    """Return documents of one or two sentences of a small grammar, as tokens."""
    rng = random.Random(seed)
    return [
        [[*(rng.choice(w) for w in _WORDS), "."] for _ in range(1 + k % 2)]
        for k in range(n)
    ]


class Run(NamedTuple):
    """A model, and where the run that trained it ended."""

    trained: TrainedModel
    state: TrainingState

    @property
    def model(self):
        return self.trained.network

    @property
    def vocabulary(self):
        return self.trained.vocabulary


def run(documents=None, *, plan=PLAN, observer=None, changes=None, **options):
    """Train; `changes` are of the plan and `options` of the options."""
    documents = documents_of() if documents is None else documents
    if changes:
        plan = replace(plan, **changes)
    names = ("start", "goes_on", "n_train", "watch", "ranks")
    given = {name: options.pop(name) for name in names if name in options}
    ended, run_to_the_end = [], Loop.run

    def noting(self):
        ended.append(run_to_the_end(self))
        return ended[-1]

    with patch.object(Loop, "run", noting):
        trained = pretrain(
            index_documents(documents),
            plan,
            replace(OPTIONS, **options),
            observer or Watcher(),
            **given,
        )
    return Run(trained, ended[-1])


def encoder_of(estimator, **settings):
    """Return what computes the layer activations of a fitted language model."""
    return EncoderSettings(**settings).encoder(estimator.model_)


def make_objective(documents=None, *, validation=(), plan=PLAN, **options):
    """Return the objective of all the sequences but those of `validation`."""
    sequences = index_documents(documents_of() if documents is None else documents)
    vocabulary = choose_vocabulary(
        sequences, np.arange(sequences.n_documents), min_count=1, max_vocabulary=None
    )
    options = replace(OPTIONS, **options)
    held_out = np.array(validation, dtype=np.int64)
    return LanguageModeling(
        build_model(plan, vocabulary, options.seed),
        make_corpus(sequences, TokenIndexer.of(vocabulary)),
        np.setdiff1d(np.arange(len(sequences.lengths)), held_out),
        held_out,
        options,
    )


def make_loop(objective, *, observer=None, **rest):
    """Return a loop that trains with the objective's own options."""
    return Loop(objective, objective.options, observer or Watcher(), **rest)


def weights_of(model):
    """Return copies of the weights by name."""
    return {k: v.detach().cpu().numpy().copy() for k, v in model.state_dict().items()}


def assert_same_weights(model, other):
    """Compare bit for bit."""
    mine, yours = weights_of(model), weights_of(other)
    assert mine.keys() == yours.keys()
    for name, array in mine.items():
        np.testing.assert_array_equal(array, yours[name], err_msg=name)


def differ(model, other):
    """Tell whether any weight differs."""
    mine, yours = weights_of(model), weights_of(other)
    return any(not np.array_equal(mine[name], yours[name]) for name in mine)
