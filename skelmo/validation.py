"""Checks of what users give, each with its message: who, rule, value, remedy."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sized
from numbers import Integral
from typing import Any

import numpy as np

FEW_TOKENS = 1000  # a corpus smaller than this teaches little
_LONGEST_VALUE = 40  # characters of a bad value that a message shows


def iterate_documents(
    X: Any, *, owner: str, missing: str = "error", input: str = "text"
) -> Iterator[Any]:
    """Take the documents out of whatever holds them, checked, without a copy of all.

    What knows its length is checked as a whole before the first document is passed on;
    anything else on the way.

    Parameters
    ----------
    X : iterable
        Documents: a list, generator, one-dimensional array or series, or a frame or
        array of one column.
    owner : str
        The class that asks, for the messages.
    missing : {"error", "empty", "nan"}, default="error"
        What None, nan, NA and NaT do: raise, or else come as None. To count what is
        missing, "error" reads X to its end.
    input : {"text", "tokens"}, default="text"
        Whether a document is a str or a list of tokens (or of lists of tokens).

    Returns
    -------
    documents : iterator of str, of list, or of None
        Of an iterator, raises what is wrong with a document when it comes to it.

    Raises
    ------
    TypeError
        If X can hold no documents, or one of them is of a wrong type.
    ValueError
        If X is one str or has several columns, if a document is missing under
        ``missing="error"``, or if bytes are not UTF-8.
    """
    column, _ = _one_column(X, owner)
    if isinstance(column, Sized):
        for _ in _checked(column, owner, missing, input):
            pass
    return _checked(column, owner, missing, input)


def column_name(X: Any, owner: str) -> str | None:
    """Return the name of the column that documents come from, if it has one.

    Parameters
    ----------
    X : iterable
        As for `iterate_documents`.
    owner : str
        The class that asks, for the messages.

    Returns
    -------
    name : str or None

    Raises
    ------
    TypeError
        If X can hold no documents.
    ValueError
        If X is one str or has several columns.
    """
    return _one_column(X, owner)[1]


def is_frame(X: Any) -> bool:
    """Tell whether X has columns that are known by name, as frames have."""
    return hasattr(X, "columns") and hasattr(X, "shape")


def _checked(
    column: Iterable[Any], owner: str, missing: str, input: str
) -> Iterator[Any]:
    """Yield the values of a column, checked; None for a missing one."""
    as_document = _as_text if input == "text" else _as_tokens
    n_values = n_missing = 0
    first = ""
    for row, value in enumerate(column):
        n_values += 1
        document = None
        if not is_missing(value):
            document = as_document(value, row, owner)
        else:
            first = first or f"row {row} ({_shown(value)})"
            n_missing += 1
        if not n_missing or missing != "error":
            yield document
    if n_missing and missing == "error":
        raise ValueError(
            f"{owner} needs a text in every row of X, but {n_missing} of {n_values} "
            f"are missing, the first in {first}. Fill them in, or set missing='empty' "
            f"or missing='nan' before fit."
        )


def is_missing(value: Any) -> bool:
    """Tell whether a value is None, nan, pandas.NA or pandas.NaT."""
    if value is None:
        return True
    if isinstance(value, float | np.floating):
        return bool(value != value)
    # Comparing NA gives NA; pandas is asked only if somebody has imported it.
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


def is_whole(value: Any) -> bool:
    """Tell whether a value is an integer, numpy's included, and no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_not_empty(n_documents: int, owner: str) -> None:
    """Raise unless there is a document.

    Parameters
    ----------
    n_documents : int
        Documents there are.
    owner : str
        The class that asks, for the messages.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not n_documents:
        raise ValueError(
            f"{owner} needs at least 1 document to fit, but X has 0 sample(s). Pass a "
            f"non-empty X."
        )


def check_corpus_size(n_tokens: int, owner: str) -> None:
    """Raise or warn if there is too little text to train on.

    Parameters
    ----------
    n_tokens : int
        Tokens there are.
    owner : str
        The class that asks, for the messages.

    Raises
    ------
    ValueError
        If there are fewer than 2 tokens.

    Warns
    -----
    UserWarning
        If there are fewer than 1,000.
    """
    if n_tokens < 2:
        raise ValueError(
            f"{owner} needs at least 2 tokens to train on, found {n_tokens}. Pass more "
            f"text, or check the tokenizer."
        )
    if n_tokens < FEW_TOKENS:
        warnings.warn(
            f"{owner} is trained on {n_tokens} tokens only; fewer than {FEW_TOKENS:,} "
            f"teach it little. Pass more text, or use a model trained on more.",
            UserWarning,
            stacklevel=stack_level(),
        )


def stack_level() -> int:
    """Return the `stacklevel` by which a warning of the caller names the user's line.

    Returns
    -------
    stacklevel : int
        Frames of skelmo and scikit-learn from the caller on, plus one.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    return level


def _is_ours(module: str) -> bool:
    # By contextlib a function of ours is decorated.
    return module.partition(".")[0] in ("skelmo", "sklearn", "contextlib")


