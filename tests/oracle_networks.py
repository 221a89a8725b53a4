"""The package's network with the oracle's weights, and its activations by sentence."""

from __future__ import annotations

import numpy as np
import torch

from skelmo.encoding.pooling import POOLINGS
from skelmo.nn.bilm import BiLM, BiLMConfig
from skelmo.nn.packing import pack, sort_by_length
from skelmo.nn.recurrence import State
from skelmo.nn.running import token_vectors
from skelmo.text.characters import encode_tokens
from skelmo.text.sequences import index_documents

# What is awkward in a token: bytes above 127, combined emoji, nothing at all, more than
# fits, a cut inside a character, half a surrogate pair, the literal sentence markers.
SENTENCES = [
    ["The", "naïve", "日本語", "👩‍👩‍👧", "x" * 200, ""],
    ["<S>", "\ud800lone", "</S>", "a"],
    ["one"],
    [],
    ["ü" * 40, "the", "The", "the", "\x00", "\n", "語" * 16, ".", "the"],
]
WORDS = ["<S>", "</S>", "<UNK>", "the", "one", ""]


def config_of(options, arrays, word_table=None):
    lstm, cnn = options["lstm"], options["char_cnn"]
    return BiLMConfig(
        filters=tuple(tuple(pair) for pair in cnn["filters"]),
        char_embedding_dim=cnn["embedding"]["dim"],
        n_highway=cnn["n_highway"],
        activation=cnn["activation"],
        max_characters=cnn["max_characters_per_token"],
        word_embedding_dim=0 if word_table is None else word_table.shape[1],
        n_words=0 if word_table is None else len(word_table),
        token_projection="CNN_proj/W_proj" in arrays,
        hidden_size=lstm["dim"],
        proj_size=lstm["projection_dim"],
        num_layers=lstm["n_layers"],
        lstm_projection="RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0" in arrays,
        cell_clip=lstm["cell_clip"],
        proj_clip=lstm["proj_clip"],
        skip_connections=lstm["use_skip_connections"],
    )


def network_of(options, arrays, word_table=None):
    """Build the network in float64, its weights turned by hand, not by the reader."""
    config = config_of(options, arrays, word_table)
    weights = {}
    encoder = {"embedding.weight": np.pad(arrays["char_embed"], [(1, 0), (0, 0)])}
    for i in range(len(config.filters)):
        encoder[f"convolutions.{i}.weight"] = np.stack(
            [kernel.T for kernel in np.moveaxis(arrays[f"CNN/W_cnn_{i}"][0], 2, 0)]
        )
        encoder[f"convolutions.{i}.bias"] = arrays[f"CNN/b_cnn_{i}"]
    for k in range(config.n_highway):
        for name in ("carry", "transform"):
            path = f"CNN_high_{k}/{{}}_{name}"
            encoder[f"highways.{k}.{name}.weight"] = arrays[path.format("W")].T
            encoder[f"highways.{k}.{name}.bias"] = arrays[path.format("b")]
    if config.token_projection:
        encoder["projection.weight"] = arrays["CNN_proj/W_proj"].T
        encoder["projection.bias"] = arrays["CNN_proj/b_proj"]
    if word_table is not None:
        encoder["word_embedding.weight"] = word_table
    for name, array in encoder.items():
        weights[f"token_encoder.{name}"] = array
    for d, direction in enumerate(("forward", "backward")):
        for k in range(config.num_layers):
            path = f"RNN_{d}/RNN/MultiRNNCell/Cell{k}/LSTMCell"
            gates = np.split(arrays[f"{path}/W_0"], 4, axis=1)
            bias = np.split(arrays[f"{path}/B"], 4)
            kernel = np.concatenate([gates[g] for g in (0, 2, 1, 3)], axis=1).T
            here = f"{direction}_lstm.{{}}_l{k}"
            weights[here.format("weight_ih")] = kernel[:, : config.proj_size]
            weights[here.format("weight_hh")] = kernel[:, config.proj_size :]
            weights[here.format("bias")] = np.concatenate(
                [bias[g] for g in (0, 2, 1, 3)]
            )
            if config.lstm_projection:
                weights[here.format("weight_hr")] = arrays[f"{path}/W_P_0"].T
    bilm = BiLM(config).double()
    bilm.load_state_dict(
        {name: torch.tensor(array.copy()).double() for name, array in weights.items()}
    )
    return bilm.eval()


def layers_of(bilm, sentences, states=None, words=None):
    """Run sentences as one packed batch.

    Returns an array (L + 1, T + 2, 2P) for each sentence, and the final states, rows in
    the order of the sentences. `states` are such; `words` are rows of the word table.
    """
    sequences = index_documents([[list(sentence)] for sentence in sentences])
    order = sort_by_length(
        np.arange(len(sentences)), sequences.token_ids, sequences.offsets
    )
    batch = pack(order, sequences.offsets[order], sequences.lengths[order])
    char_ids = encode_tokens(sequences.tokens, bilm.config.max_characters)
    if words is not None:
        words = np.array([words.get(token, 2) for token in sequences.tokens])
    if states is not None:
        states = [State(*(part[:, order] for part in state)) for state in states]
    with torch.no_grad():
        vectors = token_vectors(bilm, char_ids, words)
        ids = torch.from_numpy(sequences.token_ids[batch.positions]).long()
        output = bilm(vectors[ids], batch.batch_sizes, states)
    halves = torch.stack(output.forward), torch.stack(output.backward)
    stacked = torch.cat(halves, dim=2).numpy()  # (L + 1, n, 2P)
    back = np.argsort(order)
    owner = np.concatenate([np.arange(size) for size in batch.batch_sizes])
    layers = [stacked[:, owner == k] for k in back]
    ends = [State(*(part[:, back] for part in state)) for state in output.states]
    return layers, ends


def pooled(encoder, sequences, pooling=POOLINGS):
    """Statistics of all documents, in order."""
    parts = list(encoder.pool(sequences, pooling))
    documents = np.concatenate([which for which, _ in parts])
    np.testing.assert_array_equal(np.sort(documents), range(sequences.n_documents))
    return np.concatenate([values for _, values in parts])[np.argsort(documents)]
