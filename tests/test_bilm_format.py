"""Files of bilm-tf, AllenNLP and NLPL: bits, layout, every kind of damage."""

import dataclasses
import json
import logging
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from tiny_models import (
    CONFIG,
    OPTIONS,
    Killed,
    assert_same_model,
    kill_at,
    options_with,
    tf_datasets,
    tiny_model,
    write_tf,
)

from skelmo.pretrained.bilm_format import read_bilm, write_bilm

SHARED = Path(os.environ.get("SKELMO_SHARED", Path(__file__).parents[2] / "shared"))
CELL = "RNN_{}/RNN/MultiRNNCell/Cell{}/LSTMCell"


def _datasets(file):
    with h5py.File(file) as opened:
        names = []
        opened.visititems(
            lambda name, item: (
                names.append(name) if isinstance(item, h5py.Dataset) else None
            )
        )
        return {name: opened[name][...] for name in names}


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
def test_write_then_read_gives_the_same_bits(tmp_path, config):
    model = tiny_model(config)

    write_bilm(model, tmp_path / "elmo")

    found = read_bilm(tmp_path / "elmo")
    assert_same_model(found, model)
    assert found.source == str(tmp_path / "elmo")
    assert all(array.flags.c_contiguous for array in found.arrays.values())


def test_read_then_write_gives_the_same_bits(tmp_path):
    datasets = tf_datasets()

    write_bilm(read_bilm(write_tf(tmp_path / "in", datasets)), tmp_path / "out")

    found = _datasets(tmp_path / "out" / "weights.hdf5")
    assert found.keys() == datasets.keys()
    for name, values in datasets.items():
        assert found[name].tobytes() == values.tobytes(), name
    options = json.loads((tmp_path / "out" / "options.json").read_bytes())
    assert options == OPTIONS


@pytest.mark.parametrize("folder", ["bilm-tf", "allennlp"])
def test_fixtures_go_in_and_out_bit_for_bit(tmp_path, folder):
    fixture = SHARED / "fixtures" / folder
    if not fixture.is_dir():
        pytest.skip(f"{fixture} is absent; SKELMO_SHARED names the folder")

    write_bilm(read_bilm(fixture), tmp_path)

    expected = _datasets(fixture / "lm_weights.hdf5")
    found = _datasets(tmp_path / "weights.hdf5")
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].tobytes() == values.tobytes(), name
    options = json.loads((fixture / "options.json").read_bytes())
    assert json.loads((tmp_path / "options.json").read_bytes()) == options


# What is accepted.

ACCEPTED = {
    "no highway key": (options_with(char_cnn__n_highway=None), {"n_highway": 0}),
    "no highway": (options_with(char_cnn__n_highway=0), {"n_highway": 0}),
    "no clips": (
        options_with(lstm__cell_clip=None, lstm__proj_clip=0),
        {"cell_clip": None, "proj_clip": None},
    ),
    "no skip key": (
        options_with(lstm__use_skip_connections=None),
        {"skip_connections": False},
    ),
    "tanh": (options_with(char_cnn__activation="tanh"), {"activation": "tanh"}),
    "fractional clip": (options_with(lstm__cell_clip=0.5), {"cell_clip": 0.5}),
}


@pytest.mark.parametrize(
    ("options", "expected"), ACCEPTED.values(), ids=ACCEPTED.keys()
)
def test_options_become_the_config(tmp_path, options, expected):
    datasets = tf_datasets(n_highway=options["char_cnn"].get("n_highway", 0))

    config = read_bilm(write_tf(tmp_path, datasets, options)).config

    assert config == dataclasses.replace(CONFIG, **expected)


def test_n_characters_261_is_repaired(tmp_path, caplog):
    options = options_with(char_cnn__n_characters=261)
    plain = read_bilm(write_tf(tmp_path / "262", tf_datasets()))

    with caplog.at_level(logging.INFO, logger="skelmo"):
        repaired = read_bilm(write_tf(tmp_path / "261", tf_datasets(), options))

    assert_same_model(repaired, plain)
    assert caplog.messages == [
        f"{tmp_path}/261/options.json: n_characters 261 is read as 262."
    ]


@pytest.mark.parametrize("dtype", ["<f2", "<f8", ">f4"])
def test_other_floats_are_read_as_float32(tmp_path, dtype):
    datasets = {name: x.astype(dtype) for name, x in tf_datasets().items()}

    arrays = read_bilm(write_tf(tmp_path, datasets)).arrays

    assert {array.dtype for array in arrays.values()} == {np.dtype("float32")}
    np.testing.assert_array_equal(
        arrays["token_encoder.projection.bias"],
        datasets["CNN_proj/b_proj"].astype(np.float32),
    )


def test_datasets_of_the_softmax_are_not_read(tmp_path):
    datasets = tf_datasets()
    plain = read_bilm(write_tf(tmp_path / "plain", datasets))
    more = {"softmax/W": np.zeros((9, 7)), "softmax/b": np.array(["a"], dtype="S1")}

    assert_same_model(read_bilm(write_tf(tmp_path / "more", datasets | more)), plain)


