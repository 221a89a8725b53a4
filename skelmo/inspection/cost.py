"""Time and memory that encoding would take, from a sample."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skelmo.encoding.encoder import Encoder
from skelmo.encoding.features import Features
from skelmo.encoding.pooling import POOLINGS
from skelmo.encoding.token_cache import TokenCache
from skelmo.text.distinct import Distinct
from skelmo.text.sequences import Sequences, ranges

# Rows that go through the network to time it: more and more, until a pass of them and
# those before take so many seconds; the next would take about four times as many.
_ROWS = (128, 128, 512, 2048, 8192, 32768)
_ENOUGH_SECONDS = 0.2
_N_SAMPLED = 4096  # sequences


class EncodingEstimate(NamedTuple):
    """What encoding the documents would cost on this machine."""

    n_documents: int  # that would go through the network: the distinct ones
    seconds: float  # in the network; reading and cutting texts is not in it
    tokens_per_second: float
    n_features: int
    n_bytes: int  # of the features of all documents


def estimate(distinct: Distinct, features: Features) -> EncodingEstimate:
    """Time a sample, and extrapolate to all rows and all tokens.

    Parameters
    ----------
    distinct : Distinct
    features : Features
        What would encode them.

    Returns
    -------
    EncodingEstimate
    """
    sequences, n_features = distinct.sequences, features.n_features
    encoder = features.settings.encoder(features.model)
    per_row, per_type = _seconds_per_unit(encoder, sequences)
    n_rows = len(sequences.token_ids)
    seconds = per_row * n_rows + per_type * len(sequences.tokens)
    n_tokens = n_rows - 2 * len(sequences.lengths)
    speed = n_tokens / seconds if seconds else 0.0
    n_bytes = len(distinct.place) * n_features * 4
    return EncodingEstimate(len(distinct.keys), seconds, speed, n_features, n_bytes)


def _seconds_per_unit(encoder: Encoder, sequences: Sequences) -> tuple[float, float]:
    """Time the network for a row, and for a token that it has not seen."""
    n = len(sequences.lengths)
    if not n:
        return 0.0, 0.0
    rng = np.random.default_rng(0)
    order = rng.choice(n, min(n, _N_SAMPLED), replace=False)
    per_row = per_type = 0.0
    began = perf_counter()
    for k, n_rows in enumerate(_ROWS):
        # The first pass, which has things to set up, counts only if it is the last.
        lengths = np.minimum(sequences.lengths[order], n_rows)
        size = max(1, int(np.searchsorted(np.cumsum(lengths), n_rows, "right")))
        sample = _part(sequences, order[:size], lengths[:size])
        start = perf_counter()
        fresh = replace(encoder, cache=TokenCache())
        fresh.token_vectors(sample.tokens).cpu()
        middle = perf_counter()
        for _ in fresh.pool(sample, POOLINGS):
            pass
        stop = perf_counter()
        per_type = (middle - start) / len(sample.tokens)
        per_row = (stop - middle) / len(sample.token_ids)
        everything = len(sample.token_ids) == len(sequences.token_ids)
        if stop - began > _ENOUGH_SECONDS or (k and everything):
            break
    return per_row, per_type


def _part(
    sequences: Sequences, which: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Sequences:
    """Return the beginnings of some sequences, each as a document of its own."""
    ids = sequences.token_ids[ranges(sequences.offsets[which], lengths)]
    used, renumbered = np.unique(ids, return_inverse=True)
    tokens = [sequences.tokens[k] for k in used]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(
        tokens, renumbered.astype(np.int32), offsets, np.arange(len(offsets))
    )
