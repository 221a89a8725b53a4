"""The command line: what can be asked for, with help and examples.

Nothing here, or above it, imports torch: help and a wrong line are answered at once.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from skelmo.cli.examples import EXAMPLES
from skelmo.cli.model_parameters import CLASSIFIER, LANGUAGE_MODEL, Parameter, flag_of
from skelmo.version import __version__

FORMATS = ("csv", "tsv", "jsonl", "parquet", "txt")
POOLINGS = ("mean", "max", "min", "last", "std")
DEFAULT_POOLING = ("mean", "std")
WRITABLE = ("skelmo", "allennlp", "elmoformanylangs")
FEATURE_FORMATS = ("npy", "npz", "csv", "parquet")

_DESCRIPTION = "ELMo language models: train, evaluate, encode with them."
_EPILOG = """\
FILE is csv, tsv, jsonl, parquet or txt (a line is a document), also with .gz, .bz2,
.xz or .zst after it; "-" is stdin, with --format. A file or model that is there is
replaced with --force only. `skelmo COMMAND --help` shows examples.

exit codes: 0 done, 1 error, 2 wrong command line, 130 interrupted (Ctrl-C), 141 the
reader of the output has gone
"""


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"skelmo: error: {message}. See {self.prog} --help\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line.

    Returns
    -------
    parser : argparse.ArgumentParser
        It sets `command`, the module of this package whose `run` does the work.
    """
    parser = _Parser(
        prog="skelmo",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skelmo {__version__}")
    _add_debug(parser)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (
        _add_train, _add_evaluate, _add_encode, _add_convert, _add_compare,
        _add_classify, _add_info, _add_inspect,
    ):  # fmt: skip
        add(commands)
    return parser


def _command(commands: Any, name: str, help: str) -> _Parser:
    parser: _Parser = commands.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog=f"examples:\n{EXAMPLES[name]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=name)
    _add_debug(parser)
    return parser


def _add_debug(parser: _Parser) -> None:
    parser.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show the traceback of an error",
    )


def _add_table(parser: _Parser, column: bool = True) -> None:
    """Add how a table is read."""
    if column:
        parser.add_argument(
            "--column",
            metavar="COL",
            help="column of the texts: its name, or its number counted from 1; not "
            "needed where there is one",
        )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="format of the input, if its name does not tell; stdin needs it",
    )
    parser.add_argument(
        "--no-header",
        action="store_true",
        help="the first line of a csv or tsv is a row: its columns are 1, 2 and so on",
    )
    parser.add_argument(
        "--separator",
        type=_separator,
        metavar="CHAR",
        help="character between the columns of a csv or tsv, or the word tab (default: "
        "a comma; for tsv a tab)",
    )
    parser.add_argument(
        "--on-error",
        choices=("error", "skip"),
        default="error",
        help="what a row does that cannot be read or has no text: end the command, or "
        "be passed over and told of (default: error)",
    )


def _add_missing(parser: _Parser, choices: tuple[str, ...], help: str) -> None:
    parser.add_argument("--missing", choices=choices, default="error", help=help)


def _add_parameters(
    parser: _Parser, owner: str, parameters: Mapping[str, Parameter]
) -> None:
    """Add those of an estimator."""
    group = parser.add_argument_group(f"parameters of {owner}")
    for name, parameter in parameters.items():
        default = (
            "" if parameter.default is None else f" (default: {parameter.default})"
        )
        group.add_argument(
            flag_of(name),
            type=parameter.kind,
            choices=parameter.choices,
            default=argparse.SUPPRESS,
            metavar=None if parameter.choices else parameter.metavar,
            help=parameter.help + default,
        )
    group.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other parameter, by its name in Python",
    )


def _add_max_time(parser: _Parser) -> None:
    parser.add_argument(
        "--max-time",
        type=_minutes,
        metavar="MINUTES",
        help="minutes of training at most",
    )


def _add_keep(parser: _Parser) -> None:
    parser.add_argument(
        "--keep", nargs="+", action="extend", default=[], metavar="COL",
        help="columns to copy to a csv or parquet file; give them after the files",
    )  # fmt: skip


