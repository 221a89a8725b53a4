"""The bar of a command that goes through rows."""

from __future__ import annotations

from typing import Any

from tqdm.auto import tqdm

_RATE = "{elapsed}, {rate_fmt}{postfix}]"


def row_bar(what: str, n_done: int, n_rows: int | None, watched: bool) -> Any:
    """Return a bar: "encode: 40%|####      | 4,096 of 10,240 rows".

    Parameters
    ----------
    what : str
    n_done : int
        Rows done before.
    n_rows : int or None
        Rows in all, if that is known.
    watched : bool
        Whether there is somebody to see it.

    Returns
    -------
    bar : tqdm
    """
    shown = "{desc}: {n:,} rows [" + _RATE
    if n_rows:
        shown = (
            "{desc}: {percentage:.0f}%|{bar}| {n:,} of {total:,} rows [{remaining} "
            "left, " + _RATE
        )
    return tqdm(
        desc=what, initial=n_done, total=n_rows or None, unit=" rows",
        bar_format=shown, disable=not watched,
    )  # fmt: skip
