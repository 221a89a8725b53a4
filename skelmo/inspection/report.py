"""What an inspection of texts found, and how it is said in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from skelmo.encoding.features import RARELY
from skelmo.inspection.cost import EncodingEstimate
from skelmo.inspection.counts import CutTokens, Quantiles, TokenExample, UnseenTokens
from skelmo.inspection.damage import REMEDIES, Occurrences

_FEW = 0.01  # a share of documents that asks for no advice
_UNSEEN = 0.05  # a share of tokens that asks for none
_LONG = 3600  # seconds that ask for more cores
_SCALE = "docs/user_guide/scale.md"


@dataclass(frozen=True)
class TextReport:
    """What `inspect_text` finds; ``print(report)`` says it in words.

    Parameters
    ----------
    n_documents : int
        All documents.
    n_missing : int
        Those that are None, nan or NA.
    n_empty : int
        Those without tokens.
    n_near_empty : int
        Those with one or two.
    n_duplicates : int
        Those with the tokens and sentences of an earlier one.
    n_types : int
        Different tokens.
    tokens : Quantiles
        Of each document that is not missing.
    sentences : Quantiles
        Likewise. Sentences are what the language model reads from a fresh state.
    scripts : dict of str to float
        Share of the letters, the largest first.
    damage : dict of str to Occurrences
        Control characters, replacement characters, lone surrogates, signs of UTF-8 read
        in another encoding (mojibake), and HTML tags and entities.
    cut : CutTokens or None
        Tokens of which the language model reads only a part.
    unseen : UnseenTokens or None
        Tokens that its vocabulary lacks; None if it has none.
    estimate : EncodingEstimate or None
        Time and memory to encode the documents.
    """

    n_documents: int
    n_missing: int
    n_empty: int
    n_near_empty: int
    n_duplicates: int
    n_types: int
    tokens: Quantiles
    sentences: Quantiles
    scripts: dict[str, float]
    damage: dict[str, Occurrences]
    cut: CutTokens | None = None
    unseen: UnseenTokens | None = None
    estimate: EncodingEstimate | None = None

    @property
    def advice(self) -> list[str]:
        """What is wrong and what to do about it, a sentence or two each."""
        n, lines = self.n_documents, []
        if not n:
            return ["There are no documents."]

        def say(subject: str, n_documents: int, remedy: str, above: float = 0) -> None:
            if n_documents > above * n:
                lines.append(f"{subject}: {_of(n_documents, n, 'document')}. {remedy}")

        say("Missing", self.n_missing, "Fill them in, or set missing='empty' or 'nan'.")
        say("Empty", self.n_empty, "Their features are zeros. Drop them if you can.")
        say("Duplicates", self.n_duplicates, "Copies of one text on both sides of a "
            "split make a score too good.", _FEW)  # fmt: skip
        say("With only 1 or 2 tokens", self.n_near_empty, "A language model has little "
            "context there.", _FEW)  # fmt: skip
        for kind, found in self.damage.items():
            above = _FEW if kind == "HTML" else 0
            say(f"With {kind}", found.n_documents, REMEDIES[kind], above)
        if self.cut and self.cut.n_tokens > RARELY * self.tokens.total:
            lines.append(
                f"Tokens longer than {self.cut.limit} {self.cut.unit} are cut: "
                f"{_of(self.cut.n_tokens, self.tokens.total, 'token')}, as "
                f"{_shown(self.cut.examples[0].token)}. Use a tokenizer that cuts "
                f"shorter tokens."
            )
        if self.unseen and self.unseen.share > max(
            _UNSEEN, 2 * (self.unseen.training_share or 0)
        ):
            lines.append(
                f"Unseen in training: {_percent(self.unseen.share)} of the tokens. "
                f"Consider training on with ElmoLanguageModel(init=...).fit(X)."
            )
        if self.estimate and self.estimate.seconds > _LONG and self.cost:
            lines.append(self.cost)
        return lines

    @property
    def cost(self) -> str | None:
        """What encoding would take in words, and, if it is long, how to shorten it."""
        if self.estimate is None:
            return None
        time, size = _duration(self.estimate.seconds), _size(self.estimate.n_bytes)
        said = f"Encoding takes about {time} on this machine and gives {size}."
        if self.estimate.seconds > _LONG:
            said += f" {_SCALE} tells how to spread it over machines."
        return said

    def to_frame(self) -> pd.DataFrame:
        """Return all numbers as a table.

        Returns
        -------
        frame : pandas.DataFrame
            A column "value", with names such as "tokens.median" as its index.
        """
        numbers = dict(_numbers("", vars(self)))
        return pd.DataFrame({"value": numbers}, index=list(numbers), dtype=float)

    def __str__(self) -> str:
        """Say it in plain words."""
        rows = self._rows()
        width = max(len(name) for name, _ in rows) + 2
        lines = [f"{name:{width}}{value}" for name, value in rows]
        return "\n".join([*lines, *(f"! {line}" for line in self.advice)])

    def _repr_html_(self) -> str:
        """Return a table for notebooks; it takes the colours of the page."""
        cell = "text-align:left;color:inherit;background:transparent;padding:2px 12px"
        rows = "".join(
            f'<tr style="background:transparent">'
            f'<th style="{cell};white-space:pre">{escape(name)}</th>'
            f'<td style="{cell}">{escape(value)}</td></tr>'
            for name, value in self._rows()
        )
        advice = "".join(f"<li>{escape(line)}</li>" for line in self.advice)
        return (
            f'<div><table style="border:1px solid;border-collapse:collapse">{rows}'
            f"</table>{advice and f'<ul>{advice}</ul>'}</div>"
        )

    def _rows(self) -> list[tuple[str, str]]:
        """Name and value of each line, as a reader wants it."""
        n = self.n_documents
        scripts = ", ".join(f"{s} {_percent(p)}" for s, p in self.scripts.items())
        rows = [
            ("documents", f"{n:,}"),
            ("  missing", _with_share(self.n_missing, n)),
            ("  empty", _with_share(self.n_empty, n)),
            ("  with 1 or 2 tokens", _with_share(self.n_near_empty, n)),
            ("  duplicates", _with_share(self.n_duplicates, n)),
            ("tokens", f"{self.tokens.total:,}, {self.n_types:,} different"),
            ("  in a document", _quantiles(self.tokens)),
            ("sentences", f"{self.sentences.total:,}"),
            ("  in a document", _quantiles(self.sentences)),
            ("scripts of letters", scripts or "no letters"),
        ]
        rows += [
            (kind, f"{found.n:,} in {_count(found.n_documents, 'document', n)}")
            for kind, found in self.damage.items()
            if found.n
        ]
        if self.cut:
            value = _count(self.cut.n_tokens, "token", self.tokens.total) + " in "
            value += _count(self.cut.n_documents, "document")
            rows += [(f"longer than {self.cut.limit} {self.cut.unit}", value)]
            rows += _example_rows(self.cut.examples, in_bytes=True)
        if self.unseen:
            known = self.unseen.training_share
            value = f"{_percent(self.unseen.share)} of tokens, "
            value += f"{_percent(self.unseen.share_of_types)} of the different ones"
            value += "" if known is None else f" (in training {_percent(known)})"
            rows += [("unseen in training", value)]
            rows += _example_rows(self.unseen.examples, in_bytes=False)
        if self.estimate:
            cost = self.estimate
            time = f"about {_duration(cost.seconds)} for "
            time += _count(cost.n_documents, "distinct document")
            rows += [
                ("time to encode", f"{time} ({cost.tokens_per_second:,.0f} tokens/s)"),
                ("features", f"{n:,} x {cost.n_features:,}, {_size(cost.n_bytes)}"),
            ]
        return rows


def _numbers(path: str, values: Any) -> Iterator[tuple[str, float]]:
    """Flatten mappings and named tuples to names and numbers."""
    for name, value in values.items():
        if isinstance(value, int | float):
            yield path + name, value
        elif hasattr(value, "_asdict") or isinstance(value, dict):
            inner = value if isinstance(value, dict) else value._asdict()
            yield from _numbers(f"{path}{name}.", inner)


def _percent(share: float) -> str:
    return "<0.1%" if 0 < share < 0.001 else f"{share:.1%}"


def _with_share(n: int, total: int) -> str:
    return f"{n:,} ({_percent(n / total)})" if n else "0"


def _count(n: int, noun: str, total: int = 0) -> str:
    share = f" ({_percent(n / total)})" if n and total else ""
    return f"{n:,} {noun}{'s' * (n != 1)}{share}"


def _of(n: int, total: int, noun: str) -> str:
    return f"{n:,} of {_count(total, noun)} ({_percent(n / total)})"


def _shown(token: str) -> str:
    """Return a token as printable characters, cut."""
    return repr(token if len(token) <= 40 else f"{token[:39]}…")


def _quantiles(found: Quantiles) -> str:
    quantiles = zip(("5%", "25%", "median", "75%", "95%"), found[1:6], strict=True)
    inner = ", ".join(f"{name} {value:,.10g}" for name, value in quantiles)
    return f"min {found.min:,}, {inner}, max {found.max:,}, mean {found.mean:,.1f}"


def _example_rows(
    examples: list[TokenExample], in_bytes: bool
) -> list[tuple[str, str]]:
    parts = [
        f"{_shown(e.token)} {e.n:,}x" + f" of {e.n_bytes:,} bytes" * in_bytes
        for e in examples[:5]
    ]
    return [("  as", ", ".join(parts))] if parts else []


def _duration(seconds: float) -> str:
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def _size(n_bytes: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if n_bytes < 1024:
            return f"{n_bytes:,.4g} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:,.1f} GiB"
