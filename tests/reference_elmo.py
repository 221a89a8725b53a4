"""A plain NumPy ELMo to test against: float64, one token and one step at a time.

Written from the papers (Kim et al. 2016; Jozefowicz et al. 2016; Peters et al. 2018)
and the file format alone, sharing no code with the library, so that an error in the
library's reader, writer, encoder or biLSTM shows up as a difference. `options` is the
content of options.json, `arrays` maps dataset paths of the HDF5 file to the arrays as
stored (TensorFlow: ``y = x @ W``). Sizes: T tokens, P projection, C cell, F filters,
D character, W word vector, L biLSTM layers, V words.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

BEGIN_SENTENCE, END_SENTENCE, BEGIN_WORD, END_WORD, PAD = 256, 257, 258, 259, 260


@dataclass
class ClipCounter:
    """How many 'cell' and 'proj' values met the LSTM's clips, and how many changed."""

    total: Counter = field(default_factory=Counter)
    clipped: Counter = field(default_factory=Counter)

    def clip(self, values, limit, kind):
        """Clip to [-limit, limit] (0 or None: not at all) and count."""
        if not limit:
            return values
        self.total[kind] += values.size
        self.clipped[kind] += int(np.sum(np.abs(values) > limit))
        return np.clip(values, -limit, limit)

    def fraction(self, kind):
        """Share of the values that were clipped (0.0 to 1.0)."""
        return self.clipped[kind] / max(1, self.total[kind])


def read_model(directory):
    """Read a directory's options.json and weights: the pair `(options, arrays)`."""
    import h5py

    arrays = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    for path in Path(directory).glob("*.hdf5"):
        with h5py.File(path, "r") as file:
            if "char_embed" in file:  # Fixtures' expected outputs are HDF5 files too.
                file.visititems(visit)
    return json.loads((Path(directory) / "options.json").read_text()), arrays


def token_to_ids(token, max_characters=50):
    """List a token's character ids, + 1 each: 0 is left for padded tokens."""
    inner = token.encode("utf-8", errors="ignore")[: max_characters - 2]
    inner = {"<S>": [BEGIN_SENTENCE], "</S>": [END_SENTENCE]}.get(token, inner)
    ids = [BEGIN_WORD, *inner, END_WORD]
    return [i + 1 for i in ids + [PAD] * (max_characters - len(ids))]


def _double(arrays, path):
    return np.asarray(arrays[path], dtype=np.float64)


def _affine(x, arrays, path, name):
    return x @ _double(arrays, f"{path}/W_{name}") + _double(arrays, f"{path}/b_{name}")


def _sigmoid(x):
    return 0.5 * (1.0 + np.tanh(0.5 * x))  # The same function, without overflow.


def token_vector(token, options, arrays, word_vector=None):
    """Context-free vector (P,) of one token: char CNN, highway layers, projection.

    A `word_vector` (W,) is put after the highway output: W_proj then has F + W rows.
    """
    cnn = options["char_cnn"]
    # Row 0 is that of padded tokens. Padding inside a token (261) has a learned row.
    table = np.pad(_double(arrays, "char_embed"), [(1, 0), (0, 0)])
    characters = table[token_to_ids(token, cnn["max_characters_per_token"])]  # (50, D)
    pooled = []
    for i, (width, _) in enumerate(cnn["filters"]):
        kernel = _double(arrays, f"CNN/W_cnn_{i}")[0]  # (width, D, n)
        starts = range(len(characters) - width + 1)
        # tensordot sums over both of a window's axes: its characters and their D.
        windows = [np.tensordot(characters[s : s + width], kernel) for s in starts]
        pooled.append(np.max(windows, axis=0) + _double(arrays, f"CNN/b_cnn_{i}"))
    x = np.concatenate(pooled)  # (F,)
    x = {"relu": lambda x: np.maximum(x, 0.0), "tanh": np.tanh}[cnn["activation"]](x)
    for k in range(cnn.get("n_highway") or 0):
        # Despite its name, the carry gate lets the *transformed* part through.
        gate = _sigmoid(_affine(x, arrays, f"CNN_high_{k}", "carry"))
        transformed = np.maximum(_affine(x, arrays, f"CNN_high_{k}", "transform"), 0.0)
        x = gate * transformed + (1.0 - gate) * x
    if word_vector is not None:
        x = np.concatenate([x, word_vector])
    if "CNN_proj/W_proj" in arrays:
        x = _affine(x, arrays, "CNN_proj", "proj")
    return x


def lstm_direction(vectors, options, arrays, direction, state=None, counter=None):
    """One direction's stack of projected LSTMs over one sentence.

    Parameters
    ----------
    vectors : ndarray of shape (T, P), in sentence order, sentence markers included
    direction : 0 reads forward, 1 from the end
    state : list of L pairs (cell (C,), hidden (P,)) to start from; zeros if None

    Returns
    -------
    layers : ndarray of shape (L, T, P), in sentence order, with skip connections
    final_state : list of L pairs (cell, hidden), after the last step taken
    """
    lstm, order = options["lstm"], slice(None, None, -1 if direction else 1)
    counter = ClipCounter() if counter is None else counter
    zeros = np.zeros(lstm["dim"]), np.zeros(lstm["projection_dim"])
    layers, final_state, sequence = [], [], np.float64(vectors)[order]
    for layer in range(lstm["n_layers"]):
        path = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
        weights, bias = _double(arrays, f"{path}/W_0"), _double(arrays, f"{path}/B")
        cell, hidden = state[layer] if state else zeros
        outputs = []
        for x in sequence:
            i, j, f, o = np.split(np.concatenate([x, hidden]) @ weights + bias, 4)
            # TensorFlow adds the forget gate's 1 when it runs: it is not in the file.
            cell = _sigmoid(f + 1.0) * cell + _sigmoid(i) * np.tanh(j)
            cell = counter.clip(cell, lstm.get("cell_clip"), "cell")
            hidden = _sigmoid(o) * np.tanh(cell)
            # Where C == P, TensorFlow's cell has no projection, so no such clip either.
            if f"{path}/W_P_0" in arrays:
                hidden = hidden @ _double(arrays, f"{path}/W_P_0")
                hidden = counter.clip(hidden, lstm.get("proj_clip"), "proj")
            outputs.append(hidden)
        # The skip is in what the next layer reads, not in the recurrent state.
        skip = layer > 0 and lstm.get("use_skip_connections")
        sequence = np.array(outputs) + (sequence if skip else 0.0)
        layers.append(sequence[order])
        final_state.append((cell, hidden))
    return np.array(layers), final_state


