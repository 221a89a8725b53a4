"""Files of bilm-tf: every kind of damage is one clear error."""

import json
import re

import numpy as np
import pytest
from tiny_models import CONFIG, OPTIONS, options_with, tf_datasets, write_tf

from skelmo.pretrained.bilm_format import read_bilm
from skelmo.pretrained.saved_model import expected_shapes

CELL = "RNN_{}/RNN/MultiRNNCell/Cell{}/LSTMCell"


ONE_MODEL = "Take the options and the weights of one model."
PUBLISHED = "Take the options file that was published with the weights."
AGAIN = "Download it again and compare its size and sha256."

BAD_OPTIONS = {
    "n_characters": (
        options_with(char_cnn__n_characters=60),
        f"'char_cnn.n_characters' must be 261 or 262, found 60. {PUBLISHED}",
    ),
    "activation": (
        options_with(char_cnn__activation="gelu"),
        f"'char_cnn.activation' must be 'relu' or 'tanh', found 'gelu'. {PUBLISHED}",
    ),
    "no activation": (
        options_with(char_cnn__activation=None),
        f"key 'char_cnn.activation' is missing. {PUBLISHED}",
    ),
    "no dim": (options_with(lstm__dim=None), f"key 'lstm.dim' is missing. {PUBLISHED}"),
    "no char_cnn": (
        {"lstm": OPTIONS["lstm"]},
        f"key 'char_cnn' is missing. {PUBLISHED}",
    ),
    "negative clip": (
        options_with(lstm__cell_clip=-3),
        "'lstm.cell_clip' must be null or a finite number of at least 0, found -3. "
        f"{PUBLISHED}",
    ),
    "float dim": (
        options_with(lstm__dim=6.0),
        f"'lstm.dim' must be an int of at least 1, found 6.0. {PUBLISHED}",
    ),
    "section": (
        {"lstm": 3, "char_cnn": OPTIONS["char_cnn"]},
        f"'lstm' must be a JSON object, found 3. {PUBLISHED}",
    ),
    "no filters": (
        options_with(char_cnn__filters=[]),
        "'char_cnn.filters' must be a list of pairs [width, number], of ints above 0, "
        f"found []. {PUBLISHED}",
    ),
    "wide filter": (
        options_with(char_cnn__filters=[[1, 3], [51, 5]]),
        "the widest filter must span at most max_characters=50 characters, found 51. "
        f"{PUBLISHED}",
    ),
}


@pytest.mark.parametrize(
    ("options", "message"), BAD_OPTIONS.values(), ids=BAD_OPTIONS.keys()
)
def test_bad_options_are_named(tmp_path, options, message):
    write_tf(tmp_path, tf_datasets(), options)
    message = f"{tmp_path}/options.json: {message}"

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_bilm(tmp_path)


