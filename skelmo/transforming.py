"""From a fitted vectorizer and documents to features, each distinct document once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from skelmo.encoding.caches import cache_of
from skelmo.encoding.pooler import Pooler
from skelmo.fitting import analyzer_of
from skelmo.resolving import encoder_of, fingerprint_of
from skelmo.text.analysis import Analyzer
from skelmo.text.distinct import Distinct, index_distinct
from skelmo.text.sequences import ranges
from skelmo.text.truncation import Truncation, cut_tokens, total_truncation
from skelmo.validation import stack_level

if TYPE_CHECKING:
    from skelmo.estimators.vectorizer import ElmoVectorizer

RARELY = 0.001  # a share of cut tokens that is not worth a warning
TOKENS_AT_ONCE = 2**20  # of an iterator


def vectorizer_analyzer(vectorizer: ElmoVectorizer) -> Analyzer:
    """Return the language model's way to cut documents, or the vectorizer's own."""
    own = analyzer_of(vectorizer.language_model_)
    return replace(
        own,
        tokenizer=vectorizer.tokenizer or own.tokenizer,
        sentence_splitter=vectorizer.sentence_splitter or own.sentence_splitter,
        input=vectorizer.input,
    )


def index_parts(
    vectorizer: ElmoVectorizer, documents: Iterator[Any], endless: bool
) -> Iterator[Distinct]:
    """Index documents; if their end may be far, part by part."""
    analyze = vectorizer_analyzer(vectorizer)
    at_most = TOKENS_AT_ONCE if endless else None
    while True:
        distinct = index_distinct(documents, analyze, at_most)
        yield distinct
        if at_most is None or not len(distinct.place):
            return


def truncation_of(vectorizer: ElmoVectorizer, distinct: Distinct) -> Truncation:
    """Count what is cut in all documents, not in the distinct ones alone."""
    limit = vectorizer.language_model_.config_.max_characters
    cut = cut_tokens(distinct.sequences, limit)
    return total_truncation(np.repeat(cut, distinct.repeats))


def encode(
    vectorizer: ElmoVectorizer,
    parts: Iterable[Distinct],
    known: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the features of all documents.

    Parameters
    ----------
    vectorizer : ElmoVectorizer
        Fitted.
    parts : iterable of Distinct
    known : ndarray of shape (n_documents, n_poolings, L + 1, 2P), float32, optional
        What `pool_all` gave for the only part.

    Returns
    -------
    features : ndarray of shape (n_documents, n_features), float32

    Warns
    -----
    UserWarning
        If a part of many tokens is not read.
    """
    n_features = len(vectorizer.get_feature_names_out())
    features = np.empty((0, n_features), dtype=np.float32)
    pool = pooler_of(vectorizer)
    n_tokens, cut = 0, Truncation(0, 0)
    with tqdm(desc="encode", unit="document", disable=not vectorizer.verbose) as bar:
        for part in parts:
            start, n_documents = len(features), len(part.place)
            # In place, where a concatenation at the end would take twice as much.
            features.resize((start + n_documents, n_features), refcheck=False)
            bar.total = (bar.total or 0) + n_documents
            if known is None:
                found = _rows(vectorizer, pool, part)
            else:
                every = np.arange(n_documents)
                found = iter([(every, every, known)])
            for rows, which, pooled in found:
                mixed = vectorizer._mix(pooled).reshape(len(pooled), n_features)
                features[start + rows] = mixed[which]
                bar.update(len(rows))
            n_tokens += len(part.sequences.token_ids)
            also = truncation_of(vectorizer, part)
            cut = Truncation(*map(sum, zip(cut, also, strict=True)))
    if cut.n_tokens > RARELY * n_tokens:
        _warn_of_truncation(vectorizer, cut)
    return features


def pool_all(vectorizer: ElmoVectorizer, distinct: Distinct) -> NDArray[np.float32]:
    """Return the pooled layers of all documents.

    Parameters
    ----------
    vectorizer : ElmoVectorizer
        With a fitted language model.
    distinct : Distinct

    Returns
    -------
    pooled : ndarray of shape (n_documents, n_poolings, L + 1, 2P), float32
    """
    config = vectorizer.language_model_.config_
    shape = len(vectorizer._pooling), config.n_layers, config.n_features
    pooled = np.empty((len(distinct.place), *shape), dtype=np.float32)
    for rows, which, found in _rows(vectorizer, pooler_of(vectorizer), distinct):
        pooled[rows] = found[which]
    return pooled


def pooler_of(vectorizer: ElmoVectorizer) -> Pooler:
    """Return what pools documents as the parameters say."""
    model, precision = vectorizer.language_model_, vectorizer.precision
    unknown_words = vectorizer.unknown_words
    encoder = encoder_of(model, vectorizer.max_batch_tokens, precision, unknown_words)
    cache = cache_of(vectorizer.cache)
    if cache is None:
        return Pooler(encoder, vectorizer._pooling)
    fingerprint = fingerprint_of(model, precision, unknown_words)
    return Pooler(encoder, vectorizer._pooling, cache, fingerprint)


def _rows(
    vectorizer: ElmoVectorizer, pool: Pooler, part: Distinct
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Yield pooled documents, and which of them goes to which rows."""
    rows, offsets = part.rows
    missing = rows[: offsets[0]]
    if len(missing):
        config = vectorizer.language_model_.config_
        shape = len(vectorizer._pooling), config.n_layers, config.n_features
        fill = np.nan if vectorizer.missing == "nan" else 0.0
        empty = np.full((1, *shape), fill, dtype=np.float32)
        yield missing, np.zeros(len(missing), dtype=np.int64), empty
    for documents, pooled in pool(part):
        lengths = np.diff(offsets)[documents]
        where = rows[ranges(offsets[documents], lengths)]
        yield where, np.repeat(np.arange(len(documents)), lengths), pooled


def _warn_of_truncation(vectorizer: ElmoVectorizer, cut: Truncation) -> None:
    room = vectorizer.language_model_.config_.max_characters - 2
    warnings.warn(
        f"{type(vectorizer).__name__}: {cut.n_tokens} tokens in {cut.n_documents} "
        f"documents are longer than the {room} bytes that the language model "
        f"reads of a token; the rest of them is ignored. Use a tokenizer that "
        f"cuts shorter tokens if that matters.",
        UserWarning,
        stacklevel=stack_level(),
    )
