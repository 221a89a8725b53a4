"""The bidirectional language model as a scikit-learn estimator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load as load_arrays
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted

from skelmo.estimators.base import (
    DocumentEstimator,
    checked_version,
    undone_on_failure,
    warn_of_slow_precision,
)
from skelmo.estimators.callbacks import FitTasks
from skelmo.estimators.parameters import LANGUAGE_MODEL
from skelmo.models import shared
from skelmo.models.history import EpochRecord
from skelmo.models.trained import TrainedModel
from skelmo.models.weights import build_network
from skelmo.nn.bilm import BiLMConfig, LanguageModel
from skelmo.nn.device import here, torch_device
from skelmo.pretrained import registry
from skelmo.pretrained.safetensors_format import write_model
from skelmo.pretrained.saved_model import (
    FUNCTIONS,
    SavedModel,
    add_tied,
    check_functions,
)
from skelmo.scoring.likelihood import Perplexity, check_softmax, document_nll
from skelmo.scoring.predicted_words import (
    WordPrediction,
    check_words_wanted,
    predict_words,
)
from skelmo.text.analysis import Analyzer
from skelmo.text.documents import stream_documents
from skelmo.text.sequences import Sequences, index_documents
from skelmo.text.truncation import Truncation
from skelmo.training.plan import ARCHITECTURE, Plan
from skelmo.training.pretraining import Pretraining
from skelmo.training.state import TrainingOptions
from skelmo.version import __version__

# The defaults, spelt out where they are used.
_NETWORK, _OPTIONS = BiLMConfig(), TrainingOptions()
_PLAN = Plan(_NETWORK)
# Parameters that files do not hold, or that belong to the machine.
NOT_IN_FILES = (*FUNCTIONS, "device")


class ElmoLanguageModel(DocumentEstimator):
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
    unicode_normalization : {"NFC", "NFKC"} or None, default="NFC"
        Form that texts are put into, in training and ever after, so that a letter is
        the same however it was typed; a byte order mark in front is dropped. None
        leaves texts as they are, as do models of files that do not know of it.
    characters : {"bytes", "codepoints"}, default="bytes"
        What a character is: a byte of UTF-8, of which every script is made; or a code
        point, of an alphabet that `fit` learns from the training documents. Characters
        rarer than `min_count` are then one unknown character.
    max_characters : int, default=50
        Characters of a token that are read, two word markers included.
    char_embedding_dim : int, default=16
        Size of a character embedding; 0 reads words alone, by `word_embedding_dim`.
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
    hidden_size : int, default=512
        Size of an LSTM cell, in each direction.
    proj_size : int, default=128
        Size of a token vector and of an LSTM output, in each direction.
    num_layers : int, default=2
        LSTM layers, in each direction.
    cell_clip : float or None, default=3.0
        Bound of the cell's values; None does not clip.
    proj_clip : float or None, default=3.0
        Bound of the projected output's values; None does not clip.
    skip_connections : bool, default=True
        Add the input of every LSTM layer but the first to its output.
    min_count : int, default=2
        Rarer words are the unknown word of the softmax.
    max_vocabulary : int or None, default=30000
        Words of the softmax at most, the most frequent ones; None takes all.
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
    learning_rate : {"cosine", "constant", "decay", "adaptive", "slanted"}, \
default="cosine"
        Schedule after the warm-up: down to a hundredth along a cosine; constant; halved
        five times in all; divided by 5 when validation stalls; or down to a 32nd along
        a line. It runs over `max_epochs`, or over `max_time` if that ends first.
    learning_rate_init : float, default=0.002
        Rate after the warm-up.
    warmup : float, default=0.05
        Share of training, by tokens or time, over which the rate rises from 0.
    alpha : float, default=0.0
        L2 penalty of the weight matrices.
    l1 : float, default=0.0
        L1 penalty of the weight matrices; a proximal step, which makes zeros.
    dropout : float, default=0.1
        Share of values dropped, in training, from token vectors and LSTM outputs.
    word_dropout : float, default=0.1
        Share of words that the word-level embedding sees as unknown in training.
    misspelling : float, default=0.0
        Share of words that are read misspelt in training.
    max_grad_norm : float or None, default=1.0
        Longer gradients are scaled down to this norm.
    batch_tokens : int, default=512
        Tokens of a training step, sentence markers included; of several processes that
        train together, those of each. A longer sequence is cut into windows. Larger
        steps are faster per token, but there are fewer of them.
    max_epochs : int, default=10
        Passes over the training documents at most.
    max_time : float or None, default=None
        Seconds after which training ends, in mid-epoch if need be, those of earlier
        tries (`checkpoint`) and of validation included. The schedule ends with them. A
        last validation follows. Validations share about a tenth of the time, and if
        need be read a sample of what is held out, the same in every epoch.
    early_stopping : bool, default=True
        Hold out documents, stop when their loss stalls and restore the best epoch.
    validation_fraction : float, default=0.1
        Share of the documents held out.
    n_iter_no_change : int, default=3
        Training stops after so many epochs without a gain of `tol`.
    tol : float, default=0.001
        Gain of the validation loss, in nats per token, that counts as one.
    init : str, os.PathLike or None, default=None
        A saved model to go on from. Its sizes replace those given here; of a new
        vocabulary, the words that it knows keep their weights.
    warm_start : bool, default=False
        Go on from the weights of the last `fit`, as with `init`.
    checkpoint : str, os.PathLike or None, default=None
        Directory in which a run keeps checkpoints, the last after Ctrl-C; `fit` with
        the same parameters and documents goes on from it and ends with the same
        weights.
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
    model_ : skelmo.models.trained.TrainedModel
        The network with all that follows: a value, which never changes. Whatever trains
        on puts another in its place.
    network_ : skelmo.nn.bilm.LanguageModel
        Its torch module.
    config_ : skelmo.nn.bilm.BiLMConfig
        Architecture.
    vocabulary_ : list of str or None
        Words of the softmax; None if the model was read from files without one.
    history_ : list of EpochRecord
        A row for each epoch, ready for ``pandas.DataFrame``: epoch, tokens, seconds,
        learning rate, training loss in nats, validation perplexity each way and in
        all, and predictions in one direction that validation read.
    n_epochs_ : int
        Epochs trained on.
    n_tokens_ : int
        Predictions in one direction, trained on.
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

    A parameter that is set after `fit` takes effect at the next `fit` or `partial_fit`;
    until then, and in `save`, documents are read as the last one has read them. `load`
    may be given others.

    In processes that torchrun starts, or of a group that `torch.distributed` knows,
    `fit` and `partial_fit` train one model together. Each is given all documents, and
    reads its share of every step.

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
    _decisive = (
        *DocumentEstimator._decisive,
        "sequence",
        "unicode_normalization",
    )

    def __init__(
        self,
        *,
        tokenizer: Callable[[str], Iterable[str]] | None = None,
        sentence_splitter: Callable[[str], Iterable[str]] | str | None = None,
        input: str = "text",
        missing: str = "error",
        sequence: str = "sentence",
        unicode_normalization: str | None = "NFC",
        characters: str = _NETWORK.characters,
        max_characters: int = _NETWORK.max_characters,
        char_embedding_dim: int = _NETWORK.char_embedding_dim,
        filters: Iterable[tuple[int, int]] = _NETWORK.filters,
        n_highway: int = _NETWORK.n_highway,
        activation: str = _NETWORK.activation,
        word_embedding_dim: int = _NETWORK.word_embedding_dim,
        init_word_vectors: str | os.PathLike[str] | None = None,
        hidden_size: int = _NETWORK.hidden_size,
        proj_size: int = _NETWORK.proj_size,
        num_layers: int = _NETWORK.num_layers,
        cell_clip: float | None = _NETWORK.cell_clip,
        proj_clip: float | None = _NETWORK.proj_clip,
        skip_connections: bool = _NETWORK.skip_connections,
        min_count: int = _PLAN.min_count,
        max_vocabulary: int | None = _PLAN.max_vocabulary,
        lowercase: bool = _NETWORK.lowercase,
        softmax: str = _OPTIONS.softmax,
        n_samples: int = _OPTIONS.n_samples,
        tie_weights: bool = _PLAN.tie_weights,
        solver: str = _OPTIONS.solver,
        momentum: float = _OPTIONS.momentum,
        learning_rate: str = _OPTIONS.learning_rate,
        learning_rate_init: float = _OPTIONS.learning_rate_init,
        warmup: float = _OPTIONS.warmup,
        alpha: float = _OPTIONS.alpha,
        l1: float = _OPTIONS.l1,
        dropout: float = _PLAN.dropout,
        word_dropout: float = _OPTIONS.word_dropout,
        misspelling: float = _OPTIONS.misspelling,
        max_grad_norm: float | None = _OPTIONS.max_grad_norm,
        batch_tokens: int = _OPTIONS.batch_tokens,
        max_epochs: int = _OPTIONS.max_epochs,
        max_time: float | None = _OPTIONS.max_time,
        early_stopping: bool = _OPTIONS.early_stopping,
        validation_fraction: float = _PLAN.validation_fraction,
        n_iter_no_change: int = _OPTIONS.n_iter_no_change,
        tol: float = _OPTIONS.tol,
        init: str | os.PathLike[str] | None = None,
        warm_start: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | float = _OPTIONS.checkpoint_every,
        device: str = "auto",
        precision: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.tokenizer, self.sentence_splitter = tokenizer, sentence_splitter
        self.input, self.missing, self.warm_start = input, missing, warm_start
        self.sequence, self.unicode_normalization = sequence, unicode_normalization
        self.characters, self.max_characters = characters, max_characters
        self.char_embedding_dim, self.filters = char_embedding_dim, filters
        self.n_highway, self.activation = n_highway, activation
        self.word_embedding_dim, self.lowercase = word_embedding_dim, lowercase
        self.init, self.init_word_vectors = init, init_word_vectors
        self.hidden_size, self.proj_size = hidden_size, proj_size
        self.cell_clip, self.proj_clip = cell_clip, proj_clip
        self.num_layers, self.skip_connections = num_layers, skip_connections
        self.min_count, self.max_vocabulary = min_count, max_vocabulary
        self.softmax, self.n_samples, self.tie_weights = softmax, n_samples, tie_weights
        self.solver, self.momentum, self.learning_rate = solver, momentum, learning_rate
        self.learning_rate_init, self.warmup = learning_rate_init, warmup
        self.alpha, self.l1, self.dropout = alpha, l1, dropout
        self.word_dropout, self.misspelling = word_dropout, misspelling
        self.batch_tokens, self.max_grad_norm = batch_tokens, max_grad_norm
        self.max_epochs, self.max_time = max_epochs, max_time
        self.early_stopping, self.n_iter_no_change = early_stopping, n_iter_no_change
        self.validation_fraction, self.tol = validation_fraction, tol
        self.checkpoint, self.checkpoint_every = checkpoint, checkpoint_every
        self.device, self.precision = device, precision
        self.random_state, self.verbose = random_state, verbose

    @undone_on_failure
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
        return self._fit(X, y, X_val)

    @undone_on_failure
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
        return self._fit(X, y, one_pass=True)

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
        return Perplexity.of(*self._total_nll(X))

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
        nll, n_predictions = self._total_nll(X)
        return float(-nll.sum() / (2 * n_predictions))

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return the `score` of each document; nan for one without tokens.

        Parameters
        ----------
        X : iterable of str, or os.PathLike

        Returns
        -------
        scores : ndarray of shape (n_documents,), float64
            Whether together or apart: the documents of a stream may be scored in any
            chunks, one without documents too.
        """
        nll, n_predictions = self._document_nll(X)
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
        check_is_fitted(self)
        owner = type(self).__name__
        check_softmax(self.model_, owner, "predict words")
        owner = f"{owner}.predict_words"
        check_words_wanted(n_words, owner)
        sequences, _ = self._index(self._as_fitted, X)
        return predict_words(self.model_, sequences, position, n_words, owner=owner)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a directory, whole or not at all.

        Parameters
        ----------
        path : str or os.PathLike
        """
        check_is_fitted(self)
        write_model(self.model_.to_saved(self._settings()), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], **parameters: Any) -> ElmoLanguageModel:
        """Read a model: skelmo's, AllenNLP's, bilm-tf's or ELMoForManyLangs'.

        Parameters
        ----------
        path : str or os.PathLike
            Directory or zip archive.
        **parameters
            Parameters to set; a tokenizer or splitter of your own has to be given
            again, as files hold no code.

        Returns
        -------
        language_model : ElmoLanguageModel
        """
        saved = registry.load(path)
        estimator = cls()._restored(saved, parameters)
        device = torch_device(estimator.device)
        estimator._take(TrainedModel.from_saved(saved, device))
        return estimator

    @property
    def analyzer(self) -> Analyzer:
        """From a document to sequences of tokens, as `fit` had it."""
        return _analyzer(self._as_fitted)

    @property
    def network_(self) -> LanguageModel:
        """Torch module of the model."""
        return self._fitted("network_").network

    @property
    def config_(self) -> BiLMConfig:
        """Architecture."""
        return self._fitted("config_").config

    @property
    def vocabulary_(self) -> list[str] | None:
        """Words of the softmax, None if files held none."""
        return self._fitted("vocabulary_").vocabulary

    @property
    def history_(self) -> list[EpochRecord]:
        """A row for each epoch."""
        return list(self._fitted("history_").history)

    @property
    def n_epochs_(self) -> int:
        """Epochs trained on."""
        return self._fitted("n_epochs_").n_epochs

    @property
    def n_tokens_(self) -> int:
        """Predictions in one direction, trained on."""
        return self._fitted("n_tokens_").n_tokens

    @property
    def unknown_share_(self) -> float:
        """Share of the tokens in `fit` that the vocabulary lacks."""
        return self._fitted("unknown_share_").unknown_share

    @property
    def truncation_(self) -> Truncation:
        """Tokens that `max_characters` cut in `fit`."""
        return self._fitted("truncation_").truncation

    def __getstate__(self) -> dict[str, Any]:
        """Say which version wrote it."""
        state = super().__getstate__()
        if "model_" in state:
            state = {**state, "_skelmo_version": __version__}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Bring the model to the device that `device` names here."""
        if "network_" in state:
            state = _with_model(state)
        # The first pickles lack some.
        state = {"unicode_normalization": None, "characters": "bytes", **state}
        if "model_" in state:
            state = checked_version(state, type(self).__name__)
            model = state["model_"].to(here(state["device"]))
            state = {**state, "model_": model}
        super().__setstate__(state)

    def _fitted(self, name: str) -> TrainedModel:
        """Return the model for one of its properties."""
        if "model_" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no {name!r} yet")
        return self.model_

    def _fit(
        self, X: Any, y: Any, X_val: Any = None, *, one_pass: bool = False
    ) -> ElmoLanguageModel:
        """Read documents and train on them, telling the callbacks."""
        name = "partial_fit" if one_pass else "fit"
        tasks = FitTasks(self, name, 1 if one_pass else self.max_epochs, X, y)
        run = self._prepared(one_pass=one_pass)
        streams = [X] if X_val is None else [X, X_val]
        sequences, (n_documents, *_) = self._index(self._as_set, *streams)
        n_train = None if X_val is None else n_documents
        self._take(run(sequences, tasks, n_train=n_train, watch=_told(tasks)))
        tasks.end()
        return self

    @undone_on_failure
    @_fit_context(prefer_skip_nested_validation=True)
    def _fit_sequences(self, sequences: Sequences, X: Any) -> ElmoLanguageModel:
        """Train on documents that are cut into tokens; X is for the callbacks alone."""
        tasks = FitTasks(self, "fit", self.max_epochs, X, None)
        self._take(self._prepared()(sequences, tasks, watch=_told(tasks)))
        tasks.end()
        return self

    def _take(self, model: TrainedModel) -> None:
        """Be fitted, with the parameters as they are."""
        self.model_ = model
        self._fix_parameters()

    def _prepared(self, *, one_pass: bool = False) -> Pretraining:
        """Make a run ready, and warn of what will be slow."""
        owner, known = type(self).__name__, self.__dict__.get("model_")
        parameters = self.get_params(deep=False)
        run = Pretraining.from_parameters(
            parameters, owner, model=known, one_pass=one_pass
        )
        device = torch.device(run.plan.device)
        warn_of_slow_precision(self.precision, device, owner)
        return run

    def _document_nll(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the negative log-likelihood and the predictions of each document."""
        check_is_fitted(self)
        owner = type(self).__name__
        check_softmax(self.model_, owner, "give likelihoods")
        sequences, _ = self._index(self._as_fitted, X)
        return document_nll(self.model_, sequences)

    def _total_nll(self, X: Any) -> tuple[NDArray[np.float64], int]:
        """Return the negative log-likelihood and the predictions of all documents."""
        nll, n_predictions = self._document_nll(X)
        total = int(n_predictions.sum())
        if not total:
            raise ValueError(
                f"{type(self).__name__} needs at least 1 token to give a perplexity, "
                f"but X has {len(nll)} documents and no token. Pass some text."
            )
        return nll.sum(axis=0), total

    def _index(
        self, parameters: SimpleNamespace, *given: Any
    ) -> tuple[Sequences, list[int]]:
        """Index documents, one collection after the other; count those of each."""
        analyze, sizes = _analyzer(parameters), [0] * len(given)
        streams = [
            stream_documents(
                X,
                owner=type(self).__name__,
                missing=parameters.missing,
                input=parameters.input,
            )
            for X in given
        ]

        def analyzed() -> Iterator[list[list[str]]]:
            for k, stream in enumerate(streams):
                for value in stream:
                    sizes[k] += 1
                    # A missing document keeps its place, without a sequence.
                    yield [] if value is None else analyze(value)

        return index_documents(analyzed()), sizes

    def _restored(
        self, saved: SavedModel, parameters: dict[str, Any]
    ) -> ElmoLanguageModel:
        """Set the parameters that files hold, and those that replace them."""
        check_functions(saved, parameters)
        known = saved.settings.get("parameters", {})
        known = {k: v for k, v in known.items() if not isinstance(v, dict)}
        known = {"unicode_normalization": None, **known}  # the first files lack it
        architecture = {name: getattr(saved.config, name) for name in ARCHITECTURE}
        return self.set_params(**{**known, **architecture, **parameters})

    def _settings(self) -> dict[str, Any]:
        """Return what JSON can hold of the parameters."""
        parameters: dict[str, Any] = {}
        for name, value in vars(self._as_fitted).items():
            if name in FUNCTIONS and callable(value):
                where = getattr(value, "__module__", None) or type(value).__module__
                what = getattr(value, "__qualname__", type(value).__qualname__)
                parameters[name] = {"function": f"{where}.{what}"}
            elif isinstance(value, np.generic):
                parameters[name] = value.item()
            elif isinstance(value, str | int | float | bool | None):
                parameters[name] = value
        return {"skelmo_version": __version__, "parameters": parameters}


def shared_model(
    given: str | os.PathLike[str], parameters: dict[str, Any]
) -> ElmoLanguageModel:
    """Return what `ElmoLanguageModel.load` returns, around a model that is shared.

    Parameters
    ----------
    given : str or os.PathLike
        A bundled name, or a directory or zip archive.
    parameters : dict
        Parameters that replace those of the files.

    Returns
    -------
    language_model : ElmoLanguageModel
    """
    estimator = ElmoLanguageModel()

    def device_of(saved: SavedModel) -> torch.device:
        return torch_device(estimator._restored(saved, parameters).device)

    estimator._take(shared.load(given, device_of).model)
    return estimator


def _told(tasks: FitTasks) -> Callable[[Callable[[], TrainedModel]], None]:
    """Return what tells tasks how to make the fitted attribute."""
    return lambda so_far: tasks.watch(lambda: {"model_": so_far()})


def _analyzer(parameters: SimpleNamespace) -> Analyzer:
    return Analyzer(
        parameters.tokenizer,
        parameters.sentence_splitter,
        parameters.sequence,
        parameters.input,
        parameters.unicode_normalization,
    )


def _with_model(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state of before there was `model_`, when its parts were attributes."""
    state = dict(state)
    arrays = add_tied(load_arrays(state.pop("network_")))
    state["model_"] = TrainedModel(
        build_network(state.pop("config_"), arrays, torch.device("cpu")),
        state.pop("vocabulary_"),
        tuple(state.pop("history_")),
        state.pop("n_epochs_"),
        state.pop("n_tokens_"),
        state.pop("unknown_share_"),
        state.pop("truncation_"),
    )
    return state
