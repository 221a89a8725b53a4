"""Where training starts from: random weights, word vectors, or a trained model."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from skelmo.models.trained import TrainedModel
from skelmo.nn.bilm import BiLM, BiLMConfig, LanguageModel
from skelmo.nn.randomness import DrawnFrom
from skelmo.nn.softmax import SoftmaxLoss
from skelmo.text.codepoints import N_MARKERS
from skelmo.text.word_vectors import read_word_vectors
from skelmo.training.plan import Plan


def build_model(
    plan: Plan,
    vocabulary: list[str],
    seed: int,
    start: TrainedModel | None = None,
    alphabet: list[str] | None = None,
) -> LanguageModel:
    """Build a network: random weights, which `seed` decides alone, or those of `start`.

    Parameters
    ----------
    plan : Plan
    vocabulary : list of str
    seed : int
    start : TrainedModel, optional
    alphabet : list of str, optional
        Of a model of code points: that of `start`, if there is one.

    Returns
    -------
    LanguageModel

    Raises
    ------
    ValueError
        If word vectors are of another size than the word-level embedding, or if that of
        `start` does not fit the plan.
    """
    config = plan.config if start is None else start.config
    _check_word_embedding(plan, config)
    if config.word_embedding_dim:
        config = replace(config, n_words=len(vocabulary))
    if alphabet is not None:
        config = replace(config, n_characters=N_MARKERS + len(alphabet))
    with DrawnFrom(torch.Generator().manual_seed(seed)):
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


def copy_known(
    start: TrainedModel, model: LanguageModel, vocabulary: list[str]
) -> None:
    """Copy weights, and of what has a row a word those of the words known to both."""
    old_rows = start.indexer.rows
    pairs = [(k, old_rows[w]) for k, w in enumerate(vocabulary) if w in old_rows]
    new, old = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).t()
    source = start.network.state_dict()
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