def elmo_layers(tokens, options, arrays, states=None, word_vectors=None, counter=None):
    """Every layer's activations of one sentence; layer 0 is the token vector, twice.

    Parameters
    ----------
    tokens : list of T str, without sentence markers
    states : pair (forward, backward) as returned; zeros if None
    word_vectors : T + 2 arrays of shape (W,), first and last the markers', optional

    Returns
    -------
    activations : ndarray of shape (L + 1, T + 2, 2P)
    new_states : pair of lists of L pairs (cell (C,), hidden (P,))
    """
    words = [None] * (len(tokens) + 2) if word_vectors is None else word_vectors
    pairs = zip(["<S>", *tokens, "</S>"], words, strict=True)
    x = np.array([token_vector(token, options, arrays, word) for token, word in pairs])
    starts = states or (None, None)
    forward, state_0 = lstm_direction(x, options, arrays, 0, starts[0], counter)
    backward, state_1 = lstm_direction(x, options, arrays, 1, starts[1], counter)
    halves = [np.concatenate([x[None], half]) for half in (forward, backward)]
    return np.concatenate(halves, axis=2), (state_0, state_1)


def language_model_nll(tokens, options, arrays, softmax_w, softmax_b, word_to_id,
                       unk_id=2, bos_id=0, eos_id=1):  # fmt: skip
    """Negative log-likelihoods (nats) of one sentence, from zero state, both (T + 1,).

    `softmax_w` is (V, P), `softmax_b` (V,); words not in `word_to_id` are `unk_id`. The
    begin marker is token 0, the end marker token T + 1. Forward [t] is token t + 1's,
    predicted from token t; backward [t] is token t's, predicted from token t + 1.
    """
    layers, _ = elmo_layers(tokens, options, arrays)
    forward_top, backward_top = np.split(layers[-1], 2, axis=1)  # (T + 2, P) each
    ids = [bos_id, *(word_to_id.get(token, unk_id) for token in tokens), eos_id]

    def nll(vectors, targets):
        scores = vectors @ np.float64(softmax_w).T + softmax_b  # (T + 1, V)
        return np.logaddexp.reduce(scores, 1) - scores[range(len(targets)), targets]

    return nll(forward_top[:-1], ids[1:]), nll(backward_top[1:], ids[:-1])


def random_model(
    rng, *, hidden, proj, num_layers, filters, n_highway, activation, char_dim,
    cell_clip, proj_clip, skip, max_characters=50, word_dim=0, projection=True, scale=1
):  # fmt: skip
    """Random float32 weights, in the file format, of a model that is not chaotic.

    Clips of 0.3 are active. `projection=False` leaves out CNN_proj if F + W == P, W_P_0
    if C == P. `scale` is of all but biases, char_embed and the recurrent rows.
    """
    lstm = {"dim": hidden, "projection_dim": proj, "use_skip_connections": skip}
    lstm |= {"n_layers": num_layers, "cell_clip": cell_clip, "proj_clip": proj_clip}
    cnn = {"embedding": {"dim": char_dim}, "filters": [list(pair) for pair in filters]}
    cnn |= {"n_highway": n_highway, "activation": activation, "n_characters": 262}
    cnn["max_characters_per_token"] = max_characters

    def normal(std, *shape):
        return rng.normal(0.0, std, shape).astype(np.float32)

    def linear(rows, columns, gain=scale):
        return normal(gain / np.sqrt(rows), rows, columns)

    arrays = {"char_embed": normal(1.0, 261, char_dim)}
    total = sum(n for _, n in filters)
    for i, (width, n) in enumerate(filters):
        kernel = linear(width * char_dim, n).reshape(1, width, char_dim, n)
        arrays |= {f"CNN/W_cnn_{i}": kernel, f"CNN/b_cnn_{i}": normal(0.3, n)}
    for k, name in product(range(n_highway or 0), ("carry", "transform")):
        arrays[f"CNN_high_{k}/W_{name}"] = linear(total, total)
        arrays[f"CNN_high_{k}/b_{name}"] = normal(0.3, total)
    if projection or total + word_dim != proj:
        arrays["CNN_proj/W_proj"] = linear(total + word_dim, proj)
        arrays["CNN_proj/b_proj"] = normal(0.3, proj)
    for d, layer in product((0, 1), range(num_layers)):
        path = f"RNN_{d}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
        # Weak recurrent rows: an error in the state has to die out, not to grow.
        rows = linear(proj, 4 * hidden), linear(proj, 4 * hidden, 0.3)
        arrays |= {f"{path}/W_0": np.vstack(rows), f"{path}/B": normal(0.3, 4 * hidden)}
        if projection or hidden != proj:  # Twice as large, to reach a clip of 0.3.
            arrays[f"{path}/W_P_0"] = linear(hidden, proj, 2.0 * scale)
    return {"lstm": lstm, "char_cnn": cnn}, arrays
