"""The weight files of bilm-tf, AllenNLP and the NLPL repository: JSON and HDF5.

`skelmo.pretrained.bilm_layout` says which dataset holds which arrays of the network.
"""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from skelmo.files import make_directory, move, remove_leftovers, staged
from skelmo.nn.bilm import BiLMConfig
from skelmo.nn.char_cnn import N_CHARACTERS
from skelmo.pretrained.bilm_layout import cell_name, layout
from skelmo.pretrained.json_fields import Fields
from skelmo.pretrained.model_files import ModelFiles, first_bytes
from skelmo.pretrained.saved_model import (
    SavedModel,
    check_config,
    check_finite,
    check_model,
    check_shapes,
)

logger = logging.getLogger(__name__)

_HDF5_SUFFIXES = (".hdf5", ".h5")
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_TAKE_ONE_MODEL = "Take the options and the weights of one model."
_TAKE_PUBLISHED = "Take the options file that was published with the weights."
_DOWNLOAD_AGAIN = "Download it again and compare its size and sha256."


def read_bilm(path: str | os.PathLike[str]) -> SavedModel:
    """Read a model of bilm-tf, AllenNLP or the NLPL repository.

    Parameters
    ----------
    path : str or os.PathLike
        Directory or zip archive with one JSON file of options and one HDF5 file of
        weights. Of several JSON files the one with "lstm" and "char_cnn" is taken; of
        several HDF5 files the only one with "weights" in its name.

    Returns
    -------
    model : SavedModel
        Without settings and vocabulary. Datasets that the network does not have (the
        softmax, the optimiser) are left out.

    Raises
    ------
    FileNotFoundError
        If `path`, the options or the weights are missing.
    ValueError
        If a file is damaged, or options and weights disagree.
    ImportError
        If h5py is not installed.
    """
    with ModelFiles(path) as files:
        weights = _choose_weights(files)
        options = _choose_options(files)
        config = _read_options(options)
        check_config(config, None, shown=options.shown, remedy=_TAKE_PUBLISHED)
        config, arrays = _read_weights(
            files.path(weights), files.shown(weights), config, Path(options.shown).name
        )
    return SavedModel(config, arrays, source=os.fspath(path))


def write_bilm(model: SavedModel, path: str | os.PathLike[str]) -> None:
    """Write a model as bilm-tf and AllenNLP read it.

    Softmax, vocabulary and settings are left out: the format has no place for them. A
    process that is killed leaves each file whole, the old or the new; it never leaves
    the weights of one model beside different options of another.

    Parameters
    ----------
    model : SavedModel
    path : str or os.PathLike
        Directory for ``options.json`` and ``weights.hdf5``; made if need be.

    Raises
    ------
    ValueError
        If the format cannot hold the model, or `path` is a file.
    ImportError
        If h5py is not installed.
    """
    check_model(model)
    _check_representable(model)
    _import_h5py()
    directory = make_directory(path)
    options, weights = directory / "options.json", directory / "weights.hdf5"
    text = (json.dumps(_options(model.config), indent=2) + "\n").encode()
    set_aside = options.with_name("options.json.old")
    with (
        staged(weights, lambda target: _write_weights(model, target)) as new_weights,
        staged(options, lambda target: target.write_bytes(text)) as new_options,
    ):
        # Two files cannot be replaced at once. Where the options change, the moment in
        # between is a directory without options, which is refused, not a false pair.
        if options.exists() and options.read_bytes() != text:
            options.replace(set_aside)
        new_weights.replace(weights)
        move(new_options, options)
    set_aside.unlink(missing_ok=True)
    for file in (options, weights):
        remove_leftovers(file)


# Options.


def _choose_options(files: ModelFiles) -> Fields:
    """Return the JSON file that has the keys; else the one that should have them."""
    names = [name for name in files.names if name.lower().endswith(".json")]
    if not names:
        raise FileNotFoundError(
            f"{files.shown('options.json')}: no JSON file of options, found "
            f"{files.listing()}. Put the options file that was published with the "
            "weights beside them."
        )

    def read(name: str) -> Fields:
        shown = files.shown(name)
        return Fields.read(files.path(name), shown=shown, remedy=_TAKE_PUBLISHED)

    def has_keys(name: str) -> bool:
        try:
            return {"lstm", "char_cnn"} <= read(name).values.keys()
        except ValueError:
            return False

    named = [name for name in names if "options" in name.lower()]
    for choice in (["options.json"], list(filter(has_keys, names)), named, names):
        if len(choice) == 1 and choice[0] in names:
            return read(choice[0])
    raise ValueError(
        f"{files.shown('options.json')}: one JSON file of options is needed, found "
        f"{', '.join(names)}. Name the right one options.json."
    )


