"""Token encoder: the characters of a token to one vector.

Axes: U unique tokens, C characters, D character embedding, F filters, P projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

N_CHARACTERS = 262  # 256 bytes, 5 markers, and id 0 for a padded token position
PRODUCTS_AT_ONCE = 2**21  # of a convolution: so many stay in the processor's cache
# Padding *inside* a token: a learned embedding.
PADDING_CHARACTER = 261
PADDING_CODE_POINT = 3  # where characters are code points


class Highway(nn.Module):
    """One highway layer, ``g * relu(W x + b) + (1 - g) * x``.

    Parameters
    ----------
    size : int
        Width F of input and output.

    References
    ----------
    .. [1] Srivastava et al. (2015), Highway Networks, arXiv:1505.00387, eq. 3.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.transform = nn.Linear(size, size)
        self.carry = nn.Linear(size, size)
        # Start near the identity, as bilm-tf does (its carry bias is -2).
        nn.init.constant_(self.carry.bias, -2.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map (U, F) to (U, F)."""
        # bilm-tf names the gate of the *transformed* part "carry"; names are kept.
        # Under autocast the products are of lower precision; their sum is not.
        gate = torch.sigmoid(self.carry(x).to(x.dtype))
        return torch.lerp(x, torch.relu(self.transform(x).to(x.dtype)), gate)


class CharacterCNN(nn.Module):
    """Character ids of each unique token to a token vector.

    Embedding, convolutions of several widths, maximum over positions, activation,
    highway layers and a projection; optionally a word-level embedding joins before
    the projection. The vector of a token depends on that token alone.

    Parameters
    ----------
    filters : sequence of (int, int)
        Width and number of filters of each convolution. Without filters there are no
        characters: the word-level embedding alone is read.
    embedding_dim : int, default=16
        Size D of a character embedding.
    n_highway : int, default=1
        Number of highway layers, 0 or more.
    activation : {"relu", "tanh"}, default="relu"
        Applied after the maximum over positions.
    proj_size : int, default=128
        Size P of a token vector.
    projection : bool, default=True
        False leaves the projection out; F + W must then equal P.
    n_words : int, default=0
        Rows of the word-level embedding; row 2 is that of unknown words.
    word_embedding_dim : int, default=0
        Size W of the word-level embedding; 0 means characters only.
    n_characters : int, default=262
        Rows of the character embedding.
    padding_idx : int or None, default=0
        Row of the character embedding that stays zero, that of a padded token position.

    References
    ----------
    .. [1] Kim et al. (2016), Character-Aware Neural Language Models,
       arXiv:1508.06615, Section 2.2.
    .. [2] Peters et al. (2018), arXiv:1802.05365, Section 3.1.
    """

    def __init__(
        self,
        filters: Sequence[tuple[int, int]],
        *,
        embedding_dim: int = 16,
        n_highway: int = 1,
        activation: str = "relu",
        proj_size: int = 128,
        projection: bool = True,
        n_words: int = 0,
        word_embedding_dim: int = 0,
        n_characters: int = N_CHARACTERS,
        padding_idx: int | None = 0,
    ) -> None:
        super().__init__()
        self.embedding = (
            nn.Embedding(n_characters, embedding_dim, padding_idx) if filters else None
        )
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding_dim, n_filters, width) for width, n_filters in filters
        )
        n_filters = sum(n for _, n in filters)
        n_highway = n_highway if filters else 0
        self.highways = nn.ModuleList(Highway(n_filters) for _ in range(n_highway))
        self.activation = {"relu": torch.relu, "tanh": torch.tanh}[activation]
        self.word_embedding = (
            nn.Embedding(n_words, word_embedding_dim) if word_embedding_dim else None
        )
        self.projection = (
            nn.Linear(n_filters + word_embedding_dim, proj_size) if projection else None
        )
        self.max_width = max((width for width, _ in filters), default=0)
        self._initialise()

    def _initialise(self) -> None:
        with torch.no_grad():
            if self.embedding is not None:
                weight = self.embedding.weight.uniform_(-1.0, 1.0)
                if self.embedding.padding_idx is not None:
                    weight[self.embedding.padding_idx] = 0.0
            for module in self.convolutions:
                convolution = cast(nn.Conv1d, module)
                # Unit variance before the maximum, whatever the width: bilm-tf's 0.05
                # leaves a small model's features near 0 for many epochs.
                bound = 3.0 / convolution.weight[0].numel() ** 0.5
                nn.init.uniform_(convolution.weight, -bound, bound)
                nn.init.zeros_(cast(Tensor, convolution.bias))
            if self.word_embedding is None:
                return
            nn.init.normal_(self.word_embedding.weight, std=0.1)
            width = self.word_embedding.embedding_dim
            if self.projection is not None and self.projection.out_features == width:
                # A word's own vector goes through: characters begin by adding to it.
                self.projection.weight[:, -width:].zero_().fill_diagonal_(1.0)

    def forward(self, char_ids: Tensor, word_ids: Tensor | None = None) -> Tensor:
        """Encode unique tokens.

        Parameters
        ----------
        char_ids : torch.Tensor of shape (U, C)
            Character ids as `skelmo.text.token_indexer.TokenIndexer` gives them.
            Columns beyond `trimmed_length` may be left out; the result is the same.
        word_ids : torch.Tensor of shape (U,), optional
            Rows of the word-level embedding; needed when there is one.

        Returns
        -------
        token_vectors : torch.Tensor of shape (U, P)
        """
        parts = []
        if self.embedding is not None:
            parts.append(self._read_characters(self.embedding(char_ids.long())))
        if self.word_embedding is not None:
            parts.append(self.word_embedding(word_ids))
        x = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)  # (U, F + W)
        return x if self.projection is None else self.projection(x)

    def _read_characters(self, embedded: Tensor) -> Tensor:
        """Map (U, C, D) to (U, F)."""
        # Windows are cut out of the embedded characters once per width and multiplied
        # in one product; the maximum commutes with adding the bias.
        pooled = [self._convolve(embedded, conv) for conv in self.convolutions]
        x = self.activation(torch.cat(pooled, dim=1))
        for highway in self.highways:
            x = highway(x)
        return x

    @staticmethod
    def _convolve(embedded: Tensor, module: nn.Module) -> Tensor:
        convolution = cast(nn.Conv1d, module)
        n_filters, embedding_dim, width = convolution.weight.shape
        windows = embedded.unfold(1, width, 1).transpose(2, 3)  # (U, C - w + 1, w, D)
        weight = convolution.weight.permute(2, 1, 0).reshape(-1, n_filters)
        n_windows = windows.shape[1]
        rows_at_once = max(1, PRODUCTS_AT_ONCE // (n_windows * n_filters))
        pooled = []
        for chunk in windows.split(rows_at_once):
            products = chunk.reshape(-1, width * embedding_dim) @ weight
            pooled.append(products.view(-1, n_windows, n_filters).amax(dim=1))
        return torch.cat(pooled) + cast(Tensor, convolution.bias)


def trimmed_length(longest: int, max_width: int, max_characters: int) -> int:
    """Return how many columns of ids decide the convolutions' maxima.

    Windows that lie wholly in the padding all give one value, so one such window of the
    widest filter is enough.

    Parameters
    ----------
    longest : int
        Ids of the longest token, word markers included.
    max_width : int
        Width of the widest filter.
    max_characters : int
        Columns there are.

    Returns
    -------
    n_columns : int
    """
    return min(max_characters, longest + max_width)
