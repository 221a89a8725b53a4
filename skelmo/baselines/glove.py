"""Documents to means of GloVe vectors."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval
from tqdm.auto import tqdm

from skelmo.baselines.cooccurrence import count_cooccurrences
from skelmo.baselines.factorization import Factors, factorize, weighted_pairs
from skelmo.baselines.static import COMMON, StaticVectorizer, Train
from skelmo.baselines.word_rows import WordRows
from skelmo.validation import stack_level


class GloveVectorizer(StaticVectorizer):
    """Turn documents into means of GloVe vectors.

    The vectors are learned from how often words stand near each other in X, or read
    from a file. A word has one vector wherever it stands, and a word not seen in
    training has none.

    Parameters
    ----------
    vectors : str, os.PathLike or None, default=None
        File of trained vectors to read instead of training: GloVe text, word2vec text,
        or word2vec binary if its name ends in ".bin"; ".gz" is unpacked. Then only
        `max_vocabulary`, which keeps the first words, and the parameters from
        `lowercase` on matter.
    vector_size : int, default=100
        Numbers in a vector.
    window : int, default=10
        Largest distance of words that count as near, within a sentence; a pair at
        distance d counts 1 / d. Words that are not in the vocabulary count as no
        distance.
    min_count : int, default=5
        Rarer words get no vector.
    max_vocabulary : int or None, default=None
        Largest number of words, the most frequent ones. It bounds the memory, which
        goes with the number of different pairs: 32 bytes for each while training.
    x_max : float, default=100
        Co-occurrence from which on a pair has the full weight 1.
    alpha : float, default=0.75
        Power of the weight below that: ``(x / x_max) ** alpha``.
    learning_rate_init : float, default=0.05
        Of AdaGrad.
    max_epochs : int, default=25
        Passes over the pairs.
    tol : float, default=1e-4
        Stop after three epochs in a row that do not lower the loss by this share.
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
    random_state : int, RandomState instance or None, default=None
        For the first vectors and the order of the pairs. An int gives the same vectors
        each time.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    vocabulary_ : list of str
        The words, the most frequent first, or in the order of the file.
    vectors_ : ndarray of shape (n_words, vector_size), float32
        Their vectors: the sums of word and context vectors.
    word_counts_ : ndarray of shape (n_words,), int64
        How often each occurs in the documents of `fit`.
    n_tokens_ : int
        Tokens of `fit`.
    oov_rate_ : float
        Share of them that have no vector.
    loss_curve_ : list of float
        Mean loss of a pair in each epoch, measured before the step that it is for;
        only there after training.
    feature_names_in_ : ndarray of shape (1,)
        Name of the column, if `fit` was given a frame.

    See Also
    --------
    Word2VecVectorizer : The same by word2vec.
    skelmo.ElmoVectorizer : Vectors that depend on the context.

    Notes
    -----
    A parameter that is set after `fit` takes effect at the next `fit`.

    The loss of a pair i, j is ``f(x) (w_i . c_j + a_i + b_j - log x) ** 2 / 2``, with
    x the co-occurrence and f the weight above. AdaGrad's steps are made for many pairs
    at once. The result does not depend on the number of threads.

    Smooth inverse frequency is that of [2]_ without its second step, which takes the
    first principal component away from all documents.

    References
    ----------
    .. [1] Pennington, Socher and Manning (2014), GloVe: Global vectors for word
       representation, https://aclanthology.org/D14-1162
    .. [2] Arora, Liang and Ma (2017), A simple but tough-to-beat baseline for sentence
       embeddings, https://openreview.net/forum?id=SyK00v5xx

    Examples
    --------
    >>> from skelmo.baselines import GloveVectorizer
    >>> texts = ["The cat sat on the mat.", "Stocks fell on Monday."] * 100
    >>> glove = GloveVectorizer(vector_size=5, random_state=0).fit(texts)
    >>> glove.transform(texts).shape
    (200, 5)
    >>> glove.oov_rate(["The dog sat."])
    0.25
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **COMMON,
        "x_max": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        vectors: str | os.PathLike[str] | None = None,
        *,
        vector_size: int = 100,
        window: int = 10,
        min_count: int = 5,
        max_vocabulary: int | None = None,
        x_max: float = 100,
        alpha: float = 0.75,
        learning_rate_init: float = 0.05,
        max_epochs: int = 25,
        tol: float = 1e-4,
        lowercase: bool = True,
        weighting: str = "mean",
        sif_a: float = 1e-3,
        tokenizer: Callable[[str], Iterable[str]] | None = None,
        sentence_splitter: Callable[[str], Iterable[str]] | str | None = None,
        input: str = "text",
        missing: str = "error",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.vectors = vectors
        self.vector_size = vector_size
        self.window = window
        self.min_count = min_count
        self.max_vocabulary = max_vocabulary
        self.x_max = x_max
        self.alpha = alpha
        self.learning_rate_init = learning_rate_init
        self.max_epochs = max_epochs
        self.tol = tol
        self.lowercase = lowercase
        self.weighting = weighting
        self.sif_a = sif_a
        self.tokenizer = tokenizer
        self.sentence_splitter = sentence_splitter
        self.input = input
        self.missing = missing
        self.random_state = random_state
        self.verbose = verbose

    def _trainer(self) -> Train:
        return self._train

    def _train(
        self,
        corpus: WordRows,
        words: list[str],
        counts: NDArray[np.int64],
        seed: int,
    ) -> NDArray[np.float32]:
        """Learn the vectors of the words."""
        together = count_cooccurrences(corpus.sentences(), len(words), self.window)
        if not together.nnz:
            warnings.warn(
                f"{type(self).__name__} found no sentence with 2 words that occur "
                f"min_count={self.min_count} times, so its vectors stay random. Lower "
                f"min_count, or pass more text.",
                UserWarning,
                stacklevel=stack_level(),
            )
        rng = np.random.default_rng(seed)
        pairs = weighted_pairs(together, self.x_max, self.alpha)
        factors = Factors(len(words), self.vector_size, self.learning_rate_init, rng)
        total = self.max_epochs * together.nnz
        with tqdm(
            total=total, desc="glove", unit="pair", disable=not self.verbose
        ) as bar:
            self.loss_curve_ = factorize(
                factors,
                pairs,
                max_epochs=self.max_epochs,
                tol=self.tol,
                rng=rng,
                bar=bar,
            )
        return factors.vectors
