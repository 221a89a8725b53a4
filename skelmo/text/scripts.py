"""Which script text is written in, and which of them a vocabulary knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

import regex

_NAMES = """
    Latin Han Cyrillic Arabic Devanagari Hiragana Katakana Hangul Greek Hebrew Thai
    Bengali Tamil Telugu Gujarati Gurmukhi Kannada Malayalam Oriya Sinhala Myanmar
    Khmer Lao Tibetan Georgian Armenian Ethiopic Mongolian Thaana Syriac Bopomofo
    Cherokee Canadian_Aboriginal Tifinagh Nko Javanese Balinese Yi
"""
SCRIPTS = tuple(_NAMES.split())
OTHER = "other"
# A vocabulary of any language has stray words of others: names, signs, quotations.
FEWEST_WORDS = 0.01


@cache
def script_pattern() -> regex.Pattern[str]:
    """Compile what finds a letter, in the group that its script names, or "other"."""
    groups = "|".join(rf"(?P<{s}>[\p{{L}}&&\p{{Script={s}}}])" for s in SCRIPTS)
    return regex.compile(rf"{groups}|(?P<{OTHER}>\p{{L}})", regex.V1)


def script_of(token: str) -> str | None:
    """Return the script of the first letter of a token, None if it has no letter.

    Parameters
    ----------
    token : str

    Returns
    -------
    script : str or None
        One of `SCRIPTS`, or "other".

    Examples
    --------
    >>> [script_of(token) for token in ("film", "好", "ёлка", "3.5", "😀", "4x4")]
    ['Latin', 'Han', 'Cyrillic', None, None, 'Latin']
    """
    if token.isascii():  # most tokens of most texts
        return "Latin" if any(map(str.isalpha, token)) else None
    found = script_pattern().search(token)
    return None if found is None else found.lastgroup


def script_counts(tokens: Mapping[str, int]) -> Counter[str | None]:
    """Count tokens by script.

    Parameters
    ----------
    tokens : mapping of str to int
        How often each occurs.

    Returns
    -------
    counts : collections.Counter
        Under None those without a letter.
    """
    counts: Counter[str | None] = Counter()
    for token, n in tokens.items():
        counts[script_of(token)] += n
    return counts


def known_scripts(words: Iterable[str]) -> frozenset[str]:
    """Return the scripts that a vocabulary has been made of.

    Parameters
    ----------
    words : iterable of str

    Returns
    -------
    scripts : frozenset of str
        Of each, one in a hundred of the words that have letters, or more.
    """
    counts = script_counts(dict.fromkeys(words, 1))
    del counts[None]
    fewest = FEWEST_WORDS * counts.total()
    return frozenset(s for s, n in counts.items() if s is not None and n >= fewest)
