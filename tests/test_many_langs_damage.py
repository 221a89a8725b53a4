"""Damaged, foreign and dangerous files of ELMoForManyLangs: each its sentence."""

import io
import json
import os
import pickle
import re
import shutil
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from skelmo import ElmoVectorizer
from skelmo.pretrained import registry

DATA = Path(__file__).parent / "data" / "many_langs"
TAKE_ALL = "Take all files of one archive."
AGAIN = "Download it again and compare its size."


@pytest.fixture
def directory(tmp_path):
    """Return a model that a test may damage."""
    shutil.copytree(DATA / "words-characters", tmp_path / "model")
    return tmp_path / "model"


def assert_refused(directory, message, error=ValueError):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        registry.load(directory)


class Bomb:
    """Make a directory when a pickle of it is opened."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def saved(value, **options):
    content = io.BytesIO()
    torch.save(value, content, **options)
    return content.getvalue()


LEGACY = {"_use_new_zipfile_serialization": False}
WAYS = {
    "plain": lambda bomb: pickle.dumps(bomb, protocol=2),
    "legacy": lambda bomb: saved({"a": torch.zeros(2), "b": bomb}, **LEGACY),
    "archive": lambda bomb: saved({"a": torch.zeros(2), "b": bomb}),
}


@pytest.mark.parametrize(
    "name", ["encoder.pkl", "token_embedder.pkl", "classifier.pkl"]
)
@pytest.mark.parametrize("way", WAYS)
def test_a_pickle_that_would_run_code_runs_none(way, name, directory, tmp_path):
    canary = tmp_path / "canary"
    content = WAYS[way](Bomb(canary))
    (directory / name).write_bytes(content)
    message = (
        f"{directory / name}: must hold tensors alone, but asks for {os.name}.mkdir, "
        "which could run code and is not loaded. Take the file from where the model "
        "was published, and do not open this one by other programs."
    )
    assert_refused(directory, message)
    with pytest.raises(ValueError, match="must hold tensors alone"):
        ElmoVectorizer(directory).transform(["a"])
    assert not canary.exists()
    pickle.loads(WAYS["plain"](Bomb(canary)))
    assert canary.exists()  # it would have been


def test_a_class_of_another_package_is_named(directory):
    content = saved({"args": Namespace(lr=1)}, **LEGACY)
    (directory / "encoder.pkl").write_bytes(content)
    message = (
        f"{directory}/encoder.pkl: must hold tensors alone, but asks for "
        "argparse.Namespace, which could run code and is not loaded. Take the file "
        "from where the model was published, and do not open this one by other "
        "programs."
    )
    assert_refused(directory, message)


def test_no_message_tells_how_to_open_it_all_the_same(directory):
    for content in (saved(Namespace(), **LEGACY), b"\x80\x02" + b"no pickle" * 50):
        (directory / "encoder.pkl").write_bytes(content)
        with pytest.raises(ValueError, match=r"encoder\.pkl: ") as caught:
            registry.load(directory)
        assert "weights_only" not in str(caught.value)
        assert caught.value.__suppress_context__


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_told(share, directory):
    path = directory / "token_embedder.pkl"
    content = path.read_bytes()[: int(share * path.stat().st_size)]
    path.write_bytes(content)
    start = (
        f"{path}: torch cannot read tensors from this file of {len(content):,} bytes; "
        "it was cut short or damaged, or holds something else ("
    )
    with pytest.raises(ValueError, match=f"^{re.escape(start)}") as caught:
        registry.load(directory)
    assert str(caught.value).endswith(f"). {AGAIN}")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "0 bytes that begin with b''"),
        (
            b"<!DOCTYPE html><html><title>404</title></html>",
            "46 bytes that begin with b'<!DOCTYPE html><html><ti'",
        ),
        (
            b"version https://git-lfs",
            "23 bytes that begin with b'version https://git-lfs'",
        ),
    ],
    ids=["empty", "html", "pointer"],
)
def test_what_is_no_file_of_tensors_is_shown(content, found, directory):
    (directory / "encoder.pkl").write_bytes(content)
    message = (
        f"{directory}/encoder.pkl: must be a file of tensors that torch.save wrote, "
        f"found {found}. Download it again; a web page may have been saved in its "
        f"place."
    )
    assert_refused(directory, message)


def tensors_with(directory, changes):
    """Return the message's file after some tensors were changed; None takes one out."""
    path = directory / "encoder.pkl"
    tensors = torch.load(path, weights_only=True)
    for name, change in changes.items():
        if change is None:
            del tensors[name]
        else:
            tensors[name] = change(tensors.get(name))
    torch.save(tensors, path)
    return path


