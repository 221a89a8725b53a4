"""Name or path to model: what is found, and what the errors say."""

import pickle
import re
import shutil
import zipfile

import pytest
from tiny_models import assert_same_model, tf_datasets, tiny_model, write_tf

from skelmo.pretrained import registry
from skelmo.pretrained.bilm_format import read_bilm, write_bilm
from skelmo.pretrained.registry import load
from skelmo.pretrained.safetensors_format import write_model

SMALL = (
    "elmo_2x1024_128_2048cnn_1xhighway_options.json and "
    "elmo_2x1024_128_2048cnn_1xhighway_weights.hdf5 (54,402,456 bytes, sha256 "
    "747ba97abce8a5f446558369e10bb0f7931437a46867476fdd156f5d7f576229)"
)
ORIGINAL = (
    "elmo_2x4096_512_2048cnn_2xhighway_options.json and "
    "elmo_2x4096_512_2048cnn_2xhighway_weights.hdf5 (374,434,792 bytes, sha256 "
    "a6b92b9ccbb13fe489faacd2221c795d4bebe84b75f8aded9d85ea464fa5c994)"
)
MEDIUM = (
    "elmo_2x2048_256_2048cnn_1xhighway_options.json and "
    "elmo_2x2048_256_2048cnn_1xhighway_weights.hdf5"
)
LARGEST = (
    "elmo_2x4096_512_2048cnn_2xhighway_5.5B_options.json and "
    "elmo_2x4096_512_2048cnn_2xhighway_5.5B_weights.hdf5"
)


@pytest.mark.parametrize("as_zip", [False, True], ids=["directory", "zip"])
@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "path"])
@pytest.mark.parametrize("write", [write_model, write_bilm])
def test_models_are_loaded_by_what_they_hold(tmp_path, write, kind, as_zip):
    model, path = tiny_model(), tmp_path / "model"
    write(model, path)
    if as_zip:
        path = path.with_suffix(".zip")
        shutil.make_archive(str(path.with_suffix("")), "zip", tmp_path, "model")

    found = load(kind(path))

    assert_same_model(found, model)
    assert found.source == str(path)


def test_own_format_wins_where_both_are(tmp_path):
    write_tf(tmp_path, tf_datasets())
    model = tiny_model(seed=1)
    write_model(model, tmp_path)

    assert_same_model(load(tmp_path), model)


def test_every_load_gives_new_arrays(tmp_path):
    write_model(tiny_model(), tmp_path)

    load(tmp_path).arrays["forward_lstm.bias_l0"][:] = 0.0

    assert_same_model(load(tmp_path), tiny_model())


def test_a_bundled_name_wins_over_a_directory_of_that_name(tmp_path, monkeypatch):
    bundled, local = tiny_model(seed=0), tiny_model(seed=1)
    write_model(bundled, tmp_path / "package" / "tiny")
    write_model(local, tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.BUNDLED, "tiny", tmp_path / "package" / "tiny")

    assert_same_model(load("tiny"), bundled)
    assert_same_model(load("./tiny"), local)


def test_the_home_directory_is_expanded(tmp_path, monkeypatch):
    write_model(tiny_model(), tmp_path / "elmo")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert_same_model(load("~/elmo"), tiny_model())


@pytest.mark.parametrize("name", ["no-such-model", ""])
def test_an_unknown_name_lists_what_there_is(monkeypatch, name):
    monkeypatch.setattr(registry, "BUNDLED", {"en": None, "de": None})
    message = (
        f"No language model {name!r}: it is neither a bundled name (de, en) nor a "
        "directory or zip archive. Pass a bundled name or the directory of a model of "
        "skelmo, AllenNLP, bilm-tf or ELMoForManyLangs."
    )

    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        load(name)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("En", "'en'"),
        ("smalls", "'small'"),
        ("originals", "'original' or 'original-5.5b'"),
        ("my-elm", "'my-elmo'"),
        ("./my_elmo", "'my-elmo'"),
        ("{}/my-emlo", "'{}/my-elmo'"),
        ("deu", "'de' or 'den'"),
    ],
)
def test_a_mistyped_name_is_answered_by_the_nearest(
    tmp_path, monkeypatch, given, meant
):
    monkeypatch.setattr(registry, "BUNDLED", {"en": None, "de": None})
    monkeypatch.chdir(tmp_path)
    for name in ("my-elmo", "den", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "my-elmo.txt").touch()
    given, meant = given.format(tmp_path), meant.format(tmp_path)
    message = (
        f"No language model {given!r}: it is neither a bundled name (de, en) nor a "
        f"directory or zip archive. Did you mean {meant}?"
    )

    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        load(given)


