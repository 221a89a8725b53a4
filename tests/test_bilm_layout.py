"""What the datasets of a bilm-tf file become, by TensorFlow's definitions."""

import dataclasses

import numpy as np
import pytest
from tiny_models import CONFIG, tf_datasets, write_tf

from skelmo.pretrained.bilm_format import read_bilm
from skelmo.pretrained.bilm_layout import layout
from skelmo.pretrained.saved_model import expected_shapes

CELL = "RNN_{}/RNN/MultiRNNCell/Cell{}/LSTMCell"


def test_characters_get_a_zero_row_in_front(tmp_path):
    datasets = tf_datasets()

    arrays = read_bilm(write_tf(tmp_path, datasets)).arrays

    embedding = arrays["token_encoder.embedding.weight"]
    assert embedding.shape == (262, 4)
    assert not embedding[0].any()
    np.testing.assert_array_equal(embedding[1:], datasets["char_embed"])


def test_convolution_computes_what_tensorflow_computes(tmp_path):
    datasets = tf_datasets()
    kernel = datasets["CNN/W_cnn_1"]  # (1, width, D, n)
    window = np.random.default_rng(1).standard_normal((2, 4))  # (width, D)
    expected = np.einsum("wd,wdn->n", window, kernel[0])

    weight = read_bilm(write_tf(tmp_path, datasets)).arrays[
        "token_encoder.convolutions.1.weight"
    ]

    found = np.einsum("wd,ndw->n", window, weight)  # torch's Conv1d
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("CNN_high_0/W_carry", "token_encoder.highways.0.carry.weight"),
        ("CNN_high_0/W_transform", "token_encoder.highways.0.transform.weight"),
        ("CNN_proj/W_proj", "token_encoder.projection.weight"),
        (f"{CELL.format(0, 1)}/W_P_0", "forward_lstm.weight_hr_l1"),
        (f"{CELL.format(1, 0)}/W_P_0", "backward_lstm.weight_hr_l0"),
    ],
)
def test_matrices_are_transposed(tmp_path, dataset, name):
    datasets = tf_datasets()

    arrays = read_bilm(write_tf(tmp_path, datasets)).arrays

    np.testing.assert_array_equal(arrays[name], datasets[dataset].T)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize(
    ("direction", "lstm"), [(0, "forward_lstm"), (1, "backward_lstm")]
)
def test_gates_are_those_of_tensorflow_by_their_names(tmp_path, direction, lstm, layer):
    datasets = tf_datasets()
    rng = np.random.default_rng(1)
    x, h = rng.standard_normal((2, 7))
    cell = CELL.format(direction, layer)
    # BasicLSTMCell: one product over [input, state], then i, j, f, o.
    z = np.concatenate([x, h]) @ datasets[f"{cell}/W_0"] + datasets[f"{cell}/B"]
    expected = dict(zip("ijfo", np.split(z, 4), strict=True))

    arrays = read_bilm(write_tf(tmp_path, datasets)).arrays

    z = arrays[f"{lstm}.weight_ih_l{layer}"] @ x + arrays[f"{lstm}.bias_l{layer}"]
    z += arrays[f"{lstm}.weight_hh_l{layer}"] @ h
    found = dict(zip("ifjo", np.split(z, 4), strict=True))  # torch calls j "g"
    for gate in "ifjo":
        np.testing.assert_allclose(found[gate], expected[gate], rtol=1e-6)


LAYOUTS = {
    "all": CONFIG,
    "no highway": dataclasses.replace(CONFIG, n_highway=0),
    "three of each": dataclasses.replace(CONFIG, n_highway=3, num_layers=3),
    "no projections": dataclasses.replace(
        CONFIG,
        hidden_size=8,
        proj_size=8,
        token_projection=False,
        lstm_projection=False,
    ),
    "tanh, no clips": dataclasses.replace(
        CONFIG,
        activation="tanh",
        cell_clip=None,
        proj_clip=None,
        skip_connections=False,
        max_characters=30,
    ),
    "projections of equal sizes": dataclasses.replace(
        CONFIG, hidden_size=8, proj_size=8
    ),
}


@pytest.mark.parametrize("config", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_layout_holds_every_array_once(config):
    names = [name for entry in layout(config) for name in entry.arrays]

    assert sorted(names) == sorted(expected_shapes(config))