BIAS = "forward_layer_1.state_linearity.bias"
PLACE = "by words-characters.json"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, f"tensor '{BIAS}' of shape (64,) {PLACE} is missing. {TAKE_ALL}"),
        (
            lambda x: x[:-1],
            f"tensor '{BIAS}' must have shape (64,) {PLACE}, found (63,). {TAKE_ALL}",
        ),
        (
            lambda x: x.int(),
            f"'{BIAS}' must hold float16, float32 or float64, found torch.int32 "
            f"(torch.strided on cpu). {AGAIN}",
        ),
        (
            lambda x: torch.zeros(1).expand(10**12),
            f"'{BIAS}' must have a number in the file for each of its "
            f"1,000,000,000,000, found 4 bytes. {AGAIN}",
        ),
        (
            lambda x: x / 0,
            f"'{BIAS}' must be finite in float32, found 64 of 64 values that are not. "
            f"{AGAIN}",
        ),
        (lambda x: 3, f"'{BIAS}' must be a tensor, found int. {AGAIN}"),
        (
            lambda x: x.to_sparse(),
            f"'{BIAS}' must hold float16, float32 or float64, found torch.float32 "
            f"(torch.sparse_coo on cpu). {AGAIN}",
        ),
    ],
    ids=["missing", "shape", "type", "expanded", "infinite", "number", "sparse"],
)
def test_a_wrong_tensor_is_named(change, message, directory):
    path = tensors_with(directory, {BIAS: change})
    assert_refused(directory, f"{path}: {message}")


def test_a_tensor_that_nothing_reads_is_named(directory):
    more = {"forward_layer_2.state_linearity.bias": lambda x: torch.zeros(64)}
    path = tensors_with(directory, more)
    assert_refused(
        directory,
        f"{path}: tensor 'forward_layer_2.state_linearity.bias' is one more than "
        f"words-characters.json tells of. {TAKE_ALL}",
    )


def test_a_list_is_no_state_dict(directory):
    torch.save([torch.zeros(3)], directory / "encoder.pkl")
    message = f"must hold a dict of tensors, found list. {AGAIN}"
    assert_refused(directory, f"{directory}/encoder.pkl: {message}")


def test_half_and_double_precision_are_read(directory):
    before = registry.load(directory).arrays["forward_lstm.bias_l1"]
    for change, tolerance in ((torch.Tensor.double, 0), (torch.Tensor.half, 1e-3)):
        tensors_with(directory, {BIAS: change})
        found = registry.load(directory).arrays["forward_lstm.bias_l1"]
        assert found.dtype == before.dtype
        assert abs(found - before).max() <= tolerance


# Dictionaries.


def test_swapped_dictionaries_are_told(directory):
    characters, words = directory / "char.dic", directory / "word.dic"
    characters.rename(directory / "aside")
    words.rename(characters)
    (directory / "aside").rename(words)
    message = (
        f"{characters}: must hold the entry '<bow>', found 13 others; char.dic and "
        f"word.dic may have been swapped. {TAKE_ALL}"
    )
    assert_refused(directory, message)


@pytest.mark.parametrize(
    ("name", "tensor", "rows"),
    [
        ("word.dic", "word_emb_layer.embedding.weight", 13),
        ("char.dic", "char_emb_layer.embedding.weight", None),
    ],
)
def test_a_dictionary_of_another_archive_is_told(name, tensor, rows, directory):
    content = (directory / name).read_text("utf-8")
    rows = content.count("\n")
    (directory / name).write_text(f"{content}ж\t{rows}\n", encoding="utf-8")
    message = (
        f"{directory}/token_embedder.pkl: tensor '{tensor}' has {rows} rows, but "
        f"{name} {rows + 1} entries: they are of different archives. {TAKE_ALL}"
    )
    assert_refused(directory, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"a\t0\nb\tone\n",
            "line 2 must be an entry, a tab and its number, found 'b\\tone'.",
        ),
        (
            b"a\tb\t0\n",
            "line 1 must be an entry, a tab and its number, found 'a\\tb\\t0'.",
        ),
        (b"a\t0\n\nb\t1\n", "line 2 must be an entry, a tab and its number, found ''."),
        (b"a\t0\nb\t0\n", "line 2 gives the number 0 a second time, to 'b' after 'a'."),
        (
            b"a\t0\nb\t2\n",
            "its 2 entries must be numbered from 0 on, found none with the number 1.",
        ),
        (
            b"a\t0\n\xff\t1\n",
            "must be UTF-8, but 'utf-8' codec can't decode byte 0xff in position 4: "
            "invalid start byte.",
        ),
        (
            b"",
            "must hold the entry '<bos>', found 0 others; char.dic and word.dic may "
            "have been swapped.",
        ),
        (
            b"<html>\n",
            "line 1 must be an entry, a tab and its number, found '<html>'.",
        ),
    ],
    ids=["number", "tabs", "blank", "twice", "gap", "bytes", "empty", "html"],
)
def test_a_line_that_is_none_of_a_dictionary_is_named(content, message, directory):
    (directory / "word.dic").write_bytes(content)
    assert_refused(directory, f"{directory}/word.dic: {message} {TAKE_ALL}")


