"""The bidirectional language model: how the layers fit together.

Axes, here and everywhere: N documents, S sentences, B sequences (rows) in a batch,
T time steps, C characters, U unique tokens, n packed rows (real tokens and sentence
markers), P projection, H hidden (cell), L LSTM layers, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from skelmo.nn.char_cnn import (
    N_CHARACTERS,
    PADDING_CHARACTER,
    PADDING_CODE_POINT,
    CharacterCNN,
)
from skelmo.nn.lstm import ProjectedLSTM, lstm_layer
from skelmo.nn.modes import modes
from skelmo.nn.packing import reversed_rows
from skelmo.nn.randomness import Dropout
from skelmo.nn.recurrence import Clip, Prepared, State, Weights, prepare
from skelmo.nn.softmax import SoftmaxLoss


def _whole(default: int, minimum: int = 1) -> int:
    """Return a field of a whole number, which says what is the least."""
    return field(default=default, metadata={"minimum": minimum})


@dataclass(frozen=True)
class BiLMConfig:
    """Everything that fixes the shapes and the arithmetic of a `BiLM`.

    What a field may be is in its metadata: "minimum" of a whole number, "choices" of
    a str, "positive" of a number that may also be None, "later" of what the first files
    lack. Estimators and readers of files take names, defaults and limits from here.
    """

    filters: tuple[tuple[int, int], ...] = (
        (1, 32), (2, 32), (3, 64), (4, 128), (5, 128), (6, 128),
    )  # fmt: skip
    char_embedding_dim: int = _whole(16, minimum=0)  # 0: words only, without filters
    n_highway: int = _whole(1, minimum=0)
    activation: str = field(default="relu", metadata={"choices": ("relu", "tanh")})
    # Characters of a token, its two word markers included.
    max_characters: int = _whole(50, minimum=3)
    word_embedding_dim: int = _whole(0, minimum=0)  # 0: characters only
    n_words: int = _whole(0, minimum=0)  # rows of the word-level embedding
    lowercase: bool = False  # words of the vocabulary; characters keep their case
    token_projection: bool = True  # False: CNN features are the token vector
    hidden_size: int = _whole(512)
    proj_size: int = _whole(128)
    num_layers: int = _whole(2)
    lstm_projection: bool = True  # False: no projection, hidden_size = proj_size
    cell_clip: float | None = field(default=3.0, metadata={"positive": True})
    proj_clip: float | None = field(default=3.0, metadata={"positive": True})
    skip_connections: bool = True
    # What a character is: a byte of UTF-8, or a code point of the model's alphabet.
    characters: str = field(
        default="bytes", metadata={"choices": ("bytes", "codepoints"), "later": True}
    )
    n_characters: int = field(  # rows of the character embedding
        default=N_CHARACTERS, metadata={"minimum": 1, "later": True}
    )
    # Whether 1 is added to the forget gate's bias, or stands in it.
    forget_bias: bool = field(default=True, metadata={"later": True})

    @property
    def told(self) -> dict[str, Any]:
        """All fields with their values, but for later ones that say nothing new.

        A name or a hash that is made of them is the same as before there were those.
        """
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if not each.metadata.get("later")
            or getattr(self, each.name) != each.default
        }

    def __repr__(self) -> str:
        """Name the fields that are `told`."""
        shown = ", ".join(f"{name}={value!r}" for name, value in self.told.items())
        return f"{type(self).__qualname__}({shown})"

    @property
    def padding(self) -> int:
        """Id of the padding behind a token's characters."""
        bytes_are_read = self.characters == "bytes"
        return PADDING_CHARACTER if bytes_are_read else PADDING_CODE_POINT

    @property
    def n_features(self) -> int:
        """Size of one layer's activation: both directions."""
        return 2 * self.proj_size

    @property
    def n_layers(self) -> int:
        """Layers of activations: the token encoder and each LSTM layer."""
        return self.num_layers + 1


class Output(NamedTuple):
    """What a `BiLM` computes for packed rows."""

    forward: tuple[Tensor, ...]  # L + 1 of (n, P); layer 0 is the token vector
    backward: tuple[Tensor, ...]
    states: tuple[State, ...]  # per layer


