"""The files of ELMoForManyLangs: tensors, dictionaries and JSON.

The tensors are pickles, of which nothing but tensors is loaded; see
`skelmo.pretrained.tensor_files`. `skelmo.pretrained.many_langs_layout` says which
tensor holds which arrays of the network.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from skelmo.files import make_directory, replace_file
from skelmo.nn.bilm import BiLMConfig
from skelmo.pretrained.bilm_layout import Entry
from skelmo.pretrained.json_fields import Fields
from skelmo.pretrained.many_langs_dictionary import (
    CHARACTERS,
    SPECIAL_WORDS,
    WORDS,
    Dictionary,
    alphabet_of,
    characters_to_write,
    dictionary_bytes,
    read_dictionary,
    vocabulary_of,
    words_to_write,
)
from skelmo.pretrained.many_langs_layout import (
    classifier_layout,
    embedder_layout,
    encoder_layout,
)
from skelmo.pretrained.model_files import ModelFiles
from skelmo.pretrained.saved_model import (
    SavedModel,
    check_config,
    check_model,
    check_shapes,
)
from skelmo.pretrained.tensor_files import read_tensors, tensor_bytes
from skelmo.text.codepoints import MARKERS, other_name

logger = logging.getLogger(__name__)

_TRAINING = "config.json"  # how it was trained, with the name of the configuration
_CONFIGURATION = "configuration.json"  # as it is written here
_EMBEDDER, _ENCODER = "token_embedder.pkl", "encoder.pkl"
_CLASSIFIER = "classifier.pkl"
_ONE_ARCHIVE = "Take all files of one archive."
_NEVER = -1e4  # logit of a word that must not come: its probability is 0 in float32

# What the published archives name and do not hold; the two are alike.
_SAMPLES = ("cnn_50_100_512_4096_sample.json", "cnn_0_100_512_4096_sample.json")
_SAMPLE: dict[str, Any] = {
    "encoder": {
        "name": "elmo", "projection_dim": 512, "cell_clip": 3, "proj_clip": 3,
        "dim": 4096, "n_layers": 2,
    },
    "token_embedder": {
        "name": "cnn", "activation": "relu", "n_highway": 2, "word_dim": 100,
        "char_dim": 50, "max_characters_per_token": 50,
        "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
    },
}  # fmt: skip


def read(path: str | os.PathLike[str]) -> SavedModel:
    """Read a model of ELMoForManyLangs.

    Parameters
    ----------
    path : str or os.PathLike
        Directory or zip archive with ``config.json``, the configuration that it names,
        ``char.dic``, ``word.dic``, ``token_embedder.pkl`` and ``encoder.pkl``. Without
        the configuration, if it is a sample of theirs, the sample is taken. A
        ``classifier.pkl`` that is a softmax over the words is read too.

    Returns
    -------
    model : SavedModel
        Without settings.

    Raises
    ------
    FileNotFoundError
        If `path` or one of its files is missing.
    ValueError
        If a file is damaged or holds more than tensors, files do not belong together,
        or the network is of a kind that is not read.
    """
    with ModelFiles(path) as files:
        for name in (_TRAINING, _EMBEDDER, _ENCODER):
            _check_there(files, name)
        options = _find_options(files, Path(path))
        config = _read_options(options)
        characters = Dictionary([*MARKERS], np.arange(len(MARKERS)))
        words = Dictionary([], np.zeros(0, np.int64))
        if config.filters:
            characters = _read_dictionary(files, CHARACTERS, MARKERS)
        softmax = _find_softmax(files)
        if config.word_embedding_dim or softmax:
            words = _read_dictionary(files, WORDS, SPECIAL_WORDS)
        embedded = len(words.entries) if config.word_embedding_dim else 0
        config = replace(config, n_characters=len(characters.entries), n_words=embedded)
        vocabulary = vocabulary_of(words) if words.entries else None
        alphabet = alphabet_of(characters)
        given = config, vocabulary, alphabet
        check_config(*given, shown=options.shown, remedy=options.remedy)
        by = Path(options.shown).name
        embedder = embedder_layout(config, characters.rows, words.rows)
        arrays = _read_arrays(files, _EMBEDDER, embedder, by)
        arrays |= _read_arrays(files, _ENCODER, encoder_layout(config), by)
        if softmax:
            sampled = "column_emb.weight" in softmax
            entries = classifier_layout(config, words.rows, sampled=sampled)
            arrays |= _arrays_of(files, _CLASSIFIER, entries, softmax, by)
    source = os.fspath(path)
    return SavedModel(config, arrays, {}, vocabulary, source, alphabet)


def write(model: SavedModel, path: str | os.PathLike[str]) -> None:
    """Write a model as ELMoForManyLangs reads it.

    Settings, as the form of Unicode that texts are put into, are left out: the format
    has no place for them. A vocabulary without ``<pad>`` gets it, with a row that no
    token has. A process that is killed leaves the old model, the new one, or a
    directory without ``config.json``, which is refused.

    Parameters
    ----------
    model : SavedModel
        Of code points, as `ElmoLanguageModel(characters="codepoints")` trains them.
    path : str or os.PathLike
        Directory; made if need be.

    Raises
    ------
    ValueError
        If the format cannot hold the model, or `path` is a file or holds a model of
        skelmo.
    """
    check_model(model)
    _check_representable(model)
    directory = make_directory(path)
    if any(file.suffix == ".safetensors" for file in directory.iterdir()):
        raise ValueError(
            f"{directory}: holds a model of skelmo, which would be read instead. Give "
            "another directory."
        )
    contents = _contents(model)
    (directory / _TRAINING).unlink(missing_ok=True)
    (directory / _CLASSIFIER).unlink(missing_ok=True)
    for name, content in contents.items():
        _put(directory / name, content)
    _put(directory / _TRAINING, _json({"config_path": _CONFIGURATION}))


# Options.


def _check_there(files: ModelFiles, name: str) -> None:
    if name not in files.names:
        raise FileNotFoundError(
            f"{files.shown(name)}: no such file, which a model of ELMoForManyLangs "
            f"has, found {files.listing()}. {_ONE_ARCHIVE}"
        )


def _find_options(files: ModelFiles, root: Path) -> Fields:
    """Return the configuration: that in the directory, or one of the samples."""
    shown = files.shown(_TRAINING)
    training = Fields.read(files.path(_TRAINING), shown=shown, remedy=_ONE_ARCHIVE)
    given = training.text("config_path")
    name = re.split(r"[/\\]", given)[-1]
    inside = PurePosixPath(given)
    # A model of somebody else does not say what is read outside of its directory.
    with suppress(OSError):
        nested = root / inside
        is_inside = not inside.is_absolute() and ".." not in inside.parts
        if is_inside and root.is_dir() and nested.is_file():
            return Fields.read(nested, shown=str(nested), remedy=_ONE_ARCHIVE)
    if name in files.names:
        shown = files.shown(name)
        return Fields.read(files.path(name), shown=shown, remedy=_ONE_ARCHIVE)
    if name in _SAMPLES:
        logger.info("%s: %s is not there, its published values are.", shown, name)
        remedy = f"Put the {name} of the model beside {_TRAINING}."
        return Fields(_SAMPLE, shown=files.shown(name), remedy=remedy)
    raise FileNotFoundError(
        f"{files.shown(name)}: no such file, which '{_TRAINING}' names as the "
        "configuration, and none of the samples that skelmo knows. Put the "
        "configuration that the model was trained with beside it."
    )


def _read_options(options: Fields) -> BiLMConfig:
    """Return the configuration, as if there were no words and one character."""
    encoder, embedder = options.section("encoder"), options.section("token_embedder")
    _check_kind(encoder, "elmo", "its padding is read as if it were text")
    _check_kind(embedder, "cnn", "its tokens are mixed up with their neighbours")
    word_dim = embedder.integer("word_dim", minimum=0)
    char_dim = embedder.integer("char_dim", minimum=0)
    config = BiLMConfig(
        filters=(),
        char_embedding_dim=char_dim,
        n_highway=0,
        max_characters=embedder.integer("max_characters_per_token", minimum=3),
        word_embedding_dim=word_dim,
        hidden_size=encoder.integer("dim"),
        proj_size=encoder.integer("projection_dim"),
        num_layers=encoder.integer("n_layers"),
        cell_clip=encoder.clip("cell_clip"),
        proj_clip=encoder.clip("proj_clip"),
        characters="codepoints",
        forget_bias=False,
    )
    if not char_dim:
        return config
    return replace(
        config,
        filters=embedder.filters("filters"),
        n_highway=embedder.integer("n_highway", minimum=0),
        activation=embedder.choice("activation", ("relu", "tanh")),
    )


def _check_kind(section: Fields, supported: str, why: str) -> None:
    kind = section.text("name")
    if kind.lower() == "lstm":
        raise ValueError(
            f"{section.shown}: '{section.prefix}name' is 'lstm', which is not read: "
            f"{why}. Take a model whose {section.prefix}name is {supported!r}."
        )
    if kind.lower() != supported:
        raise ValueError(
            f"{section.shown}: '{section.prefix}name' must be {supported!r}, found "
            f"{kind[:40]!r}. {section.remedy}"
        )


# Weights.


def _read_dictionary(
    files: ModelFiles, name: str, special: Sequence[str]
) -> Dictionary:
    _check_there(files, name)
    return read_dictionary(files.path(name), shown=files.shown(name), special=special)


def _find_softmax(files: ModelFiles) -> dict[str, np.ndarray]:
    """Return the tensors of the classifier, if there is one and it is a softmax."""
    if _CLASSIFIER not in files.names:
        return {}
    shown = files.shown(_CLASSIFIER)
    found = read_tensors(files.path(_CLASSIFIER), shown=shown)
    found.pop("oov_column", None)  # which theirs does not use either
    if found.keys() & {"hidden2tag.weight", "column_emb.weight"}:
        return found
    logger.info("%s is no softmax over the words, and left out.", shown)
    return {}


def _read_arrays(
    files: ModelFiles, name: str, entries: list[Entry], by: str
) -> dict[str, np.ndarray]:
    found = read_tensors(files.path(name), shown=files.shown(name))
    return _arrays_of(files, name, entries, found, by)


def _arrays_of(
    files: ModelFiles,
    name: str,
    entries: list[Entry],
    found: dict[str, np.ndarray],
    by: str,
) -> dict[str, np.ndarray]:
    """Turn the tensors of a file into arrays of the network, each in its shape."""
    shown = files.shown(name)
    expected = {entry.name: entry.shape for entry in entries}
    _check_rows(found, expected, shown)
    shapes = {name: array.shape for name, array in found.items()}
    check_shapes(
        shapes, expected, shown=shown, by=by, remedy=_ONE_ARCHIVE, kind="tensor"
    )
    for more in found.keys() - expected.keys():
        raise ValueError(
            f"{shown}: tensor '{more[:60]}' is one more than {by} tells of. "
            f"{_ONE_ARCHIVE}"
        )
    arrays: dict[str, np.ndarray] = {}
    for entry in entries:
        parts = entry.kind.read(found[entry.name])
        arrays.update(zip(entry.arrays, map(np.ascontiguousarray, parts), strict=True))
    return arrays


def _check_rows(
    found: dict[str, np.ndarray], expected: dict[str, tuple[int, ...]], shown: str
) -> None:
    """Raise if a dictionary is of another archive than the weights."""
    for name, dictionary in {
        "word_emb_layer.embedding.weight": WORDS,
        "char_emb_layer.embedding.weight": CHARACTERS,
        "hidden2tag.weight": WORDS,
        "column_emb.weight": WORDS,
    }.items():
        if name in found and name in expected and found[name].ndim:
            n_rows, n_entries = len(found[name]), expected[name][0]
            if n_rows != n_entries:
                raise ValueError(
                    f"{shown}: tensor '{name}' has {n_rows:,} rows, but {dictionary} "
                    f"{n_entries:,} entries: they are of different archives. "
                    f"{_ONE_ARCHIVE}"
                )


# Writing.


def _check_representable(model: SavedModel) -> None:
    config = model.config
    skipping = config.skip_connections or config.num_layers == 1
    rules = {
        "characters='codepoints'": config.characters == "codepoints",
        "lowercase=False": not config.lowercase,
        "skip_connections=True": skipping,
        "a token projection": config.token_projection,
        "an LSTM projection": config.lstm_projection,
    }
    for needed, holds in rules.items():
        if not holds:
            raise ValueError(
                f"The format of ELMoForManyLangs needs a model with {needed}, which "
                "this one is not. Save it in skelmo's own format."
            )


def _contents(model: SavedModel) -> dict[str, bytes]:
    """Return the files, but for the one that is written last."""
    config = model.config
    arrays = dict(model.arrays)
    characters = characters_to_write(model.alphabet or [])
    words = words_to_write(model.vocabulary or [*map(other_name, SPECIAL_WORDS)])
    n_words = 0 if model.vocabulary is None else len(model.vocabulary)
    _pad(arrays, n_words, len(words.entries))
    if config.forget_bias:
        for name in arrays:
            if "_lstm.bias_l" in name:
                arrays[name] = arrays[name].copy()
                np.split(arrays[name], 4)[1][:] += 1.0
    files = {
        _EMBEDDER: embedder_layout(config, characters.rows, words.rows),
        _ENCODER: encoder_layout(config),
    }
    if "softmax.bias" in arrays:
        files[_CLASSIFIER] = classifier_layout(config, words.rows)
    contents = {
        name: tensor_bytes(
            {
                entry.name: entry.kind.write(*(arrays[part] for part in entry.arrays))
                for entry in entries
            }
        )
        for name, entries in files.items()
    }
    contents[CHARACTERS] = dictionary_bytes(characters, shown=CHARACTERS)
    contents[WORDS] = dictionary_bytes(words, shown=WORDS)
    contents[_CONFIGURATION] = _json(_options(config))
    return contents


def _pad(arrays: dict[str, np.ndarray], n_words: int, n_rows: int) -> None:
    """Give the arrays that have a row for each word those of the padding."""
    n_new = n_rows - n_words
    fill = {
        "token_encoder.word_embedding.weight": 0.0,
        "softmax.weight": 0.0,
        "softmax.bias": _NEVER,
    }
    for name, value in fill.items():
        if name in arrays and n_new:
            rows = np.full((n_new, *arrays[name].shape[1:]), value, np.float32)
            arrays[name] = np.concatenate([arrays[name], rows])


def _options(config: BiLMConfig) -> dict[str, Any]:
    return {
        "encoder": {
            "name": "elmo",
            "projection_dim": config.proj_size,
            "cell_clip": config.cell_clip or 0,
            "proj_clip": config.proj_clip or 0,
            "dim": config.hidden_size,
            "n_layers": config.num_layers,
        },
        "token_embedder": {
            "name": "cnn",
            "activation": config.activation,
            "filters": config.filters,
            "n_highway": config.n_highway,
            "word_dim": config.word_embedding_dim,
            "char_dim": config.char_embedding_dim,
            "max_characters_per_token": config.max_characters,
        },
        "classifier": {"name": "softmax"},
        "dropout": 0.0,
    }


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()


def _put(path: Path, content: bytes) -> None:
    replace_file(path, lambda target: target.write_bytes(content))