def _read_options(options: Fields) -> BiLMConfig:
    """Return the configuration, as if all projections were in the file."""
    lstm, cnn = options.section("lstm"), options.section("char_cnn")
    if cnn.choice("n_characters", (261, 262)) == 261:
        # What bilm-tf trains with; its 262 of inference counts id 0 in.
        logger.info("%s: n_characters 261 is read as 262.", options.shown)
    return BiLMConfig(
        filters=cnn.filters("filters"),
        char_embedding_dim=cnn.section("embedding").integer("dim"),
        n_highway=cnn.integer("n_highway", minimum=0, default=0),
        activation=cnn.choice("activation", ("relu", "tanh")),
        max_characters=cnn.integer("max_characters_per_token", minimum=3),
        hidden_size=lstm.integer("dim"),
        proj_size=lstm.integer("projection_dim"),
        num_layers=lstm.integer("n_layers", default=1),  # bilm-tf's default
        cell_clip=lstm.clip("cell_clip"),
        proj_clip=lstm.clip("proj_clip"),
        skip_connections=lstm.flag("use_skip_connections", default=False),
    )


def _options(config: BiLMConfig) -> dict[str, Any]:
    return {
        "lstm": {
            "use_skip_connections": config.skip_connections,
            "projection_dim": config.proj_size,
            "cell_clip": config.cell_clip,
            "proj_clip": config.proj_clip,
            "dim": config.hidden_size,
            "n_layers": config.num_layers,
        },
        "char_cnn": {
            "activation": config.activation,
            "filters": config.filters,
            "n_highway": config.n_highway,
            "embedding": {"dim": config.char_embedding_dim},
            "n_characters": N_CHARACTERS,
            "max_characters_per_token": config.max_characters,
        },
    }


def _check_representable(model: SavedModel) -> None:
    who = "The AllenNLP/bilm-tf format"
    if model.config.characters != "bytes" or not model.config.forget_bias:
        raise ValueError(
            f"{who} reads characters as bytes and adds 1 to the forget gate; the model "
            f"has characters={model.config.characters!r} and forget_bias="
            f"{model.config.forget_bias}. Save it in skelmo's own format, or as "
            "ELMoForManyLangs reads it."
        )
    if model.config.word_embedding_dim:
        raise ValueError(
            f"{who} has no word-level embedding, the model has one "
            f"(word_embedding_dim={model.config.word_embedding_dim}). Save it in "
            "skelmo's own format."
        )
    if model.arrays["token_encoder.embedding.weight"][0].any():
        raise ValueError(
            f"{who} has no row for character id 0, the model's is not zero. Set row 0 "
            "of 'token_encoder.embedding.weight' to zero; no token uses it."
        )


# Weights.


def _import_h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "AllenNLP and bilm-tf models are HDF5 files, which need the package h5py. "
            "Install it with: pip install skelmo[hdf5]"
        ) from error
    return h5py


def _choose_weights(files: ModelFiles) -> str:
    names = [name for name in files.names if name.lower().endswith(_HDF5_SUFFIXES)]
    if not names:
        raise FileNotFoundError(
            f"{files.shown('weights.hdf5')}: no HDF5 file of weights, found "
            f"{files.listing()}. Put the weights that belong to the options beside "
            "them."
        )
    named = [name for name in names if "weights" in name.lower()]
    for choice in (["weights.hdf5"], named, names):
        if len(choice) == 1 and choice[0] in names:
            return choice[0]
    raise ValueError(
        f"{files.shown('weights.hdf5')}: one HDF5 file of weights is needed, found "
        f"{', '.join(names)}. Name the right one weights.hdf5."
    )


