"""Documents to ELMo features, as a scikit-learn transformer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from numbers import Integral
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin, _fit_context
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skelmo.encoding.caches import cache_of
from skelmo.encoding.features import Features
from skelmo.encoding.layer_choice import LayerChoice
from skelmo.encoding.layer_mix import learn_mix
from skelmo.encoding.pooling import POOLINGS
from skelmo.encoding.reduction import check_n_components, learn_reduction
from skelmo.encoding.settings import EncoderSettings
from skelmo.estimators.base import (
    DocumentEstimator,
    checked_version,
    undone_on_failure,
    warn_of_misfit,
    warn_of_slow_precision,
)
from skelmo.estimators.callbacks import fit_task
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.estimators.model_choice import (
    analyzer_of,
    model_to_be,
    n_layers_of,
    train_inside,
)
from skelmo.estimators.parameters import (
    check_layers,
    check_pooling,
    check_sample_weight,
    check_targets,
)
from skelmo.estimators.pickled_model import PickledModel, referred_model
from skelmo.models.source import ModelReference, source_of
from skelmo.models.trained import TrainedModel
from skelmo.text.distinct import index_distinct
from skelmo.validation import check_not_empty, column_name
from skelmo.version import __version__


class ElmoVectorizer(TransformerMixin, DocumentEstimator):
    """Turn documents into dense features by an ELMo language model.

    The features of a document are its tokens' layer activations, pooled over the
    document and then mixed over the layers. They depend on that document alone: not on
    the other documents, their order, the batch size or what was encoded before. Words
    are read as characters, so unknown and misspelt words have vectors too.

    Parameters
    ----------
    language_model : str, os.PathLike, ElmoLanguageModel, FrozenEstimator or None, \