def _add_model(parser: _Parser) -> None:
    parser.add_argument(
        "--model", default="en", metavar="DIR", help="directory or name of a model "
        "(default: en, the English one that comes with skelmo; zh is the Chinese one)",
    )  # fmt: skip


def _add_seed(parser: _Parser) -> None:
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of all that is random "
        "(default: 0)"
    )  # fmt: skip


def _add_threads(parser: _Parser) -> None:
    parser.add_argument(
        "--threads", type=_positive, metavar="N", help="threads to compute with"
    )


def _add_force(parser: _Parser, help: str) -> None:
    parser.add_argument("--force", action="store_true", help=help)


def _positive(text: str) -> int:
    with suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise argparse.ArgumentTypeError(f"must be a number from 1 on, got {text!r}")


def _minutes(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")


def _separator(text: str) -> str:
    separator = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(separator) != 1 or separator in '"\r\n':
        raise argparse.ArgumentTypeError(
            f"must be one character such as ; or |, or the word tab, got {text!r}"
        )
    return separator


def _layers(text: str) -> str | int | list[int]:
    if text in ("mean", "top", "concat"):
        return text
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be mean, top, concat or numbers such as 2 or 0,2, got {text!r}"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


def _poolings(text: str) -> str | list[str]:
    names = text.split(",")
    if not set(names) <= set(POOLINGS) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(
            f"must be one of {', '.join(POOLINGS)}, or several as in mean,max, got "
            f"{text!r}"
        )
    return names[0] if len(names) == 1 else names


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, got {text!r}")
    return name, value


def _add_train(commands: Any) -> None:
    parser = _command(commands, "train", "pre-train a language model on texts")
    parser.add_argument("corpus", nargs="+", metavar="CORPUS", help="files of texts")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="directory to save to"
    )
    _add_force(parser, "replace a model that DIR holds")
    _add_table(parser)
    _add_missing(parser, ("error", "empty"), "empty passes over rows without a text")
    parser.add_argument(
        "--validation",
        metavar="FILE",
        help="texts to validate with, in place of held out ones",
    )
    _add_max_time(parser)
    parser.add_argument(
        "--checkpoint-every",
        type=_minutes,
        default=2.0,
        metavar="MINUTES",
        help="minutes between checkpoints (default: 2)",
    )
    _add_seed(parser)
    _add_parameters(parser, "ElmoLanguageModel", LANGUAGE_MODEL)
    _add_threads(parser)


def _add_evaluate(commands: Any) -> None:
    parser = _command(commands, "evaluate", "measure the perplexity of texts")
    parser.add_argument("model", metavar="DIR", help="directory of a model")
    parser.add_argument("input", metavar="FILE", help="texts")
    _add_table(parser)
    _add_missing(parser, ("error", "empty"), "empty passes over rows without a text")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _add_threads(parser)


def _add_encode(commands: Any) -> None:
    parser = _command(commands, "encode", "turn texts into features")
    parser.add_argument("input", metavar="FILE", help="texts")
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="file to write: .npy, .npz (an array "
        "called features), .csv or .parquet; - is stdout, as csv"
    )  # fmt: skip
    parser.add_argument(
        "--to",
        choices=FEATURE_FORMATS,
        help="format of OUT, if its name does not tell",
    )
    _add_force(parser, "replace OUT if it is there")
    _add_model(parser)
    _add_table(parser)
    _add_missing(
        parser, ("error", "empty", "nan"), "what a row without a text gives: an error, "
        "zeros or nan"
    )  # fmt: skip
    _add_keep(parser)
    parser.add_argument(
        "--tokens",
        action="store_true",
        help="a row for each token, without pooling, in a csv or parquet file",
    )
    parser.add_argument(
        "--layers",
        type=_layers,
        default="concat",
        help="mean, top, concat, or numbers as in 0,2 (default: concat)",
    )
    parser.add_argument(
        "--pooling",
        type=_poolings,
        default=list(DEFAULT_POOLING),
        help="mean, max, min, last, std, or several (default: mean,std)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
    )
    parser.add_argument("--device", metavar="NAME", help="a torch device, as cpu")
    parser.add_argument(
        "--batch", type=_positive, metavar="ROWS",
        help="rows in memory at a time (default: 4096; with --tokens 128)",
    )  # fmt: skip
    _add_threads(parser)