def _read_weights(
    path: Path, shown: str, config: BiLMConfig, by: str
) -> tuple[BiLMConfig, dict[str, np.ndarray]]:
    """Read every array; the configuration learns which projections there are."""
    h5py = _import_h5py()
    _check_signature(h5py, path, shown)
    with _reading(path, shown):
        # Reading needs no lock, and network drives may not give one.
        file = h5py.File(path, "r", locking=False)
    with file:
        found = _find_datasets(h5py, file, path, shown)
        shapes = {name: shape for name, (shape, _) in found.items()}
        config = _find_projections(config, shapes)
        _check_no_more(config, shapes, shown, by)
        entries = layout(config)
        expected = {entry.name: entry.shape for entry in entries}
        check_shapes(
            shapes,
            expected,
            shown=shown,
            by=by,
            remedy=_TAKE_ONE_MODEL,
            kind="dataset",
        )
        arrays: dict[str, np.ndarray] = {}
        for entry in entries:
            _check_dtype(entry.name, found[entry.name][1], shown)
            with _reading(path, shown):
                values = file[entry.name][...]
            parts = entry.kind.read(_to_float32(values, entry.name, shown))
            arrays.update(
                zip(entry.arrays, map(np.ascontiguousarray, parts), strict=True)
            )
    return config, arrays


@contextmanager
def _reading(path: Path, shown: str) -> Iterator[None]:
    """Say the same of every way in which HDF5 reports a damaged file."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, ValueError, TypeError) as error:
        raise ValueError(
            f"{shown}: HDF5 cannot read this file of {path.stat().st_size:,} bytes; it "
            f"was cut short or damaged ({error}). {_DOWNLOAD_AGAIN}"
        ) from error


def _find_datasets(
    h5py: Any, file: Any, path: Path, shown: str
) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Map the name of each dataset to its shape and type."""
    found: dict[str, tuple[tuple[int, ...], np.dtype]] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (item.shape, item.dtype)

    with _reading(path, shown):
        file.visititems(note)
    return found


def _check_signature(h5py: Any, path: Path, shown: str) -> None:
    with path.open("rb") as file:
        signature = file.read(len(_HDF5_SIGNATURE))
    if signature != _HDF5_SIGNATURE and not h5py.is_hdf5(path):
        raise ValueError(
            f"{shown}: must be an HDF5 file, found {path.stat().st_size:,} bytes that "
            f"begin with {first_bytes(path)}. Download it again; a web page or a Git "
            "LFS pointer may have been saved in its place."
        )


def _find_projections(
    config: BiLMConfig, shapes: dict[str, tuple[int, ...]]
) -> BiLMConfig:
    """Leave out the projections that bilm-tf leaves out between equal sizes."""
    n_filters = sum(n for _, n in config.filters)
    return dataclasses.replace(
        config,
        token_projection=n_filters != config.proj_size
        or any(name.startswith("CNN_proj/") for name in shapes),
        lstm_projection=config.hidden_size != config.proj_size
        or any(name.endswith("/LSTMCell/W_P_0") for name in shapes),
    )


def _check_no_more(
    config: BiLMConfig, shapes: dict[str, tuple[int, ...]], shown: str, by: str
) -> None:
    """Raise if the file has more layers than the options: half of it would be read."""
    counts = {
        f"CNN/W_cnn_{len(config.filters)}": "char_cnn.filters",
        f"CNN_high_{config.n_highway}/W_carry": "char_cnn.n_highway",
        f"{cell_name(0, config.num_layers)}/W_0": "lstm.n_layers",
    }
    for name, key in counts.items():
        if name in shapes:
            raise ValueError(
                f"{shown}: dataset '{name}' is one more than '{key}' of {by} counts. "
                f"{_TAKE_ONE_MODEL}"
            )


def _check_dtype(name: str, dtype: np.dtype, shown: str) -> None:
    if dtype.kind != "f" or dtype.itemsize > 8:
        raise ValueError(
            f"{shown}: dataset '{name}' must hold float16, float32 or float64, found "
            f"{dtype}. {_DOWNLOAD_AGAIN}"
        )


def _to_float32(values: np.ndarray, name: str, shown: str) -> np.ndarray:
    # What overflows, or is not a number, is reported as not finite.
    with np.errstate(over="ignore", invalid="ignore"):
        values = values.astype(np.float32)
    check_finite(values, name, shown=shown, remedy=_DOWNLOAD_AGAIN)
    return values


def _write_weights(model: SavedModel, path: Path) -> None:
    # In memory first: on a full disk HDF5 ends the process.
    content = io.BytesIO()
    with _import_h5py().File(content, "w") as file:
        for entry in layout(model.config):
            values = entry.kind.write(*(model.arrays[name] for name in entry.arrays))
            file.create_dataset(entry.name, data=np.ascontiguousarray(values))
    # Let go before an OSError is raised, whose traceback would keep it: Python 3.12.1
    # crashes collecting both (python/cpython#111049).
    with path.open("wb") as file, content.getbuffer() as whole:
        file.write(whole)
