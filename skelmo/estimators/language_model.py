"""The bidirectional language model as a scikit-learn estimator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skelmo import fitting, persistence
from skelmo.estimators import documentation
from skelmo.estimators.callbacks import CallbackSupportMixin
from skelmo.estimators.parameters import LANGUAGE_MODEL, text_tags
from skelmo.scoring.likelihood import Perplexity
from skelmo.scoring.predicted_words import WordPrediction, predict_words

_FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 128), (6, 128))


class ElmoLanguageModel(CallbackSupportMixin, documentation.LinkMixin, BaseEstimator):
    """Character-based bidirectional language model, pre-trained by `fit`.

    A character CNN reads each token; two independent stacks of projected LSTM layers
    predict the next token from the left context and the previous one from the right.
    Each sequence is read from a fresh state, in training as in encoding.

    Parameters
    ----------
    tokenizer : callable, default=None
        From a sentence (str) to a list of str; None is `skelmo.text.tokenize`.
    sentence_splitter : callable or "lines", default=None
        From a document (str) to a list of str; "lines" cuts at line ends only; None is
        `skelmo.text.split_sentences`.
    input : {"text", "tokens"}, default="text"
        Whether a document is a str, or a list of tokens or of lists of tokens.
    missing : {"error", "empty", "nan"}, default="error"
        What a missing document (None, nan, NA) does: raise, or else be passed over.
    sequence : {"sentence", "document"}, default="sentence"
        What is read from a fresh state.
    max_characters : int, default=50
        Bytes of a token that are read, two word markers included.
    char_embedding_dim : int, default=16
        Size of a character embedding.
    filters : sequence of (int, int), \
