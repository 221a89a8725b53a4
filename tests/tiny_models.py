"""Little models of random numbers, and weight files in TensorFlow's orientation."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import h5py
import numpy as np

from skelmo.nn.bilm import BiLMConfig
from skelmo.pretrained.saved_model import SavedModel, expected_shapes

CONFIG = BiLMConfig(
    filters=((1, 3), (2, 5)),
    char_embedding_dim=4,
    n_highway=1,
    max_characters=50,
    hidden_size=6,
    proj_size=7,
    num_layers=2,
)
OPTIONS = {
    "lstm": {
        "use_skip_connections": True,
        "projection_dim": 7,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 6,
        "n_layers": 2,
    },
    "char_cnn": {
        "activation": "relu",
        "filters": [[1, 3], [2, 5]],
        "n_highway": 1,
        "embedding": {"dim": 4},
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
}


def tiny_model(
    config=CONFIG, *, seed=0, vocabulary=None, softmax=False, alphabet=None, **settings
):
    """Return a `SavedModel` with random arrays."""
    rng = np.random.default_rng(seed)
    shapes = expected_shapes(config)
    if softmax:
        shapes["softmax.weight"] = (len(vocabulary), config.proj_size)
        shapes["softmax.bias"] = (len(vocabulary),)
    arrays = {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    if alphabet is None:
        arrays["token_encoder.embedding.weight"][0] = 0.0
    return SavedModel(config, arrays, settings, vocabulary, alphabet=alphabet)


def options_with(**changes):
    """Options with some keys, such as lstm__n_layers, set; None takes a key out."""
    options = copy.deepcopy(OPTIONS)
    for key, value in changes.items():
        section, name = key.split("__")
        if value is None:
            del options[section][name]
        else:
            options[section][name] = value
    return options


def assert_same_model(model, other):
    """Compare all but the source, arrays bit for bit."""
    assert model.config == other.config
    assert model.settings == other.settings
    assert model.vocabulary == other.vocabulary
    assert model.alphabet == other.alphabet
    assert model.arrays.keys() == other.arrays.keys()
    for name, array in model.arrays.items():
        assert array.dtype == other.arrays[name].dtype == np.float32
        assert array.shape == other.arrays[name].shape
        assert array.tobytes() == other.arrays[name].tobytes(), name


def tf_datasets(*, seed=0, filters=((1, 3), (2, 5)), n_highway=1, proj=7, hidden=6):
    """Return the datasets of a bilm-tf file of two layers, as `OPTIONS` describes."""
    rng = np.random.default_rng(seed)
    n_filters = sum(n for _, n in filters)
    shapes = {"char_embed": (261, 4)}
    for i, (width, n) in enumerate(filters):
        shapes |= {f"CNN/W_cnn_{i}": (1, width, 4, n), f"CNN/b_cnn_{i}": (n,)}
    for k in range(n_highway):
        for gate in ("carry", "transform"):
            shapes[f"CNN_high_{k}/W_{gate}"] = (n_filters, n_filters)
            shapes[f"CNN_high_{k}/b_{gate}"] = (n_filters,)
    shapes |= {"CNN_proj/W_proj": (n_filters, proj), "CNN_proj/b_proj": (proj,)}
    for d in range(2):
        for k in range(2):
            cell = f"RNN_{d}/RNN/MultiRNNCell/Cell{k}/LSTMCell"
            shapes[f"{cell}/W_0"] = (2 * proj, 4 * hidden)
            shapes[f"{cell}/B"] = (4 * hidden,)
            shapes[f"{cell}/W_P_0"] = (hidden, proj)
    return {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_tf(directory, datasets, options=OPTIONS, *, weights="weights.hdf5"):
    """Write options and datasets to a directory."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "options.json").write_text(json.dumps(options), encoding="utf-8")
    with h5py.File(directory / weights, "w") as file:
        for name, values in datasets.items():
            file.create_dataset(name, data=values)
    return directory


class Killed(BaseException):
    """The process is gone: nothing after this reaches the disk."""


def kill_at(monkeypatch, step):
    """Let call number `step` to the file system, and all that follow, raise Killed."""
    calls = 0

    def guard(function):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls > step:
                raise Killed("the process was killed")
            return function(*args, **kwargs)

        return call

    for name in ("replace", "fsync", "unlink"):
        monkeypatch.setattr(os, name, guard(getattr(os, name)))