def check_column_name(name: str | None, fitted: Any, owner: str) -> None:
    """Raise if documents come from another frame's column than those of `fit`.

    Parameters
    ----------
    name : str or None
        Of the column they come from, if that is a frame's.
    fitted : ndarray of shape (1,) or None
        ``feature_names_in_``.
    owner : str
        The class that asks, for the messages.

    Raises
    ------
    ValueError
        If both have a name and the names differ.
    """
    if name is not None and fitted is not None and name != fitted[0]:
        raise ValueError(
            f"{owner} was fitted on column {str(fitted[0])!r}, but X is column "
            f"{name!r}. Pass the column of the same name."
        )


def _check_holder(X: Any, owner: str) -> None:
    """Raise if X can hold no documents."""
    if isinstance(X, str):
        raise ValueError(
            "Iterable over raw text documents expected, string object received. "
            "Wrap it in a list: [X]."
        )
    if hasattr(X, "toarray"):
        raise TypeError(
            f"{owner} needs documents, but X is a sparse {type(X).__name__}: sparse "
            f"data is not supported. Pass the texts themselves."
        )
    if hasattr(X, "collect") and hasattr(X, "collect_schema"):
        raise TypeError(
            f"{owner} needs documents, but X is a {type(X).__name__}, which holds none "
            f"yet. Pass X.collect()."
        )
    if isinstance(X, bytes | Mapping) or not isinstance(X, Iterable):
        raise TypeError(
            f"{owner} needs an iterable of documents, got {_shown(X)}. "
            f"Pass a list, a Series or an array."
        )


def _one_column(X: Any, owner: str) -> tuple[Iterable[Any], str | None]:
    """Return the values of X and the name of its column."""
    if hasattr(X, "column_names") and hasattr(X, "itercolumns"):  # Arrow's tables
        name = _only(list(X.column_names), owner)
        return X.column(name).to_pylist(), name
    _check_holder(X, owner)
    if is_frame(X):
        name = _only(list(X.columns), owner)
        return _values(X[name]), name if isinstance(name, str) else None
    if isinstance(X, np.ndarray):
        return _values(_array_column(X, owner)), None
    name = getattr(X, "name", None)
    # polars calls a series without a name "".
    return _values(X), name if isinstance(name, str) and name else None


def _only(columns: list[Any], owner: str) -> Any:
    """Return the only one of some columns, or raise."""
    if len(columns) == 1:
        return columns[0]
    first = columns[0] if columns else "text"
    raise ValueError(
        f"{owner} takes one column of text, but X has {len(columns)}: "
        f"{', '.join(map(repr, columns))}. Choose one, X[{first!r}], or use "
        f"ColumnTransformer([('text', {owner}(), {first!r})])."
    )


def _values(column: Any) -> Any:
    """Return a column whose values are Python's, with None for a masked one."""
    if isinstance(column, np.ma.MaskedArray):
        plain = column.data.astype(object)
        plain[np.ma.getmaskarray(column)] = None
        return plain
    if hasattr(column, "to_pylist"):  # Arrow's arrays, of scalars of its own
        return column.to_pylist()
    if type(column).__module__.startswith("polars."):  # of lists it makes series
        return column.to_list()
    return column


def _array_column(X: np.ndarray, owner: str) -> np.ndarray:
    if X.ndim == 1:
        return X
    if X.ndim == 2 and X.shape[1] == 1:
        return X[:, 0]
    if X.ndim == 0:
        raise ValueError(
            f"{owner} takes a one-dimensional array of documents, but X has shape (). "
            f"Wrap it in a list: [X.item()]."
        )
    raise ValueError(
        f"{owner} takes a one-dimensional array of documents, but X has shape "
        f"{X.shape}. Choose one column, X[:, 0], or use ColumnTransformer([('text', "
        f"{owner}(), 0)])."
    )


def _as_text(value: Any, row: int, owner: str) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{owner}: row {row} of X must be text or UTF-8 bytes, got "
                f"{_shown(value)}, which is not UTF-8 ({error.reason} at byte "
                f"{error.start}). Decode it first, as in X[{row}].decode('latin-1')."
            ) from error
    hint = "Convert it with str()."
    if isinstance(value, Mapping):
        hint = "Take the text out of it."
    if isinstance(value, list | tuple):
        hint = "Join it to a text, or set input='tokens'."
    raise TypeError(
        f"{owner}: row {row} of X must be a str, got {_shown(value)}. {hint}"
    )


def _as_tokens(value: Any, row: int, owner: str) -> list[Any]:
    """Accept a list of tokens or a list of such sentences."""
    bad = value
    if isinstance(value, list | tuple | np.ndarray):
        items = list(value)
        nested = bool(items) and not isinstance(items[0], str)
        if not nested:
            items = [items]
        sentences = [s for s in items if isinstance(s, list | tuple | np.ndarray)]
        if len(sentences) == len(items):
            wrong = [t for s in sentences for t in s if not isinstance(t, str)]
            if not wrong:
                tokens = [[str(token) for token in s] for s in sentences]
                return tokens if nested else tokens[0]
            bad = wrong[0]
    hint = "Split it into tokens, or set input='text'."
    raise TypeError(
        f"{owner}: row {row} of X must be a list of tokens (str) or a list of such "
        f"sentences, got {_shown(bad)}. {hint}"
    )


def _shown(value: Any) -> str:
    """Return type and value, the value cut."""
    text = " ".join(repr(value).split())
    if len(text) > _LONGEST_VALUE:
        text = text[:_LONGEST_VALUE] + "..."
    return f"{type(value).__name__} {text}"
