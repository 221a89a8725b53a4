"""skelmo's own format: every kind of damage is one clear error."""

import hashlib
import json
import pickle
import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_models import assert_same_model, tiny_model

from skelmo.pretrained.safetensors_format import read_model, write_model


def _edit(directory, **changes):
    file = directory / "config.json"
    config = json.loads(file.read_bytes())
    for key, value in changes.items():
        config[key] = value
    file.write_text(json.dumps(config), encoding="utf-8")


def _accept(directory, name):
    """Give config.json the hash of a changed file."""
    digest = hashlib.sha256((directory / name).read_bytes()).hexdigest()
    hashes = json.loads((directory / "config.json").read_bytes())["sha256"]
    _edit(directory, sha256={**hashes, name: digest})


AGAIN = "The file was changed or cut short; copy or save the model again."


def _damage(name, change):
    def damage(directory):
        file = directory / name
        file.write_bytes(change(file.read_bytes()))

    return damage


def _architecture(**changes):
    def damage(directory):
        architecture = json.loads((directory / "config.json").read_bytes())
        _edit(directory, architecture={**architecture["architecture"], **changes})

    return damage


def _no_key(directory):
    config = json.loads((directory / "config.json").read_bytes())
    del config["architecture"]["hidden_size"]
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")


def _weights(change):
    def damage(directory):
        file = directory / "weights.safetensors"
        arrays = load_file(file)
        change(arrays)
        save_file(arrays, file)
        _accept(directory, file.name)

    return damage


class Bomb:
    """Unpickling this raises."""

    def __reduce__(self):
        return (int, ("unpickled",))


