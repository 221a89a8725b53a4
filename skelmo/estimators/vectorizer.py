"""Documents to ELMo features, as a scikit-learn transformer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skelmo.encoding.layer_mix import learn_mix
from skelmo.encoding.pooling import POOLINGS
from skelmo.estimators.callbacks import CallbackSupportMixin, fit_task
from skelmo.estimators.documentation import LinkMixin
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.estimators.parameters import (
    check_layers,
    check_pooling,
    check_sample_weight,
    check_targets,
    text_tags,
)
from skelmo.pickling import source_of, with_weights, without_weights
from skelmo.resolving import resolve_language_model
from skelmo.text.distinct import Distinct
from skelmo.transforming import (
    encode,
    index_parts,
    pool_all,
    pooler_of,
    truncation_of,
    vectorizer_analyzer,
)
from skelmo.validation import (
    check_column_name,
    check_not_empty,
    column_name,
    iterate_documents,
)


class ElmoVectorizer(CallbackSupportMixin, LinkMixin, TransformerMixin, BaseEstimator):
    """Turn documents into dense features by an ELMo language model.

    The features of a document are its tokens' layer activations, pooled over the
    document and then mixed over the layers. They depend on that document alone: not on
    the other documents, their order, the batch size or what was encoded before. Words
    are read as characters, so unknown and misspelt words have vectors too.

    Parameters
    ----------
    language_model : str, os.PathLike, ElmoLanguageModel, FrozenEstimator or None, \
default="en"
        "en", the English model that comes with skelmo; a directory or zip archive with
        a model of skelmo, AllenNLP or bilm-tf; an `ElmoLanguageModel`, cloned and
        trained inside `fit` on the documents given; or
        ``FrozenEstimator(fitted_model)``, used as it is. None trains an
        ``ElmoLanguageModel()``.
    layers : {"mean", "top", "concat", "learned"}, int or list of int, \
default="concat"
        Layers to use; 0 is the character CNN, -1 the top. "mean" averages all layers;
        "concat" and a list put layers side by side; "learned" sums them with weights
        that `fit` learns from y, the paper's mix.
    pooling : {"mean", "max", "min", "last", "std"} or list of these, \