@pytest.mark.parametrize("folder", ["", "144"], ids=["root", "folder"])
def test_a_zip_of_nlpl_reads_like_its_directory(tmp_path, folder):
    directory = write_tf(tmp_path / "packed" / folder, tf_datasets())
    (directory / "weights.hdf5").rename(directory / "model.hdf5")
    (directory / "meta.json").write_text('{"algorithm": "ELMo"}', encoding="utf-8")
    (directory / "vocab.txt.gz").write_bytes(b"\x1f\x8b not opened")
    (directory / "README").write_text("about", encoding="utf-8")
    archive = Path(
        shutil.make_archive(str(tmp_path / "144"), "zip", tmp_path / "packed")
    )
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(f"__MACOSX/{folder}/._weights.hdf5", b"")
        opened.writestr(f"{folder}/.hidden.hdf5".lstrip("/"), b"")

    found = read_bilm(archive)

    assert_same_model(found, read_bilm(directory))
    assert found.source == str(archive)


NAMES = {
    "official names": ("elmo_options.json", "elmo_weights.hdf5", {}),
    "only json": ("elmo.json", "elmo.h5", {}),
    "other json": ("settings.json", "model.hdf5", {"meta.json": "{}"}),
    "broken other json": ("my.json", "model.hdf5", {"meta.json": "{"}),
    "embeddings beside": (
        "options.json",
        "lm_weights.hdf5",
        {"lm_embeddings.hdf5": ""},
    ),
    "skelmo's names first": ("options.json", "weights.hdf5", {"old_weights.hdf5": ""}),
}


@pytest.mark.parametrize(
    ("options", "weights", "others"), NAMES.values(), ids=NAMES.keys()
)
def test_files_are_found_by_what_they_are(tmp_path, options, weights, others):
    write_tf(tmp_path, tf_datasets(), weights=weights)
    (tmp_path / "options.json").rename(tmp_path / options)
    for name, text in others.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    assert read_bilm(tmp_path).config == CONFIG


@pytest.mark.parametrize("present", [True, False], ids=["present", "absent"])
def test_projections_between_equal_sizes_may_be_absent(tmp_path, present):
    datasets = tf_datasets(proj=8, hidden=8)
    options = options_with(lstm__dim=8, lstm__projection_dim=8)
    if not present:
        for name in list(datasets):
            if name.endswith(("W_P_0", "_proj")):
                del datasets[name]

    config = read_bilm(write_tf(tmp_path, datasets, options)).config

    assert (config.token_projection, config.lstm_projection) == (present, present)


# Writing.


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    write_tf(tmp_path, tf_datasets())
    monkeypatch.setitem(sys.modules, "h5py", None)
    message = (
        "AllenNLP and bilm-tf models are HDF5 files, which need the package h5py. "
        "Install it with: pip install skelmo[hdf5]"
    )

    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        read_bilm(tmp_path)
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        write_bilm(tiny_model(), tmp_path / "new")

    assert not (tmp_path / "new").exists()


def test_a_word_embedding_cannot_be_written(tmp_path):
    config = dataclasses.replace(CONFIG, word_embedding_dim=2, n_words=1)
    message = (
        "The AllenNLP/bilm-tf format has no word-level embedding, the model has one "
        "(word_embedding_dim=2). Save it in skelmo's own format."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        write_bilm(tiny_model(config, vocabulary=["<UNK>"]), tmp_path / "new")

    assert not (tmp_path / "new").exists()


def test_a_padding_row_cannot_be_written(tmp_path):
    model = tiny_model()
    model.arrays["token_encoder.embedding.weight"][0, 1] = 1e-9
    message = (
        "The AllenNLP/bilm-tf format has no row for character id 0, the model's is not "
        "zero. Set row 0 of 'token_encoder.embedding.weight' to zero; no token uses it."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        write_bilm(model, tmp_path)


def test_a_disk_that_is_full_for_the_last_file_leaves_none(tmp_path, monkeypatch):
    write_bytes, options = Path.write_bytes, str(tmp_path / "options.json")
    message = f"[Errno 28] No space left on device: {options!r}\n"
    message += "Free space on the disk, or give another path."  # a note

    def full(path, content):
        if "options" not in path.name:
            return write_bytes(path, content)
        write_bytes(path, content[:9])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match=f"^{re.escape(message)}$"):
            write_bilm(tiny_model(), tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("skip", [True, False], ids=["same options", "other options"])
def test_killed_while_writing_never_pairs_two_models(tmp_path, monkeypatch, skip):
    old = tiny_model()
    config = dataclasses.replace(CONFIG, skip_connections=skip)
    new = tiny_model(config, seed=1, vocabulary=["a"], softmax=True)
    refused = 0
    for step in range(30):
        directory = tmp_path / str(step)
        write_bilm(old, directory)
        with monkeypatch.context() as patch:
            kill_at(patch, step)
            try:
                write_bilm(new, directory)
                finished = True
            except Killed:
                finished = False
        bias = new.arrays["forward_lstm.bias_l0"].tobytes()
        try:
            found = read_bilm(directory)
        except FileNotFoundError:
            refused += 1  # between the two replacements, and only there
        else:
            is_new = found.arrays["forward_lstm.bias_l0"].tobytes() == bias
            assert found.config == (new if is_new else old).config
        write_bilm(new, directory)
        assert sorted(file.name for file in directory.iterdir()) == [
            "options.json",
            "weights.hdf5",
        ]
        if finished:
            break

    assert finished
    assert refused == (0 if skip else 2)
