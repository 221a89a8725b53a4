"""A language model between file and network: its configuration and plain arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from skelmo.nn.bilm import BiLMConfig
from skelmo.nn.char_cnn import N_CHARACTERS
from skelmo.text.codepoints import N_MARKERS

Shapes = dict[str, tuple[int, ...]]
T = TypeVar("T")

_SOFTMAX, _EMBEDDING = "softmax.weight", "token_encoder.word_embedding.weight"


@dataclass(frozen=True, eq=False)
class SavedModel:
    """Everything a file knows of a language model.

    Parameters
    ----------
    config : BiLMConfig
        Architecture.
    arrays : dict of str to numpy.ndarray
        Weights, float32, under the names of ``BiLM(config).state_dict()``; optionally
        also "softmax.weight" of shape (V, P) and "softmax.bias" of shape (V,).
    settings : dict
        What JSON can hold: tokenizer, sequence, training summary; empty for the files
        of other programs.
    vocabulary : list of str or None
        The V words of the softmax; with a word-level embedding, also of its rows.
    source : str
        Where the model was read from.
    alphabet : list of str or None
        Characters that a model of code points tells apart; their rows of the character
        embedding come after those of 6 markers. None where characters are bytes.
    """

    config: BiLMConfig
    arrays: dict[str, np.ndarray]
    settings: dict[str, Any] = field(default_factory=dict)
    vocabulary: list[str] | None = None
    source: str = ""
    alphabet: list[str] | None = None


# Parameters that may be functions, of which files hold the name alone.
FUNCTIONS = ("tokenizer", "sentence_splitter")


def check_functions(saved: SavedModel, given: Collection[str]) -> None:
    """Raise unless the functions that a model was trained with are given again.

    Parameters
    ----------
    saved : SavedModel
    given : collection of str
        Names of the parameters that are given.

    Raises
    ------
    ValueError
        If the model was trained with a function that is not among them.
    """
    known = saved.settings.get("parameters", {})
    for name in FUNCTIONS:
        if isinstance(known.get(name), dict) and name not in given:
            function = known[name]["function"]
            raise ValueError(
                f"{saved.source}: the model was trained with a {name} of its own, "
                f"{function}, which files do not hold. Give it again, as in "
                f"{name}={function.rpartition('.')[2]}."
            )


def drop_tied(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Leave the softmax's weight out where it is that of the word-level embedding.

    Parameters
    ----------
    arrays : dict of str to numpy.ndarray

    Returns
    -------
    arrays : dict of str to numpy.ndarray
        The given ones, which `add_tied` brings back.
    """
    softmax, embedding = arrays.get(_SOFTMAX), arrays.get(_EMBEDDING)
    if softmax is None or embedding is None:
        return arrays
    # Also of the same sign: 0 == -0.
    same = np.array_equal(softmax, embedding) and np.array_equal(
        np.signbit(softmax), np.signbit(embedding)
    )
    if not same:
        return arrays
    return {name: array for name, array in arrays.items() if name != _SOFTMAX}


def is_tied(arrays: dict[str, np.ndarray]) -> bool:
    """Tell whether softmax and word-level embedding have one weight."""
    return _SOFTMAX in arrays and arrays[_SOFTMAX] is arrays.get(_EMBEDDING)


def add_tied(arrays: dict[str, T]) -> dict[str, T]:
    """Undo `drop_tied`, on arrays or shapes; the two weights are one array then."""
    if "softmax.bias" not in arrays or _SOFTMAX in arrays or _EMBEDDING not in arrays:
        return arrays
    return {**arrays, _SOFTMAX: arrays[_EMBEDDING]}


def expected_shapes(config: BiLMConfig) -> Shapes:
    """Return name and shape of every array of ``BiLM(config).state_dict()``.

    Parameters
    ----------
    config : BiLMConfig

    Returns
    -------
    shapes : dict of str to tuple of int
        In the order of the state dict.
    """
    return {**_encoder_shapes(config), **_lstm_shapes(config)}


