"""Name or path to model: the one place that knows which formats there are."""

from __future__ import annotations

import os
import re
import zipfile
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from skelmo.files import user_path
from skelmo.pretrained import many_langs_format
from skelmo.pretrained.bilm_format import read_bilm
from skelmo.pretrained.model_files import PICKLES, ModelFiles
from skelmo.pretrained.safetensors_format import read_model
from skelmo.pretrained.saved_model import SavedModel

# Name: directory inside the package.
BUNDLED = {name: Path(__file__).parent / "models" / name for name in ("en", "zh")}

_WHAT_THERE_IS = (
    " Pass a bundled name or the directory of a model of skelmo, AllenNLP, bilm-tf or "
    "ELMoForManyLangs."
)
_CLOSE = 0.6  # as difflib measures it
_PICKLE_SUFFIXES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib")


class _Official(NamedTuple):
    """An English model by the authors of ELMo, which everybody places by hand."""

    stem: str
    aliases: tuple[str, ...]
    known: str = ""

    def files(self) -> str:
        return f"{self.stem}_options.json and {self.stem}_weights.hdf5{self.known}"


# The hash of "original" is that of a copy in a public repository (Git LFS pointer in
# tamu-nlp/Dialogue-Act-Classification); its size is that of the published file.
_OFFICIAL = {
    "small": _Official(
        "elmo_2x1024_128_2048cnn_1xhighway",
        ("small",),
        " (54,402,456 bytes, sha256 "
        "747ba97abce8a5f446558369e10bb0f7931437a46867476fdd156f5d7f576229)",
    ),
    "medium": _Official("elmo_2x2048_256_2048cnn_1xhighway", ("medium",)),
    "original": _Official(
        "elmo_2x4096_512_2048cnn_2xhighway",
        ("original",),
        " (374,434,792 bytes, sha256 "
        "a6b92b9ccbb13fe489faacd2221c795d4bebe84b75f8aded9d85ea464fa5c994)",
    ),
    "original (5.5B)": _Official(
        "elmo_2x4096_512_2048cnn_2xhighway_5.5B", ("original-5.5b", "5.5b")
    ),
}


def find(name_or_path: str | os.PathLike[str]) -> Path:
    """Return where a model lies, if it does: the one rule from what users give.

    Parameters
    ----------
    name_or_path : str or os.PathLike
        A str that is a bundled name means that model; ``"./name"`` and any other
        os.PathLike, ``Path("name")`` too, are paths.

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    TypeError
        If it is neither a str nor a path.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise TypeError(
            "A language model is loaded by a str or a path, got "
            f"{type(name_or_path).__name__} {repr(name_or_path)[:40]}. Give a bundled "
            "name or a directory."
        )
    if isinstance(name_or_path, str) and name_or_path in BUNDLED:
        return BUNDLED[name_or_path]
    return user_path(name_or_path)


def load(name_or_path: str | os.PathLike[str]) -> SavedModel:
    """Load a language model by its bundled name or from its files.

    Parameters
    ----------
    name_or_path : str or os.PathLike
        A bundled name, or else a directory or zip archive with a model of skelmo
        (``config.json``, safetensors), of AllenNLP, bilm-tf or NLPL (JSON options,
        HDF5 weights) or of ELMoForManyLangs (``encoder.pkl`` and more). A bundled name
        wins over a directory of that name; ``"./name"`` is the latter.

    Returns
    -------
    model : SavedModel

    Raises
    ------
    TypeError
        If `name_or_path` is neither a str nor a path.
    FileNotFoundError
        If nothing is there; the message names what is nearest, and for an official
        model where its files go.
    ValueError
        If what is there cannot be read.
    """
    path, given = find(name_or_path), os.fspath(name_or_path)
    if not given or not path.exists():
        raise FileNotFoundError(_nothing_there(given))
    if path.is_file() and (
        path.suffix.lower() in _PICKLE_SUFFIXES or not zipfile.is_zipfile(path)
    ):
        raise ValueError(_single_file(path))
    return _read(path)


def _read(path: Path) -> SavedModel:
    """Read a directory or archive by what it holds."""
    with ModelFiles(path) as files:
        names = files.names
        listing = files.listing()
    is_own = any(name.endswith(".safetensors") for name in names)
    if not is_own and {*names} & {*PICKLES}:
        return many_langs_format.read(path)
    if "config.json" in names:
        return read_model(path)
    if any(name.lower().endswith((".json", ".hdf5", ".h5")) for name in names):
        return read_bilm(path)
    raise ValueError(
        f"{path}: must hold a model of skelmo (config.json, weights.safetensors), of "
        f"AllenNLP or bilm-tf (options.json and one .hdf5 file) or of ELMoForManyLangs "
        f"(encoder.pkl, token_embedder.pkl and more), found {listing}. Give the "
        "directory in which these files lie."
    )


def _single_file(path: Path) -> str:
    if path.suffix.lower() in _PICKLE_SUFFIXES and path.name not in PICKLES:
        return (
            f"{path}: must be a directory or a zip archive, found a file that may hold "
            "a pickle, which skelmo never opens. Convert the weights to safetensors or "
            "HDF5."
        )
    return (
        f"{path}: must be a directory or a zip archive, found a single file. Pass the "
        f"directory that holds it with the model's other files: '{path.parent}'."
    )


def _nothing_there(given: str) -> str:
    bundled = ", ".join(sorted(BUNDLED)) or "none"
    alias = re.sub(r"[^a-z0-9.]+", "-", given.lower()).strip("-")
    for name, official in _OFFICIAL.items():
        if alias.removeprefix("elmo-") in official.aliases or given == official.stem:
            return (
                f"The official model '{name}' is not part of skelmo. Download "
                f"{official.files()}, put both into one directory and pass that "
                f"directory. Bundled models: {bundled}."
            )
    near = _near(given)
    meant = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return (
        f"No language model {given!r}: it is neither a bundled name ({bundled}) nor a "
        f"directory or zip archive.{meant or _WHAT_THERE_IS}"
    )


def _near(given: str) -> list[str]:
    """Return names and places that look as if they were meant, the nearest first."""
    official = [alias for each in _OFFICIAL.values() for alias in each.aliases]
    near = get_close_matches(given.lower(), [*BUNDLED, *official], cutoff=_CLOSE)
    path = user_path(given)
    with suppress(OSError):
        beside = [file.name for file in path.parent.iterdir() if not file.is_file()]
        found = get_close_matches(path.name, beside, cutoff=_CLOSE)
        near += [str(Path(given).with_name(name)) for name in found]
    return near[:3]
