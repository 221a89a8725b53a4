"""What is compared: each turns texts into matrices for logistic regression.

A side has a `name`, a `key` that tells it from all others, `represent(texts)`, which
returns a tuple of arrays of one row a text, and `blocks(train, tests)`, which makes of
such tuples what `quality_learn.learn` takes; only there is something fitted.
"""

import json
import subprocess
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
from quality_learn import DENSE_CS, SPARSE_CS, UNION_CS, WEIGHTS
from quality_store import digest, file_digest, write_atomically
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from skelmo import ElmoVectorizer
from skelmo.baselines import Word2VecVectorizer
from skelmo.encoding.settings import EncoderSettings
from skelmo.text.spelling import NearestWords


def take(rows, columns):
    """Return some rows of each array of a representation."""
    return tuple(column[rows] for column in columns)


def scaled(train, tests):
    """Return features at mean 0 and variance 1 of the training rows."""
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), [scaler.transform(X) for X in tests]


def kept(side, texts, make):
    """Return the features of texts that a side has in its directory, or make them."""
    path = side.directory / f"{digest([side.key, list(texts)])}.npy"
    if not path.is_file():
        content = BytesIO()
        np.save(content, make())
        write_atomically(path, content.getvalue())
    return np.load(path)


class _Dense:
    Cs = DENSE_CS

    def represent(self, texts):
        return (self.features(texts),)

    def blocks(self, train, tests):
        X, others = scaled(train[0], [test[0] for test in tests])
        return [(X, others, self.Cs)]


class Elmo(_Dense):
    """Features of a language model; without settings those of ElmoVectorizer.

    Parameters
    ----------
    source : str
        Directory or name of the language model.
    cache : path
        Where activations are kept.
    tokenizer : callable or None
        None is the language model's own.
    settings : dict
        Layers and pooling.
    """

    def __init__(self, source, cache, tokenizer=None, **settings):
        self.common = {
            "language_model": source, "cache": cache, "tokenizer": tokenizer
        }  # fmt: skip
        self.settings = settings
        own = ElmoVectorizer(**settings)
        self.layers, self.pooling = own.layers, own.pooling
        self.unknown_words = own.unknown_words
        self.name = "ELMo"

    def by_characters(self):
        """Return the same, but for words out of the vocabulary by characters alone."""
        name = f"{self.name}, unknown words by characters"
        return self._other(name, **self.settings, unknown_words="characters")

    def _other(self, name, **settings):
        other = Elmo(*self.common.values(), **settings)
        other.name = name
        return other

    def variant(self, layers, pooling):
        """Return the same language model with other settings."""
        poolings = [pooling] if isinstance(pooling, str) else pooling
        shown = f"layer {layers}" if isinstance(layers, int) else layers
        is_default = (layers, pooling) == (self.layers, self.pooling)
        name = f"{shown}, {' and '.join(poolings)}{is_default * ' (default)'}"
        return self._other(name, layers=layers, pooling=pooling)

    def fitted(self, texts=("a",), labels=None):
        """Return the vectorizer; only "learned" layers depend on what is given."""
        return ElmoVectorizer(**self.common, **self.settings).fit(list(texts), labels)

    @cached_property
    def model(self):
        """Return the fitted language model."""
        return ElmoVectorizer(**self.common).fit(["a"]).language_model_

    @cached_property
    def key(self):
        """Return the hash of the weights, and the settings."""
        tokenizer = getattr(self.common["tokenizer"], "__qualname__", None)
        settings = EncoderSettings(unknown_words=self.unknown_words)
        found = settings.fingerprint(self.model.model_).hex()[:12]
        return ["elmo", found, tokenizer, self.layers, self.pooling]

    def tokenize(self, texts):
        """Return the tokens that the language model reads."""
        return self.fitted().tokenize(texts)

    def features(self, texts):
        return self.fitted().transform(texts)

    def token_vectors(self, sentences, places=None, at_once=500):
        """Return all layers of tokens: (n_tokens, n_layers, 2P).

        Of each sentence, a list of tokens, those of all or the one at the place given.
        """
        common = {**self.common, "input": "tokens", "layers": "concat"}
        vectorizer = ElmoVectorizer(**common).fit([["a"]])
        found = []
        for start in range(0, len(sentences), at_once):
            rows = vectorizer.transform_tokens(sentences[start : start + at_once])
            if places is not None:
                chosen = places[start : start + at_once]
                rows = [row[[k]] for row, k in zip(rows, chosen, strict=True)]
            found += rows
        config = self.model.config_
        return np.concatenate(found).reshape(-1, config.n_layers, config.n_features)