def _encoder_shapes(config: BiLMConfig) -> Shapes:
    encoder, char_dim = "token_encoder", config.char_embedding_dim
    n_filters, word_dim = sum(n for _, n in config.filters), config.word_embedding_dim
    shapes: Shapes = {}
    if config.filters:
        shapes[f"{encoder}.embedding.weight"] = (config.n_characters, char_dim)
    for i, (width, n) in enumerate(config.filters):
        shapes[f"{encoder}.convolutions.{i}.weight"] = (n, char_dim, width)
        shapes[f"{encoder}.convolutions.{i}.bias"] = (n,)
    for k in range(config.n_highway if config.filters else 0):
        for gate in ("transform", "carry"):
            shapes[f"{encoder}.highways.{k}.{gate}.weight"] = (n_filters, n_filters)
            shapes[f"{encoder}.highways.{k}.{gate}.bias"] = (n_filters,)
    if word_dim:
        shapes[f"{encoder}.word_embedding.weight"] = (config.n_words, word_dim)
    if config.token_projection:
        n_in = n_filters + word_dim
        shapes[f"{encoder}.projection.weight"] = (config.proj_size, n_in)
        shapes[f"{encoder}.projection.bias"] = (config.proj_size,)
    return shapes


def _lstm_shapes(config: BiLMConfig) -> Shapes:
    proj, hidden = config.proj_size, config.hidden_size
    shapes: Shapes = {}
    for lstm in ("forward_lstm", "backward_lstm"):
        for k in range(config.num_layers):
            shapes[f"{lstm}.weight_ih_l{k}"] = (4 * hidden, proj)
            shapes[f"{lstm}.weight_hh_l{k}"] = (4 * hidden, proj)
            shapes[f"{lstm}.bias_l{k}"] = (4 * hidden,)
            if config.lstm_projection:
                shapes[f"{lstm}.weight_hr_l{k}"] = (proj, hidden)
    return shapes


def model_shapes(
    config: BiLMConfig, vocabulary: list[str] | None, names: Collection[str]
) -> Shapes:
    """Return `expected_shapes`, and those of the softmax if `names` has part of it."""
    shapes = expected_shapes(config)
    if any(name.startswith("softmax.") for name in names):
        n_words = 0 if vocabulary is None else len(vocabulary)
        shapes["softmax.weight"] = (n_words, config.proj_size)
        shapes["softmax.bias"] = (n_words,)
    return shapes


def config_to_json(config: BiLMConfig) -> dict[str, Any]:
    """Return the fields of `config`; equal arithmetic gives equal JSON."""
    fields = config.told
    for key in ("cell_clip", "proj_clip"):
        fields[key] = float(fields[key]) if fields[key] else None
    return fields


def weights_hash(model: SavedModel) -> str:
    """Return a hash of all that the activations of a model depend on.

    Parameters
    ----------
    model : SavedModel

    Returns
    -------
    digest : str
        SHA-256, hexadecimal, over configuration and arrays: the same in every process
        and for every order of the arrays.
    """
    digest = hashlib.sha256()
    digest.update(json.dumps(config_to_json(model.config), sort_keys=True).encode())
    for name in sorted(model.arrays):
        array = model.arrays[name]
        # Little-endian, so that machines agree.
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def check_shapes(
    found: Mapping[str, tuple[int, ...]],
    expected: Shapes,
    *,
    shown: str,
    by: str,
    remedy: str,
    kind: str = "array",
) -> None:
    """Raise unless `found` has every expected name in its shape; more is not looked at.

    Parameters
    ----------
    found : dict of str to tuple of int
    expected : dict of str to tuple of int
    shown : str
        The file, as the message names it.
    by : str
        What the expected shapes follow from.
    remedy : str
    kind : str, default="array"
        What the file calls an array.

    Raises
    ------
    ValueError
        Naming the first array that is missing or of another shape.
    """
    for name, shape in expected.items():
        if name not in found:
            raise ValueError(
                f"{shown}: {kind} '{name}' of shape {shape} by {by} is missing. "
                f"{remedy}"
            )
        if tuple(found[name]) != shape:
            raise ValueError(
                f"{shown}: {kind} '{name}' must have shape {shape} by {by}, found "
                f"{tuple(found[name])}. {remedy}"
            )


