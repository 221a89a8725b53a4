"""skelmo's own format: bits, words, damage, and a process killed while saving."""

import contextlib
import dataclasses
import os
import re
import shutil
import stat

import numpy as np
import pytest
from safetensors.numpy import load_file
from tiny_models import CONFIG, Killed, assert_same_model, kill_at, tiny_model

from skelmo.nn.bilm import BiLMConfig
from skelmo.pretrained.safetensors_format import read_model, write_model

WORDS = [
    "<UNK>",
    "plain",
    "",
    "a\u2028b",
    "\x85",
    "\r",
    "x\ry",
    "\ud83d\ude00",
    "\udc80",
]
ALPHABET = ["a", "\n", "\u2028", "\udc80", "日", "😀", " "]
WORDS += ["\x00", "\x0b\x0c\x1c", "日本", "e\u0301", "😀", "\ufeff", " "]


def _full_model(seed=0):
    """A model with a value other than the default in every field."""
    config = BiLMConfig(
        filters=((1, 4), (3, 5)),
        char_embedding_dim=3,
        n_highway=2,
        activation="tanh",
        max_characters=20,
        word_embedding_dim=2,
        n_words=len(WORDS),
        token_projection=False,
        hidden_size=11,
        proj_size=11,
        num_layers=3,
        lstm_projection=False,
        cell_clip=None,
        proj_clip=1.5,
        skip_connections=False,
        lowercase=True,
        characters="codepoints",
        n_characters=6 + len(ALPHABET),
        forget_bias=False,
    )
    default = dataclasses.asdict(BiLMConfig())
    assert all(default[key] != value for key, value in vars(config).items())
    return tiny_model(
        config,
        seed=seed,
        vocabulary=WORDS,
        softmax=True,
        alphabet=ALPHABET,
        tokenizer=None,
        note="\ud800",
        loss=[1.5, 2],
    )


def _names(directory):
    return sorted(file.name for file in directory.iterdir())


def test_write_then_read_gives_the_same_model(tmp_path):
    model = _full_model()

    write_model(model, tmp_path / "a" / "b")

    found = read_model(tmp_path / "a" / "b")
    assert_same_model(found, model)
    assert found.source == str(tmp_path / "a" / "b")
    assert _names(tmp_path / "a" / "b") == [
        "alphabet.json",
        "config.json",
        "vocabulary.txt",
        "weights.safetensors",
    ]


def test_a_zip_of_the_directory_reads_the_same(tmp_path):
    model = _full_model()
    write_model(model, tmp_path / "packed" / "inner")
    archive = shutil.make_archive(tmp_path / "model", "zip", tmp_path / "packed")

    assert_same_model(read_model(archive), model)


def test_words_are_lines_of_utf8(tmp_path):
    write_model(tiny_model(vocabulary=["<UNK>", "é", "\r"]), tmp_path)

    assert (tmp_path / "vocabulary.txt").read_bytes() == b"<UNK>\n\xc3\xa9\n\r\n"


@pytest.mark.parametrize("vocabulary", [None, [], [""]], ids=["none", "empty", "one"])
def test_no_vocabulary_and_an_empty_one_differ(tmp_path, vocabulary):
    write_model(tiny_model(vocabulary=vocabulary), tmp_path)

    assert read_model(tmp_path).vocabulary == vocabulary


def test_float16_halves_the_file_and_rounds_once(tmp_path):
    model = tiny_model()

    write_model(model, tmp_path / "half", dtype="float16")
    write_model(model, tmp_path / "full")

    found = read_model(tmp_path / "half")
    for name, array in model.arrays.items():
        expected = array.astype(np.float16).astype(np.float32)
        assert found.arrays[name].tobytes() == expected.tobytes()
    stored = load_file(tmp_path / "half" / "weights.safetensors")
    assert {array.dtype for array in stored.values()} == {np.dtype("float16")}


def _tied(model):
    arrays = dict(model.arrays)
    arrays["softmax.weight"] = arrays["token_encoder.word_embedding.weight"].copy()
    return dataclasses.replace(model, arrays=arrays)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_tied_weights_are_stored_and_held_once(tmp_path, dtype):
    config = dataclasses.replace(CONFIG, word_embedding_dim=CONFIG.proj_size, n_words=5)
    model = tiny_model(config, vocabulary=list("abcde"), softmax=True)
    tied = _tied(model)

    write_model(tied, tmp_path, dtype=dtype)

    stored = load_file(tmp_path / "weights.safetensors")
    assert stored.keys() == tied.arrays.keys() - {"softmax.weight"}
    found = read_model(tmp_path).arrays
    assert found["softmax.weight"] is found["token_encoder.word_embedding.weight"]
    assert found.keys() == tied.arrays.keys()
    if dtype == "float32":
        assert_same_model(read_model(tmp_path), tied)


