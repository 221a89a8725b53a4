"""Documents to feature rows, each distinct document once, without an estimator."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from skelmo.encoding.caches import cache_of
from skelmo.encoding.layer_choice import LayerChoice
from skelmo.encoding.pooler import Pooler
from skelmo.encoding.reduction import Reduction
from skelmo.encoding.settings import EncoderSettings
from skelmo.models.trained import TrainedModel
from skelmo.text.analysis import Analyzer
from skelmo.text.distinct import Distinct, index_distinct
from skelmo.text.sequences import ranges
from skelmo.text.truncation import Truncation, cut_tokens, total_truncation
from skelmo.validation import stack_level

RARELY = 0.001  # a share of cut tokens that is not worth a warning
TOKENS_AT_ONCE = 2**20  # of an iterator


@dataclass(frozen=True)
class Features:
    """Turn documents into rows of features.

    It can be pickled, if a tokenizer and a splitter of the user's can be.

    Parameters
    ----------
    model : TrainedModel
    analyzer : Analyzer
        From a document to sequences of tokens.
    layers : LayerChoice
    pooling : tuple of {"mean", "max", "min", "last", "std"}
        Statistics over the tokens of a document, put side by side.
    settings : EncoderSettings, default=EncoderSettings()
    fill : float, default=0.0
        What the row of a missing document, None, is made of.
    cache : {"memory"}, path-like or None, default=None
        Where pooled activations are kept.
    owner : str, default="Features"
        Who warns.
    verbose : int, default=0
        1 shows a progress bar.
    prefix : str, default="elmo"
        What the names of features begin with.
    reduction : Reduction or None, default=None
        What reduces the features of documents, but not those of tokens.
    """

    model: TrainedModel
    analyzer: Analyzer
    layers: LayerChoice
    pooling: tuple[str, ...]
    settings: EncoderSettings = EncoderSettings()
    fill: float = 0.0
    cache: str | os.PathLike[str] | None = None
    owner: str = "Features"
    verbose: int = 0
    prefix: str = "elmo"
    reduction: Reduction | None = None

    def __call__(self, documents: Iterable[object]) -> NDArray[np.float32]:
        """Encode documents.

        Parameters
        ----------
        documents : iterable of str, of list, or of None
            Checked. Of an iterator, only a part is in memory at a time.

        Returns
        -------
        features : ndarray of shape (n_documents, n_features), float32

        Warns
        -----
        UserWarning
            If a part of many tokens is not read.
        """
        in_parts = isinstance(documents, Iterator)
        return self.encode(self.index(iter(documents), in_parts=in_parts))

    @property
    def names(self) -> list[str]:
        """Name of each feature, as "elmo_mean_layer2_forward_0" or "elmo_pca_0"."""
        if self.reduction is not None:
            return [f"{self.prefix}_pca_{k}" for k in range(self.n_features)]
        return [
            f"{self.prefix}_{pooling}_{layer}_{direction}_{k}"
            for pooling in self.pooling
            for layer in self.layers.names
            for direction in ("forward", "backward")
            for k in range(self.model.config.proj_size)
        ]

    @property
    def n_features(self) -> int:
        """Length of a row."""
        if self.reduction is not None:
            return len(self.reduction.components)
        n_layers = len(self.layers.names)
        return len(self.pooling) * n_layers * self.model.config.n_features

    @property
    def pooler(self) -> Pooler:
        """What pools the layers of documents."""
        encoder = self.settings.encoder(self.model)
        cache = cache_of(self.cache)
        if cache is None:
            return Pooler(encoder, self.pooling)
        fingerprint = self.settings.fingerprint(self.model)
        return Pooler(encoder, self.pooling, cache, fingerprint)

    def index(
        self, documents: Iterator[object], *, in_parts: bool = False
    ) -> Iterator[Distinct]:
        """Cut documents into tokens and tell the distinct ones.

        Parameters
        ----------
        documents : iterator of str, of list, or of None
        in_parts : bool, default=False
            Whether their end may be far: parts follow one another, the last empty.

        Yields
        ------
        Distinct
        """
        at_most = TOKENS_AT_ONCE if in_parts else None
        while True:
            distinct = index_distinct(documents, self.analyzer, at_most)
            yield distinct
            if at_most is None or not len(distinct.place):
                return

    def truncation(self, distinct: Distinct) -> Truncation:
        """Count what is cut in all documents, not in the distinct ones alone."""
        cut = cut_tokens(distinct.sequences, self.model.indexer.characters)
        return total_truncation(np.repeat(cut, distinct.repeats))

    def encode(
        self, parts: Iterable[Distinct], pooled: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the features of indexed documents.

        Parameters
        ----------
        parts : iterable of Distinct
        pooled : ndarray of shape (N, n_poolings, L + 1, 2P), float32, optional
            What `pool` gave for the only part.

        Returns
        -------
        features : ndarray of shape (n_documents, n_features), float32

        Warns
        -----
        UserWarning
            If a part of many tokens is not read.
        """
        n_features, pooler = self.n_features, self.pooler
        features = np.empty((0, n_features), dtype=np.float32)
        n_tokens, cut = 0, Truncation(0, 0)
        with tqdm(desc="encode", unit="document", disable=not self.verbose) as bar:
            for part in parts:
                start, n_documents = len(features), len(part.place)
                # In place, where a concatenation at the end would take twice as much.
                features.resize((start + n_documents, n_features), refcheck=False)
                bar.total = (bar.total or 0) + n_documents
                found = self._rows(pooler, part)
                if pooled is not None:
                    every = np.arange(n_documents)
                    found = iter([(every, every, pooled)])
                for rows, which, layers in found:
                    mixed = self.layers(layers)
                    mixed = mixed.reshape(len(mixed), math.prod(mixed.shape[1:]))
                    if self.reduction is not None:
                        mixed = self.reduction(mixed)
                    features[start + rows] = mixed[which]
                    bar.update(len(rows))
                n_tokens += len(part.sequences.token_ids)
                also = self.truncation(part)
                cut = Truncation(*map(sum, zip(cut, also, strict=True)))
        if cut.n_tokens > RARELY * n_tokens:
            self._warn_of_truncation(cut)
        return features

    def pool(self, distinct: Distinct) -> NDArray[np.float32]:
        """Return the pooled layers of all documents.

        Parameters
        ----------
        distinct : Distinct

        Returns
        -------
        pooled : ndarray of shape (n_documents, n_poolings, L + 1, 2P), float32
        """
        pooled = np.empty((len(distinct.place), *self._shape), dtype=np.float32)
        for rows, which, found in self._rows(self.pooler, distinct):
            pooled[rows] = found[which]
        return pooled

    def tokens(self, documents: Iterable[object]) -> list[NDArray[np.float32]]:
        """Encode every token, with the layers chosen or mixed.

        Parameters
        ----------
        documents : iterable of str, of list, or of None
            Checked.

        Returns
        -------
        features : list of ndarray of shape (n_tokens, n), float32
            One array for each document; none of its rows is a sentence marker.
        """
        (distinct,) = self.index(iter(documents))
        config = self.model.config
        empty = np.zeros((0, config.n_layers, config.n_features), dtype=np.float32)
        encoder = self.settings.encoder(self.model)
        found = dict(encoder.tokens(distinct.sequences))
        return [self.layers(found.get(k, empty)) for k in distinct.place.tolist()]

    @property
    def _shape(self) -> tuple[int, int, int]:
        """Of the pooled layers of a document."""
        config = self.model.config
        return len(self.pooling), config.n_layers, config.n_features

    def _rows(
        self, pooler: Pooler, part: Distinct
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
        """Yield rows, and which of some pooled documents goes to each of them."""
        rows, offsets = part.rows
        missing = rows[: offsets[0]]
        if len(missing):
            empty = np.full((1, *self._shape), self.fill, dtype=np.float32)
            yield missing, np.zeros(len(missing), dtype=np.int64), empty
        for documents, pooled in pooler(part):
            lengths = np.diff(offsets)[documents]
            where = rows[ranges(offsets[documents], lengths)]
            yield where, np.repeat(np.arange(len(documents)), lengths), pooled

    def _warn_of_truncation(self, cut: Truncation) -> None:
        characters = self.model.indexer.characters
        room = characters.max_characters - 2
        warnings.warn(
            f"{self.owner}: {cut.n_tokens} tokens in {cut.n_documents} documents are "
            f"longer than the {room} {characters.unit} that the language model reads "
            f"of a token; the rest of them is ignored. Use a tokenizer that cuts "
            f"shorter tokens if that matters.",
            UserWarning,
            stacklevel=stack_level(),
        )
