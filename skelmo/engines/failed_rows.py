"""What a batch gives although some of its values raise an error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

T = TypeVar("T")


def parts_that_succeed(
    function: Callable[[list[Any]], T], values: Sequence[Any], rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], T]]:
    """Apply a function to a batch, and to ever smaller parts of it where it raises.

    Parameters
    ----------
    function : callable
        From values to their results; those of one do not depend on the others.
    values : sequence of length n
    rows : ndarray of shape (k,), int64
        Those of the values to take.

    Yields
    ------
    rows : ndarray of shape (m,), int64
        None of those that raise; they are logged.
    result : object
        What the function gave for these.
    """
    if not len(rows):
        return
    try:
        result = function([values[row] for row in rows])
    except MemoryError:  # not the document's fault
        raise
    except Exception as error:
        if len(rows) == 1:
            name = type(error).__name__
            logger.warning("a row is left empty, as it raises %s: %s", name, error)
            return
        middle = len(rows) // 2
        yield from parts_that_succeed(function, values, rows[:middle])
        yield from parts_that_succeed(function, values, rows[middle:])
        return
    yield rows, result
