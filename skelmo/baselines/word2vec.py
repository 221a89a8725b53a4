"""Documents to means of word2vec vectors, which gensim trains."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from numbers import Integral, Real
from typing import Any
from zlib import crc32

import numpy as np
from joblib import effective_n_jobs  # type: ignore[import-untyped]
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from tqdm.auto import tqdm

from skelmo.baselines.static import COMMON, StaticVectorizer, Train
from skelmo.baselines.word_rows import WordRows
from skelmo.validation import stack_level

_LONGEST_SENTENCE = 10_000  # gensim drops what is behind that many words


class Word2VecVectorizer(StaticVectorizer):
    r"""Turn documents into means of word2vec vectors.

    The vectors are learned by gensim from X, or read from a file. A word has one vector
    wherever it stands, and a word not seen in training has none. Training needs
    ``pip install 'skelmo[baselines]'``; reading does not.

    Parameters
    ----------
    vectors : str, os.PathLike or None, default=None
        File of trained vectors to read instead of training: word2vec text, word2vec
        binary if its name ends in ".bin", or GloVe text; ".gz" is unpacked. Then only
        `max_vocabulary`, which keeps the first words, and the parameters from
        `lowercase` on matter.
    vector_size : int, default=100
        Numbers in a vector.
    window : int, default=5
        Largest distance of a word from the one that is predicted, within a sentence.
    min_count : int, default=5
        Rarer words get no vector.
    max_vocabulary : int or None, default=None
        Largest number of words, the most frequent ones.
    algorithm : {"skip-gram", "cbow"}, default="skip-gram"
        Whether a word predicts each of those around it, or they predict the word.
    negative : int, default=5
        Random words that each right one is told from.
    sample : float, default=1e-3
        Words of a larger share of the text than this are left out at random; 0 keeps
        all.
    learning_rate_init : float, default=0.025
        Of stochastic gradient descent; it falls linearly.
    max_epochs : int, default=5
        Passes over the text, by the name that they have in all estimators here; none
        is left out.
    lowercase : bool, default=True
        Whether words are looked up, and learned, in lower case.
    weighting : {"mean", "sif"}, default="mean"
        A document is the mean of its known words' vectors, or the same with smooth
        inverse frequencies: each vector times ``sif_a / (sif_a + p)``, where p is the
        share of the word among the tokens of `fit`.
    sif_a : float, default=1e-3
        See `weighting`.
    tokenizer : callable or None, default=None
        From a sentence (str) to a list of str; None is `skelmo.tokenize`.
    sentence_splitter : callable, "lines" or None, default=None
        From a document (str) to a list of str; None is `skelmo.split_sentences`.
    input : {"text", "tokens"}, default="text"
        Whether a document is a str, or a list of tokens or of lists of tokens.
    missing : {"error", "empty", "nan"}, default="error"
        What a missing document (None, nan, NA) gives: an error, a row of zeros or a
        row of nan.
    n_jobs : int or None, default=None
        Threads that train; None is 1, -1 all. With 1 an int as `random_state` gives the
        same vectors each time, with more it does not.
    random_state : int, RandomState instance or None, default=None
        For the first vectors and all that is left to chance in training.
    verbose : int, default=0
        1 shows a progress bar.
    epochs : int, default="deprecated"
        What `max_epochs` was called before.

    Attributes
    ----------
    vocabulary_ : list of str
        The words, the most frequent first, or in the order of the file.
    vectors_ : ndarray of shape (n_words, vector_size), float32
        Their vectors.
    word_counts_ : ndarray of shape (n_words,), int64
        How often each occurs in the documents of `fit`.
    n_tokens_ : int
        Tokens of `fit`.
    oov_rate_ : float
        Share of them that have no vector.
    feature_names_in_ : ndarray of shape (1,)
        Name of the column, if `fit` was given a frame.

    See Also
    --------
    GloveVectorizer : The same by GloVe.
    skelmo.ElmoVectorizer : Vectors that depend on the context.

    Notes
    -----
    A parameter that is set after `fit` takes effect at the next `fit`.

    Smooth inverse frequency is that of [2]_ without its second step, which takes the
    first principal component away from all documents.

    References
    ----------
    .. [1] Mikolov, Sutskever, Chen, Corrado and Dean (2013), Distributed
       representations of words and phrases and their compositionality,
       https://arxiv.org/abs/1310.4546
    .. [2] Arora, Liang and Ma (2017), A simple but tough-to-beat baseline for sentence
       embeddings, https://openreview.net/forum?id=SyK00v5xx

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skelmo.baselines import Word2VecVectorizer
    >>> with TemporaryDirectory() as directory:
    ...     path = Path(directory) / "vectors.txt"
    ...     _ = path.write_text("the 1 0\ncat 0 1\n")
    ...     word2vec = Word2VecVectorizer(path).fit(["The cat sat."])
    >>> word2vec.transform(["The cat!", "A cat."])
    array([[0.5, 0.5],
           [0. , 1. ]], dtype=float32)
    >>> word2vec.oov_rate_
    0.5
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **COMMON,
        "algorithm": [StrOptions({"skip-gram", "cbow"})],
        "negative": [Interval(Integral, 1, None, closed="left")],
        "sample": [Interval(Real, 0, 1, closed="both")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "epochs": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"deprecated"}),
        ],
    }

    def __init__(
        self,
        vectors: str | os.PathLike[str] | None = None,
        *,
        vector_size: int = 100,
        window: int = 5,
        min_count: int = 5,
        max_vocabulary: int | None = None,
        algorithm: str = "skip-gram",
        negative: int = 5,
        sample: float = 1e-3,
        learning_rate_init: float = 0.025,
        max_epochs: int = 5,
        lowercase: bool = True,
        weighting: str = "mean",
        sif_a: float = 1e-3,
        tokenizer: Callable[[str], Iterable[str]] | None = None,
        sentence_splitter: Callable[[str], Iterable[str]] | str | None = None,
        input: str = "text",
        missing: str = "error",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        epochs: int | str = "deprecated",
    ) -> None:
        self.vectors = vectors
        self.vector_size = vector_size
        self.window = window
        self.min_count = min_count
        self.max_vocabulary = max_vocabulary
        self.algorithm = algorithm
        self.negative = negative
        self.sample = sample
        self.learning_rate_init = learning_rate_init
        self.max_epochs = max_epochs
        self.lowercase = lowercase
        self.weighting = weighting
        self.sif_a = sif_a
        self.tokenizer = tokenizer
        self.sentence_splitter = sentence_splitter
        self.input = input
        self.missing = missing
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.epochs = epochs

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read pickles of before `max_epochs` had this name."""
        if "max_epochs" not in state:
            state = {**state, "max_epochs": state["epochs"], "epochs": "deprecated"}
        super().__setstate__(state)

    @property
    def _n_epochs(self) -> int:
        if self.epochs == "deprecated":
            return self.max_epochs
        warnings.warn(
            f"The 'epochs' parameter of {type(self).__name__} is called max_epochs "
            f"now, as in all estimators here, and will go. Set max_epochs="
            f"{self.epochs}.",
            FutureWarning,
            stacklevel=stack_level(),
        )
        return int(self.epochs)

    def _trainer(self) -> Train:
        try:
            from gensim.models import Word2Vec
        except ImportError as error:
            raise ImportError(
                f"{type(self).__name__} needs gensim to train vectors, but it cannot "
                f"be imported. Install it with pip install 'skelmo[baselines]', or "
                f"pass vectors='path of a file' to read them."
            ) from error
        return partial(self._train, Word2Vec)

    def _train(
        self,
        model_class: Any,
        corpus: WordRows,
        words: list[str],
        counts: NDArray[np.int64],
        seed: int,
    ) -> NDArray[np.float32]:
        """Learn the vectors of the words."""
        n_epochs = self._n_epochs
        model = model_class(
            vector_size=self.vector_size,
            window=self.window,
            min_count=1,  # the words are chosen and sorted already
            sorted_vocab=0,
            sg=int(self.algorithm == "skip-gram"),
            negative=self.negative,
            sample=self.sample,
            alpha=self.learning_rate_init,
            min_alpha=min(1e-4, self.learning_rate_init),
            epochs=n_epochs,
            workers=effective_n_jobs(self.n_jobs),
            seed=seed,
            hashfxn=_hash,
        )
        model.build_vocab_from_freq(dict(zip(words, counts.tolist(), strict=True)))
        n_words = int(counts.sum())
        total = n_words * n_epochs
        with tqdm(
            total=total, desc="word2vec", unit="word", disable=not self.verbose
        ) as bar:
            sentences = _Sentences(corpus, np.array(words, dtype=object), bar)
            model.train(sentences, total_words=n_words, epochs=n_epochs)
        return model.wv.vectors


class _Sentences:
    """The sentences as gensim reads them, once in each epoch."""

    def __init__(self, corpus: WordRows, words: NDArray[np.object_], bar: Any) -> None:
        self.corpus = corpus
        self.words = words
        self.bar = bar

    def __iter__(self) -> Iterator[list[str]]:
        for rows, starts in self.corpus.sentences():
            tokens = self.words[rows].tolist()
            ends = starts.tolist()
            for start, end in zip(ends[:-1], ends[1:], strict=True):
                for first in range(start, end, _LONGEST_SENTENCE):
                    yield tokens[first : min(end, first + _LONGEST_SENTENCE)]
            self.bar.update(len(tokens))


def _hash(word: str) -> int:
    """Hash as Python does not: the same in every process."""
    return crc32(word.encode("utf-8", "surrogatepass"))
