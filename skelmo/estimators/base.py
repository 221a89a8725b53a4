"""What all estimators of documents share."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skelmo.estimators.callbacks import CallbackSupportMixin
from skelmo.estimators.documentation import LinkMixin
from skelmo.models.trained import TrainedModel
from skelmo.nn.device import has_bfloat16
from skelmo.text.scripts import known_scripts, script_counts, script_of
from skelmo.text.sequences import Sequences
from skelmo.text.vocabulary import UNKNOWN
from skelmo.validation import (
    check_column_name,
    column_name,
    is_frame,
    iterate_documents,
    stack_level,
)
from skelmo.version import __version__

TOKENS_LOOKED_AT = 10_000  # to tell the script of texts
KANA_OF_JAPANESE = 0.05  # beside ideographs: in Chinese they stand in names alone
# Of Chinese tokens that a segmenter cut, about half have one character, few have more
# than four.
SINGLE_CHARACTERS, LONG_WORDS = 0.9, 6.0

Method = TypeVar("Method", bound=Callable[..., Any])


def undone_on_failure(fit: Method) -> Method:
    """Have a method that fails, or is interrupted, leave its estimator as it was.

    Parameters
    ----------
    fit : callable
        A method that puts attributes in the place of others, and changes none. What
        scikit-learn puts around it, callbacks among that, belongs inside.

    Returns
    -------
    fit : callable
    """

    @functools.wraps(fit)
    def whole_or_not(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            return fit(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return cast(Method, whole_or_not)


class DocumentEstimator(CallbackSupportMixin, LinkMixin, BaseEstimator):
    """An estimator that reads documents.

    A subclass has the parameters `input` and `missing`. It names those of its own
    that decide what a fitted one gives: they take effect at the next `fit`.
    """

    missing: str
    input: str
    _decisive: tuple[str, ...] = (
        "tokenizer",
        "sentence_splitter",
        "input",
        "missing",
    )

    def __sklearn_tags__(self) -> Tags:
        """Say that documents go in, not a matrix."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = self.missing != "error"
        return tags

    @property
    def _as_set(self) -> SimpleNamespace:
        """The parameters as they are set now."""
        return SimpleNamespace(**self.get_params(deep=False))

    @property
    def _as_fitted(self) -> SimpleNamespace:
        """The parameters, the decisive ones as they were in `fit`."""
        found = self._as_set
        found.__dict__.update(self.__dict__.get("_fitted_with", {}))
        return found

    def _fix_parameters(self) -> None:
        """Fix the parameters that decide what this estimator gives, until refitted."""
        self._fitted_with = {name: getattr(self, name) for name in self._decisive}

    def _read(self, X: Any, parameters: SimpleNamespace) -> Iterator[Any]:
        """Take the documents out of whatever holds them, checked."""
        return iterate_documents(
            X,
            owner=type(self).__name__,
            missing=parameters.missing,
            input=parameters.input,
        )

    def _check(self, X: Any) -> Iterator[Any]:
        """Check documents to transform, and that they come from the same column."""
        check_is_fitted(self)
        owner = type(self).__name__
        if is_frame(X):
            fitted = getattr(self, "feature_names_in_", None)
            check_column_name(column_name(X, owner), fitted, owner)
        return self._read(X, self._as_fitted)

    def _note_column(self, name: str | None, X: Any) -> None:
        """Keep the name of the column that was fitted on, if it had one.

        Features are named by it, but only that of a frame's has to come again.
        """
        self._column = name
        self.__dict__.pop("feature_names_in_", None)
        if name is not None and is_frame(X):
            self.feature_names_in_ = np.array([name], dtype=object)


def checked_version(state: dict[str, Any], owner: str) -> dict[str, Any]:
    """Return the state of an unpickled estimator without its version stamp.

    Parameters
    ----------
    state : dict
    owner : str
        Its class, for the message.

    Returns
    -------
    state : dict

    Warns
    -----
    UserWarning
        If another version of skelmo wrote it.
    """
    state = dict(state)
    found = state.pop("_skelmo_version", __version__)
    if found != __version__:
        warnings.warn(
            f"This {owner} was pickled by skelmo {found}, and skelmo {__version__} "
            f"reads it: features may differ, or fail. Fit it again, or install skelmo "
            f"{found}.",
            UserWarning,
            stacklevel=stack_level(),
        )
    return state