def check_finite(array: np.ndarray, name: str, *, shown: str, remedy: str) -> None:
    """Raise ValueError if an array holds nan or infinity."""
    n_bad = array.size - int(np.isfinite(array).sum())
    if n_bad:
        raise ValueError(
            f"{shown}: '{name}' must be finite in {array.dtype}, found {n_bad} of "
            f"{array.size} values that are not. {remedy}"
        )


def check_config(
    config: BiLMConfig,
    vocabulary: list[str] | None,
    alphabet: list[str] | None = None,
    *,
    shown: str,
    remedy: str,
) -> None:
    """Raise ValueError if parts of a configuration contradict one another."""
    width = max((width for width, _ in config.filters), default=0)
    n_features = sum(n for _, n in config.filters) + config.word_embedding_dim
    n_words = 0 if vocabulary is None else len(vocabulary)
    n_characters = N_CHARACTERS if alphabet is None else N_MARKERS + len(alphabet)
    rules = [
        (
            (config.characters == "bytes") == (alphabet is None),
            "there must be an alphabet if characters are code points, and only then",
        ),
        (
            config.n_characters == n_characters,
            f"the character embedding must have {n_characters} rows, found "
            f"n_characters={config.n_characters}",
        ),
        (
            bool(config.filters) == bool(config.char_embedding_dim),
            f"filters and characters must be there together, found filters="
            f"{config.filters} and char_embedding_dim={config.char_embedding_dim}",
        ),
        (
            bool(n_features),
            "a token must have features, found neither filters nor a word embedding",
        ),
        (
            width <= config.max_characters,
            f"the widest filter must span at most max_characters="
            f"{config.max_characters} characters, found {width}",
        ),
        (
            config.token_projection or n_features == config.proj_size,
            f"without a token projection the {n_features} features of a token must "
            f"equal proj_size={config.proj_size}",
        ),
        (
            config.lstm_projection or config.hidden_size == config.proj_size,
            f"without an LSTM projection hidden_size={config.hidden_size} must equal "
            f"proj_size={config.proj_size}",
        ),
        (
            not config.word_embedding_dim or config.n_words == n_words,
            f"the word embedding must have a row for each word of the vocabulary, "
            f"found {config.n_words} rows and {n_words} words",
        ),
    ]
    for holds, message in rules:
        if not holds:
            raise ValueError(f"{shown}: {message}. {remedy}")


def check_model(model: SavedModel) -> None:
    """Raise ValueError unless a model's arrays are those of its configuration.

    Parameters
    ----------
    model : SavedModel

    Raises
    ------
    ValueError
        If an array is missing, unknown, not float32, not finite or of another shape,
        or the configuration contradicts itself.
    """
    remedy = "Take configuration, arrays and vocabulary of one model."
    given = model.config, model.vocabulary, model.alphabet
    check_config(*given, shown="model", remedy=remedy)
    shapes = model_shapes(model.config, model.vocabulary, model.arrays)
    found = {name: array.shape for name, array in model.arrays.items()}
    check_shapes(found, shapes, shown="model", by="its config", remedy=remedy)
    for name, array in model.arrays.items():
        if name not in shapes:
            raise ValueError(
                f"model: array '{name}' is not part of its config. {remedy}"
            )
        if array.dtype != np.float32:
            raise ValueError(
                f"model: array '{name}' must be float32, found {array.dtype}. "
                "Convert it with astype(numpy.float32)."
            )
        check_finite(
            array, name, shown="model", remedy="Go back to weights that are finite."
        )
