"""How documents go through a language model: from numbers to an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import torch

from skelmo.encoding.encoder import Encoder
from skelmo.encoding.pooling import POOLINGS
from skelmo.encoding.token_cache import TokenCache
from skelmo.models.trained import TrainedModel
from skelmo.nn.device import working_precision
from skelmo.nn.precision import stored_dtype


@dataclass(frozen=True)
class EncoderSettings:
    """Numbers that an encoder needs besides its model.

    Parameters
    ----------
    max_batch_tokens : int, default=8192
        Tokens that go through the network at once.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of matrix products.
    unknown_words : {"nearest", "characters"}, default="nearest"
        The row that they have in a word-level embedding: that of a word spelt alike,
        or that of all unknown words.
    """

    max_batch_tokens: int = 8192
    precision: str = "auto"
    unknown_words: str = "nearest"

    def encoder(self, model: TrainedModel) -> Encoder:
        """Return what computes the layer activations of a model.

        Parameters
        ----------
        model : TrainedModel

        Returns
        -------
        Encoder
            It knows the token vectors that other encoders of this model, with the same
            settings, have computed; see `skelmo.clear_cache`.
        """
        dtype, by_spelling = self._dtype(model), self._is_by_spelling(model)
        bilm = model.network.bilm
        how = dtype, dtype and stored_dtype(dtype, model.device)
        return Encoder(
            bilm,
            model.indexer.spelling if by_spelling else model.indexer,
            self.max_batch_tokens,
            dtype,
            model.once(("prepared", *how), lambda: bilm.prepare(dtype, share=True)),
            model.once(("token vectors", *how, by_spelling), TokenCache),
        )

    def fingerprint(self, model: TrainedModel) -> bytes:
        """Return a hash of all that decides the activations of given tokens.

        Parameters
        ----------
        model : TrainedModel

        Returns
        -------
        fingerprint : bytes
            Of the model, the precision, how unknown words are read, and the poolings
            that a cache holds.
        """
        rest = f"{self._dtype(model)} {POOLINGS}"
        rest += " nearest" * self._is_by_spelling(model)
        return sha256(model.digest + rest.encode()).digest()

    def _dtype(self, model: TrainedModel) -> torch.dtype | None:
        low = working_precision(self.precision, model.device) == "bfloat16"
        return torch.bfloat16 if low else None

    def _is_by_spelling(self, model: TrainedModel) -> bool:
        """Tell whether unknown words get another row than that of all of them."""
        return self.unknown_words == "nearest" and model.config.word_embedding_dim > 0