@pytest.mark.parametrize(
    ("given", "name", "files"),
    [
        ("small", "small", SMALL),
        ("elmo_2x1024_128_2048cnn_1xhighway", "small", SMALL),
        ("elmo-small", "small", SMALL),
        ("ELMo Medium", "medium", MEDIUM),
        ("original", "original", ORIGINAL),
        ("original (5.5B)", "original (5.5B)", LARGEST),
        ("elmo_5.5b", "original (5.5B)", LARGEST),
    ],
)
def test_an_official_name_says_what_to_place(monkeypatch, given, name, files):
    monkeypatch.setattr(registry, "BUNDLED", {})
    message = (
        f"The official model '{name}' is not part of skelmo. Download {files}, put "
        "both into one directory and pass that directory. Bundled models: none."
    )

    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        load(given)


def test_official_files_in_one_directory_load(tmp_path):
    stem = "elmo_2x1024_128_2048cnn_1xhighway"
    write_tf(tmp_path / "plain", tf_datasets())
    write_tf(tmp_path / "official", tf_datasets(), weights=f"{stem}_weights.hdf5")
    options = tmp_path / "official" / "options.json"
    options.rename(options.with_name(f"{stem}_options.json"))

    assert_same_model(load(tmp_path / "official"), read_bilm(tmp_path / "plain"))


@pytest.mark.parametrize(
    "name", ["weights.hdf5", "weights.safetensors", "options.json"]
)
def test_a_single_file_asks_for_its_directory(tmp_path, name):
    file = tmp_path / name
    file.write_bytes(b"\x89HDF\r\n\x1a\n")
    message = (
        f"{file}: must be a directory or a zip archive, found a single file. Pass the "
        f"directory that holds it with the model's other files: '{tmp_path}'."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load(file)


class Bomb:
    """Unpickling this raises another error than the one expected."""

    def __reduce__(self):
        return (int, ("unpickled",))


@pytest.mark.parametrize("name", ["model.pkl", "model.PT", "pytorch_model.bin"])
@pytest.mark.parametrize("as_zip", [False, True], ids=["bare", "zip"])
def test_a_pickle_is_never_opened(tmp_path, name, as_zip):
    file = tmp_path / name
    file.write_bytes(pickle.dumps(Bomb()))
    if as_zip:  # as torch.save does
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
    message = (
        f"{file}: must be a directory or a zip archive, found a file that may hold a "
        "pickle, which skelmo never opens. Convert the weights to safetensors or HDF5."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load(file)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], "no files"),
        (["model.pt", "notes.txt"], "model.pt, notes.txt"),
        (list("abcdefghij"), "a, b, c, d, e, f, g, h and 2 more"),
    ],
    ids=["empty", "two", "ten"],
)
def test_a_directory_of_other_files_is_listed(tmp_path, names, found):
    for name in names:
        (tmp_path / name).touch()
    message = (
        f"{tmp_path}: must hold a model of skelmo (config.json, weights.safetensors), "
        "of AllenNLP or bilm-tf (options.json and one .hdf5 file) or of "
        "ELMoForManyLangs (encoder.pkl, token_embedder.pkl and more), found "
        f"{found}. Give the directory in which these files lie."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("given", "shown"), [(3, "int 3"), (None, "NoneType None"), (["en"], "list ['en']")]
)
def test_another_type_is_named(given, shown):
    message = (
        f"A language model is loaded by a str or a path, got {shown}. Give a bundled "
        "name or a directory."
    )

    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        load(given)
