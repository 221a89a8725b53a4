"""Heads: from the layer activations of a document's tokens to its outputs.

Layers are mixed or laid side by side, tokens pooled, and what is pooled is standardised
and goes through hidden layers, if there are any, to the outputs. A document without
tokens is pooled to what the average document is.

Axes: B documents, n tokens of all of them one after the other, T tokens of the longest,
L + 1 layers, D features of a layer (both directions), R features of a token that are
read, F pooled features, K outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from skelmo.nn.randomness import Dropout

HEADS = ("linear", "mlp", "cnn", "attention")
# Variance that a standard deviation over tokens has at least: of one token it is 0,
# where the root has no gradient.
_LEAST_VARIANCE = 1e-12
# Documents of average spread that are counted in, lest a feature that a few documents
# have alike be blown up.
_PRIOR_DOCUMENTS = 10.0


@dataclass(frozen=True)
class HeadConfig:
    """Everything that fixes the shapes and the arithmetic of a `Head`."""

    n_layers: int  # L + 1
    n_features: int  # D
    n_outputs: int  # K
    kind: str = "attention"  # one of HEADS
    hidden_layer_sizes: tuple[int, ...] = (100,)  # of "mlp"
    n_filters: int = 100  # of "cnn", for each kernel size
    kernel_sizes: tuple[int, ...] = (3, 4, 5)  # of "cnn", in tokens
    n_attention_heads: int = 4  # of "attention"; divides D
    mixes: bool = True  # layers by learned weights; else they stand side by side

    @property
    def n_read(self) -> int:
        """Features R of a token that are pooled."""
        return self.n_features if self.mixes else self.n_layers * self.n_features

    @property
    def n_pooled(self) -> int:
        """Size F of what a document is pooled to."""
        if self.kind == "cnn":
            return self.n_filters * len(self.kernel_sizes)
        return 2 * self.n_read


class ScalarMix(nn.Module):
    """Mix layers by learned weights, ``gamma * sum_l softmax(weights)[l] * layer_l``.

    Parameters
    ----------
    n_layers : int
        L + 1.

    References
    ----------
    .. [1] Peters et al. (2018), arXiv:1802.05365, eq. 1.
    """

    def __init__(self, n_layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(n_layers))
        self.gamma = nn.Parameter(torch.ones(1))

    def forward(self, activations: Tensor) -> Tensor:
        """Mix (n, L + 1, D) to (n, D)."""
        shares = self.gamma * torch.softmax(self.weights, 0)
        return torch.einsum("nlp,l->np", activations, shares)


class Ragged:
    """Tokens of documents, one after the other, and how to lay them side by side.

    Parameters
    ----------
    lengths : torch.Tensor of shape (B,), int64
        Tokens of each document, 0 or more.
    least : int, default=1
        Columns there are at least, T.
    """

    def __init__(self, lengths: Tensor, least: int = 1) -> None:
        self.lengths = lengths
        longest = int(lengths.max()) if len(lengths) else 0
        columns = torch.arange(max(longest, least), device=lengths.device)
        self.mask = columns < lengths[:, None]  # (B, T), True = real token

    def padded(self, x: Tensor, value: float = 0.0) -> Tensor:
        """Lay (n, R) side by side, (B, T, R), with a value behind the last token."""
        out = x.new_full((*self.mask.shape, x.shape[1]), value)
        return out.masked_scatter(self.mask[:, :, None], x)


class MeanStdPooling(nn.Module):
    """Mean and standard deviation over a document's tokens."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Pool (n, R) to (B, 2R)."""
        tokens = Ragged(lengths)
        padded, counts = tokens.padded(x), lengths.clamp(min=1)[:, None]
        mean = padded.sum(1) / counts
        spread = (padded - mean[:, None]) * tokens.mask[:, :, None]
        variance = spread.square().sum(1) / counts
        return torch.cat([mean, (variance + _LEAST_VARIANCE).sqrt()], 1)


