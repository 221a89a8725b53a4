"""Columns that a table has to have, and those that it may not have yet."""

from __future__ import annotations

from collections.abc import Iterable


def check_column(columns: Iterable[object], text: str, owner: str) -> None:
    """Raise unless there is a column of documents.

    Parameters
    ----------
    columns : iterable
        Names of those of the table.
    text : str
        Name of that of documents.
    owner : str
        The function or class that asks, for the message.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    names = list(columns)
    if text not in names:
        raise ValueError(
            f"{owner} needs a column {text!r} of documents, but the columns are "
            f"{', '.join(map(str, names))}. Give the name of another one."
        )


def check_new_column(columns: Iterable[object], output: str, owner: str) -> None:
    """Raise if a column that is to be added is there already.

    Parameters
    ----------
    columns : iterable
        Names of those of the table.
    output : str
        Name of the one to add.
    owner : str
        The function or class that asks, for the message.

    Raises
    ------
    ValueError
        If there is one of that name.
    """
    if output in columns:
        raise ValueError(
            f"{owner} adds a column {output!r}, but there is one already. Set output, "
            f"or drop that column first."
        )
