"""What transformers by static word vectors share: all but how vectors are learned."""

from __future__ import annotations

import os
import warnings
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skelmo.baselines.vector_files import read_vectors, write_vectors
from skelmo.baselines.word_rows import UNKNOWN, Indexed, WordRows, index_part
from skelmo.estimators.base import DocumentEstimator, undone_on_failure
from skelmo.estimators.callbacks import fit_task
from skelmo.text.analysis import Analyzer
from skelmo.text.documents import stream_documents
from skelmo.text.sequences import CHUNK
from skelmo.text.vocabulary import build_vocabulary
from skelmo.validation import (
    check_corpus_size,
    check_not_empty,
    column_name,
    stack_level,
)

# From word indices, counts of the words and a seed to their vectors.
Train = Callable[[WordRows, list[str], NDArray[np.int64], int], NDArray[np.float32]]

NEARLY_ALL = 0.9  # of so many tokens, without a vector: a warning
ENOUGH_TOKENS = 100
MANY_CASED = 0.1  # of the words, with capitals where none are looked up: a warning
_N_SPECIAL = len(build_vocabulary(Counter()))

COMMON: dict[str, list[Any]] = {
    "vectors": [str, os.PathLike, None],
    "vector_size": [Interval(Integral, 1, None, closed="left")],
    "window": [Interval(Integral, 1, None, closed="left")],
    "min_count": [Interval(Integral, 1, None, closed="left")],
    "max_vocabulary": [Interval(Integral, 1, None, closed="left"), None],
    "lowercase": ["boolean"],
    "weighting": [StrOptions({"mean", "sif"})],
    "sif_a": [Interval(Real, 0, None, closed="neither")],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "tokenizer": [callable, None],
    "sentence_splitter": [callable, StrOptions({"lines"}), None],
    "input": [StrOptions({"text", "tokens"})],
    "missing": [StrOptions({"error", "empty", "nan"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


class StaticVectorizer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DocumentEstimator
):
    """Turn documents into means of their words' vectors.

    A subclass names the parameters in its constructor, those of `COMMON` among them,
    and learns the vectors.
    """

    _parameter_constraints: dict[str, list[Any]] = COMMON
    _decisive = (*DocumentEstimator._decisive, "lowercase", "weighting", "sif_a")

    @undone_on_failure
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> StaticVectorizer:
        """Learn the vectors of words, or read them, and count the words.

        Parameters
        ----------
        X : iterable of str, or os.PathLike
            Documents: a list, Series, array, generator or a frame of one column; or the
            path of a text file with a document on each line, packed or not. It is read
            once; more than 64 MiB of token indices are kept in a temporary file.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : estimator

        Warns
        -----
        UserWarning
            If nine of ten tokens, of a hundred or more, have no vector in a file, or
            one of ten words there has capitals and words are looked up in lower case.
        """
        self._fit(X, y)
        return self

    @undone_on_failure
    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any = None) -> NDArray[np.float32]:
        """Fit, then transform the same documents, which are read once.

        Parameters
        ----------
        X : iterable of str, or os.PathLike
            As for `fit`.
        y : object, default=None
            Ignored.

        Returns
        -------
        features : ndarray of shape (n_documents, vector_size), float32
        """
        return self._means(self._fit(X, y))

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the mean vector of each document.

        Parameters
        ----------
        X : iterable of str
            Of an iterator, only a part is in memory at a time.

        Returns
        -------
        features : ndarray of shape (n_documents, vector_size), float32
            Zeros for a document without a known word.
        """
        found = [self._means(part) for part in self._parts(X)]
        return np.concatenate(found)

    def transform_tokens(self, X: Any) -> list[NDArray[np.float32]]:
        """Return the vector of every token, unweighted.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        features : list of ndarray of shape (n_tokens, vector_size), float32
            One array per document; row k belongs to token k of `tokenize`, and is zero
            if that has no vector.
        """
        return [
            np.where((rows == UNKNOWN)[:, None], np.float32(0), self.vectors_[rows])
            for part in self._parts(X)
            for rows in self._word_rows(part).document_rows()
        ]

    def tokenize(self, X: Any) -> list[list[str]]:
        """Return the tokens of each document, before they are looked up.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        tokens : list of list of str
            Empty for a missing document.
        """
        documents = self._check(X)
        return _analyzer(self._as_fitted).tokens(documents)

    def oov_rate(self, X: Any) -> float:
        """Return the share of tokens that have no vector.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        rate : float
            From 0 to 1; 0 if there is no token.
        """
        n_tokens = n_unknown = 0
        for part in self._parts(X):
            counts = part.token_counts
            unknown = self._word_rows(part).row_of_token == UNKNOWN
            n_tokens += int(counts.sum())
            n_unknown += int(counts[unknown].sum())
        return n_unknown / max(n_tokens, 1)

    def most_similar(self, word: str, n: int = 10) -> list[tuple[str, float]]:
        """Return the words whose vectors point most nearly the same way.

        Parameters
        ----------
        word : str
            A word of `vocabulary_`; put in lower case if `lowercase` is set.
        n : int, default=10
            How many words.

        Returns
        -------
        words : list of (str, float)
            Words and their cosines, the nearest first, without `word` itself.

        Raises
        ------
        ValueError
            If the word has no vector.
        """
        check_is_fitted(self, "vectors_")
        row = self._rows.get(word.lower() if self._as_fitted.lowercase else word)
        if row is None:
            raise ValueError(
                f"{type(self).__name__} has no vector of {word!r:.40}. Ask for one of "
                f"the {len(self.vocabulary_)} words in vocabulary_."
            )
        lengths = np.linalg.norm(self.vectors_, axis=1)
        lengths[lengths == 0] = 1
        cosines = self.vectors_ @ (self.vectors_[row] / lengths[row]) / lengths
        order = np.argsort(-cosines, kind="stable")
        nearest = order[order != row][:n].tolist()
        return [(self.vocabulary_[k], float(cosines[k])) for k in nearest]

    def save_vectors(self, path: str | os.PathLike[str]) -> None:
        """Write words and vectors in word2vec's format, text or binary.

        Parameters
        ----------
        path : str or os.PathLike
            A name that ends in ".bin" makes it binary; ".gz" behind either packs it.
            An old file of that name is replaced when the new one is complete.

        Raises
        ------
        ValueError
            If a word holds white space or cannot be written in UTF-8.
        """
        check_is_fitted(self, "vectors_")
        owner = type(self).__name__
        write_vectors(path, self.vocabulary_, self.vectors_, owner)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the features: column, class and a number.

        Parameters
        ----------
        input_features : array-like of str or None
            Only checked: must be `feature_names_in_`, where there is one.

        Returns
        -------
        names : ndarray of shape (vector_size,), object
            As "text_glovevectorizer0", or "glovevectorizer0" if `fit` was given no
            column that has a name.
        """
        check_is_fitted(self, "vectors_")
        _check_feature_names_in(self, input_features, generate_names=False)
        names = super().get_feature_names_out(input_features)
        column = self.__dict__.get("_column")
        return names if column is None else f"{column}_" + names

    def __sklearn_tags__(self) -> Tags:
        """Say that dense float32 comes out."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.vectors_.shape[1]

    @abstractmethod
    def _trainer(self) -> Train:
        """Return a function that trains, or raise if it cannot."""

    def _fit(self, X: Any, y: Any) -> Indexed:
        """Fit; return the documents."""
        owner = type(self).__name__
        documents = stream_documents(
            X, owner=owner, missing=self.missing, input=self.input
        )
        name = None if isinstance(X, os.PathLike) else column_name(X, owner)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with fit_task(self, X, y):
            # Before the documents, which may take hours to read.
            train = given = None
            if self.vectors is None:
                train = self._trainer()
            else:
                given = read_vectors(self.vectors, self.max_vocabulary)
            indexed = index_part(documents, _analyzer(self))
            check_not_empty(len(indexed.present), owner)
            self._note_column(name, X)
            self._fix_parameters()
            if train is not None:
                self._learn(indexed, train, seed)
            elif given is not None:
                self.vocabulary_, self.vectors_ = given
                self.__dict__.pop("loss_curve_", None)  # of vectors learned before
                self._count(indexed)
                self._warn_of_other_words(owner)
        return indexed

    def _learn(self, indexed: Indexed, train: Train, seed: int) -> None:
        """Choose the words and learn their vectors."""
        owner = type(self).__name__
        counts = indexed.token_counts
        check_corpus_size(int(counts.sum()), owner)
        tokens = indexed.sequences.tokens
        at_most = self.max_vocabulary
        words = build_vocabulary(
            Counter(dict(zip(tokens, counts.tolist(), strict=True))),
            min_count=max(1, self.min_count),
            max_vocabulary=None if at_most is None else at_most + _N_SPECIAL,
            lowercase=self.lowercase,
        )
        self.vocabulary_ = words[_N_SPECIAL:]
        if not self.vocabulary_:
            raise ValueError(
                f"{owner} found no word that occurs min_count={self.min_count} times "
                f"in {counts.sum()} tokens. Lower min_count, or pass more text."
            )
        self._count(indexed)
        corpus = self._word_rows(indexed)
        self.vectors_ = train(corpus, self.vocabulary_, self.word_counts_, seed)

    def _count(self, indexed: Indexed) -> None:
        """Count the words, and the tokens that are none."""
        self._rows = {word: row for row, word in enumerate(self.vocabulary_)}
        counts = indexed.token_counts
        rows = self._word_rows(indexed).row_of_token
        known = rows != UNKNOWN
        self.word_counts_ = np.zeros(len(self.vocabulary_), dtype=np.int64)
        np.add.at(self.word_counts_, rows[known], counts[known])
        self.n_tokens_ = int(counts.sum())
        self.oov_rate_ = 1 - int(self.word_counts_.sum()) / max(self.n_tokens_, 1)
        if not self.n_tokens_:
            self.oov_rate_ = 0.0

    def _warn_of_other_words(self, owner: str) -> None:
        """Warn if the words of a file are hardly those of the documents."""
        n_cased = sum(word != word.lower() for word in self.vocabulary_)
        n_words = len(self.vocabulary_)
        if self.lowercase and n_cased > MANY_CASED * n_words:
            warnings.warn(
                f"{owner} looks up words in lower case, but {n_cased} of the {n_words} "
                f"words in {self.vectors} have capitals, and are never found. Set "
                f"lowercase=False.",
                stacklevel=stack_level(),
            )
        if self.oov_rate_ > NEARLY_ALL and self.n_tokens_ >= ENOUGH_TOKENS:
            warnings.warn(
                f"{owner} has no vector in {self.vectors} for {self.oov_rate_:.1%} of "
                f"the {self.n_tokens_} tokens. Give vectors of the same language, "
                f"tokenisation and case.",
                stacklevel=stack_level(),
            )

    def _word_rows(self, indexed: Indexed) -> WordRows:
        return WordRows(indexed, self._rows, self._as_fitted.lowercase)

    def _means(self, indexed: Indexed) -> NDArray[np.float32]:
        fitted, weights = self._as_fitted, None
        if fitted.weighting == "sif":
            shares = self.word_counts_ / max(self.n_tokens_, 1)
            weights = (fitted.sif_a / (fitted.sif_a + shares)).astype(np.float32)
        means = self._word_rows(indexed).means(self.vectors_, weights)
        if fitted.missing == "nan":
            means[~indexed.present] = np.nan
        return means

    def _parts(self, X: Any) -> Iterator[Indexed]:
        """Index documents part by part; the last part is empty."""
        documents, analyze = self._check(X), _analyzer(self._as_fitted)
        while True:
            part = index_part(documents, analyze, CHUNK)
            yield part
            if not len(part.present):
                return


def _analyzer(parameters: Any) -> Analyzer:
    return Analyzer(
        parameters.tokenizer, parameters.sentence_splitter, "sentence", parameters.input
    )
