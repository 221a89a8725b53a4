"""From what a user gives as `language_model` to a fitted one and its encoder."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from threading import RLock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skelmo.encoding.caches import models_directory
from skelmo.encoding.encoder import Encoder
from skelmo.encoding.pooling import POOLINGS
from skelmo.encoding.token_cache import TokenCache
from skelmo.estimators.callbacks import training_task
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.estimators.parameters import check_layers
from skelmo.models import shared as shared_models
from skelmo.models.weights import network_arrays
from skelmo.nn.bilm import LanguageModel
from skelmo.nn.device import torch_device, working_precision
from skelmo.nn.recurrence import Prepared
from skelmo.pretrained.saved_model import SavedModel, weights_hash
from skelmo.text.spelling import NearestWords
from skelmo.validation import stack_level

if TYPE_CHECKING:
    from skelmo.estimators.vectorizer import ElmoVectorizer


def resolve_language_model(
    vectorizer: ElmoVectorizer, documents: Iterable[Any], task: Any = None
) -> ElmoLanguageModel:
    """Load, take or train the language model of a vectorizer.

    Parameters
    ----------
    vectorizer : ElmoVectorizer
    documents : iterable
        To train on, if need be; None, a missing one, is left out.
    task : sklearn.callback.CallbackContext, optional
        What callbacks are told of the training by.

    Returns
    -------
    language_model : ElmoLanguageModel
        Fitted.

    Raises
    ------
    TypeError
        If a FrozenEstimator holds something else than an ElmoLanguageModel.
    NotFittedError
        If it holds an unfitted one.
    """
    given = vectorizer.language_model
    if isinstance(given, FrozenEstimator):
        return _frozen(given, vectorizer)
    if given is None or isinstance(given, ElmoLanguageModel):
        return _trained(given or ElmoLanguageModel(), vectorizer, documents, task)
    return shared_models.load(given, _own_parameters(vectorizer))


@dataclass
class _Kept:
    """What encoders of a network share, and need not make again."""

    vocabulary: list[str] | None
    word_ids: dict[str, int] | None
    prepared: dict[torch.dtype | None, list[Prepared]]
    token_caches: dict[tuple[torch.dtype | None, bool], TokenCache]
    nearest: NearestWords | None
    weights_hash: bytes | None = None  # until it is asked for


# By network: it is replaced, not changed, when its estimator is fitted again.
_kept: WeakKeyDictionary[LanguageModel, _Kept] = WeakKeyDictionary()
_lock = RLock()


def encoder_of(
    estimator: ElmoLanguageModel,
    max_batch_tokens: int = 8192,
    precision: str = "auto",
    unknown_words: str = "nearest",
) -> Encoder:
    """Return what computes the layer activations of a fitted estimator.

    Parameters
    ----------
    estimator : ElmoLanguageModel
    max_batch_tokens : int, default=8192
        Tokens that go through the network at once.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of matrix products.
    unknown_words : {"nearest", "characters"}, default="nearest"
        The row that they have in a word-level embedding.

    Returns
    -------
    Encoder
        It knows the token vectors that other encoders of this network, with the same
        settings, have computed; see `skelmo.clear_cache`.
    """
    network = estimator.network_
    dtype = _dtype(network, precision)
    by_spelling = _is_by_spelling(estimator, unknown_words)
    with _lock:
        kept = _kept_of(estimator)
        if dtype not in kept.prepared:
            kept.prepared[dtype] = network.bilm.prepare(dtype, share=True)
        settings = dtype, by_spelling
        if settings not in kept.token_caches:
            kept.token_caches[settings] = TokenCache()
    return Encoder(
        network.bilm, kept.word_ids, max_batch_tokens, dtype, kept.prepared[dtype],
        kept.token_caches[settings], kept.nearest if by_spelling else None,
    )  # fmt: skip


def fingerprint_of(
    estimator: ElmoLanguageModel,
    precision: str = "auto",
    unknown_words: str = "nearest",
) -> bytes:
    """Return a hash of all that makes the activations of given tokens what they are.

    Parameters
    ----------
    estimator : ElmoLanguageModel
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of matrix products.
    unknown_words : {"nearest", "characters"}, default="nearest"
        The row that they have in a word-level embedding.

    Returns
    -------
    fingerprint : bytes
        Of weights, architecture, the words of the word-level embedding, precision, how
        unknown words are read, and the poolings that a cache holds.
    """
    rest = f"{_dtype(estimator.network_, precision)} {POOLINGS}"
    rest += " nearest" * _is_by_spelling(estimator, unknown_words)
    return sha256(weights_hash_of(estimator) + rest.encode()).digest()


def weights_hash_of(estimator: ElmoLanguageModel) -> bytes:
    """Return a hash of architecture, weights and embedded words, computed once."""
    with _lock:
        kept = _kept_of(estimator)
        if kept.weights_hash is None:
            arrays = network_arrays(estimator.network_)
            digest = weights_hash(SavedModel(estimator.config_, arrays))
            words = ascii(list(kept.word_ids or ()))
            kept.weights_hash = sha256((digest + words).encode()).digest()
        return kept.weights_hash


def _kept_of(estimator: ElmoLanguageModel) -> _Kept:
    network, vocabulary = estimator.network_, estimator.vocabulary_
    kept = _kept.get(network)
    if kept is None or kept.vocabulary is not vocabulary:
        word_ids = nearest = None
        if estimator.config_.word_embedding_dim:
            word_ids = {word: row for row, word in enumerate(vocabulary or [])}
            nearest = NearestWords(word_ids, estimator.config_.lowercase)
        kept = _kept[network] = _Kept(vocabulary, word_ids, {}, {}, nearest)
    return kept


def _is_by_spelling(estimator: ElmoLanguageModel, unknown_words: str) -> bool:
    """Tell whether unknown words get another row than that of all of them."""
    return unknown_words == "nearest" and estimator.config_.word_embedding_dim > 0


def _dtype(network: LanguageModel, precision: str) -> torch.dtype | None:
    device = next(network.parameters()).device
    low = working_precision(precision, device, "ElmoVectorizer") == "bfloat16"
    return torch.bfloat16 if low else None


def _own_parameters(vectorizer: ElmoVectorizer) -> dict[str, Any]:
    """Return what the vectorizer says instead of its language model."""
    own = {name: getattr(vectorizer, name) for name in shared_models.NOT_IN_FILES}
    return {name: value for name, value in own.items() if value is not None}


def _frozen(given: FrozenEstimator, vectorizer: ElmoVectorizer) -> ElmoLanguageModel:
    model = given.estimator
    owner = type(vectorizer).__name__
    if not isinstance(model, ElmoLanguageModel):
        raise TypeError(
            f"The 'language_model' parameter of {owner} must freeze an "
            f"ElmoLanguageModel, got FrozenEstimator({type(model).__name__}). Freeze a "
            f"fitted ElmoLanguageModel."
        )
    check_is_fitted(model, "network_")
    if vectorizer.device is not None:
        device = torch_device(vectorizer.device)
        if device != next(model.network_.parameters()).device:
            # The frozen model is somebody else's: it stays where it is.
            model = copy.copy(model)
            model.network_ = copy.deepcopy(model.network_).to(device)
    return model


def _trained(
    given: ElmoLanguageModel,
    vectorizer: ElmoVectorizer,
    documents: Iterable[Any],
    task: Any,
) -> ElmoLanguageModel:
    if hasattr(given, "network_"):
        warnings.warn(
            f"{type(vectorizer).__name__} trains a clone of the ElmoLanguageModel it "
            f"is given, although this one is fitted. Pass "
            f"FrozenEstimator(language_model) to use it as it is.",
            UserWarning,
            stacklevel=stack_level(),
        )
    model = clone(given)
    settings: dict[str, Any] = {"input": vectorizer.input, "missing": "error"}
    settings |= _own_parameters(vectorizer)
    if model.random_state is None:
        settings["random_state"] = vectorizer.random_state
    if vectorizer.verbose and not model.verbose:
        settings["verbose"] = vectorizer.verbose
    model.set_params(**settings)
    # Better now than after hours of training.
    check_layers(vectorizer.layers, model.num_layers + 1, type(vectorizer).__name__)
    present = [value for value in documents if value is not None]
    with training_task(task, vectorizer, model):
        if vectorizer.cache is None:
            return model.fit(present)
        return shared_models.train(model, present, models_directory(vectorizer.cache))
