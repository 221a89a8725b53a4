"""Counts of indexed documents: tokens, scripts, what is cut and what is unseen."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.text.characters import BEGIN_SENTENCE, END_SENTENCE, token_bytes
from skelmo.text.distinct import Distinct
from skelmo.text.scripts import script_pattern
from skelmo.text.truncation import cut_tokens, total_truncation
from skelmo.text.vocabulary import UNKNOWN

_N_EXAMPLES = 10
_CHARACTERS_AT_ONCE = 2**20  # whose scripts are looked up


class Quantiles(NamedTuple):
    """How a count is distributed over the documents that are not missing."""

    min: int
    q05: float
    q25: float
    median: float
    q75: float
    q95: float
    max: int
    mean: float
    total: int


class TokenExample(NamedTuple):
    """A token, how often it occurs, and its length in UTF-8."""

    token: str
    n: int
    n_bytes: int


class CutTokens(NamedTuple):
    """Tokens longer than the language model reads; the most frequent ones first."""

    limit: int  # units of a token that are read
    n_tokens: int
    n_documents: int
    examples: list[TokenExample]
    unit: str = "bytes"  # or "characters"


class UnseenTokens(NamedTuple):
    """Tokens that the vocabulary lacks; the most frequent ones first."""

    share: float  # of all tokens
    share_of_types: float  # of the different ones
    training_share: float | None  # `unknown_share_` of the language model
    examples: list[TokenExample]


def token_counts(distinct: Distinct) -> NDArray[np.int64]:
    """Count the occurrences of each token in all documents, repeated ones too."""
    sequences, repeats = distinct.sequences, distinct.repeats
    counts = np.zeros(len(sequences.tokens), dtype=np.int64)
    starts = sequences.document_starts
    for chunk in sequences.chunks():
        positions = np.arange(chunk.start, chunk.stop)
        documents = np.searchsorted(starts, positions, side="right") - 1
        ids, n = sequences.token_ids[chunk], repeats[documents]
        counts += np.bincount(ids, n, len(counts)).astype(np.int64)
    n_sequences = int((np.diff(sequences.document_offsets) * repeats).sum())
    for marker in (BEGIN_SENTENCE, END_SENTENCE):
        counts[bisect_left(sequences.tokens, marker)] -= n_sequences
    return counts


def quantiles_of(values: NDArray[np.int64]) -> Quantiles:
    """Return the quantiles of counts, zeros if there is none."""
    if not len(values):
        return Quantiles(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0)
    inner = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
    total = int(values.sum())
    ends = int(values.min()), int(values.max())
    q05, q25, median, q75, q95 = inner
    mean = total / len(values)
    return Quantiles(ends[0], q05, q25, median, q75, q95, ends[1], mean, total)


def script_shares(tokens: list[str], counts: NDArray[np.int64]) -> dict[str, float]:
    """Return each script's share of the letters, from one look at each character."""
    totals = np.zeros(0x110000)
    lengths = np.array([len(token) for token in tokens])
    last = np.cumsum(lengths) // _CHARACTERS_AT_ONCE
    bounds = [0, *(np.flatnonzero(np.diff(last)) + 1).tolist(), len(tokens)]
    for start, stop in zip(bounds, bounds[1:], strict=False):
        text = "".join(tokens[start:stop])
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        n = np.repeat(counts[start:stop], lengths[start:stop])
        found = np.bincount(codes, n)
        totals[: len(found)] += found
    scripts: Counter[str] = Counter()
    characters = "".join(map(chr, np.flatnonzero(totals)))
    for match in script_pattern().finditer(characters):
        scripts[match.lastgroup or ""] += totals[ord(match.group())]
    n_letters = sum(scripts.values())
    return {
        script.replace("_", " "): float(n / n_letters)
        for script, n in scripts.most_common()
    }


def _examples(
    tokens: list[str], counts: NDArray[np.int64], which: list[int]
) -> list[TokenExample]:
    """Return the most frequent of some tokens; ties in the order of the tokens."""
    chosen = sorted(which, key=lambda k: (-counts[k], k))[:_N_EXAMPLES]
    return [
        TokenExample(tokens[k], int(counts[k]), len(token_bytes(tokens[k])))
        for k in chosen
    ]


def long_tokens(
    distinct: Distinct, counts: NDArray[np.int64], model: ElmoLanguageModel
) -> CutTokens:
    """Count the tokens that the language model reads only a part of."""
    characters, tokens = model.model_.indexer.characters, distinct.sequences.tokens
    cut = cut_tokens(distinct.sequences, characters)
    total = total_truncation(np.repeat(cut, distinct.repeats))
    long = np.flatnonzero(characters.are_cut(tokens)).tolist()
    limit, examples = characters.max_characters - 2, _examples(tokens, counts, long)
    return CutTokens(limit, *total, examples, characters.unit)


def unseen_tokens(
    tokens: list[str], counts: NDArray[np.int64], model: ElmoLanguageModel
) -> UnseenTokens | None:
    """Count the tokens that the vocabulary lacks, if there is one."""
    if not model.vocabulary_:
        return None
    indexer = model.model_.indexer
    rows, is_unknown = indexer.rows, indexer.word_ids(tokens) == UNKNOWN
    there = np.flatnonzero(counts).tolist()
    which = [k for k in there if is_unknown[k] and tokens[k] not in rows]
    share = counts[which].sum() / max(counts.sum(), 1)
    known_share = model.unknown_share_
    training_share = None if math.isnan(known_share) else known_share
    examples = _examples(tokens, counts, which)
    return UnseenTokens(
        float(share), len(which) / max(len(there), 1), training_share, examples
    )