default=((1, 32), (2, 32), (3, 64), (4, 128), (5, 128), (6, 128))
        Width, in characters, and number of the filters of each convolution.
    n_highway : int, default=1
        Highway layers above the convolutions.
    activation : {"relu", "tanh"}, default="relu"
        Activation of the convolutions.
    word_embedding_dim : int, default=0
        Size of a word-level embedding that joins the characters before the projection;
        0 reads characters alone.
    init_word_vectors : str, os.PathLike or None, default=None
        File of word2vec (text, or binary ending in ``.bin``) or GloVe vectors that the
        word-level embedding starts from.
    hidden_size, proj_size, num_layers : int, default=512, 128, 2
        In each direction, size of an LSTM cell, size of a token vector and of an LSTM
        output, and number of LSTM layers.
    cell_clip, proj_clip : float or None, default=3.0
        Bounds of the cell and of the projected output; None does not clip.
    skip_connections : bool, default=True
        Add the input of every LSTM layer but the first to its output.
    min_count, max_vocabulary : int, int or None, default=2, 30000
        Rarer words, and those beyond so many, are the unknown word of the softmax.
    lowercase : bool, default=False
        Take the words, but not the characters, in lower case.
    softmax : {"sampled", "full"}, default="sampled"
        Training loss. Evaluation always takes the full softmax.
    n_samples : int, default=2048
        Words of the sampled softmax; a smaller vocabulary is taken whole.
    tie_weights : bool, default=False
        One matrix for the softmax and the word-level embedding; needs
        ``word_embedding_dim == proj_size``.
    solver : {"adam", "sgd", "rmsprop", "adagrad"}, default="adam"
        Optimiser; "adam" decays weights apart from the gradient (AdamW).
    momentum : float, default=0.9
        Of "sgd" and "rmsprop".
    learning_rate : {"cosine", "constant", "decay", "adaptive"}, default="cosine"
        Schedule after the warm-up: down to a hundredth along a cosine; constant; halved
        five times in all; or divided by 5 when validation stalls. It runs over
        `max_epochs`, or over `max_time` if that ends first.
    learning_rate_init : float, default=0.002
        Rate after the warm-up.
    warmup : float, default=0.05
        Share of training, by tokens or time, over which the rate rises from 0.
    alpha, l1 : float, default=0.0
        L2 and L1 penalty of the weight matrices; L1, a proximal step, makes zeros.
    dropout, word_dropout, misspelling : float, default=0.1, 0.1, 0.0
        In training, share of values dropped from token vectors and LSTM outputs; of
        words that the word-level embedding sees as unknown; of words read misspelt.
    max_grad_norm : float or None, default=1.0
        Longer gradients are scaled down to this norm.
    batch_tokens : int, default=512
        Tokens of a training step, sentence markers included. A longer sequence is cut
        into windows. Larger steps are faster per token, but there are fewer of them.
    max_epochs : int, default=10
        Passes over the training documents, at most.
    max_time : float or None, default=None
        Seconds after which training ends, in mid-epoch if need be, those of earlier
        tries (`checkpoint`) and of validation included. The schedule ends with them. A
        last validation follows; each takes about a tenth of the time at most, and if
        need be reads a sample of what is held out, the same in every epoch.
    early_stopping : bool, default=True
        Hold out documents, stop when their loss stalls and restore the best epoch.
    validation_fraction : float, default=0.1
        Share of the documents held out.
    n_iter_no_change, tol : int, float, default=3, 0.001
        Training stops after so many epochs without a gain of `tol` nats per token.
    init : str, os.PathLike or None, default=None
        A saved model to go on from. Its sizes replace those given here; of a new
        vocabulary, the words that it knows keep their weights.
    warm_start : bool, default=False
        Go on from the weights of the last `fit`, as with `init`.
    checkpoint : str, os.PathLike or None, default=None
        Directory in which a run keeps checkpoints; `fit` with the same parameters and
        documents goes on from the last one and ends with the same weights.
    checkpoint_every : int or float, default=500
        Steps (int) or minutes (float) between checkpoints.
    device : str, default="auto"
        A torch device; "auto" is "cuda" where there is one, else "cpu".
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of the matrix products in training, while weights, cells and sums stay float32;
        "auto" is "bfloat16" on CUDA devices that have it, else "float32".
    random_state : int, RandomState instance or None, default=None
        Decides weights, held-out documents, order and dropout.
    verbose : int, default=0
        1 shows a progress bar for each epoch, with the time left for all of them.

    Attributes
    ----------
    config_ : skelmo.nn.bilm.BiLMConfig
        Architecture.
    vocabulary_ : list of str or None
        Words of the softmax; None if the model was read from files without one.
    history_ : list of EpochRecord
        A row for each epoch, ready for ``pandas.DataFrame``: epoch, tokens, seconds,
        learning rate, training loss in nats, validation perplexity each way and in
        all, and predictions in one direction that validation read.
    n_epochs_, n_tokens_ : int
        Epochs, and predictions in one direction, trained on.
    unknown_share_ : float
        Share of the tokens in `fit` that the vocabulary lacks.
    truncation_ : Truncation
        Tokens that `max_characters` cut in `fit`.

    See Also
    --------
    ElmoVectorizer : Documents to features by such a model.

    Notes
    -----
    Time grows linearly with the number of tokens. Perplexities compare only at one
    tokenisation and one vocabulary: the unknown word counts as one word.

    Callbacks of scikit-learn 1.9 are told of the fit, its epochs and their steps (if
    many, in groups); one that asks to stop, at a step or an epoch, ends training.

    References
    ----------
    .. [1] Peters et al. (2018), Deep contextualized word representations,
       https://arxiv.org/abs/1802.05365

    Examples
    --------
    >>> from skelmo import ElmoLanguageModel
    >>> texts = ["The cat sat on the mat.", "The dog sat on the rug."] * 100
    >>> model = ElmoLanguageModel(hidden_size=32, proj_size=16, random_state=0)
    >>> bool(model.fit(texts).perplexity(texts).mean < 6)
    True
    """

    _parameter_constraints: dict[str, list[Any]] = LANGUAGE_MODEL

    def __init__(
        self,
        *,
        tokenizer: Callable[[str], Iterable[str]] | None = None,
        sentence_splitter: Callable[[str], Iterable[str]] | str | None = None,
        input: str = "text",
        missing: str = "error",
        sequence: str = "sentence",
        max_characters: int = 50,
        char_embedding_dim: int = 16,
        filters: Iterable[tuple[int, int]] = _FILTERS,
        n_highway: int = 1,
        activation: str = "relu",
        word_embedding_dim: int = 0,
        init_word_vectors: str | os.PathLike[str] | None = None,
        hidden_size: int = 512,
        proj_size: int = 128,
        num_layers: int = 2,
        cell_clip: float | None = 3.0,
        proj_clip: float | None = 3.0,
        skip_connections: bool = True,
        min_count: int = 2,
        max_vocabulary: int | None = 30_000,
        lowercase: bool = False,
        softmax: str = "sampled",
        n_samples: int = 2048,
        tie_weights: bool = False,
        solver: str = "adam",
        momentum: float = 0.9,
        learning_rate: str = "cosine",
        learning_rate_init: float = 0.002,
        warmup: float = 0.05,
        alpha: float = 0.0,
        l1: float = 0.0,
        dropout: float = 0.1,
        word_dropout: float = 0.1,
        misspelling: float = 0.0,
        max_grad_norm: float | None = 1.0,
        batch_tokens: int = 512,
        max_epochs: int = 10,
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        tol: float = 1e-3,
        init: str | os.PathLike[str] | None = None,
        warm_start: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | float = 500,
        device: str = "auto",
        precision: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.tokenizer, self.sentence_splitter = tokenizer, sentence_splitter
        self.input, self.missing = input, missing
        self.sequence, self.max_characters = sequence, max_characters
        self.char_embedding_dim, self.filters = char_embedding_dim, filters
        self.n_highway, self.activation = n_highway, activation
        self.word_embedding_dim = word_embedding_dim
        self.init_word_vectors = init_word_vectors
        self.hidden_size, self.proj_size = hidden_size, proj_size
        self.num_layers, self.lowercase = num_layers, lowercase
        self.cell_clip, self.proj_clip = cell_clip, proj_clip
        self.skip_connections = skip_connections
        self.min_count, self.max_vocabulary = min_count, max_vocabulary
        self.softmax, self.n_samples, self.tie_weights = softmax, n_samples, tie_weights
        self.solver, self.momentum, self.learning_rate = solver, momentum, learning_rate
        self.learning_rate_init, self.warmup = learning_rate_init, warmup
        self.alpha, self.l1 = alpha, l1
        self.dropout, self.word_dropout = dropout, word_dropout
        self.misspelling, self.batch_tokens = misspelling, batch_tokens
        self.max_grad_norm = max_grad_norm
        self.max_epochs, self.max_time = max_epochs, max_time
        self.early_stopping, self.n_iter_no_change = early_stopping, n_iter_no_change
        self.validation_fraction, self.tol = validation_fraction, tol
        self.init, self.warm_start = init, warm_start
        self.checkpoint, self.checkpoint_every = checkpoint, checkpoint_every
        self.device, self.precision = device, precision
        self.random_state, self.verbose = random_state, verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, X_val: Any = None) -> ElmoLanguageModel:
        """Pre-train on documents.

        Parameters
        ----------
        X : iterable of str, or os.PathLike
            Documents (see the parameter `input`), which an iterator may generate; or a
            UTF-8 text file, ".gz", ".bz2" or ".xz" too, with a document on each line.
            Token ids beyond 64 MiB lie in a temporary file until the end.
        y : None
            Ignored.
        X_val : iterable of str, or os.PathLike, optional
            Documents to validate with; by default some of X are held out.

        Returns
        -------
        self : ElmoLanguageModel
        """
        return fitting.fit(self, X, y, X_val)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> ElmoLanguageModel:
        """Go through more documents once, at the rate `learning_rate_init`.

        The first call makes the vocabulary; later ones keep it, the weights and what
        the optimiser remembers.

        Parameters
        ----------
        X : iterable of str, or os.PathLike
        y : None
            Ignored.

        Returns
        -------
        self : ElmoLanguageModel
        """
        return fitting.fit(self, X, y, one_pass=True)

    def perplexity(self, X: Any) -> Perplexity:
        """Return the perplexity of documents under the full softmax.

        Parameters
        ----------
        X : iterable of str, or os.PathLike

        Returns
        -------
        perplexity : Perplexity
            ``forward``, ``backward``, and ``mean``: the exponential of the mean of both
            directions' negative log-likelihoods per token.
        """
        nll, n_predictions = fitting.document_nll(self, X)
        return Perplexity.of(nll.sum(axis=0), n_predictions.sum())

    def score(self, X: Any, y: Any = None) -> float:
        """Return ``-log(perplexity(X).mean)``, in nats per token: higher is better.

        Parameters
        ----------
        X : iterable of str, or os.PathLike
        y : None
            Ignored.

        Returns
        -------
        score : float
        """
        nll, n_predictions = fitting.document_nll(self, X)
        return float(-nll.sum() / (2 * n_predictions.sum()))

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return the `score` of each document; nan for one without tokens.

        Parameters
        ----------
        X : iterable of str, or os.PathLike

        Returns
        -------
        scores : ndarray of shape (n_documents,), float64
        """
        nll, n_predictions = fitting.document_nll(self, X)
        with np.errstate(invalid="ignore"):
            return -nll.sum(axis=1) / (2 * n_predictions)

    def predict_words(
        self, X: Any, position: int | Iterable[int] | None = None, n_words: int = 10
    ) -> list[list[WordPrediction]]:
        """Return the words most probable in a token's place, given those around it.

        The token is masked: left and right context of its sequence are read alone.

        Parameters
        ----------
        X : iterable of str, or os.PathLike
        position : int, iterable of int or None, default=None
            Index of the token to predict among those of its document, negative from the
            end: one for all documents or one for each; None predicts every token.
        n_words : int, default=10
            Words for each token; all there are if the vocabulary has fewer.

        Returns
        -------
        predictions : list of list of WordPrediction
            For each document, ready for ``pandas.DataFrame``: position, token, word and
            its probability, from both sides and from each; the best word first. Never
            among them, but sharing the probability: ``<S>``, ``</S>`` and ``<UNK>``.
        """
        return predict_words(self, X, position, n_words)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a directory, whole or not at all.

        Parameters
        ----------
        path : str or os.PathLike
        """
        check_is_fitted(self)
        persistence.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], **parameters: Any) -> ElmoLanguageModel:
        """Read a model from a directory: skelmo's, or AllenNLP's and bilm-tf's.

        Parameters
        ----------
        path : str or os.PathLike
        **parameters
            Parameters to set; a tokenizer or splitter of your own has to be given
            again, as files hold no code.

        Returns
        -------
        language_model : ElmoLanguageModel
        """
        return persistence.load(cls(), path, parameters)

    def __sklearn_tags__(self) -> Tags:
        """Say that documents go in."""
        return text_tags(super().__sklearn_tags__(), self.missing)

    def __getstate__(self) -> dict[str, Any]:
        """Hold weights as arrays: a pickle needs neither a GPU nor torch's classes."""
        return persistence.without_network(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the network again, on the device that `device` names here."""
        super().__setstate__(persistence.with_network(state, type(self).__name__))
