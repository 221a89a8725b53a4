"""What this process keeps from call to call, and how to see and to empty it."""

from __future__ import annotations

import os
from contextlib import suppress
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from skelmo.encoding import token_cache
from skelmo.encoding.activation_cache import ActivationCache, CacheInfo, MemoryCache
from skelmo.encoding.disk_cache import DiskCache
from skelmo.files import remove_directory, user_path
from skelmo.models import shared
from skelmo.text import token_memory

_memory = MemoryCache()
_memory_of_tokens = MemoryCache()
_ALIKE = 0.8  # two words, by the share of their letters that match


def cache_of(cache: str | os.PathLike[str] | None) -> ActivationCache | None:
    """Return the cache that an estimator's parameter of that name means.

    Parameters
    ----------
    cache : {"memory"}, path-like or None

    Returns
    -------
    cache : ActivationCache or None
    """
    if cache is None:
        return None
    _check_spelling(cache)
    return _memory if cache == "memory" else DiskCache(cache)


def token_cache_of(cache: str | os.PathLike[str] | None) -> ActivationCache | None:
    """Return the cache for activations of single tokens, by the same parameter.

    In memory they are kept apart: large, they would drive pooled ones out.

    Parameters
    ----------
    cache : {"memory"}, path-like or None

    Returns
    -------
    cache : ActivationCache or None
    """
    return _memory_of_tokens if cache == "memory" else cache_of(cache)


def _check_spelling(cache: str | os.PathLike[str]) -> None:
    """Raise for what would be a directory of nearly the name of a keyword."""
    if not isinstance(cache, str) or cache == "memory" or Path(cache).name != cache:
        return
    folded = cache.strip().casefold()
    alike = SequenceMatcher(None, folded, "memory").ratio()
    if folded == "none" or alike > _ALIKE:
        raise ValueError(
            f"cache must be 'memory', None or a directory, got {cache!r}. Write "
            f"'./{cache}' if a directory of that name is meant."
        )


def models_directory(cache: str | os.PathLike[str]) -> Path | None:
    """Return where language models trained inside `fit` are kept.

    Parameters
    ----------
    cache : {"memory"} or path-like

    Returns
    -------
    directory : pathlib.Path or None
        None is in memory alone.
    """
    _check_spelling(cache)
    return None if cache == "memory" else user_path(cache) / "models"


def cache_info(cache: str | os.PathLike[str] = "memory") -> CacheInfo:
    """Return what a cache of activations holds, and what it was good for.

    Parameters
    ----------
    cache : {"memory"} or path-like, default="memory"
        As the parameter of `ElmoVectorizer`.

    Returns
    -------
    info : CacheInfo
        Hits; misses, which are documents that really went through a network; entries;
        and bytes. Of a directory they are those of all processes.

    Examples
    --------
    >>> import skelmo
    >>> skelmo.clear_cache()
    >>> skelmo.cache_info()
    CacheInfo(hits=0, misses=0, entries=0, bytes=0)
    """
    pooled = _named(cache, "cache_info").info()
    if cache != "memory":
        return pooled
    of_tokens = _memory_of_tokens.info()
    return CacheInfo(*(a + b for a, b in zip(pooled, of_tokens, strict=True)))


def clear_cache(cache: str | os.PathLike[str] = "memory") -> None:
    """Empty a cache of activations.

    Parameters
    ----------
    cache : {"memory"} or path-like, default="memory"
        As the parameter of `ElmoVectorizer`. "memory" also frees the tokens, token
        vectors and language models kept in this process; a directory is also cleared
        of the language models trained inside `fit`.

    Examples
    --------
    >>> import skelmo
    >>> skelmo.clear_cache()
    """
    _named(cache, "clear_cache").clear()
    directory = models_directory(cache)
    if directory is not None:
        with suppress(OSError):  # where there is none
            for model in filter(Path.is_dir, directory.iterdir()):
                remove_directory(model)
            directory.rmdir()
        return
    _memory_of_tokens.clear()
    token_cache.clear_all()
    token_memory.clear()
    shared.forget()


def _named(cache: Any, owner: str) -> ActivationCache:
    found = cache_of(cache)
    if found is None:
        raise ValueError(
            f"{owner} needs 'memory' or a directory, got None. Give the parameter "
            f"`cache` of the vectorizer."
        )
    return found
