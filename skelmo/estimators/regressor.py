"""Documents to numbers: a language model under a head, as a scikit-learn regressor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin, _fit_context
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags

from skelmo.encoding.contributions import TokenContributions, head_contributions
from skelmo.estimators.base import undone_on_failure
from skelmo.estimators.head_training import Targets
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.estimators.predictor import PREDICTOR, DocumentPredictor
from skelmo.estimators.targets import checked_numbers, example_weight


class ElmoRegressor(RegressorMixin, DocumentPredictor):
    """Predict numbers of documents by a head on an ELMo language model.

    As `ElmoClassifier`, but for numbers, one or several for each document. They are
    brought to mean 0 and standard deviation 1 for training.

    Parameters
    ----------
    language_model : str, os.PathLike, ElmoLanguageModel, FrozenEstimator or None, \
default="en"
        "en" or "zh", the English and the Chinese model that come with skelmo; a
        directory or zip archive with a model of skelmo, AllenNLP or bilm-tf; an
        `ElmoLanguageModel`, cloned and trained inside `fit` on the documents given; or
        ``FrozenEstimator(fitted_model)``. None trains an ``ElmoLanguageModel()``.
    head : {"linear", "mlp", "cnn", "attention"}, default="attention"
        What reads the tokens: "linear" the mean and the standard deviation over them;
        "mlp" the same with hidden layers above; "cnn" convolutions over neighbouring
        tokens, each filter's maximum over the document; "attention" sums by weights
        learned of the tokens, and the maximum. What they give is standardised, by mean
        and variance over 1,000 of the training documents before training.
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Sizes of the hidden layers of "mlp".
    n_filters : int, default=100
        Filters of "cnn" for each kernel size.
    kernel_sizes : int or sequence of int, default=(3, 4, 5)
        Widths of the filters of "cnn", in tokens.
    n_attention_heads : int, default=4
        Attention heads of "attention"; divides the language model's features.
    dropout : float, default=0.2
        Share of values dropped, in training, from what is pooled and from hidden layers
        and, if it is tuned, within the language model.
    tune : {"all", "top", "mix", "none"}, default="all"
        What is trained besides the head: the whole language model; its top layer; the
        weights of its layers; or nothing, and the head reads all layers side by side.
        Under the last two each distinct document goes through the language model once.
    learning_rate_decay : float, default=0.7
        What the learning rate is multiplied by from the head to the top layer, and from
        each layer to the one below.
    unfreeze : {"gradual"} or None, default=None
        "gradual" trains the head alone in the first epoch, and in each of the next a
        layer more, from the top.
    adapt_epochs : int, default=0
        Passes of the language model over the documents of `fit`, and those `unlabeled`,
        before the head is trained.
    tokenizer : callable, default=None
        From a sentence (str) to a list of str; None takes the language model's.
    sentence_splitter : callable or "lines", default=None
        From a document (str) to a list of str; None takes the language model's.
    unknown_words : {"nearest", "characters"}, default="nearest"
        What a token of 4 letters or more that a word-level embedding lacks gets there:
        the vector of the most frequent word one edit away, or that of unknown words.
    input : {"text", "tokens"}, default="text"
        Whether a document is a str, or a list of tokens or of lists of tokens.
    missing : {"error", "empty"}, default="error"
        What a missing document (None, nan, NA) is: an error, or one without tokens.
    solver : {"adam", "sgd", "rmsprop", "adagrad"}, default="adam"
        Optimiser; "adam" decays weights apart from the gradient (AdamW).
    learning_rate : {"slanted", "cosine", "constant", "decay", "adaptive"}, \