class Static(_Dense):
    """The mean of the vectors of lower-cased tokens; words without one are left out.

    With `nearest`, they are read as words one edit away, as ElmoVectorizer reads them.
    """

    def __init__(self, path, tokenize, directory, nearest=False):
        self.path, self.tokenize, self.directory = path, tokenize, directory
        self.name, self.kind = path.stem, path.stem.split("-")[0]
        self.nearest = nearest
        if nearest:
            self.name += ", unknown words as the nearest"

    def by_nearest(self):
        """Return the same vectors, with which unknown words get that of a near one."""
        return Static(self.path, self.tokenize, self.directory, nearest=True)

    @cached_property
    def key(self):
        """Return the file's hash."""
        return ["static", file_digest(self.path)] + ["nearest"] * self.nearest

    @cached_property
    def _vectorizer(self):
        # Of a file that is read, nothing is told by which method it was made.
        return Word2VecVectorizer(vectors=self.path, input="tokens").fit([["a"]])

    @cached_property
    def dim(self):
        """Return the number of features, without reading the file."""
        with self.path.open("rb") as file:
            fields = file.readline().split()
        return int(fields[1]) if len(fields) == 2 else len(fields) - 1

    def features(self, texts):
        """Return what was kept in `directory`, or compute it."""
        return kept(self, texts, lambda: self.mean(self.tokenize(texts)))

    def mean(self, documents):
        """Return the mean vectors of lists of tokens; zeros where none is known."""
        if self.nearest:
            documents = [
                [self._near(token) for token in tokens] for tokens in documents
            ]
        return self._vectorizer.transform(documents)

    @cached_property
    def _known(self):
        return set(self._vectorizer.vocabulary_)

    @cached_property
    def _spelling(self):
        return NearestWords(self._vectorizer.vocabulary_, lowercase=True)

    def _near(self, token):
        known = token in self._known or token.lower() in self._known
        return token if known else self._spelling.find(token) or token

    def token_vectors(self, sentences):
        """Return the vectors of all tokens in a row; zeros of those without one."""
        return np.concatenate(self._vectorizer.transform_tokens(sentences))


class MiniLM(_Dense):
    """Frozen all-MiniLM-L6-v2, see `quality_minilm`.

    Parameters
    ----------
    python : path
        Of the environment in which it is installed.
    directory : path
        Where vectors are kept.
    """

    name, key = "MiniLM", ["all-MiniLM-L6-v2"]

    def __init__(self, python, directory):
        self.python, self.directory = python, directory

    def features(self, texts):
        """Return what was kept in `directory`, or compute it."""
        return kept(self, texts, lambda: self._made(texts))

    def _made(self, texts):
        script = Path(__file__).with_name("quality_minilm.py")
        made = subprocess.run(
            [self.python, script], input=json.dumps(list(texts)).encode(),
            stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        return np.load(BytesIO(made.stdout))


class Tfidf:
    """TF-IDF of words and pairs of them, as the text is cut at spaces."""

    def __init__(self, name="TF-IDF", **settings):
        words = {"token_pattern": r"\S+", "ngram_range": (1, 2)}
        self.name, self.settings = name, settings or words
        self.key = ["tfidf", {k: str(v) for k, v in self.settings.items()}]

    def represent(self, texts):
        return (np.array(texts, dtype=object),)

    def blocks(self, train, tests):
        tfidf = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **self.settings)
        X = tfidf.fit_transform(train[0])
        return [(X, [tfidf.transform(test[0]) for test in tests], SPARSE_CS)]


class Union:
    """Dense features beside TF-IDF, at each of `WEIGHTS`."""

    def __init__(self, dense, tfidf):
        self.dense, self.tfidf = dense, tfidf
        self.name = f"{dense.name} + {tfidf.name}"

    @property
    def key(self):
        """Return both keys."""
        return ["union", self.dense.key, self.tfidf.key]

    def represent(self, texts):
        return (*self.dense.represent(texts), *self.tfidf.represent(texts))

    def blocks(self, train, tests):
        parts = [
            side.blocks(train[k : k + 1], [test[k : k + 1] for test in tests])[0]
            for k, side in enumerate((self.dense, self.tfidf))
        ]
        (D, Ds, _), (S, Ss, _) = parts
        return [
            (_beside(D, S, w), [_beside(A, B, w) for A, B in zip(Ds, Ss, strict=True)],
             UNION_CS)
            for w in WEIGHTS
        ]  # fmt: skip


def _beside(dense, rows, weight):
    factor = np.float32(weight / dense.shape[1] ** 0.5)
    return sparse.hstack([sparse.csr_array(dense * factor), rows], format="csr")