default="en"
        "en" or "zh", the English and the Chinese model that come with skelmo; a
        directory or zip archive with a model of skelmo, AllenNLP, bilm-tf or
        ELMoForManyLangs; an `ElmoLanguageModel`, cloned and trained inside `fit` on
        the documents given; or ``FrozenEstimator(fitted_model)``, used as it is. None
        trains an ``ElmoLanguageModel()``.
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
    n_components : int or None, default=None
        To reduce features to so many principal components, which `fit` learns by a
        randomized singular value decomposition; None leaves them as they are.
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
        For a language model trained inside `fit` that has none of its own, and for
        `n_components`.
    verbose : int, default=0
        1 shows progress bars.

    Attributes
    ----------
    language_model_ : ElmoLanguageModel
        The fitted language model.
    features_ : skelmo.encoding.features.Features
        What turns documents into rows of features, without scikit-learn around it: the
        fitted model, with the other parameters as they are set.
    truncation_ : Truncation
        Tokens of `fit` of which the language model reads only a part, and the
        documents they stand in.
    layer_weights_ : ndarray of shape (num_layers + 1,), float64
        Weights of the layers, positive and of sum 1; only for ``layers="learned"``.
    gamma_ : float
        What the weighted sum of layers is multiplied by; likewise.
    explained_variance_ratio_ : ndarray of shape (n_components,), float32
        Share of the features' variance in each component; only with `n_components`.
    feature_names_in_ : ndarray of shape (1,)
        Name of the column, if `fit` was given a frame.

    See Also
    --------
    ElmoLanguageModel : The language model, with everything that can be tuned.

    Notes
    -----
    Each layer is pooled first and layers are mixed afterwards, which for mean pooling
    equals the paper's order. Time is linear in the number of tokens. `transform` warns
    if more than one token in a thousand is cut.

    `fit` with a ready language model learns nothing from X, unless weights of layers or
    components are learned: it checks the documents and counts what is cut. `transform`
    then needs no `fit`, as that of `HashingVectorizer`. With `n_components`, `fit`
    holds the features of all documents twice.

    A parameter that is set after `fit` takes effect at the next `fit`. At once do those
    that change no feature: `max_batch_tokens`, `cache`, `store_weights` and `verbose`.

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
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
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
    _decisive = (*DocumentEstimator._decisive, "unknown_words", "precision")

    def __init__(
        self,
        language_model: str
        | os.PathLike[str]
        | ElmoLanguageModel
        | FrozenEstimator
        | None = "en",
        *,
        layers: str | int | Sequence[int] = "concat",
        pooling: str | Sequence[str] = ("mean", "std"),
        n_components: int | None = None,
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
        self.n_components = n_components
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

    @undone_on_failure
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
            Weight of each document in learning the mix and the components; checked in
            any case, as scikit-learn wants it, and without effect otherwise.

        Returns
        -------
        self : ElmoVectorizer
        """
        self._fit(X, y, sample_weight)
        return self

    @undone_on_failure
    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(
        self, X: Any, y: Any = None, sample_weight: Any = None
    ) -> NDArray[np.float32]:
        """Fit, then transform the same documents.

        Parameters
        ----------
        X : iterable of str
            Documents, as `fit` takes them.
        y : array-like of shape (n_documents,) or (n_documents, n_targets), default=None
            As `fit` takes it.
        sample_weight : array-like of shape (n_documents,), default=None
            As `fit` takes it.

        Returns
        -------
        features : ndarray of shape (n_documents, n_features), float32
        """
        return self._fit(X, y, sample_weight)()

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
        features, documents = self._ready(), self._check(X)
        self._warn_of_slow_precision(features.settings, features.model)
        in_parts = isinstance(X, Iterator)
        return features.encode(features.index(documents, in_parts=in_parts))

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
        features, documents = self._ready(), self._check(X)
        self._warn_of_slow_precision(features.settings, features.model)
        return features.tokens(documents)

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
        features, documents = self._ready(), self._check(X)
        return features.analyzer.tokens(documents)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return names of the features: column, pooling, layer, direction and index.

        Parameters
        ----------
        input_features : array-like of str or None
            Only checked: must be `feature_names_in_`, where there is one.

        Returns
        -------
        names : ndarray of shape (n_features,), object
            As "text_mean_layer2_forward_0", with "elmo" for "text" if `fit` was given
            no column that has a name; "mix" stands for one mix of all layers.
        """
        features = self._ready()
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.array(features.names, dtype=object)

    @property
    def features_(self) -> Features:
        """What turns documents into features, without scikit-learn around it."""
        check_is_fitted(self, "language_model_")
        features = self._features_of(
            self.language_model_, self._choice, self._pooling, self._as_fitted
        )
        return replace(features, reduction=self.__dict__.get("_reduction"))

    def __sklearn_tags__(self) -> Tags:
        """Say that dense float32 comes out, and whether there is something to learn."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = not self._is_stateless
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = self._is_mix_learned
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether documents can be transformed."""
        return "language_model_" in vars(self) or self._is_stateless

    @property
    def _is_stateless(self) -> bool:
        """Whether `fit` would learn nothing from documents."""
        learns = self._is_mix_learned or self.n_components is not None
        ready = str | os.PathLike | FrozenEstimator
        return isinstance(self.language_model, ready) and not learns

    @property
    def _is_mix_learned(self) -> bool:
        return isinstance(self.layers, str) and self.layers == "learned"

    def __getstate__(self) -> dict[str, Any]:
        """Leave it to the model's own pickle what is stored of the weights."""
        state = super().__getstate__()
        if "language_model_" in state:
            model = PickledModel(
                self.language_model_, self._source, self.store_weights, type(self)
            )
            version = {"_skelmo_version": __version__}
            state = {**state, **version, "language_model_": model}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read the weights again, if they were left out."""
        state = {"n_components": None, **state}  # the first pickles lack it
        if "language_model_" in state:
            owner = type(self).__name__
            state = checked_version(state, owner)
            if "_layers" in state:
                state = _with_choice(state)
            model = state["language_model_"]
            if isinstance(model, PickledModel):
                model = model.content
            if isinstance(model, ModelReference):
                model = referred_model(model, owner)
            state = {**state, "language_model_": model}
        super().__setstate__(state)

    def _ready(self) -> Features:
        """Return what turns documents into features, fitted or in no need of that."""
        check_is_fitted(self)
        if "language_model_" in vars(self):
            return self.features_
        self._validate_params()
        owner, model = type(self).__name__, model_to_be(self)
        choice = check_layers(self.layers, n_layers_of(model), owner)
        pooling = check_pooling(self.pooling, owner)
        return self._features_of(model, choice, pooling, self._as_set)

    def _features_of(
        self,
        model: ElmoLanguageModel,
        choice: LayerChoice,
        pooling: Sequence[str],
        parameters: SimpleNamespace,
    ) -> Features:
        """Return what is fitted, with the other parameters as they are given."""
        settings = EncoderSettings(
            parameters.max_batch_tokens, parameters.precision, parameters.unknown_words
        )
        return Features(
            model.model_,
            analyzer_of(model, parameters),
            choice,
            tuple(pooling),
            settings,
            np.nan if parameters.missing == "nan" else 0.0,
            parameters.cache,
            type(self).__name__,
            parameters.verbose,
            self.__dict__.get("_column") or "elmo",
        )

    def _warn_of_slow_precision(
        self, settings: EncoderSettings, model: TrainedModel
    ) -> None:
        warn_of_slow_precision(settings.precision, model.device, type(self).__name__)

    def _fit(
        self, X: Any, y: Any, sample_weight: Any
    ) -> Callable[[], NDArray[np.float32]]:
        """Fit; return a function that gives the features of the same documents."""
        owner = type(self).__name__
        pooling = check_pooling(self.pooling, owner)
        cache_of(self.cache)  # refuses what is nearly a keyword
        if self._is_mix_learned:
            check_targets(y, owner)
        name = column_name(X, owner)
        with fit_task(self, X, y) as task:
            parameters = self._as_set
            model, documents = model_to_be(self), self._read(X, parameters)
            choice = check_layers(self.layers, n_layers_of(model), owner)
            distinct = index_distinct(documents, analyzer_of(model, parameters))
            check_not_empty(len(distinct.place), owner)
            check_sample_weight(sample_weight, len(distinct.place), owner)
            n_components, reduction = self.n_components, None
            if n_components is not None:
                check_n_components(n_components, len(distinct.place), owner=owner)
            if "model_" not in vars(model):
                train_inside(self, model, distinct, X, task)
            else:
                warn_of_misfit(model.model_, distinct.sequences, owner)
            features = self._features_of(model, choice, pooling, parameters)
            self._warn_of_slow_precision(features.settings, features.model)
            truncation, pooled, mix = features.truncation(distinct), None, None
            if self._is_mix_learned:
                pooled = features.pool(distinct)
                mix = learn_mix(pooled, y, sample_weight, owner=owner)
                choice = LayerChoice(weights=mix.gamma * mix.layer_weights)
                features = replace(features, layers=choice)
            if n_components is not None:
                rows = features.encode([distinct], pooled)
                given = n_components, self.random_state, sample_weight
                reduction = learn_reduction(rows, *given, owner=owner)
            # Together, so that a fit that fails leaves the estimator as it was.
            self.language_model_, self._source = model, source_of(self.language_model)
            self._pooling, self._choice = pooling, choice
            self._reduction, self.truncation_ = reduction, truncation
            self._note_column(name, X)
            self._fix_parameters()
            for fitted in ("layer_weights_", "gamma_", "explained_variance_ratio_"):
                self.__dict__.pop(fitted, None)
            if mix is not None:
                self.layer_weights_, self.gamma_ = mix
            if reduction is None:
                return lambda: features.encode([distinct], pooled)
            self.explained_variance_ratio_ = reduction.explained_variance_ratio
            return lambda: reduction(rows)


def _with_choice(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state of before there was a `LayerChoice`."""
    state = dict(state)
    layers = state.pop("_layers")
    if "layer_weights_" in state:
        choice = LayerChoice(weights=state["gamma_"] * state["layer_weights_"])
    else:
        choice = LayerChoice(None if layers is None else tuple(layers))
    return {**state, "_choice": choice}
