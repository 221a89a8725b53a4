"""Values of a JSON file, checked as they are read."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

_REQUIRED: Any = object()


class Fields:
    """One object of a JSON file, whose values are checked as they are read.

    A key that is absent or null takes the default, where there is one.

    Parameters
    ----------
    values : dict
    shown : str
        The file, as messages name it.
    remedy : str
        Last sentence of every message.
    prefix : str, default=""
        Keys that lead to this object, each followed by a dot.
    """

    def __init__(
        self, values: dict[str, Any], *, shown: str, remedy: str, prefix: str = ""
    ) -> None:
        self.values = values
        self.shown = shown
        self.remedy = remedy
        self.prefix = prefix

    @classmethod
    def read(cls, path: Path, *, shown: str, remedy: str) -> Fields:
        """Read a JSON file that holds an object; ValueError if it does not."""
        try:
            values = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"{shown}: must be JSON, but reading it stopped with: {error}. {remedy}"
            ) from error
        if not isinstance(values, dict):
            raise ValueError(
                f"{shown}: must hold a JSON object, found {_cut(values)}. {remedy}"
            )
        return cls(values, shown=shown, remedy=remedy)

    def section(self, key: str) -> Fields:
        """Return the object under `key`."""
        values = self._get(key)
        if not isinstance(values, dict):
            self._fail(key, "a JSON object", values)
        prefix = f"{self.prefix}{key}."
        return Fields(values, shown=self.shown, remedy=self.remedy, prefix=prefix)

    def integer(self, key: str, *, minimum: int = 1, default: int = _REQUIRED) -> int:
        """Return an int of at least `minimum`."""
        value: int = self._get(key, default)
        if type(value) is not int or value < minimum:
            self._fail(key, f"an int of at least {minimum}", value)
        return value

    def clip(self, key: str) -> float | None:
        """Return a positive bound; None, which does not clip, for 0 or null."""
        value = self._get(key, 0)
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            self._fail(key, "null or a finite number of at least 0", value)
        return float(value) if value else None

    def flag(self, key: str, *, default: bool = _REQUIRED) -> bool:
        """Return a bool."""
        value: bool = self._get(key, default)
        if type(value) is not bool:
            self._fail(key, "true or false", value)
        return value

    def choice(
        self, key: str, choices: Collection[Any], *, default: Any = _REQUIRED
    ) -> Any:
        """Return one of `choices`, of which a JSON string or number is one."""
        value = self._get(key, default)
        if type(value) not in (str, int) or value not in choices:
            self._fail(key, " or ".join(map(repr, choices)), value)
        return value

    def text(self, key: str) -> str:
        """Return a str."""
        value: str = self._get(key)
        if type(value) is not str:
            self._fail(key, "a string", value)
        return value

    def filters(self, key: str, *, minimum: int = 1) -> tuple[tuple[int, int], ...]:
        """Return pairs of width and number of filters, at least `minimum` pairs."""
        value = self._get(key)
        good = isinstance(value, list) and all(
            isinstance(pair, list)
            and len(pair) == 2
            and all(type(number) is int and number > 0 for number in pair)
            for pair in value
        )
        if not good or len(value) < minimum:
            self._fail(key, "a list of pairs [width, number], of ints above 0", value)
        return tuple((width, number) for width, number in value)

    def _get(self, key: str, default: Any = _REQUIRED) -> Any:
        value = self.values.get(key)
        if value is None and default is not _REQUIRED:
            return default
        if key not in self.values:
            raise ValueError(
                f"{self.shown}: key '{self.prefix}{key}' is missing. {self.remedy}"
            )
        return value

    def _fail(self, key: str, rule: str, value: Any) -> None:
        raise ValueError(
            f"{self.shown}: '{self.prefix}{key}' must be {rule}, found {_cut(value)}. "
            f"{self.remedy}"
        )


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
