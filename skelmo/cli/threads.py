"""How many threads compute."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def limited_threads(n_threads: int | None) -> AbstractContextManager[Any]:
    """Return a context in which so many threads compute, and the usual ones after it.

    Parameters
    ----------
    n_threads : int or None
        None leaves it to the libraries.

    Returns
    -------
    context : context manager
    """
    if n_threads is None:
        return nullcontext()
    # scikit-learn depends on it, too. torch asks OpenMP, which is limited here.
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return threadpool_limits(n_threads)
