"""A trained language model as a value: what files, pickles and estimators hold."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from skelmo.forks import Lock
from skelmo.models.history import EpochRecord
from skelmo.models.weights import build_network, network_arrays
from skelmo.nn.bilm import BiLMConfig, LanguageModel
from skelmo.nn.modes import modes
from skelmo.pretrained.saved_model import (
    SavedModel,
    add_tied,
    drop_tied,
    weights_hash,
)
from skelmo.text.token_indexer import TokenIndexer
from skelmo.text.truncation import Truncation

T = TypeVar("T")

_lock = Lock(level=1)


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A network with its vocabulary, and how it came about.

    Nothing of it changes, the weights included: whoever trains on copies them first.
    So copies share it, and what is made of its activations can be kept by `digest`.

    Parameters
    ----------
    network : LanguageModel
        In evaluation mode.
    vocabulary : list of str or None, default=None
        The V words of the softmax and of the word-level embedding, special ones first;
        None if files hold none.
    history : tuple of EpochRecord, default=()
        A row for each epoch.
    n_epochs : int, default=0
        Epochs trained.
    n_tokens : int, default=0
        Predictions in one direction, trained on.
    unknown_share : float, default=nan
        Share of the tokens trained on that the vocabulary lacks.
    truncation : Truncation, default=(0, 0)
        Tokens trained on of which a part was cut.
    optimizer : mapping of str to ndarray or None, default=None
        What the optimiser remembers; not in files and pickles.
    alphabet : list of str or None, default=None
        Characters of a model of code points; None where they are bytes.
    """

    network: LanguageModel
    vocabulary: list[str] | None = None
    history: tuple[EpochRecord, ...] = ()
    n_epochs: int = 0
    n_tokens: int = 0
    unknown_share: float = math.nan
    truncation: Truncation = Truncation(0, 0)
    optimizer: Mapping[str, NDArray[np.float32]] | None = field(
        default=None, repr=False
    )
    alphabet: list[str] | None = field(default=None, repr=False)

    @property
    def config(self) -> BiLMConfig:
        """Architecture."""
        return self.network.bilm.config

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.network.parameters()).device

    @property
    def has_softmax(self) -> bool:
        """Whether it predicts words; if not, it suffices for features."""
        return len(self.network.softmax.bias) > 0

    @property
    def n_bytes(self) -> int:
        """Memory of the weights and of what the optimiser remembers."""
        weights = sum(p.numel() * p.element_size() for p in self.network.parameters())
        return weights + sum(array.nbytes for array in (self.optimizer or {}).values())

    @cached_property
    def indexer(self) -> TokenIndexer:
        """From tokens to the ids that the network reads."""
        config = self.config
        return TokenIndexer.of(
            self.vocabulary or [],
            config.max_characters,
            config.lowercase,
            self.alphabet,
        )

    @cached_property
    def digest(self) -> bytes:
        """Hash of architecture, weights and embedded words: of all activations."""
        arrays = network_arrays(self.network)
        weights = weights_hash(SavedModel(self.config, arrays))
        embedded = self.config.word_embedding_dim > 0
        known = ascii(list(self.indexer.rows) if embedded else [])
        if self.alphabet is not None:
            known += ascii(self.alphabet)
        return sha256((weights + known).encode()).digest()

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is made of the weights, made at the first call alone.

        Parameters
        ----------
        key : hashable
            Tells it from other things; it has one type.
        make : callable
            Returns it.

        Returns
        -------
        made : object
            Neither copied nor pickled with the model.
        """
        with _lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    @modes(grad=False)
    def to(self, device: torch.device) -> TrainedModel:
        """Return the model on a device: itself, or a copy of its weights there.

        Parameters
        ----------
        device : torch.device

        Returns
        -------
        model : TrainedModel
        """
        if device == self.device:
            return self
        return replace(self, network=copy.deepcopy(self.network).to(device))

    @classmethod
    def from_saved(cls, saved: SavedModel, device: torch.device) -> TrainedModel:
        """Build the model that files hold.

        Parameters
        ----------
        saved : SavedModel
            Its float32 arrays become the weights, and are not copied.
        device : torch.device

        Returns
        -------
        model : TrainedModel
        """
        training = saved.settings.get("training", {})
        history: list[list[Any]] = training.get("history", [])
        share = training.get("unknown_share")
        return cls(
            build_network(saved.config, saved.arrays, device),
            saved.vocabulary,
            tuple(_record(row) for row in history),
            training.get("n_epochs", 0),
            training.get("n_tokens", 0),
            math.nan if share is None else share,
            Truncation(*training.get("truncation", (0, 0))),
            alphabet=saved.alphabet,
        )

    def to_saved(self, settings: dict[str, Any]) -> SavedModel:
        """Return what files hold of it.

        Parameters
        ----------
        settings : dict
            What they hold besides, as JSON can: the estimator's parameters.

        Returns
        -------
        saved : SavedModel
        """
        share = self.unknown_share
        training = {
            "n_epochs": self.n_epochs,
            "n_tokens": self.n_tokens,
            "unknown_share": None if math.isnan(share) else share,
            "truncation": list(self.truncation),
            "history": [
                [None if math.isnan(value) else value for value in row]
                for row in self.history
            ],
        }
        settings = {**settings, "training": training}
        arrays = network_arrays(self.network)
        return SavedModel(
            self.config, arrays, settings, self.vocabulary, alphabet=self.alphabet
        )

    def __copy__(self) -> TrainedModel:
        """Return itself: nothing of it changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TrainedModel:
        """Return itself: nothing of it changes."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Hold weights as the bytes of a file: a pickle needs none of torch's classes.

        What the optimiser remembers, twice the size of the weights, is left out.
        """
        return {
            "config": self.config,
            "weights": save_arrays(drop_tied(network_arrays(self.network))),
            "vocabulary": self.vocabulary,
            "history": self.history,
            "n_epochs": self.n_epochs,
            "n_tokens": self.n_tokens,
            "unknown_share": self.unknown_share,
            "truncation": self.truncation,
            "alphabet": self.alphabet,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the network again, on the CPU."""
        state = dict(state)
        arrays = add_tied(load_arrays(state.pop("weights")))
        network = build_network(state.pop("config"), arrays, torch.device("cpu"))
        self.__dict__.update(state, network=network, optimizer=None)


def _record(row: list[Any]) -> EpochRecord:
    """Read a row of a history, of which JSON cannot hold nan."""
    values: list[Any] = [math.nan if value is None else value for value in row]
    return EpochRecord(*values)
