"""A language model under a head, and how much of both is trained."""

from __future__ import annotations

import copy
import re
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skelmo.models.trained import TrainedModel
from skelmo.nn.bilm import BiLM, LanguageModel
from skelmo.nn.heads import Head
from skelmo.nn.modes import modes
from skelmo.nn.packing import pack
from skelmo.nn.randomness import Dropout
from skelmo.nn.running import token_vectors
from skelmo.text.sequences import Sequences, ranges
from skelmo.text.token_indexer import TokenIndexer

_LSTM_LAYER = re.compile(r"bilm\.\w+_lstm\.\w+_l(\d+)")


class TunedNetwork(nn.Module):
    """A head, with the part of a language model that is trained under it.

    Parameters
    ----------
    head : Head
    bilm : BiLM or None, default=None
        Its own copy; None if activations come from elsewhere.
    """

    def __init__(self, head: Head, bilm: BiLM | None = None) -> None:
        super().__init__()
        self.head, self.bilm = head, bilm

    @property
    def n_blocks(self) -> int:
        """Blocks of the language model: each LSTM layer, and the token encoder."""
        return 0 if self.bilm is None else self.bilm.config.n_layers

    def depth(self, name: str) -> int:
        """Return how far below the head a parameter lies.

        Parameters
        ----------
        name : str
            As `named_parameters` has it.

        Returns
        -------
        depth : int
            0 in the head, 1 in the top LSTM layer, `n_blocks` in the token encoder.
        """
        if self.bilm is None or not name.startswith("bilm."):
            return 0
        layer = _LSTM_LAYER.fullmatch(name)
        return self.n_blocks - (0 if layer is None else 1 + int(layer.group(1)))

    def train_down_to(self, depth: int) -> None:
        """Let the parameters of a depth and above have gradients, and no others."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(self.depth(name) <= depth)


class LiveActivations:
    """Activations of tokens as a language model gives them now, with gradient.

    The network is a copy, which holds of the words those alone that the documents have:
    the others learn nothing, and would cost as much.

    Parameters
    ----------
    model : TrainedModel
        Stays as it is.
    sequences : Sequences
        Documents.
    indexer : TokenIndexer
        From tokens to the ids that the network reads.
    dtype : torch.dtype, optional
        What matrix products are computed in; by default that of the weights.
    dropout : float, default=0.0
        Share of values dropped in training.

    Attributes
    ----------
    bilm : BiLM
        What is to be trained.
    """

    def __init__(
        self,
        model: TrainedModel,
        sequences: Sequences,
        indexer: TokenIndexer,
        dtype: torch.dtype | None = None,
        dropout: float = 0.0,
    ) -> None:
        self.model, self.sequences, self.dtype = model, sequences, dtype
        self.char_ids, words = indexer(sequences.tokens)
        self.rows, word_ids = np.unique(words, return_inverse=True)
        self.word_ids = word_ids if model.config.word_embedding_dim else None
        self.bilm = self._trainable(dropout)
        n_sequences = np.diff(sequences.document_offsets)
        self.lengths = np.diff(sequences.document_starts) - 2 * n_sequences
        self.is_token = np.ones(len(sequences.token_ids), dtype=bool)
        self.is_token[sequences.offsets[:-1]] = False
        self.is_token[sequences.offsets[1:] - 1] = False

    def __call__(
        self, documents: NDArray[np.int64], generator: torch.Generator | None = None
    ) -> Tensor:
        """Return the activations of some documents, one after the other.

        Parameters
        ----------
        documents : ndarray of shape (B,), int64
            Ascending, each once.
        generator : torch.Generator, optional
            What dropout draws from; without it nothing is dropped.

        Returns
        -------
        activations : torch.Tensor of shape (n, L + 1, 2P)
            Without sentence markers.
        """
        sequences, config = self.sequences, self.bilm.config
        first = sequences.document_offsets[documents]
        members = ranges(first, sequences.document_offsets[documents + 1] - first)
        device = self.model.device
        if not len(members):
            return torch.zeros(0, config.n_layers, config.n_features, device=device)
        lengths = sequences.lengths[members]
        order = np.argsort(-lengths, kind="stable")
        members, lengths = members[order], lengths[order]
        batch = pack(members, sequences.offsets[members], lengths)
        ids = sequences.token_ids[batch.positions]
        used, rows = np.unique(ids, return_inverse=True)
        words = None if self.word_ids is None else self.word_ids[used]
        vectors = token_vectors(self.bilm, self.char_ids[used], words, dtype=self.dtype)
        output = self.bilm(
            nn.functional.embedding(torch.from_numpy(rows).to(device), vectors),
            batch.batch_sizes,
            dtype=self.dtype,
            generator=generator,
        )
        # Documents ascend, and with them the places of their tokens.
        places = np.argsort(batch.positions)
        places = places[self.is_token[batch.positions[places]]]
        found = torch.from_numpy(places).to(device)
        both = zip(output.forward, output.backward, strict=True)
        return torch.stack([torch.cat(pair, 1)[found] for pair in both], 1)

    @modes(grad=True)
    def _trainable(self, dropout: float) -> BiLM:
        """Return a copy of the network with the words of the documents."""
        bilm = copy.deepcopy(self.model.network.bilm)
        bilm.dropout = Dropout(dropout)
        embedding = bilm.token_encoder.word_embedding
        if embedding is not None:
            rows = torch.from_numpy(self.rows).to(self.model.device)
            embedding.weight = nn.Parameter(embedding.weight.detach()[rows])
        for parameter in bilm.parameters():
            # Encoding may have chosen another order in memory.
            parameter.data = parameter.detach().contiguous()
        return bilm

    @modes(grad=True)
    def trained(self) -> TrainedModel:
        """Return the model with the weights of now, copied, and all of its words."""
        bilm = copy.deepcopy(self.bilm).eval().requires_grad_(True)
        bilm.dropout = Dropout()
        before = self.model.network.bilm.token_encoder.word_embedding
        after = bilm.token_encoder.word_embedding
        if before is not None and after is not None:
            rows = torch.from_numpy(self.rows).to(self.model.device)
            words = before.weight.detach().clone()
            words[rows] = after.weight.detach()
            after.weight = nn.Parameter(words)
            if torch.equal(words, before.weight):
                # Of one memory, and still that of the softmax where it is tied.
                bilm.token_encoder.word_embedding = before
        network = LanguageModel(bilm, self.model.network.softmax)
        return replace(self.model, network=network, optimizer=None)
