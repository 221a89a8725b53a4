"""Names, shapes and hash of a saved model."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_models import CONFIG, tiny_model

from skelmo.nn.bilm import BiLM, BiLMConfig
from skelmo.pretrained.saved_model import check_model, expected_shapes, weights_hash

CONFIGS = {
    "default": BiLMConfig(hidden_size=16, proj_size=8),
    "no highway": dataclasses.replace(CONFIG, n_highway=0),
    "deep": dataclasses.replace(CONFIG, n_highway=3, num_layers=4),
    "words": dataclasses.replace(CONFIG, word_embedding_dim=3, n_words=5),
    "no projections": dataclasses.replace(
        CONFIG,
        hidden_size=8,
        proj_size=8,
        token_projection=False,
        lstm_projection=False,
    ),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_expected_shapes_are_those_of_the_network(config):
    state = BiLM(config).state_dict()

    assert list(expected_shapes(config).items()) == [
        (name, tuple(array.shape)) for name, array in state.items()
    ]


def test_hash_depends_on_numbers_alone():
    model = tiny_model()
    shuffled = dataclasses.replace(
        model,
        arrays={
            name: np.asfortranarray(model.arrays[name])
            for name in reversed(model.arrays)
        },
        settings={"sequence": "document"},
        source="elsewhere",
        config=dataclasses.replace(CONFIG, cell_clip=3),  # an int, equal to 3.0
    )

    assert weights_hash(shuffled) == weights_hash(model)


def _one_bit(model):
    array = model.arrays["forward_lstm.bias_l1"].copy()
    array[3] = np.nextafter(array[3], np.float32(9))
    return dataclasses.replace(
        model, arrays={**model.arrays, "forward_lstm.bias_l1": array}
    )


def _swap_names(model):
    arrays = dict(model.arrays)
    first, second = "forward_lstm.bias_l0", "backward_lstm.bias_l0"
    arrays[first], arrays[second] = arrays[second], arrays[first]
    return dataclasses.replace(model, arrays=arrays)


def _no_skip(model):
    config = dataclasses.replace(model.config, skip_connections=False)
    return dataclasses.replace(model, config=config)


@pytest.mark.parametrize("change", [_one_bit, _swap_names, _no_skip])
def test_hash_sees_every_change(change):
    model = tiny_model()

    assert weights_hash(change(model)) != weights_hash(model)


def test_hash_is_the_same_in_another_process():
    code = (
        "from tiny_models import tiny_model;"
        "from skelmo.pretrained.saved_model import weights_hash;"
        "import sys; sys.stdout.write(weights_hash(tiny_model()))"
    )
    tests = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tests,
        env={
            **os.environ,
            "PYTHONPATH": f"{tests.parent}:{tests}",
            "PYTHONHASHSEED": "7",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == weights_hash(tiny_model())


def _without(name):
    def change(arrays):
        del arrays[name]

    return change


def _with(name, array):
    return lambda arrays: arrays.update({name: array})


BIAS = "forward_lstm.bias_l0"
BROKEN = {
    "missing": (
        _without(BIAS),
        "model: array 'forward_lstm.bias_l0' of shape (24,) by its config is missing. "
        "Take configuration, arrays and vocabulary of one model.",
    ),
    "shape": (
        _with(BIAS, np.zeros(23, np.float32)),
        "model: array 'forward_lstm.bias_l0' must have shape (24,) by its config, "
        "found (23,). Take configuration, arrays and vocabulary of one model.",
    ),
    "unknown": (
        _with("head.weight", np.zeros(2, np.float32)),
        "model: array 'head.weight' is not part of its config. Take configuration, "
        "arrays and vocabulary of one model.",
    ),
    "dtype": (
        _with(BIAS, np.zeros(24)),
        "model: array 'forward_lstm.bias_l0' must be float32, found float64. Convert "
        "it with astype(numpy.float32).",
    ),
    "nan": (
        _with(BIAS, np.full(24, np.nan, np.float32)),
        "model: 'forward_lstm.bias_l0' must be finite in float32, found 24 of 24 "
        "values that are not. Go back to weights that are finite.",
    ),
    "softmax without words": (
        _with("softmax.weight", np.zeros((5, 7), np.float32)),
        "model: array 'softmax.weight' must have shape (0, 7) by its config, found "
        "(5, 7). Take configuration, arrays and vocabulary of one model.",
    ),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_check_model_names_the_array(change, message):
    model = tiny_model()
    change(model.arrays)

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_model(model)


REMEDY = " Take configuration, arrays and vocabulary of one model."
CONTRADICTIONS = {
    "filter width": (
        {"max_characters": 1},
        "model: the widest filter must span at most max_characters=1 characters, found "
        "2.",
    ),
    "token projection": (
        {"token_projection": False},
        "model: without a token projection the 8 features of a token must equal "
        "proj_size=7.",
    ),
    "lstm projection": (
        {"lstm_projection": False},
        "model: without an LSTM projection hidden_size=6 must equal proj_size=7.",
    ),
    "words": (
        {"word_embedding_dim": 3, "n_words": 5},
        "model: the word embedding must have a row for each word of the vocabulary, "
        "found 5 rows and 2 words.",
    ),
}


@pytest.mark.parametrize(
    ("change", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys()
)
def test_check_model_names_the_contradiction(change, message):
    config = dataclasses.replace(CONFIG, **change)
    model = tiny_model(config, vocabulary=["<UNK>", "a"])

    with pytest.raises(ValueError, match=f"^{re.escape(message + REMEDY)}$"):
        check_model(model)
