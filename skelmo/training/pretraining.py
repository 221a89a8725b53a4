"""From indexed documents to a trained language model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skelmo.nn.bilm import BiLM, BiLMConfig
from skelmo.nn.softmax import SoftmaxLoss
from skelmo.text.sequences import Sequences
from skelmo.training.corpus import (
    choose_vocabulary,
    make_corpus,
    sequences_of,
    split_documents,
)
from skelmo.training.evaluation import LanguageModel
from skelmo.training.trainer import Observer, Trainer, TrainingOptions, TrainingState


@dataclass(frozen=True)
class Plan:
    """What to train; `TrainingOptions` says how.

    ``config.n_words`` is filled in from the vocabulary.
    """

    config: BiLMConfig
    min_count: int = 2
    max_vocabulary: int | None = 30_000
    validation_fraction: float = 0.1
    dropout: float = 0.1
    tie_weights: bool = False
    device: str = "cpu"


class Pretrained(NamedTuple):
    """A trained language model and how it came about."""

    model: LanguageModel  # in evaluation mode
    vocabulary: list[str]
    state: TrainingState
    unknown_share: float  # of the tokens of all documents


def pretrain(
    sequences: Sequences, plan: Plan, options: TrainingOptions, observer: Observer
) -> Pretrained:
    """Train a language model from scratch.

    Parameters
    ----------
    sequences : Sequences
        Documents to train on and to validate with.
    plan : Plan
    options : TrainingOptions
    observer : Observer

    Returns
    -------
    Pretrained
    """
    train, held_out = _split(sequences, plan, options)
    vocabulary = choose_vocabulary(
        sequences,
        train,
        min_count=plan.min_count,
        max_vocabulary=plan.max_vocabulary,
    )
    config = plan.config
    if config.word_embedding_dim:
        config = replace(config, n_words=len(vocabulary))
    model = build_model(config, len(vocabulary), plan, options.seed)
    corpus = make_corpus(sequences, vocabulary, config.max_characters)
    trainer = Trainer(
        model,
        corpus,
        sequences_of(sequences, train),
        sequences_of(sequences, held_out),
        options,
        observer,
    )
    state = trainer.run()
    return Pretrained(model, vocabulary, state, corpus.unknown_share)


def build_model(
    config: BiLMConfig, n_words: int, plan: Plan, seed: int
) -> LanguageModel:
    """Build a network with random weights, which `seed` decides alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        bilm = BiLM(config, dropout=plan.dropout)
        softmax = SoftmaxLoss(n_words, config.proj_size)
    if plan.tie_weights:
        cast(nn.Embedding, bilm.token_encoder.word_embedding).weight = softmax.weight
    return LanguageModel(bilm, softmax).to(plan.device)


def _split(
    sequences: Sequences, plan: Plan, options: TrainingOptions
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold out documents that have text; those without are no use on either side."""
    written = np.flatnonzero(np.diff(sequences.document_offsets))
    if not options.early_stopping:
        return written, written[:0]
    rng = np.random.default_rng(options.seed)
    train, held_out = split_documents(len(written), plan.validation_fraction, rng)
    return written[train], written[held_out]