default="slanted"
        Schedule: up from 0 over the first tenth of training, then "slanted", down to a
        32nd along a line; "cosine", down to a hundredth; "constant"; "decay", halved
        five times in all; or "adaptive", divided by 5 when the loss stalls.
    learning_rate_init : float, default=0.001
        Largest rate, that of the head.
    batch_size : int, default=32
        Documents of a training step.
    max_iter : int or "auto", default="auto"
        Epochs at most: passes over the training documents. "auto" makes them more where
        documents are few: 600 steps, but no fewer than 3 epochs, 5 if the language
        model is frozen, and no more than 30, 100 if it is.
    alpha : float, default=0.01
        L2 penalty of the weight matrices.
    l1 : float, default=0.0
        L1 penalty of the weight matrices; a proximal step, which makes zeros.
    max_grad_norm : float or None, default=1.0
        Longer gradients are scaled down to this norm.
    early_stopping : bool, default=False
        Hold out documents, stop when their loss stalls and restore the best epoch.
    validation_fraction : float, default=0.1
        Share of the documents held out.
    n_iter_no_change : int, default=10
        Training stops after so many epochs without a gain of `tol`.
    tol : float, default=0.0001
        Gain of the loss, that of what is held out if something is, that counts as one.
    max_time : float or None, default=None
        Seconds after which the training of the head ends, in mid-epoch if need be. The
        schedule ends with them.
    warm_start : bool, default=False
        Go on from the weights of the last `fit`, which had as many outputs.
    checkpoint : str, os.PathLike or None, default=None
        Directory in which a run keeps checkpoints, the last after Ctrl-C; `fit` with
        the same parameters and documents goes on from it and ends with the same
        weights.
    checkpoint_every : int or float, default=500
        Steps (int) or minutes (float) between checkpoints.
    max_batch_tokens : int, default=4096
        Tokens that go through the network at once; bounds the memory. A training step
        of longer documents has fewer of them than `batch_size`.
    cache : {"memory"}, path-like or None, default="memory"
        Where activations of tokens are kept if the language model is frozen, so that a
        search over heads encodes each distinct document once: in memory, shared by all
        estimators of the process, or in a directory, shared by processes. Language
        models that were trained inside `fit` are kept there too.
    device : str or None, default=None
        A torch device or "auto"; None takes the language model's.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of the language model's matrix products; cells, sums and the head stay float32.
        "auto" is "bfloat16" on CUDA devices that have it, else "float32".
    store_weights : bool or "auto", default="auto"
        Whether a pickle holds all weights. "auto" leaves out those that were read from
        files and not changed, to be read from there again, and checked by their hash.
    random_state : int, RandomState instance or None, default=None
        Decides first weights, held-out documents, order and dropout.
    verbose : int, default=0
        1 shows progress bars.

    Attributes
    ----------
    language_model_ : ElmoLanguageModel
        The language model under the head, tuned if it was:
        ``ElmoVectorizer(FrozenEstimator(regressor.language_model_))`` takes it.
    head_ : skelmo.models.trained_head.TrainedHead
        The head with its history: a value, which never changes.
    history_ : list of HeadRecord
        A row for each epoch, ready for ``pandas.DataFrame``: epoch, documents, seconds,
        learning rate, training loss, validation loss and validation score.
    loss_curve_ : list of float
        Training loss of each epoch.
    validation_scores_ : list of float or None
        Coefficient of determination of what was held out, after each epoch; None if
        nothing was.
    best_validation_score_ : float or None
        That of the epoch whose weights are kept.
    n_iter_ : int
        Epochs trained.
    feature_names_in_ : ndarray of shape (1,)
        Name of the column, if `fit` was given a frame.

    See Also
    --------
    ElmoClassifier : The same for classes.
    ElmoVectorizer : Features for any regressor of scikit-learn.

    Notes
    -----
    The loss is half the squared error, mean over outputs. Scores of several outputs are
    the mean of theirs.

    A parameter that is set after `fit` takes effect at the next `fit` or `partial_fit`.
    At once do those that change no outcome: `max_batch_tokens`, `cache`,
    `store_weights` and `verbose`.

    Under "all", the words that a language model has vectors of its own for learn only
    where `fit` sees them.

    References
    ----------
    .. [1] Peters et al. (2018), Deep contextualized word representations,
       https://arxiv.org/abs/1802.05365
    .. [2] Howard and Ruder (2018), Universal Language Model Fine-tuning for Text
       Classification, https://arxiv.org/abs/1801.06146
    .. [3] Kim (2014), Convolutional Neural Networks for Sentence Classification,
       https://arxiv.org/abs/1408.5882

    Examples
    --------
    >>> from skelmo import ElmoRegressor
    >>> texts = ["A fine, funny film.", "A dull and empty film."] * 10
    >>> regressor = ElmoRegressor(tune="none", random_state=0).fit(texts, [5, 1] * 10)
    >>> bool(regressor.predict(["Such a funny film!"])[0] > 3)
    True
    """

    _parameter_constraints: dict[str, list[Any]] = PREDICTOR

    def __init__(
        self,
        language_model: str
        | os.PathLike[str]
        | ElmoLanguageModel
        | FrozenEstimator
        | None = "en",
        *,
        head: str = "attention",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        n_filters: int = 100,
        kernel_sizes: int | Sequence[int] = (3, 4, 5),
        n_attention_heads: int = 4,
        dropout: float = 0.2,
        tune: str = "all",
        learning_rate_decay: float = 0.7,
        unfreeze: str | None = None,
        adapt_epochs: int = 0,
        tokenizer: Callable[[str], Iterable[str]] | None = None,
        sentence_splitter: Callable[[str], Iterable[str]] | str | None = None,
        unknown_words: str = "nearest",
        input: str = "text",
        missing: str = "error",
        solver: str = "adam",
        learning_rate: str = "slanted",
        learning_rate_init: float = 1e-3,
        batch_size: int = 32,
        max_iter: int | str = "auto",
        alpha: float = 0.01,
        l1: float = 0.0,
        max_grad_norm: float | None = 1.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        max_time: float | None = None,
        warm_start: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | float = 500,
        max_batch_tokens: int = 4096,
        cache: str | os.PathLike[str] | None = "memory",
        device: str | None = None,
        precision: str = "auto",
        store_weights: bool | str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.language_model, self.head = language_model, head
        self.hidden_layer_sizes, self.n_filters = hidden_layer_sizes, n_filters
        self.kernel_sizes, self.n_attention_heads = kernel_sizes, n_attention_heads
        self.dropout, self.tune = dropout, tune
        self.learning_rate_decay, self.unfreeze = learning_rate_decay, unfreeze
        self.adapt_epochs, self.unknown_words = adapt_epochs, unknown_words
        self.tokenizer, self.sentence_splitter = tokenizer, sentence_splitter
        self.input, self.missing = input, missing
        self.solver, self.learning_rate = solver, learning_rate
        self.learning_rate_init, self.batch_size = learning_rate_init, batch_size
        self.max_iter, self.alpha, self.l1 = max_iter, alpha, l1
        self.max_grad_norm, self.early_stopping = max_grad_norm, early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change, self.tol = n_iter_no_change, tol
        self.max_time, self.warm_start = max_time, warm_start
        self.checkpoint, self.checkpoint_every = checkpoint, checkpoint_every
        self.max_batch_tokens, self.cache = max_batch_tokens, cache
        self.device, self.precision = device, precision
        self.store_weights, self.random_state = store_weights, random_state
        self.verbose = verbose

    @undone_on_failure
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, unlabeled: Any = None
    ) -> ElmoRegressor:
        """Train on documents of known numbers.

        Parameters
        ----------
        X : iterable of str
            Documents: a list, Series, array, generator or a frame of one column.
        y : array-like of shape (n_documents,) or (n_documents, n_outputs)
        sample_weight : array-like of shape (n_documents,), default=None
            Weight of each document in the loss; 0 leaves it out.
        unlabeled : iterable of str or os.PathLike, default=None
            More documents for `adapt_epochs`, as `ElmoLanguageModel` takes them: they
            may be generated, or the lines of a file. Without it they are not read.

        Returns
        -------
        self : ElmoRegressor

        Warns
        -----
        ConvergenceWarning
            If the loss left all bounds; the weights of the best epoch are kept.
        """
        return self._fit(X, y, sample_weight, unlabeled)

    @undone_on_failure
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> ElmoRegressor:
        """Go through documents once, at the rate `learning_rate_init`.

        Mean and standard deviation of numbers are those of the first call.

        Parameters
        ----------
        X : iterable of str
        y : array-like of shape (n_documents,) or (n_documents, n_outputs)
        sample_weight : array-like of shape (n_documents,), default=None

        Returns
        -------
        self : ElmoRegressor
        """
        return self._fit(X, y, sample_weight, one_pass=True)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the numbers of each document.

        Parameters
        ----------
        X : iterable of str
            Of an iterator, only a part is in memory at a time.

        Returns
        -------
        y : ndarray of shape (n_documents,) or (n_documents, n_outputs), float64
        """
        numbers = self._outputs(X) * self._scale + self._mean
        return numbers.ravel() if self._is_flat else numbers

    def explain(self, X: Any) -> list[TokenContributions]:
        """Tell what each token of a document contributes to each number.

        A contribution is the gradient of a number by the token's mixed layers, times
        these: how fast the number grows with the token's vector.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        found : list of TokenContributions
            For each document its ``tokens`` and their ``contributions``, an ndarray of
            shape (n_tokens, n_outputs), float64; of ``head="attention"`` the
            ``attention``, too, of shape (n_tokens, n_attention_heads).

        See Also
        --------
        ElmoClassifier.explain : What is said there of heads holds here, too.
        """
        reading, documents = self._reading(X)
        return head_contributions(reading, documents, np.diag(self._scale))

    def __sklearn_tags__(self) -> Tags:
        """Say that numbers may be several."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _targets(
        self, y: Any, sample_weight: Any, classes: Any, *, goes_on: bool
    ) -> Targets:
        """Return the numbers of each document, of mean 0 and standard deviation 1."""
        owner = type(self).__name__
        numbers = checked_numbers(y, owner)
        weight = example_weight(sample_weight, None, numbers, owner)
        columns = numbers.reshape(len(numbers), -1)
        if goes_on:
            mean, scale = self._mean, self._scale
            if columns.shape[1] != len(mean):
                raise ValueError(
                    f"{owner} was fitted on {len(mean)} outputs, but y has "
                    f"{columns.shape[1]}. Pass as many, or fit anew without warm_start."
                )
        else:
            mean = np.average(columns, axis=0, weights=weight)
            variance = np.average(np.square(columns - mean), axis=0, weights=weight)
            scale = np.where(variance > 0, np.sqrt(variance), 1.0)
        values = ((columns - mean) / scale).astype(np.float32)
        fitted = {"_mean": mean, "_scale": scale, "_is_flat": numbers.ndim == 1}
        return Targets("numbers", values, weight, fitted)