class BiLM(nn.Module):
    """Character CNN under two independent stacks of projected LSTM layers.

    Layer l of a direction reads layer l - 1 of the same direction only. The module
    holds no recurrent state: it is an argument and a return value.

    Parameters
    ----------
    config : BiLMConfig
    dropout : float, default=0.0
        Share of values dropped, in training, from the token vectors and from the
        output of each LSTM layer.

    References
    ----------
    .. [1] Peters et al. (2018), arXiv:1802.05365, Section 3.
    """

    def __init__(self, config: BiLMConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.dropout = Dropout(dropout)
        self.token_encoder = CharacterCNN(
            config.filters,
            embedding_dim=config.char_embedding_dim,
            n_highway=config.n_highway,
            activation=config.activation,
            proj_size=config.proj_size,
            projection=config.token_projection,
            n_words=config.n_words,
            word_embedding_dim=config.word_embedding_dim,
            n_characters=config.n_characters,
            # Code points have no row for a padded token position.
            padding_idx=0 if config.characters == "bytes" else None,
        )
        self.forward_lstm, self.backward_lstm = (
            ProjectedLSTM(
                config.proj_size,
                config.hidden_size,
                config.num_layers,
                projection=config.lstm_projection,
                forget_bias=config.forget_bias,
            )
            for _ in range(2)
        )
        self.clip = Clip(config.cell_clip or None, config.proj_clip or None)

    def layer(self, index: int) -> tuple[Weights, Weights]:
        """Return the LSTM weights of one layer: forward, backward."""
        return self.forward_lstm.layer(index), self.backward_lstm.layer(index)

    @modes(grad=False)
    def prepare(
        self, dtype: torch.dtype | None = None, *, share: bool = False
    ) -> list[Prepared]:
        """Return the LSTM weights as the recurrence multiplies by them.

        Parameters
        ----------
        dtype : torch.dtype, optional
            What matrix products are computed in; by default that of the weights.
        share : bool, default=False
            Change the order of the weights in memory, where that spares a copy; not
            while they are trained. Their values stay.

        Returns
        -------
        prepared : list of Prepared of length L
            Without gradient: what the weights are now.
        """
        layers = [self.layer(layer) for layer in range(self.config.num_layers)]
        weight = layers[0][0].weight_ih
        share &= dtype in (None, weight.dtype) and weight.device.type == "cpu"
        return [prepare(layer, dtype, share=share) for layer in layers]

    def forward(
        self,
        token_vectors: Tensor,
        batch_sizes: Sequence[int],
        states: Sequence[State] | None = None,
        backward_vectors: Tensor | None = None,
        *,
        dtype: torch.dtype | None = None,
        prepared: Sequence[Prepared] | None = None,
        generator: torch.Generator | None = None,
    ) -> Output:
        """Run both directions over packed rows.

        Parameters
        ----------
        token_vectors : torch.Tensor of shape (n, P)
            Vectors from `token_encoder`, sentence markers included, packed time-major
            (see `skelmo.nn.packing`).
        batch_sizes : sequence of int of length T
            Rows alive at each time step.
        states : sequence of State, optional
            Initial state per layer, rows in the batch's order. None starts every
            sequence from zero.
        backward_vectors : torch.Tensor of shape (n, P), optional
            What the backward direction reads, when it walks another stretch of a long
            sequence than the forward direction; by default `token_vectors`.
        dtype : torch.dtype, optional
            What matrix products of the recurrence are computed in; by default that of
            `token_vectors`.
        prepared : sequence of Prepared, optional
            What `prepare` returned, to spare its work; its dtype is that of the
            products.
        generator : torch.Generator, optional
            What dropout draws from; without it nothing is dropped.

        Returns
        -------
        Output
            Per direction L + 1 tensors of shape (n, P), in the dtype of
            `token_vectors`, and the final states (without gradient).
        """
        if prepared is not None:
            dtype = prepared[0].dtype
        turn = torch.from_numpy(reversed_rows(batch_sizes)).to(token_vectors.device)
        ahead = back = self.dropout(token_vectors, generator)
        if backward_vectors is not None:
            back = self.dropout(backward_vectors, generator)
        layers_f, layers_b, ends = [ahead], [back], []
        # The backward direction reads every sequence from its end.
        hidden = torch.stack([ahead, back[turn]])
        for layer in range(self.config.num_layers):
            out, end = lstm_layer(
                hidden,
                batch_sizes,
                self.layer(layer),
                self.clip,
                None if states is None else states[layer],
                None if prepared is None else prepared[layer],
                dtype,
            )
            out = self.dropout(out.to(hidden.dtype), generator)
            # The recurrent state goes without the skip connection; what the next
            # layer reads and what is returned goes with it.
            if layer > 0 and self.config.skip_connections:
                # Without a graph nobody else reads the output of the scan.
                out = out + hidden if out.requires_grad else out.add_(hidden)
            hidden = out
            layers_f.append(hidden[0])
            layers_b.append(hidden[1, turn])
            ends.append(end)
        return Output(tuple(layers_f), tuple(layers_b), tuple(ends))


class LanguageModel(torch.nn.Module):
    """A `BiLM` under its softmax.

    Parameters
    ----------
    bilm : BiLM
    softmax : SoftmaxLoss
        Of no words in a model that gives features only.
    """

    def __init__(self, bilm: BiLM, softmax: SoftmaxLoss) -> None:
        super().__init__()
        self.bilm = bilm
        self.softmax = softmax
