"""What a vectorizer does to a batch of values, on any machine."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skelmo.encoding.features import Features
from skelmo.engines.failed_rows import parts_that_succeed
from skelmo.estimators.vectorizer import ElmoVectorizer
from skelmo.models import shared
from skelmo.models.source import ModelReference, source_of
from skelmo.models.trained import TrainedModel
from skelmo.nn.device import here
from skelmo.pretrained.registry import BUNDLED
from skelmo.validation import is_missing, iterate_documents

_OWNER = ElmoVectorizer.__name__


@dataclass(frozen=True)
class RowEncoder:
    """Turn values into rows of features.

    Parameters
    ----------
    features : Features
    missing : {"error", "empty", "nan"}
    source : str or None, default=None
        The bundled name or the path by which a machine that unpickles this reads the
        language model; by default a pickle holds the weights.
    """

    features: Features
    missing: str
    source: str | None = None

    @classmethod
    def of(cls, vectorizer: ElmoVectorizer) -> RowEncoder:
        """Take out of a vectorizer what it transforms by.

        Parameters
        ----------
        vectorizer : ElmoVectorizer
            Fitted, or in no need of that.

        Returns
        -------
        RowEncoder
            Without a cache in memory: a worker hardly meets a document again.

        Raises
        ------
        ValueError
            If it has ``store_weights=False``, but weights that come from no file.
        """
        features, parameters = vectorizer._ready(), vectorizer._as_fitted
        cache = None if features.cache == "memory" else features.cache
        features = replace(features, cache=cache, verbose=0)
        return cls(features, parameters.missing, _source_for_workers(vectorizer))

    def __call__(
        self, values: Sequence[Any], *, skips_errors: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Encode a batch.

        Parameters
        ----------
        values : sequence of length n
            Documents.
        skips_errors : bool, default=False
            Whether values that raise an error are left out; by default it is raised.

        Returns
        -------
        rows : ndarray of shape (n, n_features), float32
            Those left out are nan.
        is_there : ndarray of shape (n,), bool
            False for what is left out.
        """
        if not skips_errors:
            return self._rows(values), np.ones(len(values), dtype=bool)
        rows = np.full((len(values), self.features.n_features), np.nan, np.float32)
        is_there = np.zeros(len(values), dtype=bool)
        for which, found in parts_that_succeed(self._rows, values, self._tried(values)):
            rows[which], is_there[which] = found, True
        return rows, is_there

    def _rows(self, values: Sequence[Any]) -> NDArray[np.float32]:
        input = self.features.analyzer.input
        documents = iterate_documents(
            values, owner=_OWNER, missing=self.missing, input=input
        )
        return self.features(documents)

    def _tried(self, values: Sequence[Any]) -> NDArray[np.int64]:
        """Return the rows that are not known to raise: many may be missing."""
        if self.missing != "error":
            return np.arange(len(values))
        return np.flatnonzero([not is_missing(value) for value in values])

    def __getstate__(self) -> dict[str, Any]:
        """Hold the language model, or what it is read by."""
        model: TrainedModel | ModelReference = self.features.model
        device = {"device": str(self.features.model.device)}
        if self.source is not None:
            digest = self.features.model.digest.hex()
            model = ModelReference(self.source, digest, device)
        others = {
            field.name: getattr(self.features, field.name)
            for field in fields(Features)
            if field.name != "model"
        }
        return {**vars(self), **device, "features": others, "model": model}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read the language model, and put it on the device it was on, if there."""
        state = dict(state)
        device, model = here(state.pop("device")), state.pop("model")
        if isinstance(model, ModelReference):
            model = _referred(model)
        features = Features(model.to(device), **state["features"])
        self.__dict__.update(state, features=features)


def _source_for_workers(vectorizer: ElmoVectorizer) -> str | None:
    """Return what every machine with skelmo has; any path only if it is asked for."""
    source = vars(vectorizer).get("_source", source_of(vectorizer.language_model))
    if vectorizer.store_weights is False:
        if source is None:
            raise ValueError(
                f"{_OWNER}(store_weights=False) goes to workers without its weights, "
                f"but these come from no file. Write them by "
                f"language_model_.save(directory) and fit with "
                f"language_model=directory, or set store_weights='auto'."
            )
        return source
    is_everywhere = source in BUNDLED and vectorizer.store_weights == "auto"
    return source if is_everywhere else None


def _referred(reference: ModelReference) -> TrainedModel:
    """Read the language model that every machine is said to have."""
    source, digest, parameters = reference
    device, host = here(parameters["device"]), socket.gethostname()
    remedy = (
        "Put the model there on every worker, or set store_weights='auto' to send its "
        "weights along."
    )
    try:
        model = shared.load(source, lambda saved: device).model
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"The worker on {host} looks for the language model of {_OWNER} in "
            f"{source} (hash of the weights {digest}), but nothing is there. {remedy}"
        ) from error
    found = model.digest.hex()
    if found != digest:
        raise ValueError(
            f"The worker on {host} finds a language model in {source} whose weights "
            f"have the hash {found}, but that of {_OWNER} has {digest}. {remedy}"
        )
    return model
