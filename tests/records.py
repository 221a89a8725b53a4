"""Numbers of pages, and the records that they come from."""

import json
import re
from functools import cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
NUMBER = r"[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?"


@cache
def lines_of(page):
    """Return the lines of a page, without the signs of what is bold or in italics."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("*", "")
    return [" ".join(line.split()) for line in text.splitlines()]


def pattern(template):
    """Return the expression that finds a text with a number for each {}."""
    return re.compile(f"({NUMBER})".join(map(re.escape, template.split("{}"))))


def value_of(number):
    """Return a number as it is written."""
    return float(number.replace(",", ""))


def numbers(text):
    """Return all numbers of a text."""
    return [value_of(number) for number in re.findall(NUMBER, text)]


def agrees(text, value):
    """Return whether a number as it is written is a value, rounded or not."""
    if "e" in text:
        return float(text) == value
    digits = len(text.partition(".")[2])
    # A half may be rounded either way.
    return abs(value_of(text) - value) <= 0.5 * 10**-digits + 1e-9


def numbers_that_differ(page, claims):
    """Return what a page says otherwise than the records.

    Parameters
    ----------
    page : str
        Path from the root of the repository.
    claims : iterable of (str, list of float)
        What the page says, with {} for each number, and the numbers.

    Returns
    -------
    complaints : list of str
        Where numbers are others, where a text is no longer found, and rows that nobody
        vouches for in tables of which other rows are claimed.
    """
    text, complaints, patterns = " ".join(lines_of(page)), [], []
    for template, values in claims:
        patterns.append(pattern(template))
        found = list(patterns[-1].finditer(text))
        if not found:
            complaints.append(f"{page} does not say: {template}, {values}")
        complaints += [
            f"{page} says: {match[0]}, and the records: {values}"
            for match in found
            if not all(
                agrees(number, value)
                for number, value in zip(match.groups(), values, strict=True)
            )
        ]
    for _, _, *body in tables(page):
        others = [row for row in body if not any(p.search(row) for p in patterns)]
        if len(others) < len(body):
            complaints += [
                f"{page}: no record is known of {row}" for row in others if numbers(row)
            ]
    return complaints


def tables(place):
    """Return the tables of a page, or of "page#section", as lists of lines."""
    page, _, section = place.partition("#")
    lines = lines_of(page)
    if section:
        begin = lines.index(f"## {section}")
        ends = [k for k, line in enumerate(lines) if line.startswith("## ")]
        lines = lines[begin : next((k for k in ends if k > begin), None)]
    found = [[]]
    for line in lines:
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [table for table in found if len(table) > 1]


def cells(line):
    """Return the cells of a line of a table."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def cell(place, row, column, nth=0):
    """Return the numbers in a cell.

    Parameters
    ----------
    place : str
        Path from the root of the repository, and "#section" where it matters.
    row : str
        What the line begins with: one cell or more.
    column : str or int
        Head of the column, or its place where heads repeat.
    nth : int, default=0
        Which of the tables that have such a row and column.

    Returns
    -------
    numbers : list of float

    Raises
    ------
    LookupError
        If there are not so many such tables.
    """
    found = []
    for head, _, *body in tables(place):
        lines = [line for line in body if line.startswith(f"| {row} |")]
        names = cells(head)
        if lines and (isinstance(column, int) or column in names):
            k = column if isinstance(column, int) else names.index(column)
            found.append(numbers(cells(lines[0])[k]))
    if len(found) <= nth:
        raise LookupError(f"{place}: no row {row!r} and column {column!r}, {nth}")
    return found[nth]


def said(page, template):
    """Return the numbers of the one place where a page says something."""
    (found,) = pattern(template).finditer(" ".join(lines_of(page)))
    return [value_of(number) for number in found.groups()]


def span(values):
    """Return the least and the greatest."""
    return [min(values), max(values)]


@cache
def measured():
    """Return what was measured for the Chinese course."""
    return _json("docs/zh/measured.json")


def _json(path):
    return json.loads((ROOT / path).read_text(encoding="utf-8"))


class BundledModel:
    """Files and records of a model in the package.

    Parameters
    ----------
    name : {"en", "zh"}
    card : str
        Path of the page that describes it, without its suffix.
    """

    def __init__(self, name, card):
        directory = ROOT / "skelmo" / "pretrained" / "models" / name
        self.files = list(directory.iterdir())
        self.card = f"{card}.md"
        self.runs = _json(f"{card}/record.json")["runs"]
        self._overlap = _json(f"{card}/overlap.json")
        self.architecture = _json(directory / "config.json")["architecture"]

    def megabytes(self, suffix=""):
        """Return the size of the files whose names end so."""
        files = [file for file in self.files if file.name.endswith(suffix)]
        return sum(file.stat().st_size for file in files) / 1e6

    @property
    def n_weights(self):
        """Return how many weights it has, tied ones once."""
        return self.runs[-1]["n_weights"]

    def perplexity(self, *texts):
        """Return the mean of both directions, and of these texts."""
        by_text = self.runs[-1]["perplexity_by_text"]
        return np.mean([by_text[text][2] for text in texts])

    def overlap(self, what, *texts):
        """Return a count of the search for texts of evaluation sets."""
        return sum(self._overlap[text][what] for text in texts)

    def left_out(self, *texts):
        """Return the share of the tokens that this search left out, in percent."""
        kept = self.overlap("tokens kept", *texts)
        return 100 - 100 * kept / self.overlap("tokens", *texts)