def test_weights_that_differ_in_a_sign_of_zero_are_not_tied(tmp_path):
    config = dataclasses.replace(CONFIG, word_embedding_dim=CONFIG.proj_size, n_words=2)
    model = _tied(tiny_model(config, vocabulary=["a", "b"], softmax=True))
    model.arrays["softmax.weight"][0, 0] = 0.0
    model.arrays["token_encoder.word_embedding.weight"][0, 0] = -0.0

    write_model(model, tmp_path)

    assert_same_model(read_model(tmp_path), model)


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_model(_full_model(), tmp_path / name)

    for name in _names(tmp_path / "one"):
        one, two = ((tmp_path / k / name).read_bytes() for k in ("one", "two"))
        assert one == two


def test_replacing_a_model_leaves_nothing_of_it_and_all_else(tmp_path):
    write_model(_full_model(), tmp_path)
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    model = tiny_model(seed=1)

    write_model(model, tmp_path)

    assert_same_model(read_model(tmp_path), model)
    assert _names(tmp_path) == [
        "README.md",
        "config.json",
        "weights.safetensors",
    ]


def test_killed_at_any_step_the_old_or_the_new_model_is_whole(tmp_path, monkeypatch):
    old, new = _full_model(), tiny_model(seed=1, vocabulary=["<UNK>"])
    seen = []
    for step in range(100):
        directory = tmp_path / str(step)
        write_model(old, directory)
        with monkeypatch.context() as patch:
            kill_at(patch, step)
            try:
                write_model(new, directory)
                finished = True
            except Killed:
                finished = False
        found = read_model(directory)
        seen.append(found.config == new.config)
        assert_same_model(found, new if seen[-1] else old)
        # Saving again mends everything.
        write_model(old, directory)
        assert_same_model(read_model(directory), old)
        assert len(_names(directory)) == 4
        if finished:
            break

    assert finished
    assert len(seen) > 10
    assert seen == sorted(seen)  # old until one step, new from then on
    assert seen[-3:] == [True, True, True]  # there are steps after that one


def test_killed_while_saving_over_a_killed_save(tmp_path, monkeypatch):
    models = [tiny_model(seed=seed, vocabulary=["<UNK>"]) for seed in range(3)]
    for first in range(15):
        for second in (2, 6, 9, 11):
            directory = tmp_path / f"{first}-{second}"
            write_model(models[0], directory)
            for model, step in zip(models[1:], (first, second), strict=True):
                with monkeypatch.context() as patch:
                    kill_at(patch, step)
                    with contextlib.suppress(Killed):
                        write_model(model, directory)
            bias = read_model(directory).arrays["forward_lstm.bias_l0"].tobytes()
            assert bias in [m.arrays["forward_lstm.bias_l0"].tobytes() for m in models]


def test_an_error_while_writing_leaves_no_temporary_file(tmp_path, monkeypatch):
    write_model(tiny_model(), tmp_path)

    def full(descriptor):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(
            OSError, match=re.escape("[Errno 28] No space left on device")
        ):
            write_model(tiny_model(seed=1), tmp_path)

    assert _names(tmp_path) == ["config.json", "weights.safetensors"]
    assert_same_model(read_model(tmp_path), tiny_model())


# What cannot be saved.

CANNOT_SAVE = {
    "word": (
        lambda: write_model(tiny_model(vocabulary=["<UNK>", "a\nb"]), "unused"),
        "vocabulary[1] must not hold a line break, got 'a\\nb'. Use a tokenizer that "
        "splits at white space.",
    ),
    "settings": (
        lambda: write_model(tiny_model(tokenizer=len), "unused"),
        "model: settings must be what JSON can hold, but: Object of type "
        "builtin_function_or_method is not JSON serializable. Use str, finite numbers, "
        "bool, None, lists and dicts.",
    ),
    "dtype": (
        lambda: write_model(tiny_model(), "unused", dtype="bfloat16"),
        "dtype must be 'float32' or 'float16'. Got 'bfloat16' instead.",
    ),
}


@pytest.mark.parametrize(
    ("save", "message"), CANNOT_SAVE.values(), ids=CANNOT_SAVE.keys()
)
def test_what_cannot_be_saved_is_refused_before_writing(
    tmp_path, monkeypatch, save, message
):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        save()

    assert _names(tmp_path) == []


def test_a_weight_beyond_float16_is_refused(tmp_path):
    model = tiny_model()
    model.arrays["forward_lstm.bias_l0"][2] = 70000.0
    message = (
        "model: 'forward_lstm.bias_l0' must be finite in float16, found 1 of 24 values "
        "that are not. Save with dtype='float32'."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        write_model(model, tmp_path, dtype="float16")


def test_saving_to_a_file_is_refused(tmp_path):
    file = tmp_path / "model.zip"
    file.touch()
    message = (
        f"{file}: must be a directory to save to, found a file. Give another path."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        write_model(tiny_model(), file)


def test_equal_clips_are_saved_alike(tmp_path):
    config = dataclasses.replace(CONFIG, cell_clip=3, proj_clip=0)
    model = tiny_model(config)

    write_model(model, tmp_path)

    found = read_model(tmp_path).config
    assert (found.cell_clip, found.proj_clip) == (3.0, None)
