"""skelmo's own files: ``config.json``, ``weights.safetensors``, ``vocabulary.txt``.

A model of code points has ``alphabet.json`` besides.

``config.json`` names every file, and its own content, with its SHA-256 and is replaced
in one step: that step is the moment at which the new model takes the place of the old.
Until then the new files lie beside the old ones under names that carry their hash, and
a reader looks for those names first. So a process killed at any point leaves the old
model or the new one, whole. One process at a time may save to a directory.

Where softmax and word-level embedding are tied, the weights hold the embedding alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from skelmo.files import make_directory, replace_file, sync
from skelmo.nn.bilm import BiLMConfig
from skelmo.pretrained.json_fields import Fields
from skelmo.pretrained.model_files import ModelFiles
from skelmo.pretrained.saved_model import (
    SavedModel,
    add_tied,
    check_config,
    check_finite,
    check_model,
    check_shapes,
    config_to_json,
    drop_tied,
    model_shapes,
)

FORMAT_VERSION = 1

_CONFIG = "config.json"
_WEIGHTS = "weights.safetensors"
_VOCABULARY = "vocabulary.txt"
_ALPHABET = "alphabet.json"
_DTYPES = {"float32": "F32", "float16": "F16"}  # numpy's name: safetensors' name
_COPY_AGAIN = "The file was changed or cut short; copy or save the model again."


def write_model(
    model: SavedModel, path: str | os.PathLike[str], *, dtype: str = "float32"
) -> None:
    """Save a model in skelmo's own format.

    A model that was there before is replaced; killed at any point, this leaves the old
    model or the new one. Other files in the directory are left alone.

    Parameters
    ----------
    model : SavedModel
    path : str or os.PathLike
        Directory; made if need be.
    dtype : {"float32", "float16"}, default="float32"
        Type of the weights on the disk. "float16" halves the file and keeps 11 bits of
        each weight.

    Raises
    ------
    ValueError
        If the arrays are not those of the configuration, a weight is beyond float16, a
        word holds a line break, the settings are not JSON, or `path` is a file.
    """
    if dtype not in _DTYPES:
        raise ValueError(
            f"dtype must be 'float32' or 'float16'. Got {dtype!r} instead."
        )
    check_model(model)
    contents = {_WEIGHTS: _encode_weights(model, dtype)}
    if model.vocabulary is not None:
        contents[_VOCABULARY] = _encode_vocabulary(model.vocabulary)
    if model.alphabet is not None:
        contents[_ALPHABET] = (json.dumps(model.alphabet, indent=0) + "\n").encode()
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    config = _encode_config(model, hashes)
    directory = make_directory(path)
    for name, data in contents.items():
        _put(directory / _staged_name(name, hashes[name]), data)
    _put(directory / _CONFIG, config)  # from here on the new model is read
    for name, digest in hashes.items():
        (directory / _staged_name(name, digest)).replace(directory / name)
    _clean(directory, hashes)
    sync(directory)


def read_model(path: str | os.PathLike[str]) -> SavedModel:
    """Read a model in skelmo's own format.

    Parameters
    ----------
    path : str or os.PathLike
        Directory or zip archive that `write_model` filled.

    Returns
    -------
    model : SavedModel
        Arrays are float32, whatever the type on the disk.

    Raises
    ------
    FileNotFoundError
        If `path` or one of its files is missing.
    ValueError
        If the format version is unknown, or a file is damaged or not the one that
        ``config.json`` names.
    """
    with ModelFiles(path) as files:
        if _CONFIG not in files.names:
            raise FileNotFoundError(
                f"{files.shown(_CONFIG)}: no such file, found {files.listing()}. Give "
                "a directory that ElmoLanguageModel.save wrote."
            )
        fields = Fields.read(
            files.path(_CONFIG), shown=files.shown(_CONFIG), remedy=_COPY_AGAIN
        )
        _check_version(fields)
        config = _read_architecture(fields.section("architecture"))
        settings = fields.section("settings").values
        hashes = fields.section("sha256")
        vocabulary = alphabet = None
        if _VOCABULARY in hashes.values:
            words = _find(files, _VOCABULARY, hashes)
            vocabulary = _decode_vocabulary(files.path(words), files.shown(words))
        if _ALPHABET in hashes.values:
            name = _find(files, _ALPHABET, hashes)
            alphabet = _decode_alphabet(files.path(name), files.shown(name))
        given = config, vocabulary, alphabet
        check_config(*given, shown=fields.shown, remedy=_COPY_AGAIN)
        weights = _find(files, _WEIGHTS, hashes)
        arrays = _read_weights(
            files.path(weights), files.shown(weights), config, vocabulary
        )
        _check_config_hash(fields, hashes)
    source = os.fspath(path)
    return SavedModel(config, arrays, settings, vocabulary, source, alphabet)


# Writing.


def _encode_weights(model: SavedModel, dtype: str) -> bytes:
    arrays = {}
    for name, array in drop_tied(model.arrays).items():
        with np.errstate(over="ignore"):  # what overflows is reported as not finite
            arrays[name] = np.ascontiguousarray(array, dtype=dtype)
        check_finite(
            arrays[name], name, shown="model", remedy="Save with dtype='float32'."
        )
    return save(arrays)


def _encode_vocabulary(vocabulary: list[str]) -> bytes:
    for row, word in enumerate(vocabulary):
        if "\n" in word:
            raise ValueError(
                f"vocabulary[{row}] must not hold a line break, got {word[:40]!r}. "
                "Use a tokenizer that splits at white space."
            )
    # Line feed alone ends a word: words may hold every other character that some
    # library takes for a line break, and surrogates that strict UTF-8 refuses.
    return "".join(f"{word}\n" for word in vocabulary).encode("utf-8", "surrogatepass")


def _encode_config(model: SavedModel, hashes: dict[str, str]) -> bytes:
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "architecture": config_to_json(model.config),
        "settings": model.settings,
        "sha256": dict(hashes),
    }
    try:
        content["sha256"][_CONFIG] = _config_hash(content)
        return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"model: settings must be what JSON can hold, but: {error}. Use str, "
            "finite numbers, bool, None, lists and dicts."
        ) from error


def _config_hash(content: dict[str, Any]) -> str:
    """Return the hash of all that ``config.json`` holds, but for this hash itself."""
    hashes = {name: x for name, x in content["sha256"].items() if name != _CONFIG}
    text = json.dumps({**content, "sha256": hashes}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _put(path: Path, data: bytes) -> None:
    replace_file(path, lambda target: target.write_bytes(data))


def _staged_name(name: str, digest: str) -> str:
    stem, suffix = name.split(".")
    return f"{stem}-{digest[:16]}.{suffix}"


def _clean(directory: Path, hashes: dict[str, str]) -> None:
    """Remove what the old model had more, and what killed processes left."""
    for name in (_VOCABULARY, _ALPHABET):
        if name not in hashes:
            (directory / name).unlink(missing_ok=True)
    staged = (
        r"weights-[0-9a-f]{16}\.safetensors|vocabulary-[0-9a-f]{16}\.txt|"
        r"alphabet-[0-9a-f]{16}\.json"
    )
    leftover = re.compile(
        rf"{staged}|\.({staged}|config\.json)(\.[0-9a-f]{{16}})?\.tmp"
    )
    for file in directory.iterdir():
        if leftover.fullmatch(file.name):
            file.unlink()


# Reading.


def _check_version(fields: Fields) -> None:
    version = fields.integer("format_version")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{fields.shown}: format_version must be {FORMAT_VERSION}, the one this "
            f"skelmo reads, found {version}. Upgrade skelmo."
        )


def _read_architecture(fields: Fields) -> BiLMConfig:
    known = {field.name: field for field in dataclasses.fields(BiLMConfig)}
    if unknown := sorted(fields.values.keys() - known.keys()):
        raise ValueError(
            f"{fields.shown}: key '{fields.prefix}{unknown[0]}' is unknown. "
            f"{fields.remedy}"
        )
    return BiLMConfig(
        **{name: _read_field(fields, each) for name, each in known.items()}
    )


def _read_field(fields: Fields, field: dataclasses.Field[Any]) -> Any:
    """Read what a field of the architecture says that it may be."""
    name, limits = field.name, field.metadata
    if name not in fields.values and "later" in limits:
        return field.default
    if name == "filters":
        return fields.filters(name, minimum=0)
    if "minimum" in limits:
        return fields.integer(name, minimum=limits["minimum"])
    if "choices" in limits:
        return fields.choice(name, limits["choices"])
    if "positive" in limits:
        return fields.clip(name)
    if name == "lowercase":  # the first files lack it
        return fields.flag(name, default=False)
    return fields.flag(name)


def _check_config_hash(fields: Fields, hashes: Fields) -> None:
    """Raise if values were changed, which may make sense and yet be wrong."""
    if _CONFIG not in hashes.values:  # the first files lack it
        return
    expected, found = hashes.text(_CONFIG), _config_hash(fields.values)
    if found != expected:
        raise ValueError(
            f"{fields.shown}: its content must have sha256 {expected} by itself, found "
            f"{found}. {fields.remedy}"
        )


def _find(files: ModelFiles, name: str, hashes: Fields) -> str:
    """Return the name under which the file with the hash of ``config.json`` lies."""
    expected = hashes.text(name)
    staged = _staged_name(name, expected)
    found = staged if staged in files.names else name
    if found not in files.names:
        raise FileNotFoundError(
            f"{files.shown(name)}: no such file, though {_CONFIG} names it. Copy or "
            "save the model again."
        )
    path = files.path(found)
    digest = _sha256(path)
    if digest != expected:
        raise ValueError(
            f"{files.shown(found)}: must have sha256 {expected} by {_CONFIG}, found "
            f"{digest} ({path.stat().st_size:,} bytes). {_COPY_AGAIN}"
        )
    return found


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _decode_vocabulary(path: Path, shown: str) -> list[str]:
    try:
        text = path.read_bytes().decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{shown}: must be UTF-8, but {error}. {_COPY_AGAIN}"
        ) from error
    return text.split("\n")[:-1]


def _decode_alphabet(path: Path, shown: str) -> list[str]:
    try:
        characters = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{shown}: must be JSON, but reading it stopped with: {error}. "
            f"{_COPY_AGAIN}"
        ) from error
    if not isinstance(characters, list) or not all(
        isinstance(character, str) for character in characters
    ):
        raise ValueError(
            f"{shown}: must hold a JSON list of strings, found "
            f"{type(characters).__name__}. {_COPY_AGAIN}"
        )
    return characters


def _read_weights(
    path: Path, shown: str, config: BiLMConfig, vocabulary: list[str] | None
) -> dict[str, np.ndarray]:
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
            _check_header(file, shown, config, vocabulary)
            arrays = {name: file.get_tensor(name).astype(np.float32) for name in names}
    except SafetensorError as error:
        raise ValueError(
            f"{shown}: must be a safetensors file, but reading it stopped with: "
            f"{error}. {_COPY_AGAIN}"
        ) from error
    for name, array in arrays.items():
        check_finite(array, name, shown=shown, remedy=_COPY_AGAIN)
    return add_tied(arrays)


def _check_header(
    file: Any, shown: str, config: BiLMConfig, vocabulary: list[str] | None
) -> None:
    names = file.keys()
    slices = {name: file.get_slice(name) for name in names}
    found = add_tied({name: tuple(s.get_shape()) for name, s in slices.items()})
    expected = model_shapes(config, vocabulary, found)
    check_shapes(found, expected, shown=shown, by=_CONFIG, remedy=_COPY_AGAIN)
    for name, part in slices.items():
        if name not in expected:
            raise ValueError(
                f"{shown}: array '{name}' is not part of the architecture in "
                f"{_CONFIG}. {_COPY_AGAIN}"
            )
        if part.get_dtype() not in _DTYPES.values():
            raise ValueError(
                f"{shown}: array '{name}' must be F32 or F16, found "
                f"{part.get_dtype()}. {_COPY_AGAIN}"
            )
