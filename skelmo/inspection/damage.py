"""Signs that texts were damaged before they came here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import regex

# Kinds of damage, and what to do about them.
REMEDIES = {
    "control characters": "Remove them, or see whether the file is text at all.",
    "replacement characters": "Letters were lost in decoding: read the source again "
    "in its own encoding.",
    "lone surrogates": "No bytes stand for them, so the language model does not see "
    "them: read the source again with errors='strict'.",
    "mojibake": "UTF-8 was read in another encoding: read the source again with "
    "encoding='utf-8'.",
    "HTML": "If it is no part of what you study, take tags out and call html.unescape.",
}
_TAGS = (
    "a|abbr|article|b|blockquote|body|br|button|center|code|div|em|font|footer|form"
    "|h[1-6]|head|header|hr|html|i|iframe|img|input|li|link|meta|nav|ol|option|p|pre"
    "|script|section|select|small|span|strong|style|su[bp]|svg|table|tbody|td|th|thead"
    "|title|tr|u|ul|video"
)


class Occurrences(NamedTuple):
    """How often something occurs, and in how many documents."""

    n: int
    n_documents: int


@cache
def _damage_pattern() -> regex.Pattern[str]:
    """Compile what is counted as damage: a group for each kind of `REMEDIES`."""
    # What cp1252 or latin-1 make of the second and later bytes of a letter in UTF-8.
    later = bytes(range(0x80, 0xA0)).decode("cp1252", "ignore")
    later = rf"[\x80-\xBF{later}]"
    return regex.compile(
        rf"""([\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]) | (\uFFFD) | ([\uD800-\uDFFF])
          | ( [ÂÃ](?!(?<=\p{{Lu}}.)[“”‘’«»]){later} | â€{later}? | ð[Ÿ\x9F]{later}{{2}}
            | â[‚„†‡ˆ‰Š‹ŒŽ™š›œžŸ˜\x80-\x9F]{later} | ï»¿ | ï¿½
            | (?:[ÐÑ]{later}){{2}} | (?:[ÎÏ]{later}){{2}} )
          | ( </?(?i:{_TAGS})(?=[\s/][^<>]*>|>)
            | &(?:[A-Za-z]{{2,8}}|\#[0-9]{{1,7}}|\#x[0-9A-Fa-f]{{1,6}}); )""",
        regex.VERBOSE,
    )


class DamageCounter:
    """Counts the damage of the documents that pass through it."""

    def __init__(self) -> None:
        self._n: Counter[str] = Counter()
        self._n_documents: Counter[str] = Counter()

    def watch(self, documents: Iterable[Any]) -> Iterator[Any]:
        """Pass documents on: texts, lists of tokens or of sentences, or None."""
        find, kinds = _damage_pattern().finditer, list(REMEDIES)
        for document in documents:
            text = document or ""
            if not isinstance(text, str):
                parts = (t if isinstance(t, str) else " ".join(t) for t in text)
                text = " ".join(parts)
            groups = (match.lastindex or 0 for match in find(text))
            found = Counter(kinds[group - 1] for group in groups)
            self._n.update(found)
            self._n_documents.update(found.keys())
            yield document

    @property
    def found(self) -> dict[str, Occurrences]:
        """What was found so far, by kind."""
        return {k: Occurrences(self._n[k], self._n_documents[k]) for k in REMEDIES}