BIAS = "forward_lstm.bias_l0"
DAMAGED = {
    "newer version": (
        lambda directory: _edit(directory, format_version=2),
        "config.json: format_version must be 1, the one this skelmo reads, found 2. "
        "Upgrade skelmo.",
    ),
    "version of another type": (
        lambda directory: _edit(directory, format_version="1"),
        "config.json: 'format_version' must be an int of at least 1, found '1'. "
        f"{AGAIN}",
    ),
    "config cut short": (
        _damage("config.json", lambda data: data[:0]),
        "config.json: must be JSON, but reading it stopped with: Expecting value: "
        f"line 1 column 1 (char 0). {AGAIN}",
    ),
    "config not an object": (
        _damage("config.json", lambda data: b"[1]"),
        f"config.json: must hold a JSON object, found [1]. {AGAIN}",
    ),
    "missing key": (
        _no_key,
        f"config.json: key 'architecture.hidden_size' is missing. {AGAIN}",
    ),
    "unknown key": (
        _architecture(n_heads=8),
        f"config.json: key 'architecture.n_heads' is unknown. {AGAIN}",
    ),
    "filters": (
        _architecture(filters=[[1, 3], [2, 0]]),
        "config.json: 'architecture.filters' must be a list of pairs [width, number], "
        f"of ints above 0, found [[1, 3], [2, 0]]. {AGAIN}",
    ),
    "a flag": (
        _architecture(skip_connections=1),
        "config.json: 'architecture.skip_connections' must be true or false, found 1. "
        f"{AGAIN}",
    ),
    "architecture of another model": (
        _architecture(hidden_size=5),
        "weights.safetensors: array 'forward_lstm.weight_ih_l0' must have shape (20, "
        f"7) by config.json, found (24, 7). {AGAIN}",
    ),
    "no vocabulary for the softmax": (
        lambda directory: _edit(
            directory,
            sha256={
                "weights.safetensors": json.loads(
                    (directory / "config.json").read_bytes()
                )["sha256"]["weights.safetensors"]
            },
        ),
        "weights.safetensors: array 'softmax.weight' must have shape (0, 7) by "
        f"config.json, found (2, 7). {AGAIN}",
    ),
    "missing array": (
        _weights(lambda arrays: arrays.pop(BIAS)),
        "weights.safetensors: array 'forward_lstm.bias_l0' of shape (24,) by "
        f"config.json is missing. {AGAIN}",
    ),
    "unknown array": (
        _weights(lambda arrays: arrays.update(extra=np.zeros(1, np.float32))),
        "weights.safetensors: array 'extra' is not part of the architecture in "
        f"config.json. {AGAIN}",
    ),
    "dtype": (
        _weights(lambda arrays: arrays.update({BIAS: np.zeros(24)})),
        "weights.safetensors: array 'forward_lstm.bias_l0' must be F32 or F16, found "
        f"F64. {AGAIN}",
    ),
    "not finite": (
        _weights(lambda arrays: arrays[BIAS].__setitem__(0, np.inf)),
        "weights.safetensors: 'forward_lstm.bias_l0' must be finite in float32, found "
        f"1 of 24 values that are not. {AGAIN}",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_model_is_refused_by_one_error(tmp_path, damage, message):
    write_model(tiny_model(vocabulary=["<UNK>", "a"], softmax=True), tmp_path)
    damage(tmp_path)

    with pytest.raises(ValueError, match=f"^{re.escape(f'{tmp_path}/{message}')}$"):
        read_model(tmp_path)


CHANGES = {
    "clip": (b'"cell_clip": 3.0', b'"cell_clip": 2.0'),
    "activation": (b'"activation": "relu"', b'"activation": "tanh"'),
    "lowercase": (b'"lowercase": false', b'"lowercase": true'),
    "settings": (b'"note": "mine"', b'"note": "mind"'),
    "format": (b'"settings": {', b'"more": 1, "settings": {'),
}


@pytest.mark.parametrize(("old", "new"), CHANGES.values(), ids=CHANGES.keys())
def test_a_configuration_that_was_changed_but_makes_sense_is_refused(
    tmp_path, old, new
):
    write_model(tiny_model(note="mine"), tmp_path)
    file = tmp_path / "config.json"
    expected = json.loads(file.read_bytes())["sha256"]["config.json"]
    changed = file.read_bytes().replace(old, new)
    assert changed != file.read_bytes()
    file.write_bytes(changed)
    start = f"{file}: its content must have sha256 {expected} by itself, found "

    with pytest.raises(
        ValueError, match=f"^{re.escape(start)}[0-9a-f]{{64}}{re.escape(f'. {AGAIN}')}$"
    ):
        read_model(tmp_path)


def test_a_configuration_of_another_form_or_without_a_hash_of_its_own_is_read(tmp_path):
    model = tiny_model(note="mine")
    write_model(model, tmp_path)
    file = tmp_path / "config.json"
    config = json.loads(file.read_bytes())
    file.write_text(json.dumps(dict(reversed(config.items()))), encoding="utf-8")
    assert_same_model(read_model(tmp_path), model)
    # As the first files had it.
    del config["sha256"]["config.json"]
    file.write_text(json.dumps(config), encoding="utf-8")
    assert_same_model(read_model(tmp_path), model)


@pytest.mark.parametrize("name", ["weights.safetensors", "vocabulary.txt"])
@pytest.mark.parametrize("n_bytes", [0, 9], ids=["empty", "truncated"])
def test_a_file_of_another_hash_is_refused(tmp_path, name, n_bytes):
    write_model(tiny_model(vocabulary=["<UNK>", "another"]), tmp_path)
    expected = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    _damage(name, lambda data: data[:n_bytes])(tmp_path)
    found = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    message = (
        f"{tmp_path / name}: must have sha256 {expected} by config.json, found {found} "
        f"({n_bytes} bytes). {AGAIN}"
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_model(tmp_path)


@pytest.mark.parametrize("name", ["weights.safetensors", "vocabulary.txt"])
def test_a_missing_file_is_named(tmp_path, name):
    write_model(tiny_model(vocabulary=["<UNK>"]), tmp_path)
    (tmp_path / name).unlink()
    message = (
        f"{tmp_path / name}: no such file, though config.json names it. Copy or save "
        "the model again."
    )

    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        read_model(tmp_path)


def test_a_missing_config_is_named(tmp_path):
    write_model(tiny_model(), tmp_path)
    (tmp_path / "config.json").unlink()
    message = (
        f"{tmp_path / 'config.json'}: no such file, found weights.safetensors. Give a "
        "directory that ElmoLanguageModel.save wrote."
    )

    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        read_model(tmp_path)


def test_a_vocabulary_that_is_not_utf8_is_refused(tmp_path):
    write_model(tiny_model(vocabulary=["<UNK>"]), tmp_path)
    (tmp_path / "vocabulary.txt").write_bytes(b"<UNK>\n\xff\n")
    _accept(tmp_path, "vocabulary.txt")
    message = (
        f"{tmp_path / 'vocabulary.txt'}: must be UTF-8, but 'utf-8' codec can't decode "
        f"byte 0xff in position 6: invalid start byte. {AGAIN}"
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_model(tmp_path)


def test_a_pickle_among_the_weights_is_never_opened(tmp_path):
    write_model(tiny_model(), tmp_path)
    file = tmp_path / "weights.safetensors"
    file.write_bytes(pickle.dumps(Bomb()))
    _accept(tmp_path, file.name)
    # What stands between is the safetensors library's own sentence.
    start = f"{file}: must be a safetensors file, but reading it stopped with: "

    with pytest.raises(
        ValueError, match=f"^{re.escape(start)}.*{re.escape(f'. {AGAIN}')}$"
    ):
        read_model(tmp_path)
