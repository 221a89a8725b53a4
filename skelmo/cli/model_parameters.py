"""Options of the command that are parameters of an estimator."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from skelmo.cli.messages import UsageError


class Parameter(NamedTuple):
    """An option of `skelmo train` or `skelmo classify`."""

    kind: Callable[[str], Any]
    default: Any  # of the estimator, for the help
    metavar: str
    help: str
    choices: tuple[str, ...] | None = None


LANGUAGE_MODEL = {
    "hidden_size": Parameter(int, 512, "N", "size of an LSTM cell"),
    "proj_size": Parameter(int, 128, "N", "size of an LSTM output, each direction"),
    "num_layers": Parameter(int, 2, "N", "LSTM layers"),
    "word_embedding_dim": Parameter(int, 0, "N", "size of a word-level embedding"),
    "init_word_vectors": Parameter(str, None, "FILE", "word vectors to start it from"),
    "min_count": Parameter(int, 2, "N", "rarer words are unknown"),
    "max_vocabulary": Parameter(int, 30_000, "N", "words of the softmax at most"),
    "sequence": Parameter(
        str, "sentence", "", "what is read from a fresh state",
        ("sentence", "document"),
    ),
    "unicode_normalization": Parameter(
        str, "NFC", "FORM", "of Unicode, that texts are put into: NFC or NFKC"
    ),
    "batch_tokens": Parameter(int, 512, "N", "tokens of a training step"),
    "max_epochs": Parameter(int, 10, "N", "passes over the texts at most"),
    "learning_rate_init": Parameter(float, 0.002, "RATE", "rate after the warm-up"),
    "dropout": Parameter(float, 0.1, "SHARE", "share of values dropped"),
    "validation_fraction": Parameter(float, 0.1, "SHARE", "share of texts held out"),
    "n_iter_no_change": Parameter(int, 3, "N", "epochs without a gain that stop it"),
    "init": Parameter(str, None, "DIR", "model to go on from"),
    "device": Parameter(str, "auto", "NAME", "a torch device"),
    "precision": Parameter(
        str, "auto", "", "of matrix products", ("auto", "float32", "bfloat16")
    ),
}  # fmt: skip

CLASSIFIER = {
    "head": Parameter(
        str, "attention", "", "what reads the tokens",
        ("linear", "mlp", "cnn", "attention"),
    ),
    "tune": Parameter(
        str, "all", "", "what is trained beside the head",
        ("all", "top", "mix", "none"),
    ),
    "adapt_epochs": Parameter(
        int, 0, "N", "passes of the language model over all texts, first"
    ),
    "max_iter": Parameter(
        int, "auto", "N", "passes over the labelled texts at most; auto makes more of "
        "few texts",
    ),
    "batch_size": Parameter(int, 32, "N", "texts of a training step"),
    "learning_rate_init": Parameter(float, 0.001, "RATE", "rate of the head"),
    "dropout": Parameter(float, 0.2, "SHARE", "share of values dropped"),
    "class_weight": Parameter(
        str, None, "", "balanced lets rare classes count as much", ("balanced",)
    ),
    "device": Parameter(str, None, "NAME", "a torch device"),
    "precision": Parameter(
        str, "auto", "", "of matrix products", ("auto", "float32", "bfloat16")
    ),
}  # fmt: skip

# Parameters that the commands themselves set, and by which option.
ELSEWHERE = {
    "max_time": "--max-time", "missing": "--missing", "checkpoint": "--out",
    "checkpoint_every": "--checkpoint-every", "random_state": "--seed",
}  # fmt: skip
CLASSIFIER_ELSEWHERE = {
    "language_model": "--model", "max_time": "--max-time", "missing": "--missing",
    "checkpoint": "--checkpoint", "random_state": "--seed",
}  # fmt: skip
_CODE = ("tokenizer", "input", "warm_start", "verbose", "store_weights")
# Those that --set alone gives.
SETTABLE = (
    "activation", "alpha", "cell_clip", "char_embedding_dim", "characters",
    "early_stopping", "filters", "l1", "learning_rate", "lowercase", "max_characters",
    "max_grad_norm", "misspelling", "momentum", "n_highway", "n_samples", "proj_clip",
    "sentence_splitter", "skip_connections", "softmax", "solver", "tie_weights", "tol",
    "warmup", "word_dropout",
)  # fmt: skip
CLASSIFIER_SETTABLE = (
    "alpha", "cache", "checkpoint_every", "early_stopping", "hidden_layer_sizes",
    "kernel_sizes", "l1", "label_smoothing", "learning_rate", "learning_rate_decay",
    "max_batch_tokens", "max_grad_norm", "n_attention_heads", "n_filters",
    "n_iter_no_change", "sentence_splitter", "solver", "tol", "unfreeze",
    "unknown_words", "validation_fraction",
)  # fmt: skip


def flag_of(name: str) -> str:
    """Return the option of a parameter."""
    return "--" + name.replace("_", "-")


def parameters_of(
    given: Mapping[str, Any],
    assignments: Sequence[tuple[str, str]],
    known: Sequence[str],
    elsewhere: Mapping[str, str],
) -> dict[str, Any]:
    """Return the parameters that a command line sets.

    Parameters
    ----------
    given : mapping of str to object
        Values of those that have an option.
    assignments : sequence of (str, str)
        Names of other ones, and the text of each value.
    known : sequence of str
        Names of all parameters of the estimator.
    elsewhere : mapping of str to str
        Those that other options give.

    Returns
    -------
    parameters : dict

    Raises
    ------
    UsageError
        If a parameter does not exist, is set twice or belongs to another option.
    """
    found = dict(given)
    allowed = [name for name in known if name not in {*elsewhere, *_CODE}]
    for name, text in assignments:
        if name in elsewhere:
            raise UsageError(
                f"--set {name}: this parameter is given by {elsewhere[name]}."
            )
        if name not in allowed:
            raise UsageError(
                f"--set {name}: no such parameter. Choose among {', '.join(allowed)}."
            )
        if name in found:
            raise UsageError(f"--set {name}: it is given twice. Leave one out.")
        found[name] = _value(text)
    return found


def _value(text: str) -> Any:
    """Read a Python literal; anything else is a text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