def warn_of_slow_precision(precision: str, device: torch.device, owner: str) -> None:
    """Warn if products in bfloat16 are asked for where nothing is won by them.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        The parameter.
    device : torch.device
    owner : str
        The class that asks, for the message.

    Warns
    -----
    UserWarning
        If this CPU has no instructions for bfloat16.
    """
    if precision == "bfloat16" and not has_bfloat16(device):
        warnings.warn(
            f"{owner} computes in bfloat16, which this CPU has no instructions for: it "
            f"multiplies rounded numbers in float32, which is no faster than float32. "
            f"Set precision='float32'.",
            stacklevel=stack_level(),
        )


def warn_of_misfit(model: TrainedModel, sequences: Sequences, owner: str) -> None:
    """Warn if documents are not of the kind that a language model was trained on.

    Parameters
    ----------
    model : TrainedModel
        Trained before these documents came.
    sequences : Sequences
        A sample of their tokens is looked at.
    owner : str
        The class that asks, for the message.

    Warns
    -----
    UserWarning
        If most tokens are of scripts it hardly knows, or Chinese that is not cut into
        words, as it wants it.
    """
    _warn_of_unread_script(model, sequences, owner)
    _warn_of_unsegmented_chinese(model, sequences, owner)


def _warn_of_unread_script(
    model: TrainedModel, sequences: Sequences, owner: str
) -> None:
    """Warn if more than half of the tokens are of scripts that a vocabulary lacks."""
    rows, tokens = model.indexer.rows, sequences.some_tokens(TOKENS_LOOKED_AT)
    words, half = list(tokens), tokens.total() / 2
    known = model.indexer.word_ids(words) != UNKNOWN
    if not rows or sum(tokens[words[k]] for k in np.flatnonzero(known)) > half:
        return
    scripts = script_counts(tokens)
    del scripts[None]
    for known_script in model.once("scripts", lambda: known_scripts(rows)):
        del scripts[known_script]
    if scripts.total() <= half:
        return
    script = max(scripts, key=scripts.__getitem__)
    kana = scripts["Hiragana"] + scripts["Katakana"]
    remedy = (
        "Set language_model='zh', the Chinese model that comes with skelmo."
        if script == "Han" and kana < KANA_OF_JAPANESE * scripts["Han"]
        else "Pre-train one on such texts, ElmoLanguageModel().fit(texts), and give "
        "that as language_model."
    )
    warnings.warn(
        f"{owner}: {scripts.total() / tokens.total():.0%} of the tokens are of scripts "
        f"that the language model has hardly ever read, most of them {script}, so that "
        f"features say little. {remedy}",
        UserWarning,
        stacklevel=stack_level(),
    )


def _warn_of_unsegmented_chinese(
    model: TrainedModel, sequences: Sequences, owner: str
) -> None:
    """Warn if most tokens are Chinese, and nearly all one character or far too long.

    Without a vocabulary, a model of code points is taken for one of words.
    """
    tokens = sequences.some_tokens(TOKENS_LOOKED_AT)
    scripts = script_counts(tokens)
    n, kana = scripts["Han"], scripts["Hiragana"] + scripts["Katakana"]
    if 2 * n <= scripts.total() - scripts[None] or kana >= KANA_OF_JAPANESE * n:
        return
    chinese = {token: k for token, k in tokens.items() if script_of(token) == "Han"}
    single = sum(k for token, k in chinese.items() if len(token) == 1) / n
    length = sum(k * len(token) for token, k in chinese.items()) / n
    if single < SINGLE_CHARACTERS and length < LONG_WORDS:
        return
    if not model.once("Chinese words", lambda: _reads_chinese_words(model)):
        return
    found = (
        f"{single:.0%} of the Chinese tokens are single characters"
        if single >= SINGLE_CHARACTERS
        else f"Chinese tokens have {length:.0f} characters on average"
    )
    warnings.warn(
        f"{owner}: {found}, but the language model was trained on words, as a "
        f"segmenter cuts them. Set tokenizer to one, as in tokenizer=jieba.lcut of the "
        f"package jieba.",
        UserWarning,
        stacklevel=stack_level(),
    )


def _reads_chinese_words(model: TrainedModel) -> bool:
    rows = model.indexer.rows
    if not rows:
        return model.alphabet is not None
    words = [word for word in rows if script_of(word) == "Han"]
    several = sum(len(word) > 1 for word in words)
    return "Han" in known_scripts(rows) and 2 * several > len(words)
