"""Which tensor of ELMoForManyLangs holds which arrays of the network, and how.

Orientation and order of the gates are those of the network. A highway layer is one
matrix: what is let through above, below it the gate of what is *carried*, where the
network has the gate of what is transformed; of a sigmoid the one is the other negated.

Axes: F filters, P projection, H hidden (cell).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from skelmo.nn.bilm import BiLMConfig
from skelmo.pretrained.bilm_layout import Entry, Kind

_SAME = Kind(lambda x: [x], lambda x: x)


def _halves(x: np.ndarray) -> list[np.ndarray]:
    transformed, carried = np.split(x, 2)
    return [transformed, -carried]


_HIGHWAY = Kind(_halves, lambda transform, carry: np.concatenate([transform, -carry]))


def rows_of(numbers: NDArray[np.int64]) -> Kind:
    """Return how rows in a dictionary's order become rows in the model's."""
    back = np.argsort(numbers)
    return Kind(lambda x: [x[numbers]], lambda x: x[back])


def embedder_layout(
    config: BiLMConfig, characters: NDArray[np.int64], words: NDArray[np.int64]
) -> list[Entry]:
    """List the tensors of ``token_embedder.pkl``.

    Parameters
    ----------
    config : BiLMConfig
    characters : ndarray of shape (n_characters,), int64
        Number in the dictionary of each row of the character embedding.
    words : ndarray of shape (n_words,), int64
        Number in the dictionary of each row of the word-level embedding.

    Returns
    -------
    entries : list of Entry
    """
    return [*_embedder_entries(config, characters, words)]


def _embedder_entries(
    config: BiLMConfig, characters: NDArray[np.int64], words: NDArray[np.int64]
) -> Iterator[Entry]:
    encoder, n_filters = "token_encoder", sum(n for _, n in config.filters)
    char_dim, word_dim = config.char_embedding_dim, config.word_embedding_dim
    if word_dim:
        shape, arrays = (len(words), word_dim), (f"{encoder}.word_embedding.weight",)
        yield Entry("word_emb_layer.embedding.weight", shape, rows_of(words), arrays)
    if config.filters:
        shape, arrays = (len(characters), char_dim), (f"{encoder}.embedding.weight",)
        kind = rows_of(characters)
        yield Entry("char_emb_layer.embedding.weight", shape, kind, arrays)
        for i, (width, n) in enumerate(config.filters):
            name = f"convolutions.{i}"
            yield from _linear(name, (n, char_dim, width), f"{encoder}.{name}")
        for k in range(config.n_highway):
            layer = f"{encoder}.highways.{k}"
            for part, size in ("weight", (n_filters,)), ("bias", ()):
                yield Entry(
                    f"highways._layers.{k}.{part}",
                    (2 * n_filters, *size),
                    _HIGHWAY,
                    (f"{layer}.transform.{part}", f"{layer}.carry.{part}"),
                )
    shape = config.proj_size, word_dim + n_filters
    # The word stands before the characters there, here behind them.
    turned = Kind(
        lambda x: [np.roll(x, -word_dim, axis=1)],
        lambda x: np.roll(x, word_dim, axis=1),
    )
    yield from _linear("projection", shape, f"{encoder}.projection", turned)


def _linear(
    name: str, shape: tuple[int, ...], layer: str, kind: Kind = _SAME
) -> Iterator[Entry]:
    yield Entry(f"{name}.weight", shape, kind, (f"{layer}.weight",))
    yield Entry(f"{name}.bias", shape[:1], _SAME, (f"{layer}.bias",))


def encoder_layout(config: BiLMConfig) -> list[Entry]:
    """List the tensors of ``encoder.pkl``.

    Parameters
    ----------
    config : BiLMConfig

    Returns
    -------
    entries : list of Entry
    """
    proj, gates = config.proj_size, 4 * config.hidden_size
    parts = {
        "input_linearity.weight": ((gates, proj), "weight_ih"),
        "state_linearity.weight": ((gates, proj), "weight_hh"),
        "state_linearity.bias": ((gates,), "bias"),
        "state_projection.weight": ((proj, config.hidden_size), "weight_hr"),
    }
    return [
        Entry(f"{side}_layer_{k}.{name}", shape, _SAME, (f"{side}_lstm.{array}_l{k}",))
        for side in ("forward", "backward")
        for k in range(config.num_layers)
        for name, (shape, array) in parts.items()
    ]


def classifier_layout(
    config: BiLMConfig, words: NDArray[np.int64], *, sampled: bool = False
) -> list[Entry]:
    """List the tensors of ``classifier.pkl``, as far as they are a softmax.

    Parameters
    ----------
    config : BiLMConfig
    words : ndarray of shape (V,), int64
        Number in the dictionary of each word.
    sampled : bool, default=False
        Whether it is that of their sampled softmax.

    Returns
    -------
    entries : list of Entry
    """
    names = ("column_emb.weight", "column_bias.weight")
    if not sampled:
        names = ("hidden2tag.weight", "hidden2tag.bias")
    n, rows = len(words), rows_of(words)
    column = Kind(lambda x: [x[words, 0]], lambda x: rows.write(x)[:, None])
    bias = Entry(names[1], (n, 1), column, ("softmax.bias",))
    if not sampled:
        bias = bias._replace(shape=(n,), kind=rows)
    return [Entry(names[0], (n, config.proj_size), rows, ("softmax.weight",)), bias]
