"""Colours, markers and lengths that the figures share."""

from __future__ import annotations

# Of Okabe and Ito, told apart in all kinds of colour blindness.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
MARKERS = "oD^vPX"
BLACK, DARK, GREY = "#000000", "#222222", "#555555"
LIGHT, PALE = "#999999", "#e5e5e5"
SMALL = 9  # points
_LONGEST = 24  # characters of a name


def look_of(k: int) -> tuple[str, str]:
    """Return colour and marker of the kth kind, no two the same among 36."""
    turn, place = divmod(k, len(COLORS))
    return COLORS[place], MARKERS[(place + turn) % len(MARKERS)]


def cut(name: str, longest: int = _LONGEST) -> str:
    """Return a name that is not too long for a label."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
