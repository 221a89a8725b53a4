"""From indexed documents to a trained language model."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skelmo.models.history import EpochRecord
from skelmo.nn.bilm import BiLM, BiLMConfig, LanguageModel
from skelmo.nn.softmax import SoftmaxLoss
from skelmo.scoring.corpus import (
    Corpus,
    choose_vocabulary,
    make_corpus,
    sequences_of,
    split_documents,
)
from skelmo.text.sequences import Sequences
from skelmo.text.word_vectors import read_word_vectors
from skelmo.training.checkpoint import Checkpointer, run_hash
from skelmo.training.language_modeling import LanguageModeling
from skelmo.training.loop import Loop
from skelmo.training.optimizer import (
    is_of_the_same_kind,
    optimizer_tensors,
    restore_optimizer,
)
from skelmo.training.state import (
    Observer,
    TrainingOptions,
    TrainingState,
)


class Start(NamedTuple):
    """A trained model to go on from."""

    model: LanguageModel
    vocabulary: list[str] | None
    n_epochs: int = 0
    n_tokens: int = 0
    history: Sequence[EpochRecord] = ()
    optimizer: dict[str, NDArray[np.float32]] | None = None


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
    init_word_vectors: str | None = None
    checkpoint: str | None = None
    device: str = "cpu"


class Pretrained(NamedTuple):
    """A trained language model and how it came about."""

    model: LanguageModel  # in evaluation mode
    vocabulary: list[str]
    state: TrainingState
    unknown_share: float  # of the tokens of all documents
    optimizer: dict[str, NDArray[np.float32]]


def pretrain(
    sequences: Sequences,
    plan: Plan,
    options: TrainingOptions,
    observer: Observer,
    *,
    start: Start | None = None,
    keep_vocabulary: bool = False,
    n_train: int | None = None,
    watch: Callable[[Callable[[], Pretrained]], None] | None = None,
) -> Pretrained:
    """Train a language model, from scratch or from a trained one.

    Parameters
    ----------
    sequences : Sequences
        Documents to train on and to validate with.
    plan : Plan
        With `start`, its sizes give way to those of the model there.
    options : TrainingOptions
    observer : Observer
    start : Start, optional
        Model to go on from; the rows of words that it knows are kept.
    keep_vocabulary : bool, default=False
        Take the vocabulary of `start` as well, and its optimiser.
    n_train : int, optional
        Documents to train on, the others being for validation; None draws them.
    watch : callable, optional
        Called before training, with a function that returns a copy of what training
        has given by then: the best weights so far.

    Returns
    -------
    Pretrained
    """
    train, held_out = _split(sequences, plan, options, n_train)
    if start is not None and keep_vocabulary and start.vocabulary is not None:
        vocabulary = start.vocabulary
    else:
        vocabulary = choose_vocabulary(
            sequences,
            train,
            min_count=plan.min_count,
            max_vocabulary=plan.max_vocabulary,
            lowercase=(start.model.bilm if start else plan).config.lowercase,
        )
    model = build_model(plan, vocabulary, options.seed, start)
    first_epoch = 0 if start is None else start.n_epochs
    config = model.bilm.config
    corpus = make_corpus(sequences, vocabulary, config.max_characters, config.lowercase)
    trainer = Loop(
        LanguageModeling(
            model,
            corpus,
            sequences_of(sequences, train),
            sequences_of(sequences, held_out),
            options,
        ),
        options,
        observer,
        _checkpointer(
            plan, options, corpus, vocabulary, (train, held_out), model, first_epoch
        ),
        first_epoch,
    )
    if start is not None and keep_vocabulary and start.optimizer is not None:
        tensors = {name: torch.tensor(a) for name, a in start.optimizer.items()}
        if is_of_the_same_kind(tensors, trainer.optimizer, options):
            restore_optimizer(trainer.optimizer, tensors)

    def result() -> Pretrained:
        remembered = {
            name: tensor.cpu().numpy()
            for name, tensor in optimizer_tensors(trainer.optimizer).items()
        }
        share = corpus.unknown_share
        return Pretrained(model, vocabulary, trainer.state, share, remembered)

    def so_far() -> Pretrained:
        copied = copy.deepcopy(result())
        copied.model.load_state_dict(trainer.best_weights)
        copied.model.eval()
        return copied

    if watch is not None:
        watch(so_far)
    trainer.run()
    return result()


def build_model(
    plan: Plan, vocabulary: list[str], seed: int, start: Start | None = None
) -> LanguageModel:
    """Build a network: random weights, which `seed` decides alone, or those of `start`.

    Parameters
    ----------
    plan : Plan
    vocabulary : list of str
    seed : int
    start : Start, optional

    Returns
    -------
    LanguageModel

    Raises
    ------
    ValueError
        If word vectors are of another size than the word-level embedding, or if that of
        `start` does not fit the plan.
    """
    config = plan.config if start is None else start.model.bilm.config
    _check_word_embedding(plan, config)
    if config.word_embedding_dim:
        config = replace(config, n_words=len(vocabulary))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        bilm = BiLM(config, dropout=plan.dropout)
        softmax = SoftmaxLoss(len(vocabulary), config.proj_size)
    embedding = bilm.token_encoder.word_embedding
    if plan.tie_weights:
        cast(nn.Embedding, embedding).weight = softmax.weight
    if plan.init_word_vectors is not None:
        fill_word_vectors(
            cast(nn.Embedding, embedding).weight, vocabulary, plan.init_word_vectors
        )
    model = LanguageModel(bilm, softmax)
    if start is not None:
        copy_known(start, model, vocabulary)
    return model.to(plan.device)


def _check_word_embedding(plan: Plan, config: BiLMConfig) -> None:
    """Raise if the model to go on from lacks what the plan is about."""
    if plan.tie_weights and config.word_embedding_dim != config.proj_size:
        raise ValueError(
            f"tie_weights=True needs word_embedding_dim equal to proj_size, but the "
            f"model to go on from has {config.word_embedding_dim} and "
            f"{config.proj_size}. Set tie_weights=False."
        )
    if plan.init_word_vectors is not None and not config.word_embedding_dim:
        raise ValueError(
            "init_word_vectors needs a word-level embedding, but the model to go on "
            "from reads characters alone. Set init_word_vectors=None."
        )


def copy_known(start: Start, model: LanguageModel, vocabulary: list[str]) -> None:
    """Copy weights, and of what has a row a word those of the words known to both."""
    old_rows = {word: row for row, word in enumerate(start.vocabulary or [])}
    pairs = [(k, old_rows[w]) for k, w in enumerate(vocabulary) if w in old_rows]
    new, old = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).t()
    source = start.model.state_dict()
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            if not (name.startswith("softmax.") or ".word_embedding." in name):
                weight.copy_(source[name].cpu())
            elif len(source[name]):
                weight[new] = source[name].cpu()[old]


def fill_word_vectors(
    weight: Tensor, vocabulary: list[str], path: str | os.PathLike[str]
) -> None:
    """Set the rows of the words that a file of word vectors has, in this or lower case.

    Parameters
    ----------
    weight : torch.Tensor of shape (V, W)
        Filled in place.
    vocabulary : list of str
    path : str or os.PathLike

    Raises
    ------
    ValueError
        If the vectors are of another size.
    """
    wanted = {*vocabulary, *(word.lower() for word in vocabulary)}
    words, vectors = read_word_vectors(path, wanted)
    if vectors.shape[1] != weight.shape[1]:
        raise ValueError(
            f"{path}: holds vectors of size {vectors.shape[1]}, but word_embedding_dim="
            f"{weight.shape[1]}. Set word_embedding_dim={vectors.shape[1]}."
        )
    row_of = {word: row for row, word in enumerate(words)}
    with torch.no_grad():
        for k, word in enumerate(vocabulary):
            row = row_of.get(word, row_of.get(word.lower()))
            if row is not None:
                weight[k] = torch.from_numpy(vectors[row])


def _split(
    sequences: Sequences, plan: Plan, options: TrainingOptions, n_train: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold out documents that have text; those without are no use on either side."""
    written = np.flatnonzero(np.diff(sequences.document_offsets))
    if n_train is not None:
        return written[written < n_train], written[written >= n_train]
    if not options.early_stopping:
        return written, written[:0]
    rng = np.random.default_rng(options.seed)
    train, held_out = split_documents(len(written), plan.validation_fraction, rng)
    return written[train], written[held_out]


def _checkpointer(
    plan: Plan,
    options: TrainingOptions,
    corpus: Corpus,
    vocabulary: list[str],
    documents: tuple[NDArray[np.int64], ...],
    model: LanguageModel,
    first_epoch: int,
) -> Checkpointer | None:
    """Give the run a directory named by what decides its outcome."""
    if plan.checkpoint is None:
        return None
    run = run_hash(
        replace(plan, device="", checkpoint=None),
        replace(options, max_time=None, checkpoint_every=0),
        corpus.sequences,
        vocabulary,
        documents,
        model.bilm.config,
        model.state_dict().values(),
        first_epoch,
    )
    return Checkpointer(plan.checkpoint, run)
