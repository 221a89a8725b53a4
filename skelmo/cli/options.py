"""What a command line asks for: the options of each command, by their types.

Nothing here imports torch, as little as `arguments` does.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from skelmo.cli.model_parameters import CLASSIFIER, LANGUAGE_MODEL


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """How tables are read.

    Parameters
    ----------
    format : str or None
        None goes by the name of a file.
    no_header : bool
        Whether the first line of a csv or tsv is a row.
    separator : str or None
        Of the columns of a csv or tsv; None is that of the format.
    on_error : {"error", "skip"}
        What a row does that cannot be read.
    """

    format: str | None
    no_header: bool
    separator: str | None
    on_error: str


@dataclass(frozen=True, kw_only=True)
class TrainOptions(TableOptions):
    """Options of `skelmo train`.

    Parameters
    ----------
    format : str or None
        As for `TableOptions`.
    no_header : bool
        As for `TableOptions`.
    separator : str or None
        As for `TableOptions`.
    on_error : {"error", "skip"}
        As for `TableOptions`.
    corpus : list of str
        Files of texts.
    out : Path
        Directory of the model.
    force : bool
        Whether a model there is replaced.
    column : str or None
        Of the texts; None is the only one.
    missing : {"error", "empty"}
    validation : str or None
        File of texts.
    max_time : float or None
        Minutes.
    checkpoint_every : float
        Minutes.
    seed : int
    parameters : dict
        Those of ElmoLanguageModel that have an option and are given.
    set : list of (str, str)
        Names of other ones, and what is given for each.
    threads : int or None
    """

    corpus: list[str]
    out: Path
    force: bool
    column: str | None
    missing: str
    validation: str | None
    max_time: float | None
    checkpoint_every: float
    seed: int
    parameters: dict[str, Any]
    set: list[tuple[str, str]]
    threads: int | None


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(TableOptions):
    """Options of `skelmo evaluate`.

    Parameters
    ----------
    format : str or None
        As for `TableOptions`.
    no_header : bool
        As for `TableOptions`.
    separator : str or None
        As for `TableOptions`.
    on_error : {"error", "skip"}
        As for `TableOptions`.
    model : str
        Directory.
    input : str
        File of texts.
    column : str or None
    missing : {"error", "empty"}
    json : bool
    threads : int or None
    """

    model: str
    input: str
    column: str | None
    missing: str
    json: bool
    threads: int | None


@dataclass(frozen=True, kw_only=True)
class EncodeOptions(TableOptions):
    """Options of `skelmo encode`.

    Parameters
    ----------
    format : str or None
        As for `TableOptions`.
    no_header : bool
        As for `TableOptions`.
    separator : str or None
        As for `TableOptions`.
    on_error : {"error", "skip"}
        As for `TableOptions`.
    input : str
        File of texts.
    out : Path
        File of features; "-" is stdout.
    to : str or None
        Format of it; None goes by its name.
    force : bool
        Whether a file there is replaced.
    tokens : bool
        Whether there is a row for each token.
    model : str
        Directory or name.
    column : str or None
    missing : {"error", "empty", "nan"}
    keep : list of str
        Columns to copy.
    layers : str, int or list of int
    pooling : str or list of str
    precision : str
    device : str or None
    batch : int or None
        Rows in memory at a time.
    threads : int or None
    """

    input: str
    out: Path
    to: str | None
    force: bool
    tokens: bool
    model: str
    column: str | None
    missing: str
    keep: list[str]
    layers: str | int | list[int]
    pooling: str | list[str]
    precision: str
    device: str | None
    batch: int | None
    threads: int | None


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """Options of `skelmo convert`.

    Parameters
    ----------
    source : str
        Directory, archive or name of a model.
    target : Path
        Directory to write.
    to : {"skelmo", "allennlp", "elmoformanylangs"}
    dtype : {"float32", "float16"}
    force : bool
        Whether a model there is replaced.
    """

    source: str
    target: Path
    to: str
    dtype: str
    force: bool


@dataclass(frozen=True, kw_only=True)
class CompareOptions(TableOptions):
    """Options of `skelmo compare`.

    Parameters
    ----------
    format : str or None
        As for `TableOptions`.
    no_header : bool
        As for `TableOptions`.
    separator : str or None
        As for `TableOptions`.
    on_error : {"error", "skip"}
        As for `TableOptions`.
    input : str
        File of texts and labels.
    text : str
        Column of the texts.
    label : str
        Column of the labels.
    out : Path
        Page to write; "-" is stdout.
    force : bool
        Whether a page there is replaced.
    representations : list of str or None
        None is all that can run.
    model : str or None
        Directory of one more model.
    classifier : {"mlp"} or None
    folds : int
    all_labels : bool
        Whether there is no curve.
    cache : str or None
        Directory of results.
    seed : int
    """

    input: str
    text: str
    label: str
    out: Path
    force: bool
    representations: list[str] | None
    model: str | None
    classifier: str | None
    folds: int
    all_labels: bool
    cache: str | None
    seed: int


@dataclass(frozen=True, kw_only=True)
class ClassifyOptions(TableOptions):
    """Options of `skelmo classify`.

    Parameters
    ----------
    format : str or None
        As for `TableOptions`.
    no_header : bool
        As for `TableOptions`.
    separator : str or None
        As for `TableOptions`.
    on_error : {"error", "skip"}
        As for `TableOptions`.
    input : str
        File of texts and labels to train on.
    text : str
        Column of the texts, in all files.
    label : str
        Column of the labels.
    missing : {"error", "empty"}
    test : str or None
        File of texts and labels to report on.
    predict : str or None
        File of texts to predict.
    out : Path or None
        File of the predictions; "-" is stdout.
    force : bool
        Whether a file there is replaced.
    keep : list of str
        Columns to copy beside the predictions.
    probabilities : bool
        Whether there is a column for each class.
    unlabeled : str or None
        File of more texts to read first.
    model : str
        Directory or name.
    checkpoint : Path or None
        Directory.
    max_time : float or None
        Minutes.
    seed : int
    json : bool
    parameters : dict
        Those of ElmoClassifier that have an option and are given.
    set : list of (str, str)
        Names of other ones, and what is given for each.
    threads : int or None
    """

    input: str
    text: str
    label: str
    missing: str
    test: str | None
    predict: str | None
    out: Path | None
    force: bool
    keep: list[str]
    probabilities: bool
    unlabeled: str | None
    model: str
    checkpoint: Path | None
    max_time: float | None
    seed: int
    json: bool
    parameters: dict[str, Any]
    set: list[tuple[str, str]]
    threads: int | None


@dataclass(frozen=True, kw_only=True)
class InfoOptions:
    """Options of `skelmo info`.

    Parameters
    ----------
    model : str
        Directory or name.
    json : bool
    """

    model: str
    json: bool


@dataclass(frozen=True, kw_only=True)
class InspectOptions(TableOptions):
    """Options of `skelmo inspect`.

    Parameters
    ----------
    format : str or None
        As for `TableOptions`.
    no_header : bool
        As for `TableOptions`.
    separator : str or None
        As for `TableOptions`.
    on_error : {"error", "skip"}
        As for `TableOptions`.
    input : str
        File of texts.
    model : str or None
    column : str or None
    """

    input: str
    model: str | None
    column: str | None


_OPTIONS: dict[str, type[Any]] = {
    "train": TrainOptions, "evaluate": EvaluateOptions, "encode": EncodeOptions,
    "convert": ConvertOptions, "compare": CompareOptions, "info": InfoOptions,
    "inspect": InspectOptions, "classify": ClassifyOptions,
}  # fmt: skip
_PARAMETERS = {"train": LANGUAGE_MODEL, "classify": CLASSIFIER}


def options_of(arguments: argparse.Namespace) -> Any:
    """Return the options of a command.

    Parameters
    ----------
    arguments : argparse.Namespace
        As the parser returns it, with the name of the `command`.

    Returns
    -------
    options : TrainOptions, EvaluateOptions and so on
    """
    given = vars(arguments)
    kind = _OPTIONS[arguments.command]
    if arguments.command in _PARAMETERS:
        names = _PARAMETERS[arguments.command]
        parameters = {name: given[name] for name in names if name in given}
        given = {**given, "parameters": parameters}
    return kind(**{field.name: given[field.name] for field in fields(kind)})