class ConvolutionPooling(nn.Module):
    """Convolutions over tokens, and each filter's maximum over a document.

    A document shorter than a filter is filled up with zeros.

    Parameters
    ----------
    n_features : int
        R.
    n_filters : int
        Filters of each width.
    kernel_sizes : tuple of int
        Widths, in tokens.

    References
    ----------
    .. [1] Kim (2014), Convolutional Neural Networks for Sentence Classification,
       arXiv:1408.5882, Section 2.
    """

    def __init__(
        self, n_features: int, n_filters: int, kernel_sizes: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.kernel_sizes = kernel_sizes
        self.convolutions = nn.ModuleList(
            nn.Conv1d(n_features, n_filters, width) for width in kernel_sizes
        )

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Pool (n, R) to (B, F)."""
        tokens = Ragged(lengths, max(self.kernel_sizes))
        padded = tokens.padded(x).transpose(1, 2)  # (B, R, T)
        pooled = []
        for width, convolution in zip(
            self.kernel_sizes, self.convolutions, strict=True
        ):
            found = convolution(padded)  # (B, n_filters, T - width + 1)
            n_windows = (lengths - width + 1).clamp(min=1)
            starts = torch.arange(found.shape[2], device=x.device)
            beyond = starts >= n_windows[:, None]
            pooled.append(found.masked_fill(beyond[:, None], -torch.inf).amax(2))
        # The maximum commutes with the rectifier.
        return torch.relu(torch.cat(pooled, 1))


class AttentionPooling(nn.Module):
    """Sums of a document's tokens by weights learned of them, beside their maximum.

    Each attention head weighs tokens for a part of the features of its own. At first
    all tokens weigh the same.

    Parameters
    ----------
    n_features : int
        R.
    n_heads : int
        Attention heads; divides R.
    n_hidden : int
        Units that a token is weighed by.

    References
    ----------
    .. [1] Yang et al. (2016), Hierarchical Attention Networks for Document
       Classification, NAACL, eq. 5 to 7.
    """

    def __init__(self, n_features: int, n_heads: int, n_hidden: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.hidden = nn.Linear(n_features, n_hidden)
        self.score = nn.Linear(n_hidden, n_heads, bias=False)
        nn.init.zeros_(self.score.weight)

    def weights(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the weights of tokens, (B, T, n_heads); 0 behind the last one."""
        tokens = Ragged(lengths)
        scores = tokens.padded(self.score(torch.tanh(self.hidden(x))), -torch.inf)
        # A document without tokens would be all nan.
        scores = scores.masked_fill((lengths == 0)[:, None, None], 0.0)
        return torch.softmax(scores, 1) * tokens.mask[:, :, None]

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Pool (n, R) to (B, 2R)."""
        tokens = Ragged(lengths)
        padded = tokens.padded(x)
        n_documents, n_columns, _ = padded.shape
        parts = padded.view(n_documents, n_columns, self.n_heads, -1)
        summed = torch.einsum("bthd,bth->bhd", parts, self.weights(x, lengths))
        highest = tokens.padded(x, -torch.inf).amax(1)
        return torch.cat([summed.flatten(1), highest], 1)


class Standardization(nn.Module):
    """Bring features to mean 0 and variance 1, by numbers that are found once.

    Parameters
    ----------
    n_features : int
        F.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))

    @property
    def offset(self) -> Tensor:
        """What is taken from features of the scale they are brought to, (F,)."""
        return self.mean / self.scale

    def forward(self, x: Tensor) -> Tensor:
        """Standardise (B, F)."""
        return (x - self.mean) / self.scale

    def find(self, x: Tensor, weight: Tensor) -> None:
        """Find mean and scale of documents.

        Parameters
        ----------
        x : torch.Tensor of shape (B, F)
            Of distinct documents. Variances are drawn towards their mean over features,
            as if 10 documents more had that.
        weight : torch.Tensor of shape (B,)
            Of each document, above 0.
        """
        x, share = x.double(), (weight / weight.sum()).double()
        mean = share @ x
        variance = share @ (x - mean).square()
        usual = variance.mean()
        if usual > 0:
            n = len(x)
            total = n * variance + _PRIOR_DOCUMENTS * usual
            self.scale.copy_((total / (n + _PRIOR_DOCUMENTS)).sqrt())
        self.mean.copy_(mean)


class Head(nn.Module):
    """What reads the activations of a document's tokens and gives its outputs.

    Parameters
    ----------
    config : HeadConfig
    dropout : float, default=0.0
        Share of values dropped, in training, from what is pooled and each hidden layer.
    """

    def __init__(self, config: HeadConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.mix = ScalarMix(config.n_layers) if config.mixes else nn.Flatten(1)
        self.dropout = Dropout(dropout)
        self.pooling = _pooling(config)
        self.standardization = Standardization(config.n_pooled)
        hidden = config.hidden_layer_sizes if config.kind == "mlp" else ()
        sizes = config.n_pooled, *hidden
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.output = nn.Linear(sizes[-1], config.n_outputs)

    def pool(self, activations: Tensor, lengths: Tensor) -> Tensor:
        """Return what the layers above the pooling read.

        Parameters
        ----------
        activations : torch.Tensor of shape (n, L + 1, D)
            Of the tokens of all documents, one document after the other.
        lengths : torch.Tensor of shape (B,), int64
            Tokens of each document; their sum is n.

        Returns
        -------
        pooled : torch.Tensor of shape (B, F)
            Zeros for a document without tokens.
        """
        return self.pool_mixed(self.mix(activations), lengths)

    def pool_mixed(self, mixed: Tensor, lengths: Tensor) -> Tensor:
        """Return what `pool` does, of layers as they are read, (n, R)."""
        pooled = self.standardization(self.pooling(mixed, lengths))
        return cast(Tensor, pooled.masked_fill((lengths == 0)[:, None], 0.0))

    def outputs(
        self, pooled: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return the outputs of what is pooled, (B, F) to (B, K).

        Dropout draws from the generator; without one nothing is dropped.
        """
        x = self.dropout(pooled, generator)
        for layer in self.hidden:
            x = self.dropout(torch.relu(layer(x)), generator)
        return cast(Tensor, self.output(x))

    def forward(
        self,
        activations: Tensor,
        lengths: Tensor,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the outputs of documents.

        Parameters
        ----------
        activations : torch.Tensor of shape (n, L + 1, D)
        lengths : torch.Tensor of shape (B,), int64
        generator : torch.Generator, optional
            As for `outputs`.

        Returns
        -------
        outputs : torch.Tensor of shape (B, K)
        """
        return self.outputs(self.pool(activations, lengths), generator)


def _pooling(config: HeadConfig) -> nn.Module:
    if config.kind == "cnn":
        return ConvolutionPooling(config.n_read, config.n_filters, config.kernel_sizes)
    if config.kind == "attention":
        return AttentionPooling(
            config.n_read, config.n_attention_heads, config.n_features // 2
        )
    return MeanStdPooling()
