"""Distinct documents to pooled activations, from the cache as far as it knows them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from skelmo.encoding.activation_cache import ActivationCache
from skelmo.encoding.encoder import Encoder
from skelmo.encoding.pooling import POOLINGS
from skelmo.text.distinct import Distinct

logger = logging.getLogger(__name__)

_DOCUMENTS_AT_ONCE = 256  # that are asked for


@dataclass(frozen=True)
class Pooler:
    """Pool documents.

    Parameters
    ----------
    encoder : Encoder
    pooling : sequence of {"mean", "max", "min", "last", "std"}
        Statistics to return. The cache is given all, so that it answers for the others
        later, as long as it has room.
    cache : ActivationCache, optional
    fingerprint : bytes, default=b""
        Of the weights and of all numbers that change activations.
    """

    encoder: Encoder
    pooling: Sequence[str]
    cache: ActivationCache | None = None
    fingerprint: bytes = b""

    def __call__(
        self, distinct: Distinct
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Pool distinct documents.

        Parameters
        ----------
        distinct : Distinct

        Yields
        ------
        documents : ndarray of shape (k,), int64
            In no particular order; each once.
        pooled : ndarray of shape (k, n_poolings, L + 1, 2P), float32
        """
        if self.cache is None:
            yield from self.encoder.pool(distinct.sequences, self.pooling)
            return
        columns = [POOLINGS.index(name) for name in self.pooling]
        keys = [
            blake2b(key, digest_size=16, key=self.fingerprint).digest()
            for key in distinct.keys
        ]
        missing: list[int] = []
        for start in range(0, len(keys), _DOCUMENTS_AT_ONCE):
            asked = keys[start : start + _DOCUMENTS_AT_ONCE]
            found = self.cache.get(asked, columns)
            missing += [start + k for k, value in enumerate(found) if value is None]
            known = [start + k for k, value in enumerate(found) if value is not None]
            if known:
                values = [value for value in found if value is not None]
                yield np.array(known), np.stack(values)
        if not missing:
            return
        rest, is_said = np.array(missing), False
        for documents, pooled in self.encoder.pool(distinct.sequences, POOLINGS, rest):
            self.cache.put([keys[d] for d in documents], list(pooled))
            chosen = pooled[:, columns]
            if len(chosen) and not is_said:
                is_said = self._say_if_too_many(len(keys), chosen[0].nbytes)
            yield documents, chosen

    def _say_if_too_many(self, n_documents: int, n_bytes: int) -> bool:
        """Log that the cache cannot hold the documents of a call."""
        room = 0 if self.cache is None else self.cache.max_bytes
        if n_documents * n_bytes > room:
            logger.warning(
                "the cache has room for %d of these %d distinct documents (%d MiB of "
                "%d); the others are encoded again in each call. Choose fewer "
                "poolings, or a directory as cache, which holds more.",
                room // n_bytes,
                n_documents,
                room >> 20,
                n_documents * n_bytes >> 20,
            )
        return True