def test_white_space_is_read_as_their_reader_does(directory):
    # It strips each line, and takes a number alone for the ideographic space.
    lines = ["\u3000", "\xa0", " the", "ist\u3000", "\u2028", "ist"]
    special = ["<oov>", "<bos>", "<eos>", "<pad>", "a", "b", "c"]
    entries = [*special, *lines]
    text = "".join(f"{entry}\t{k}\n" for k, entry in enumerate(entries))
    (directory / "word.dic").write_text(text, encoding="utf-8", newline="")
    model = registry.load(directory)
    assert model.vocabulary[:4] == ["<S>", "</S>", "<UNK>", "<pad>"]
    rows = {word: row for row, word in enumerate(model.vocabulary)}
    theirs = torch.load(directory / "token_embedder.pkl", weights_only=True)
    table = theirs["word_emb_layer.embedding.weight"].numpy()
    found = model.arrays["token_encoder.word_embedding.weight"]
    expected = {"\u3000": "\xa0", "the": " the", "\u2028": "\u2028", "ist": "ist"}
    expected |= {"ist\u3000": "ist\u3000", "a": "a"}
    for word, line in expected.items():
        assert (found[rows[word]] == table[entries.index(line)]).all(), word
    assert "\xa0" not in rows
    assert len(model.vocabulary) == len(entries)


# The configuration, and files that are not there.


@pytest.mark.parametrize(
    "name",
    ["config.json", "encoder.pkl", "token_embedder.pkl", "char.dic", "word.dic"],
)
def test_a_missing_file_is_named(name, directory):
    (directory / name).unlink()
    names = sorted(path.name for path in directory.iterdir())
    message = (
        f"{directory / name}: no such file, which a model of ELMoForManyLangs has, "
        f"found {', '.join(names)}. {TAKE_ALL}"
    )
    assert_refused(directory, message, FileNotFoundError)


@pytest.mark.parametrize(
    ("section", "why", "kind"),
    [
        ("encoder", "its padding is read as if it were text", "elmo"),
        ("token_embedder", "its tokens are mixed up with their neighbours", "cnn"),
    ],
)
def test_networks_of_another_kind_are_refused_with_the_reason(
    section, why, kind, directory
):
    path = directory / "words-characters.json"
    values = json.loads(path.read_text())
    values[section]["name"] = "LSTM"
    path.write_text(json.dumps(values))
    message = (
        f"{path}: '{section}.name' is 'lstm', which is not read: {why}. Take a model "
        f"whose {section}.name is '{kind}'."
    )
    assert_refused(directory, message)
    values[section]["name"] = "gru"
    path.write_text(json.dumps(values))
    message = f"{path}: '{section}.name' must be '{kind}', found 'gru'. {TAKE_ALL}"
    assert_refused(directory, message)


@pytest.mark.parametrize(
    ("section", "key", "value", "rule"),
    [
        ("encoder", "dim", 0, "'encoder.dim' must be an int of at least 1, found 0."),
        (
            "encoder",
            "cell_clip",
            -1,
            "'encoder.cell_clip' must be null or a finite number of at least 0, found "
            "-1.",
        ),
        (
            "token_embedder",
            "activation",
            "gelu",
            "'token_embedder.activation' must be 'relu' or 'tanh', found 'gelu'.",
        ),
        (
            "token_embedder",
            "filters",
            [],
            "'token_embedder.filters' must be a list of pairs [width, number], of ints "
            "above 0, found [].",
        ),
        (
            "token_embedder",
            "filters",
            [[51, 2]],
            "the widest filter must span at most max_characters=50 characters, found "
            "51.",
        ),
    ],
)
def test_bad_options_are_named(section, key, value, rule, directory):
    path = directory / "words-characters.json"
    values = json.loads(path.read_text())
    values[section][key] = value
    path.write_text(json.dumps(values))
    assert_refused(directory, f"{path}: {rule} {TAKE_ALL}")


def test_neither_words_nor_characters_is_refused(directory):
    path = directory / "words-characters.json"
    values = json.loads(path.read_text())
    values["token_embedder"].update(word_dim=0, char_dim=0)
    path.write_text(json.dumps(values))
    message = "a token must have features, found neither filters nor a word embedding."
    assert_refused(directory, f"{path}: {message} {TAKE_ALL}")


def test_a_single_file_asks_for_its_directory(directory):
    path = directory / "encoder.pkl"
    message = (
        f"{path}: must be a directory or a zip archive, found a single file. Pass the "
        f"directory that holds it with the model's other files: '{directory}'."
    )
    assert_refused(path, message)


def test_an_archive_without_its_end_is_told(directory):
    # torch then asks the system for places before the file's begin.
    path = directory / "encoder.pkl"
    content = b"PK\x03\x04" + path.read_bytes()[4:]
    path.write_bytes(content)
    message = (
        f"{path}: torch cannot read tensors from this file of {len(content):,} bytes; "
        f"it was cut short or damaged, or holds something else (OSError). {AGAIN}"
    )
    assert_refused(directory, message)
