"""Distinct documents to their tokens' activations, from a cache as far as it goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skelmo.encoding.activation_cache import ActivationCache
from skelmo.encoding.encoder import Encoder
from skelmo.nn.packing import cut_by_budget
from skelmo.text.distinct import Distinct

_TOKENS_AT_ONCE = 4096  # of documents that a cache is asked for, or given


class TokenActivations:
    """Activations of the tokens of distinct documents, in memory.

    Parameters
    ----------
    values : sequence of ndarray of shape (n_tokens, L + 1, 2P), float32
        One for each document.
    shape : tuple of int
        ``(L + 1, 2P)``.
    device : torch.device
        Where they are wanted.
    """

    def __init__(
        self,
        values: Sequence[NDArray[np.float32]],
        shape: tuple[int, int],
        device: torch.device,
    ) -> None:
        self.values, self.device = values, device
        self.lengths = np.array([len(value) for value in values], dtype=np.int64)
        self.none = np.empty((0, *shape), dtype=np.float32)

    def __call__(
        self, documents: NDArray[np.int64], generator: torch.Generator | None = None
    ) -> Tensor:
        """Return the activations of some documents, one after the other.

        Parameters
        ----------
        documents : ndarray of shape (B,), int64
        generator : torch.Generator, optional
            Not drawn from.

        Returns
        -------
        activations : torch.Tensor of shape (n, L + 1, 2P)
        """
        found = np.concatenate([self.none, *(self.values[k] for k in documents)])
        return torch.from_numpy(found).to(self.device)


@dataclass(frozen=True)
class TokenReader:
    """Encode the tokens of documents.

    Parameters
    ----------
    encoder : Encoder
    cache : ActivationCache, optional
    fingerprint : bytes, default=b""
        Of the weights and of all numbers that change activations.
    """

    encoder: Encoder
    cache: ActivationCache | None = None
    fingerprint: bytes = b""

    @property
    def shape(self) -> tuple[int, int]:
        """What a token's activations have, ``(L + 1, 2P)``."""
        config = self.encoder.bilm.config
        return config.n_layers, config.n_features

    def __call__(self, distinct: Distinct) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Encode distinct documents.

        Parameters
        ----------
        distinct : Distinct

        Yields
        ------
        document : int
            In no particular order; each once.
        activations : ndarray of shape (n_tokens, L + 1, 2P), float32
            Not to be written to.
        """
        every = np.arange(len(distinct.keys))
        if self.cache is None:
            yield from self._encoded(distinct, every)
            return
        own = self.fingerprint + b"layers of tokens"
        secret = blake2b(own, digest_size=32).digest()
        keys = [
            blake2b(key, digest_size=16, key=secret).digest() for key in distinct.keys
        ]
        missing: list[int] = []
        lengths = np.diff(distinct.sequences.document_starts) + 1
        for some in cut_by_budget(lengths, _TOKENS_AT_ONCE):
            found = self.cache.get(keys[some])
            for document, value in zip(every[some].tolist(), found, strict=True):
                if value is None:
                    missing.append(document)
                else:
                    yield document, value
        fresh = self._encoded(distinct, np.array(missing, dtype=np.int64))
        for some in cut_by_budget(lengths[missing], _TOKENS_AT_ONCE):
            part = list(islice(fresh, some.stop - some.start))
            self.cache.put([keys[k] for k, _ in part], [value for _, value in part])
            yield from part

    def read(self, distinct: Distinct) -> TokenActivations:
        """Return the activations of all documents at once.

        Parameters
        ----------
        distinct : Distinct

        Returns
        -------
        TokenActivations
        """
        found = dict(self(distinct))
        values = [found[k] for k in range(len(distinct.keys))]
        device = next(self.encoder.bilm.parameters()).device
        return TokenActivations(values, self.shape, device)

    def _encoded(
        self, distinct: Distinct, which: NDArray[np.int64]
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield what the encoder gives, each document in memory of its own."""
        for document, value in self.encoder.tokens(distinct.sequences, which):
            own = np.array(value)
            own.flags.writeable = False  # so that a cache need not copy it
            yield document, own