def _add_convert(commands: Any) -> None:
    parser = _command(commands, "convert", "write a model in another format")
    parser.add_argument("source", metavar="SRC", help="directory or zip of a model")
    parser.add_argument("target", type=Path, metavar="DST", help="directory to write")
    parser.add_argument("--to", choices=WRITABLE, default="skelmo")
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    _add_force(parser, "replace a model that DST holds")


def _add_compare(commands: Any) -> None:
    parser = _command(commands, "compare", "compare representations of labelled texts")
    parser.add_argument("input", metavar="FILE", help="texts and labels")
    parser.add_argument("--text", required=True, metavar="COL", help="column of texts")
    parser.add_argument("--label", required=True, metavar="COL", help="their classes")
    _add_table(parser, column=False)
    parser.add_argument(
        "--out", type=Path, default=Path("comparison.html"), metavar="HTML",
        help="page to write (default: comparison.html); - is stdout",
    )  # fmt: skip
    _add_force(parser, "replace a page that is there")
    parser.add_argument(
        "--representations", nargs="+", metavar="NAME", help="as tfidf word2vec glove "
        "elmo-own elmo-tuned; by default all that can run but the last"
    )  # fmt: skip
    parser.add_argument(
        "--model", metavar="DIR", help="also compare the model there, as elmo-DIR"
    )
    parser.add_argument(
        "--classifier",
        choices=("mlp",),
        help="mlp: a neural network; by default logistic regression",
    )
    parser.add_argument("--folds", type=_positive, default=5, metavar="N")
    parser.add_argument(
        "--all-labels", action="store_true", help="draw no curve with fewer labels"
    )
    parser.add_argument(
        "--cache", metavar="DIR", help="keep results there, so that an interrupted "
        "comparison goes on"
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N")


def _add_classify(commands: Any) -> None:
    parser = _command(commands, "classify", "train a classifier of texts and use it")
    parser.add_argument("input", metavar="FILE", help="texts and labels to train on")
    parser.add_argument("--text", required=True, metavar="COL", help="column of texts")
    parser.add_argument("--label", required=True, metavar="COL", help="their classes")
    _add_table(parser, column=False)
    _add_missing(
        parser, ("error", "empty"), "empty takes a row without a text as an empty one"
    )
    parser.add_argument(
        "--test", metavar="FILE", help="texts and labels to report on: accuracy, "
        "precision, recall, F1, and which classes are taken for which"
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--predict", metavar="FILE", help="texts to predict")
    parser.add_argument(
        "--out", type=Path, metavar="OUT", help="file of the predictions: .csv or "
        ".parquet; - is stdout, as csv"
    )  # fmt: skip
    _add_force(parser, "replace OUT if it is there")
    _add_keep(parser)
    parser.add_argument(
        "--probabilities", action="store_true", help="add a column for each class"
    )
    parser.add_argument(
        "--unlabeled", metavar="FILE", help="more texts to read first, with "
        "--adapt-epochs"
    )  # fmt: skip
    _add_model(parser)
    parser.add_argument(
        "--checkpoint", type=Path, metavar="DIR", help="directory for a training that "
        "goes on when interrupted"
    )  # fmt: skip
    _add_max_time(parser)
    _add_seed(parser)
    _add_parameters(parser, "ElmoClassifier", CLASSIFIER)
    _add_threads(parser)


def _add_info(commands: Any) -> None:
    parser = _command(commands, "info", "describe a model")
    parser.add_argument("model", metavar="DIR", help="directory or name of a model")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_inspect(commands: Any) -> None:
    parser = _command(commands, "inspect", "report what may be wrong with texts")
    parser.add_argument("input", metavar="FILE", help="texts")
    parser.add_argument(
        "--model", metavar="DIR", help="also report what this model makes of them"
    )
    _add_table(parser)
