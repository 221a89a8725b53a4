"""From texts to a report of what may go wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import HasMethods, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from skelmo.encoding.features import Features
from skelmo.encoding.layer_choice import LayerChoice
from skelmo.estimators.language_model import ElmoLanguageModel, shared_model
from skelmo.estimators.vectorizer import ElmoVectorizer
from skelmo.inspection.cost import estimate
from skelmo.inspection.counts import (
    long_tokens,
    quantiles_of,
    script_shares,
    token_counts,
    unseen_tokens,
)
from skelmo.inspection.damage import DamageCounter
from skelmo.inspection.report import TextReport
from skelmo.text.analysis import Analyzer
from skelmo.text.distinct import index_distinct
from skelmo.validation import iterate_documents

_OWNER = "inspect_text"


@validate_params(
    {
        "language_model": [
            str,
            os.PathLike,
            ElmoLanguageModel,
            HasMethods("transform_tokens"),
            FrozenEstimator,
            None,
        ],
        "tokenizer": [callable, None],
        "sentence_splitter": [callable, StrOptions({"lines"}), None],
        "input": [StrOptions({"text", "tokens"}), None],
    },
    prefer_skip_nested_validation=True,
)
def inspect_text(
    X: Any,
    language_model: str
    | os.PathLike[str]
    | ElmoLanguageModel
    | FrozenEstimator
    | ElmoVectorizer
    | None = None,
    *,
    tokenizer: Callable[[str], Iterable[str]] | None = None,
    sentence_splitter: Callable[[str], Iterable[str]] | str | None = None,
    input: str | None = None,
) -> TextReport:
    """Report what may go wrong with texts, before they are encoded or trained on.

    Parameters
    ----------
    X : iterable of str
        Documents, as `ElmoVectorizer` takes them. They are read once and not kept;
        missing ones are counted.
    language_model : str, os.PathLike, ElmoLanguageModel, FrozenEstimator, \
ElmoVectorizer or None, default=None
        A directory or zip archive with a model, or a fitted model or vectorizer. None
        leaves out what depends on one: cut and unseen tokens, time and memory.
    tokenizer : callable, default=None
        From a sentence (str) to a list of str; None takes the language model's.
    sentence_splitter : callable or "lines", default=None
        From a document (str) to a list of str; None takes the language model's.
    input : {"text", "tokens"}, default=None
        Whether a document is a str, or a list of tokens or of lists of tokens; None
        takes the vectorizer's, or else "text".

    Returns
    -------
    report : TextReport
        To be printed; a notebook shows it as a table.

    Notes
    -----
    Time is linear in the text. To estimate the time of encoding, a sample of the
    sequences goes through the network, for about a second; no cache is asked.

    Examples
    --------
    >>> from skelmo.inspection import inspect_text
    >>> report = inspect_text(["The cat sat.", "", None, "The cat sat.", "CafÃ© <br>"])
    >>> report.n_missing, report.n_empty, report.n_duplicates
    (1, 1, 1)
    >>> report.damage["mojibake"]
    Occurrences(n=1, n_documents=1)
    """
    model, vectorizer = _resolve(language_model, tokenizer, sentence_splitter)
    analyze = Analyzer() if model is None else model.analyzer
    if vectorizer is not None:
        analyze = vectorizer.features_.analyzer
    analyze = replace(
        analyze,
        tokenizer=tokenizer or analyze.tokenizer,
        sentence_splitter=sentence_splitter or analyze.sentence_splitter,
        input=input or (analyze.input if vectorizer is not None else "text"),
    )
    features = None
    if model is not None and vectorizer is None:
        # As a vectorizer has them by default.
        layers = LayerChoice(tuple(range(model.config_.n_layers)))
        features = Features(model.model_, analyze, layers, ("mean", "std"))
    elif vectorizer is not None:
        features = vectorizer.features_
    documents = iterate_documents(X, owner=_OWNER, missing="empty", input=analyze.input)
    damage = DamageCounter()
    distinct = index_distinct(damage.watch(documents), analyze)
    present = distinct.place[distinct.place >= 0]
    sequences = distinct.sequences
    n_sequences = np.diff(sequences.document_offsets)
    n_tokens = (np.diff(sequences.document_starts) - 2 * n_sequences)[present]
    counts = token_counts(distinct)
    return TextReport(
        n_documents=len(distinct.place),
        n_missing=len(distinct.place) - len(present),
        n_empty=int((n_tokens == 0).sum()),
        n_near_empty=int(((n_tokens == 1) | (n_tokens == 2)).sum()),
        n_duplicates=len(present) - len(distinct.keys),
        n_types=int(np.count_nonzero(counts)),
        tokens=quantiles_of(n_tokens),
        sentences=quantiles_of(n_sequences[present]),
        scripts=script_shares(sequences.tokens, counts),
        damage=damage.found,
        cut=None if model is None else long_tokens(distinct, counts, model),
        unseen=None
        if model is None
        else unseen_tokens(sequences.tokens, counts, model),
        estimate=None if features is None else estimate(distinct, features),
    )


def _resolve(
    given: Any, tokenizer: Any, sentence_splitter: Any
) -> tuple[ElmoLanguageModel | None, ElmoVectorizer | None]:
    """Return the language model, and the vectorizer that it came in."""
    if isinstance(given, str | os.PathLike):
        own = {"tokenizer": tokenizer, "sentence_splitter": sentence_splitter}
        own = {name: value for name, value in own.items() if value is not None}
        return shared_model(given, own), None
    if isinstance(given, FrozenEstimator):
        given = given.estimator
    if given is None or isinstance(given, ElmoLanguageModel):
        if given is not None:
            check_is_fitted(given, "network_")
        return given, None
    if not hasattr(given, "transform_tokens"):
        raise TypeError(
            f"The 'language_model' parameter of {_OWNER} must freeze an "
            f"ElmoLanguageModel or an ElmoVectorizer, got "
            f"FrozenEstimator({type(given).__name__}). Freeze a fitted one of these."
        )
    check_is_fitted(given, "language_model_")
    return given.language_model_, given