default=("mean", "std")
        How token activations become a document's; several are put side by side. "last"
        is the last token's forward and the first token's backward half, "std" the
        standard deviation over tokens.
    tokenizer : callable, default=None
        From a sentence (str) to a list of str; None takes the language model's.
    sentence_splitter : callable or "lines", default=None
        From a document (str) to a list of str; None takes the language model's.
    unknown_words : {"nearest", "characters"}, default="nearest"
        What a token of 4 letters or more that a word-level embedding lacks gets there:
        the vector of the most frequent word one edit away, or that of unknown words.
    input : {"text", "tokens"}, default="text"
        Whether a document is a str, or a list of tokens or of lists of tokens.
    missing : {"error", "empty", "nan"}, default="error"
        What a missing document (None, nan, NA) gives: an error, a row of zeros or a
        row of nan.
    max_batch_tokens : int, default=8192
        Tokens that go through the network at once; bounds the memory, and changes no
        feature.
    device : str or None, default=None
        A torch device or "auto"; None takes the language model's.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of matrix products; cells and sums stay float32. "auto" is "bfloat16" on CUDA
        devices that have it, else "float32".
    cache : {"memory"}, path-like or None, default="memory"
        Where pooled activations of documents are kept, so that each distinct document
        goes through a network once, whatever is done with it: in memory, shared by all
        vectorizers of the process, or in a directory, shared by processes. See
        `skelmo.cache_info`.
    store_weights : bool or "auto", default="auto"
        Whether a pickle holds the weights. "auto" leaves out those that were read from
        files, to be read from there again, and checked by their hash.
    random_state : int, RandomState instance or None, default=None
        For a language model trained inside `fit` that has none of its own.
    verbose : int, default=0
        1 shows progress bars.

    Attributes
    ----------
    language_model_ : ElmoLanguageModel
        The fitted language model.
    truncation_ : Truncation
        Tokens of `fit` of which the language model reads only a part, and the
        documents they stand in.
    layer_weights_ : ndarray of shape (num_layers + 1,), float64
        Weights of the layers, positive and of sum 1; only for ``layers="learned"``.
    gamma_ : float
        What the weighted sum of layers is multiplied by; likewise.
    feature_names_in_ : ndarray of shape (1,)
        Name of the column given to `fit`; only there if it had one.

    See Also
    --------
    ElmoLanguageModel : The language model, with everything that can be tuned.

    Notes
    -----
    Each layer is pooled first and layers are mixed afterwards, which for mean pooling
    equals the paper's order. Time is linear in the number of tokens. `fit` with a ready
    language model learns nothing from X: it checks the documents and counts what is
    cut. `transform` warns if more than one token in a thousand is.

    References
    ----------
    .. [1] Peters et al. (2018), Deep contextualized word representations,
       https://arxiv.org/abs/1802.05365

    Examples
    --------
    >>> from skelmo import ElmoLanguageModel, ElmoVectorizer
    >>> texts = ["The cat sat on the mat.", "Stocks fell on Monday."] * 100
    >>> ElmoVectorizer().fit_transform(texts).shape
    (200, 3072)
    >>> model = ElmoLanguageModel(hidden_size=32, proj_size=16, max_epochs=1)
    >>> ElmoVectorizer(language_model=model, random_state=0).fit_transform(texts).shape
    (200, 192)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "language_model": [str, os.PathLike, ElmoLanguageModel, FrozenEstimator, None],
        "layers": [
            StrOptions({"mean", "top", "concat", "learned"}),
            Integral,
            list,
            tuple,
        ],
        "pooling": [StrOptions(set(POOLINGS)), list, tuple],
        "tokenizer": [callable, None],
        "sentence_splitter": [callable, StrOptions({"lines"}), None],
        "unknown_words": [StrOptions({"nearest", "characters"})],
        "input": [StrOptions({"text", "tokens"})],
        "missing": [StrOptions({"error", "empty", "nan"})],
        "max_batch_tokens": [Interval(Integral, 1, None, closed="left")],
        "device": [str, None],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "cache": [str, os.PathLike, None],
        "store_weights": ["boolean", StrOptions({"auto"})],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        language_model: str
        | os.PathLike[str]
        | ElmoLanguageModel
        | FrozenEstimator
        | None = "en",
        layers: str | int | Sequence[int] = "concat",
        pooling: str | Sequence[str] = ("mean", "std"),
        tokenizer: Callable[[str], Iterable[str]] | None = None,
        sentence_splitter: Callable[[str], Iterable[str]] | str | None = None,
        unknown_words: str = "nearest",
        input: str = "text",
        missing: str = "error",
        max_batch_tokens: int = 8192,
        device: str | None = None,
        precision: str = "auto",
        cache: str | os.PathLike[str] | None = "memory",
        store_weights: bool | str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.language_model = language_model
        self.layers = layers
        self.pooling = pooling
        self.tokenizer = tokenizer
        self.sentence_splitter = sentence_splitter
        self.unknown_words = unknown_words
        self.input = input
        self.missing = missing
        self.max_batch_tokens = max_batch_tokens
        self.device = device
        self.precision = precision
        self.cache = cache
        self.store_weights = store_weights
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> ElmoVectorizer:
        """Load or train the language model, and learn the mix of layers if asked to.

        Parameters
        ----------
        X : iterable of str
            Documents: a list, Series, array, generator or a frame of one column.
        y : array-like of shape (n_documents,) or (n_documents, n_targets), default=None
            Classes or numbers, for ``layers="learned"``; ignored otherwise.
        sample_weight : array-like of shape (n_documents,), default=None
            Weight of each document in learning the mix; ignored otherwise.

        Returns
        -------
        self : ElmoVectorizer
        """
        self._fit(X, y, sample_weight)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None
    ) -> NDArray[np.float32]:
        """Fit, then transform the same documents.

        Parameters
        ----------
        X, y, sample_weight : as `fit` takes them
            Documents, and what a mix of layers is learned from.

        Returns
        -------
        features : ndarray of shape (n_documents, n_features), float32
        """
        distinct, pooled = self._fit(X, y, sample_weight)
        return encode(self, [distinct], pooled)

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Encode documents.

        Parameters
        ----------
        X : iterable of str
            Of an iterator, only a part is in memory at a time.

        Returns
        -------
        features : ndarray of shape (n_documents, n_features), float32
            Zeros for a document without tokens.
        """
        endless = isinstance(X, Iterator)
        return encode(self, index_parts(self, self._check(X), endless))

    def transform_tokens(self, X: Any) -> list[NDArray[np.float32]]:
        """Encode every token, with the layers mixed per token.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        features : list of ndarray of shape (n_tokens, n_token_features), float32
            One array per document; row k belongs to token k of `tokenize`.
        """
        (distinct,) = index_parts(self, self._check(X), endless=False)
        config = self.language_model_.config_
        empty = np.zeros((0, config.n_layers, config.n_features), dtype=np.float32)
        encoder = pooler_of(self).encoder
        found = dict(encoder.tokens(distinct.sequences))
        return [self._mix(found.get(k, empty)) for k in distinct.place.tolist()]

    def tokenize(self, X: Any) -> list[list[str]]:
        """Return the tokens of each document, as the language model reads them.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        tokens : list of list of str
            Empty for a missing document.
        """
        documents = self._check(X)
        return vectorizer_analyzer(self).tokens(documents)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the features: pooling, layer, direction and index.

        Parameters
        ----------
        input_features : array-like of str or None
            Only checked: must be `feature_names_in_`, where there is one.

        Returns
        -------
        names : ndarray of shape (n_features,), object
            As "elmo_mean_layer2_forward_0"; "mix" stands for one mix of all layers.
        """
        check_is_fitted(self, "language_model_")
        _check_feature_names_in(self, input_features, generate_names=False)
        proj_size = self.language_model_.config_.proj_size
        chosen = self._layers
        layers = ["mix"] if chosen is None else [f"layer{k}" for k in chosen]
        return np.array(
            [
                f"elmo_{pooling}_{layer}_{direction}_{k}"
                for pooling in self._pooling
                for layer in layers
                for direction in ("forward", "backward")
                for k in range(proj_size)
            ],
            dtype=object,
        )

    def __sklearn_tags__(self) -> Tags:
        """Say that documents go in and dense float32 comes out."""
        tags = text_tags(super().__sklearn_tags__(), self.missing)
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = self.layers == "learned"
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Leave out weights that can be read again, as `store_weights` says."""
        return without_weights(self, super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read the weights again, if they were left out."""
        super().__setstate__(with_weights(state, type(self).__name__))

    def _fit(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[Distinct, NDArray[np.float32] | None]:
        """Fit; return the documents, and the layers that a mix was learned on."""
        owner = type(self).__name__
        self._pooling = check_pooling(self.pooling, owner)
        is_learned = isinstance(self.layers, str) and self.layers == "learned"
        if is_learned:
            check_targets(y, owner)
        name = column_name(X, owner)
        with fit_task(self, X, y) as task:
            documents: Iterable[Any] = self._read(X)
            if isinstance(self.language_model, ElmoLanguageModel | None):
                documents = list(documents)  # read twice
                check_not_empty(len(documents), owner)
            self.language_model_ = resolve_language_model(self, documents, task)
            self._source = source_of(self.language_model)
            n_layers = self.language_model_.config_.n_layers
            self._layers = check_layers(self.layers, n_layers, owner)
            for fitted in ("feature_names_in_", "layer_weights_", "gamma_"):
                self.__dict__.pop(fitted, None)
            if name is not None:
                self.feature_names_in_ = np.array([name], dtype=object)
            (distinct,) = index_parts(self, iter(documents), endless=False)
            check_not_empty(len(distinct.place), owner)
            check_sample_weight(sample_weight, len(distinct.place), owner)
            self.truncation_ = truncation_of(self, distinct)
            pooled = None
            if is_learned:
                pooled = pool_all(self, distinct)
                mix = learn_mix(pooled, y, sample_weight, owner=owner)
                self.layer_weights_, self.gamma_ = mix
        return distinct, pooled

    def _read(self, X: Any) -> Iterator[Any]:
        return iterate_documents(
            X, owner=type(self).__name__, missing=self.missing, input=self.input
        )

    def _check(self, X: Any) -> Iterator[Any]:
        """Check documents to transform, and that they come from the same column."""
        check_is_fitted(self, "language_model_")
        owner = type(self).__name__
        fitted = getattr(self, "feature_names_in_", None)
        check_column_name(column_name(X, owner), fitted, owner)
        return self._read(X)

    def _mix(self, activations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mix or choose layers: (..., L + 1, 2P) to (..., n_token_features)."""
        if hasattr(self, "layer_weights_"):
            weights = (self.gamma_ * self.layer_weights_).astype(np.float32)
            return np.einsum("...lp,l->...p", activations, weights)
        if self._layers is None:
            return activations.mean(axis=-2)
        rows = activations.shape[:-2]
        n_features = len(self._layers) * activations.shape[-1]
        return activations[..., self._layers, :].reshape(*rows, n_features)
