"""The dictionaries of ELMoForManyLangs: lines of an entry, a tab and its number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skelmo.text.codepoints import MARKERS, other_name

CHARACTERS, WORDS = "char.dic", "word.dic"
_PAD = "<pad>"
SPECIAL_WORDS = ("<bos>", "<eos>", "<oov>", _PAD)  # in the order of a vocabulary here
_SPACE = "\u3000"  # an entry of white space, which their reader strips from the line
_ONE_ARCHIVE = "Take all files of one archive."


class Dictionary(NamedTuple):
    """Entries with the rows of the weights that they have."""

    entries: list[str]  # in the order in which a model here has them
    rows: NDArray[np.int64]  # of the file's weights, in that order


def read_dictionary(path: Path, *, shown: str, special: Sequence[str]) -> Dictionary:
    """Read a dictionary.

    Parameters
    ----------
    path : pathlib.Path
    shown : str
        The file, as messages name it.
    special : sequence of str
        Entries that must be there; they come first.

    Returns
    -------
    dictionary : Dictionary
        An entry that stands there twice has the later number: the earlier row comes
        first, so that who looks an entry up finds the other.

    Raises
    ------
    ValueError
        If it is not UTF-8, a line is none of a dictionary, or an entry is missing.
    """
    entries: dict[int, str] = {}
    number_of: dict[str, int] = {}
    for n, line in enumerate(_lines(path, shown), 1):
        entry, number = _parse(line, n, shown)
        if number in entries:
            raise ValueError(
                f"{shown}: line {n} gives the number {number} a second time, to "
                f"{entry[:40]!r} after {entries[number][:40]!r}. {_ONE_ARCHIVE}"
            )
        entries[number] = entry
        number_of[entry] = number
    missing = next((k for k in range(len(entries)) if k not in entries), None)
    if missing is not None:
        raise ValueError(
            f"{shown}: its {len(entries):,} entries must be numbered from 0 on, found "
            f"none with the number {missing}. {_ONE_ARCHIVE}"
        )
    for entry in special:
        if entry not in number_of:
            raise ValueError(
                f"{shown}: must hold the entry {entry!r}, found {len(entries):,} "
                f"others; {CHARACTERS} and {WORDS} may have been swapped. "
                f"{_ONE_ARCHIVE}"
            )
    first = [number_of[entry] for entry in special]
    later = {*first}
    hidden = [k for k, entry in sorted(entries.items()) if number_of[entry] != k]
    later |= {*hidden}
    rows = [*first, *hidden, *(k for k in range(len(entries)) if k not in later)]
    return Dictionary([entries[k] for k in rows], np.array(rows, dtype=np.int64))


def vocabulary_of(words: Dictionary) -> list[str]:
    """Return the entries of `WORDS` as a vocabulary, special words first."""
    return [other_name(entry) for entry in words.entries]


def alphabet_of(characters: Dictionary) -> list[str]:
    """Return the entries of `CHARACTERS` without the markers."""
    return characters.entries[len(MARKERS) :]


def words_to_write(vocabulary: list[str]) -> Dictionary:
    """Return the dictionary of a vocabulary, numbered as their trainer does.

    Parameters
    ----------
    vocabulary : list of str

    Returns
    -------
    dictionary : Dictionary
        With the padding, which has the row after the last one if no word has it.
    """
    entries = [other_name(word) for word in vocabulary]
    if _PAD not in entries:
        entries.append(_PAD)
    order = [entries.index(entry) for entry in ("<oov>", "<bos>", "<eos>", _PAD)]
    order += [k for k in range(len(entries)) if k not in {*order}]
    return Dictionary(entries, np.argsort(order))


def characters_to_write(alphabet: list[str]) -> Dictionary:
    """Return the dictionary of an alphabet, the markers at its end.

    Parameters
    ----------
    alphabet : list of str

    Returns
    -------
    dictionary : Dictionary
    """
    entries = [*MARKERS, *alphabet]
    rows = (np.arange(len(entries)) - len(MARKERS)) % len(entries)
    return Dictionary(entries, rows)


def dictionary_bytes(dictionary: Dictionary, *, shown: str) -> bytes:
    """Return the file of a dictionary.

    Parameters
    ----------
    dictionary : Dictionary
    shown : str
        The file, as messages name it.

    Returns
    -------
    content : bytes

    Raises
    ------
    ValueError
        If an entry would be read as another one.
    """
    lines = []
    for number, k in enumerate(np.argsort(dictionary.rows).tolist()):
        entry = dictionary.entries[k]
        line = f"{entry}\t{number}"
        if not _is_read_back(line, entry):
            raise ValueError(
                f"{shown}: the format of ELMoForManyLangs cannot hold the entry "
                f"{entry[:40]!r}, of white space, line breaks or half a character. "
                "Save the model in skelmo's own format."
            )
        lines.append(f"{line}\n")
    return "".join(lines).encode()


def _is_read_back(line: str, entry: str) -> bool:
    """Tell whether their reader, which breaks lines as str.splitlines, finds it."""
    fields = line.strip().split("\t")
    same = fields[0] == entry if len(fields) == 2 else entry == _SPACE
    halves = any("\ud800" <= character <= "\udfff" for character in entry)
    return same and len(line.splitlines()) == 1 and not halves


def _lines(path: Path, shown: str) -> list[str]:
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown}: must be UTF-8, but {error}. {_ONE_ARCHIVE}") from (
            error
        )
    # At line feeds alone: an entry may hold other characters that break lines.
    return text.removesuffix("\n").split("\n") if text else []


def _parse(line: str, n: int, shown: str) -> tuple[str, int]:
    entry, _, number = line.rpartition("\t")
    if "\t" in entry or not re.fullmatch(r"[0-9]{1,9}", number.strip()):
        raise ValueError(
            f"{shown}: line {n} must be an entry, a tab and its number, found "
            f"{line[:40]!r}. {_ONE_ARCHIVE}"
        )
    # As their reader, which strips the line; but white space that breaks their lines,
    # so that they cannot read it at all, is what it is.
    stripped = entry.lstrip()
    is_line_break = bool(entry) and entry.splitlines() != [entry]
    return stripped or (entry if is_line_break else _SPACE), int(number)
