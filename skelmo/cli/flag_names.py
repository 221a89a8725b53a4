"""Messages of the library, which name parameters of Python, in words of the shell.

The one place where they are translated: whatever the library raises or warns of comes
through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from skelmo.cli.model_parameters import (
    CLASSIFIER,
    CLASSIFIER_ELSEWHERE,
    CLASSIFIER_SETTABLE,
    ELSEWHERE,
    LANGUAGE_MODEL,
    SETTABLE,
    flag_of,
)

_FLAGS: dict[str, dict[str, str]] = {
    "train": {
        **{name: flag_of(name) for name in LANGUAGE_MODEL},
        **{name: f"--set {name}" for name in SETTABLE},
        **ELSEWHERE,
        "X_val": "--validation",
    },
    "evaluate": {"missing": "--missing", "device": "a device"},
    "encode": {
        "language_model": "--model", "layers": "--layers", "pooling": "--pooling",
        "missing": "--missing", "precision": "--precision", "device": "--device",
        "max_batch_tokens": "--batch",
    },
    "compare": {
        "X": "--text", "y": "--label", "representations": "--representations",
        "classifier": "--classifier", "cv": "--folds", "cache": "--cache",
        "random_state": "--seed", "language_model": "--model",
        "label_counts": "the number of labels (or give --all-labels)",
    },
    "classify": {
        **{name: flag_of(name) for name in CLASSIFIER},
        **{name: f"--set {name}" for name in CLASSIFIER_SETTABLE},
        **CLASSIFIER_ELSEWHERE,
        "X": "--text", "y": "--label", "unlabeled": "--unlabeled",
    },
    "convert": {"dtype": "--dtype"},
    "inspect": {"language_model": "--model", "missing": "--missing"},
    "info": {},
}  # fmt: skip
_QUOTED = r"'[^']*'|\"[^\"]*\""
_QUOTE = "['\"]"
_VALUE = (
    rf"(?P<value>(?:{_QUOTED})(?: or (?:{_QUOTED}))*"
    r"|[-+]?\d[\w.]*\w|[-+]?\d|\w+|[(\[][^)\]]*[)\]])"
)
# Not within a path, a quotation or another name.
_BEFORE, _AFTER = r"(?<![\w'\"/.=-])", r"(?![\w'\"/(=-]|\.\w)"


def in_flags(text: str, command: str) -> str:
    """Return a message that names flags in place of parameters.

    Parameters
    ----------
    text : str
    command : str

    Returns
    -------
    text : str
    """
    flags = _FLAGS[command]
    if not flags:
        return text
    # A single word may be a word of English: what has an underscore is none.
    bare = [name for name in flags if "_" in name or name in ("cv", "X", "y")]
    names = _any_of(flags)
    forms = (
        rf"[Tt]he '(?P<whose>{names})' parameter of [\w.]+",
        rf"\b(?P<verb>[Ss])et (?P<absent>{names})=None",
        rf"{_BEFORE}(?P<name>{names})={_VALUE}",
        rf"{_BEFORE}(?P<bare>{_any_of(bare) or '(?!)'}){_AFTER}",
    )

    def translated(match: re.Match[str]) -> str:
        whose, verb, absent, name, value, alone = match.group(
            "whose", "verb", "absent", "name", "value", "bare"
        )
        if absent is not None:
            return f"{'L' if verb == 'S' else 'l'}eave out {flags[absent]}"
        if name is None:
            return flags[whose or alone]
        if flags[name].startswith("--set"):
            return f"{flags[name]}={value}"
        if flags[name].startswith("--"):
            return f"{flags[name]} {re.sub(_QUOTE, '', value)}"
        return flags[name]

    return re.sub("|".join(forms), translated, text)


def _any_of(names: Iterable[str]) -> str:
    return "|".join(sorted(names, key=len, reverse=True))
