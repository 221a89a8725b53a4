"""Which dataset of a bilm-tf weight file holds which arrays of the network, and how.

The file is in TensorFlow's orientation, ``y = x @ W``; gates are in TensorFlow's order
(input, candidate, forget, output), the network's in torch's (input, forget, candidate,
output). One table serves reading and writing.

Axes: D character embedding, F filters, P projection, H hidden (cell).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from skelmo.nn.bilm import BiLMConfig
from skelmo.nn.char_cnn import N_CHARACTERS


class Kind(NamedTuple):
    """How a dataset becomes arrays of the network, and back; each undoes the other."""

    read: Callable[[np.ndarray], list[np.ndarray]]
    write: Callable[..., np.ndarray]


class Entry(NamedTuple):
    """A dataset of the file."""

    name: str
    shape: tuple[int, ...]
    kind: Kind
    arrays: tuple[str, ...]


def _swap_gates(x: np.ndarray) -> np.ndarray:
    """Swap the blocks 1 and 2 of 4 on the last axis."""
    first, second, third, fourth = np.split(x, 4, axis=-1)
    return np.concatenate([first, third, second, fourth], axis=-1)


_VECTOR = Kind(lambda x: [x], lambda x: x)
_MATRIX = Kind(lambda x: [x.T], lambda x: x.T)
# The file has no row for id 0, a padded token position.
_CHARACTERS = Kind(lambda x: [np.pad(x, ((1, 0), (0, 0)))], lambda x: x[1:])
# (1, width, D, n) <-> (n, D, width)
_KERNEL = Kind(
    lambda x: [x[0].transpose(2, 1, 0)], lambda x: x.transpose(2, 1, 0)[None]
)
# (2P, 4H), rows of the input above those of the recurrent state <-> twice (4H, P)
_GATES = Kind(
    lambda x: np.split(_swap_gates(x).T, 2, axis=1),
    lambda ih, hh: _swap_gates(np.concatenate([ih, hh], axis=1).T),
)
_GATE_BIAS = Kind(lambda x: [_swap_gates(x)], _swap_gates)


def layout(config: BiLMConfig) -> list[Entry]:
    """List the datasets of a file.

    Parameters
    ----------
    config : BiLMConfig
        Without a word-level embedding.

    Returns
    -------
    entries : list of Entry
        Together they hold every array of ``BiLM(config).state_dict()`` once.
    """
    return [*_encoder_entries(config), *_lstm_entries(config)]


def cell_name(direction: int, layer: int) -> str:
    """Return the group of an LSTM layer; direction 0 is forward."""
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"


def _encoder_entries(config: BiLMConfig) -> Iterator[Entry]:
    encoder, char_dim = "token_encoder", config.char_embedding_dim
    n_filters = sum(n for _, n in config.filters)
    characters = (f"{encoder}.embedding.weight",)
    yield Entry("char_embed", (N_CHARACTERS - 1, char_dim), _CHARACTERS, characters)
    for i, (width, n) in enumerate(config.filters):
        layer = f"{encoder}.convolutions.{i}"
        kernel = (1, width, char_dim, n)
        yield Entry(f"CNN/W_cnn_{i}", kernel, _KERNEL, (f"{layer}.weight",))
        yield Entry(f"CNN/b_cnn_{i}", (n,), _VECTOR, (f"{layer}.bias",))
    for k in range(config.n_highway):
        for part in ("carry", "transform"):
            layer = f"{encoder}.highways.{k}.{part}"
            yield from _linear(f"CNN_high_{k}", part, (n_filters, n_filters), layer)
    if config.token_projection:
        shape = (n_filters, config.proj_size)
        yield from _linear("CNN_proj", "proj", shape, f"{encoder}.projection")


def _linear(
    group: str, part: str, shape: tuple[int, int], layer: str
) -> Iterator[Entry]:
    yield Entry(f"{group}/W_{part}", shape, _MATRIX, (f"{layer}.weight",))
    yield Entry(f"{group}/b_{part}", shape[1:], _VECTOR, (f"{layer}.bias",))


def _lstm_entries(config: BiLMConfig) -> Iterator[Entry]:
    proj, hidden = config.proj_size, config.hidden_size
    for direction, lstm in enumerate(("forward_lstm", "backward_lstm")):
        for k in range(config.num_layers):
            cell = cell_name(direction, k)
            inputs = (f"{lstm}.weight_ih_l{k}", f"{lstm}.weight_hh_l{k}")
            yield Entry(f"{cell}/W_0", (2 * proj, 4 * hidden), _GATES, inputs)
            yield Entry(f"{cell}/B", (4 * hidden,), _GATE_BIAS, (f"{lstm}.bias_l{k}",))
            if config.lstm_projection:
                projection = (f"{lstm}.weight_hr_l{k}",)
                yield Entry(f"{cell}/W_P_0", (hidden, proj), _MATRIX, projection)
