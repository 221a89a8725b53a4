"""What a representation costs, and what it cannot read."""

from __future__ import annotations

import copy
import os
import pickle
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, LambdaType, TracebackType
from typing import Any

from sklearn.feature_selection import SelectorMixin, VarianceThreshold
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from skelmo.encoding.caches import cache_info
from skelmo.estimators.classifier import ElmoClassifier
from skelmo.estimators.vectorizer import ElmoVectorizer

_STATM = Path("/proc/self/statm")
_EVERY = 0.005  # seconds between two looks at the memory
N_TIMED = 100  # documents that are encoded again where a cache would answer
_OURS = (ElmoVectorizer, ElmoClassifier)  # with a cache, and weights to be stored


class MemoryWatch:
    """Peak of the resident memory of this process while a block runs.

    Attributes
    ----------
    increase : int or None
        Bytes above what there was before; None where the system does not tell.
    """

    increase: int | None = None

    def __enter__(self) -> MemoryWatch:
        self._before = self._peak = resident_bytes()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        if self._before is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._before is None or self._peak is None:
            return
        self._thread.join()
        self.increase = max(self._peak, resident_bytes() or 0) - self._before

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY):
            self._peak = max(self._peak or 0, resident_bytes() or 0)


def resident_bytes() -> int | None:
    """Return the resident memory of this process.

    Returns
    -------
    n_bytes : int or None
        None where the system does not tell.
    """
    try:
        n_pages = int(_STATM.read_text("ascii").split()[1])
        return n_pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def parts_of(transformer: Any) -> list[Any]:
    """Return a transformer and all estimators inside of it.

    Parameters
    ----------
    transformer : estimator

    Returns
    -------
    parts : list of estimator
        The transformer itself comes first.
    """
    inside = transformer.get_params(deep=True).values()
    return [transformer, *(part for part in inside if hasattr(part, "get_params"))]


def needs_labels(transformer: Any) -> bool:
    """Tell whether a transformer, or a part of it, learns from y.

    Parameters
    ----------
    transformer : estimator

    Returns
    -------
    needs : bool
    """
    return any(map(_is_supervised, parts_of(transformer)))


def n_cached(transformer: Any) -> int:
    """Return how many documents the caches of a transformer have answered so far.

    Parameters
    ----------
    transformer : estimator

    Returns
    -------
    n : int
        Of all that share these caches.
    """
    caches = {part.cache for part in parts_of(transformer) if _has_cache(part)}
    return sum(cache_info(cache).hits for cache in caches)


def seconds_per_document(
    transformer: Any, documents: Sequence[str]
) -> tuple[float, Any]:
    """Time a fitted transformer, as it is without caches.

    Parameters
    ----------
    transformer : estimator
        Fitted.
    documents : sequence of str

    Returns
    -------
    seconds : float
        Per document.
    features : {ndarray, sparse matrix} of shape (n_documents, n_features)
        Of all documents.
    """
    cached = [part for part in parts_of(transformer) if _has_cache(part)]
    timed = documents[:N_TIMED] if cached else documents
    with _without_caches(cached):
        began = time.perf_counter()
        features = transformer.transform(timed)
        seconds = (time.perf_counter() - began) / max(1, len(timed))
    if cached:
        features = transformer.transform(documents)
    return seconds, features


def model_bytes(transformer: Any) -> int | None:
    """Return the size of a pickle of a fitted transformer, weights included.

    Parameters
    ----------
    transformer : estimator
        Fitted.

    Returns
    -------
    n_bytes : int or None
        Functions, as a tokenizer, count as nothing. None if there is no pickle.
    """
    own = [part for part in parts_of(transformer) if isinstance(part, _OURS)]
    stored = [part.store_weights for part in own]
    counter = _Counter()
    try:
        for part in own:
            part.store_weights = True
        _Sizer(counter, protocol=5).dump(transformer)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    finally:
        for part, value in zip(own, stored, strict=True):
            part.store_weights = value
    return counter.n_bytes


def oov_rate(transformer: Any, documents: Sequence[str]) -> float | None:
    """Return the share of tokens that a fitted transformer cannot read.

    Parameters
    ----------
    transformer : estimator
        Fitted.
    documents : sequence of str

    Returns
    -------
    share : float or None
        By its own tokens and vocabulary. 0 for what reads characters; None if it is
        not known. Of a union, the least, as what one part reads is not lost.
    """
    if isinstance(transformer, Pipeline):
        return oov_rate(transformer.steps[0][1], documents)
    if isinstance(transformer, FeatureUnion):
        rates = [oov_rate(part, documents) for _, part in transformer.transformer_list]
        return min((rate for rate in rates if rate is not None), default=None)
    if isinstance(transformer, _OURS):
        return 0.0
    if hasattr(transformer, "oov_rate"):
        return float(transformer.oov_rate(documents))
    if hasattr(transformer, "build_analyzer") and hasattr(transformer, "vocabulary_"):
        # Of n-grams the shortest: the others are not tokens.
        shortest = copy.copy(transformer)
        shortest.ngram_range = (transformer.ngram_range[0],) * 2
        analyze = shortest.build_analyzer()
        known = transformer.vocabulary_
        terms = [term for text in documents for term in analyze(text)]
        return sum(term not in known for term in terms) / max(1, len(terms))
    return None


def _is_supervised(part: Any) -> bool:
    if isinstance(part, SelectorMixin) and not isinstance(part, VarianceThreshold):
        return True  # tags say no, as a score of features may do without y
    has_tags = hasattr(part, "__sklearn_tags__")
    return has_tags and get_tags(part).target_tags.required


def _has_cache(part: Any) -> bool:
    return isinstance(part, _OURS) and part.cache is not None


@contextmanager
def _without_caches(vectorizers: Sequence[Any]) -> Iterator[None]:
    kept = [vectorizer.cache for vectorizer in vectorizers]
    try:
        for vectorizer in vectorizers:
            vectorizer.cache = None
        yield
    finally:
        for vectorizer, cache in zip(vectorizers, kept, strict=True):
            vectorizer.cache = cache


class _Counter:
    """A file that forgets what is written and keeps the count."""

    def __init__(self) -> None:
        self.n_bytes = 0

    def write(self, data: Any) -> int:
        """Count bytes."""
        size = memoryview(data).nbytes
        self.n_bytes += size
        return size


class _Sizer(pickle.Pickler):
    """Pickle all but functions, which may have no name to be found by."""

    def persistent_id(self, obj: Any) -> str | None:
        """Return a stand-in for a function."""
        return "function" if isinstance(obj, FunctionType | LambdaType) else None