def test_options_that_are_not_json_are_named(tmp_path):
    write_tf(tmp_path, tf_datasets())
    (tmp_path / "options.json").write_text("<html>", encoding="utf-8")
    message = (
        f"{tmp_path}/options.json: must be JSON, but reading it stopped with: Expecting"
        f" value: line 1 column 1 (char 0). {PUBLISHED}"
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as caught:
        read_bilm(tmp_path)

    assert isinstance(caught.value.__cause__, json.JSONDecodeError)


def _set(name, values):
    return lambda datasets: datasets.update({name: values})


def _drop(name):
    return lambda datasets: datasets.pop(name)


BAD_DATASETS = {
    "shape": (
        _set("CNN/W_cnn_1", np.zeros((1, 2, 4, 9), np.float32)),
        "dataset 'CNN/W_cnn_1' must have shape (1, 2, 4, 5) by options.json, found "
        f"(1, 2, 4, 9). {ONE_MODEL}",
    ),
    "262 characters": (
        _set("char_embed", np.zeros((262, 4), np.float32)),
        "dataset 'char_embed' must have shape (261, 4) by options.json, found (262, "
        f"4). {ONE_MODEL}",
    ),
    "missing": (
        _drop(f"{CELL.format(1, 1)}/B"),
        f"dataset '{CELL.format(1, 1)}/B' of shape (24,) by options.json is missing. "
        f"{ONE_MODEL}",
    ),
    "projection needed": (
        _drop("CNN_proj/W_proj"),
        "dataset 'CNN_proj/W_proj' of shape (8, 7) by options.json is missing. "
        f"{ONE_MODEL}",
    ),
    "one more layer": (
        _set(f"{CELL.format(0, 2)}/W_0", np.zeros(1, np.float32)),
        f"dataset '{CELL.format(0, 2)}/W_0' is one more than 'lstm.n_layers' of "
        f"options.json counts. {ONE_MODEL}",
    ),
    "one more highway": (
        _set("CNN_high_1/W_carry", np.zeros(1, np.float32)),
        "dataset 'CNN_high_1/W_carry' is one more than 'char_cnn.n_highway' of "
        f"options.json counts. {ONE_MODEL}",
    ),
    "integers": (
        _set("CNN/b_cnn_0", np.zeros(3, np.int64)),
        "dataset 'CNN/b_cnn_0' must hold float16, float32 or float64, found int64. "
        f"{AGAIN}",
    ),
    "nan": (
        _set("CNN/b_cnn_0", np.array([0, np.nan, np.inf], np.float32)),
        "'CNN/b_cnn_0' must be finite in float32, found 2 of 3 values that are not. "
        f"{AGAIN}",
    ),
    "beyond float32": (
        _set("CNN/b_cnn_0", np.array([0, 0, 1e300])),
        "'CNN/b_cnn_0' must be finite in float32, found 1 of 3 values that are not. "
        f"{AGAIN}",
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("change", "message"), BAD_DATASETS.values(), ids=BAD_DATASETS.keys()
)
def test_bad_datasets_are_named(tmp_path, change, message):
    datasets = tf_datasets()
    change(datasets)
    message = f"{write_tf(tmp_path, datasets)}/weights.hdf5: {message}"

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_bilm(tmp_path)


def test_lstm_projections_are_all_there_or_none(tmp_path):
    datasets = tf_datasets(proj=8, hidden=8)
    missing = f"{CELL.format(1, 0)}/W_P_0"
    del datasets[missing]
    write_tf(tmp_path, datasets, options_with(lstm__dim=8, lstm__projection_dim=8))
    message = (
        f"{tmp_path}/weights.hdf5: dataset '{missing}' of shape (8, 8) by options.json "
        f"is missing. {ONE_MODEL}"
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_bilm(tmp_path)


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html>", b"version https://git-lfs", b""]
)
def test_a_file_that_is_not_hdf5_is_named(tmp_path, content):
    write_tf(tmp_path, tf_datasets())
    (tmp_path / "weights.hdf5").write_bytes(content)
    message = (
        f"{tmp_path}/weights.hdf5: must be an HDF5 file, found {len(content)} bytes "
        f"that begin with {content!r}. Download it again; a web page or a Git LFS "
        "pointer may have been saved in its place."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_bilm(tmp_path)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path, share):
    write_tf(tmp_path, tf_datasets())
    file = tmp_path / "weights.hdf5"
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    start = (
        f"{file}: HDF5 cannot read this file of {file.stat().st_size:,} bytes; it was "
        "cut short or damaged ("
    )
    end = f"). {AGAIN}"

    with pytest.raises(
        ValueError, match=f"^{re.escape(start)}.*{re.escape(end)}$"
    ) as caught:
        read_bilm(tmp_path)

    assert isinstance(caught.value.__cause__, OSError)


def test_random_damage_is_one_error_or_a_whole_model(tmp_path):
    write_tf(tmp_path, tf_datasets())
    file = tmp_path / "weights.hdf5"
    content = file.read_bytes()
    names = expected_shapes(CONFIG).keys()
    rng = np.random.default_rng(0)
    n_refused, message, found = 0, f"{file}: ", names
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(len(damaged), size=20):
            damaged[place] = rng.integers(256)
        file.write_bytes(damaged)
        try:
            found = read_bilm(tmp_path).arrays.keys()
        except ValueError as error:
            message = str(error)
            n_refused += 1
        assert message.startswith(f"{file}: ")
        assert found == names

    assert n_refused > 20


FOLDERS = {
    "no options": (
        ["weights.hdf5"],
        FileNotFoundError,
        "options.json: no JSON file of options, found weights.hdf5. Put the options "
        "file that was published with the weights beside them.",
    ),
    "no weights": (
        ["options.json"],
        FileNotFoundError,
        "weights.hdf5: no HDF5 file of weights, found options.json. Put the weights "
        "that belong to the options beside them.",
    ),
    "two weights": (
        ["options.json", "a.hdf5", "b.h5"],
        ValueError,
        "weights.hdf5: one HDF5 file of weights is needed, found a.hdf5, b.h5. Name "
        "the right one weights.hdf5.",
    ),
    "two options": (
        ["small_options.json", "large_options.json", "weights.hdf5"],
        ValueError,
        "options.json: one JSON file of options is needed, found large_options.json, "
        "small_options.json. Name the right one options.json.",
    ),
}


@pytest.mark.parametrize(
    ("names", "kind", "message"), FOLDERS.values(), ids=FOLDERS.keys()
)
def test_missing_and_ambiguous_files_are_named(tmp_path, names, kind, message):
    for name in names:
        (tmp_path / name).write_text(json.dumps(OPTIONS), encoding="utf-8")

    with pytest.raises(kind, match=f"^{re.escape(f'{tmp_path}/{message}')}$"):
        read_bilm(tmp_path)
