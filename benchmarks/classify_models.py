"""What classifies texts by counted words or by features: each fits and predicts.

A model has a `name`, a `key` that tells it from all others, and
`fit(texts, y, unlabeled, seed)`, which returns a function from texts to classes.
`unlabeled` are more texts of the same kind, which most make no use of.
"""

import warnings

import numpy as np
from quality_learn import DENSE_CS, SPARSE_CS, choose, classifier
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skelmo import ElmoClassifier, ElmoVectorizer

WORDS = {"token_pattern": r"\S+", "ngram_range": (1, 2)}
SVM_CS = (0.01, 0.1, 1.0, 10.0)
FOLDS = 3


class LogisticModel:
    """Logistic regression on features, with C chosen by folds of the training texts."""

    def __init__(self, name, key, vectorizer, Cs):
        self.name, self.key = name, [*key, Cs, FOLDS]
        self.vectorizer, self.Cs = vectorizer, Cs

    def fit(self, texts, y, unlabeled, seed):
        """Fit; return what predicts."""
        X = self.vectorizer.fit_transform(texts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            _, C = choose([(X, self.Cs)], y, FOLDS)
            regression = classifier(C).fit(X, y)
        return lambda new: regression.predict(self.vectorizer.transform(new))


def tfidf():
    """Return the model of words and pairs of words."""
    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **WORDS)
    return LogisticModel("TF-IDF, LR", ["tfidf"], vectorizer, SPARSE_CS)


def frozen(language_model):
    """Return the model of ELMo's features as they are by default."""
    vectorizer = make_pipeline(
        ElmoVectorizer(language_model, cache=None), StandardScaler()
    )
    key = ["frozen", _digest(language_model)]
    return LogisticModel("ELMo pooled, LR", key, vectorizer, DENSE_CS)


HEADS = ("linear", "mlp", "cnn", "attention")
TUNED = {"frozen": "none", "tuned": "all"}


class HeadModel:
    """`ElmoClassifier` with its defaults but for the parameters given.

    If the language model reads the texts first, those without labels are among them.
    """

    def __init__(self, name, language_model, digest, **parameters):
        self.name, self.language_model = name, language_model
        self.parameters = parameters
        own = ElmoClassifier(**parameters).get_params()
        chosen = {k: repr(v) for k, v in own.items() if k != "language_model"}
        self.key = ["head", digest, chosen]

    def fit(self, texts, y, unlabeled, seed):
        """Fit; return what predicts."""
        classifier = ElmoClassifier(
            self.language_model, cache=None, random_state=seed, **self.parameters
        )
        if classifier.adapt_epochs and len(unlabeled):
            return classifier.fit(texts, y, unlabeled=list(unlabeled)).predict
        return classifier.fit(texts, y).predict


def heads(language_model):
    """Return each head frozen and tuned, with and without a first reading."""
    digest = _digest(language_model)
    return [
        HeadModel(
            f"ELMo {how}, {head}{', adapted' * adapted}", language_model, digest,
            head=head, tune=tune, adapt_epochs=int(adapted),
        )
        for how, tune in TUNED.items()
        for head in HEADS
        for adapted in (False, True)
    ]  # fmt: skip


def _digest(language_model):
    """Return a short hash of a language model's weights."""
    elmo = ElmoVectorizer(language_model, cache=None).fit(["a"])
    return elmo.language_model_.model_.digest.hex()[:12]


class NaiveBayesSVM(LinearSVC):
    """A linear SVM on the log-count ratios of the words that a text has.

    Of two classes; others are told from the rest one by one. After Wang and Manning
    (2012), Baselines and bigrams: the weights are drawn towards their mean size.

    Parameters
    ----------
    C : float
        Of the SVM.
    smoothing : float
        Counted for each word beside the texts that hold it, the paper's alpha.
    share : float
        Of the SVM's own weights in the sum, the paper's beta.
    """

    def __init__(self, C=1.0, smoothing=1.0, share=0.25):
        super().__init__(C=C, random_state=0, max_iter=5000)
        self.smoothing, self.share = smoothing, share

    def fit(self, X, y):
        """Fit to a sparse matrix of zeros and ones."""
        is_second = y == np.unique(y)[1]
        self.ratio_ = self._logs(X[is_second]) - self._logs(X[~is_second])
        super().fit(self._rated(X), y)
        weights = self.coef_
        size = np.abs(weights).mean()
        self.coef_ = (1 - self.share) * size + self.share * weights
        return self

    def decision_function(self, X):
        """Return the values of rows as they are given to `fit`."""
        return super().decision_function(self._rated(X))

    def _logs(self, X):
        counts = self.smoothing + np.asarray(X.sum(axis=0)).ravel()
        return np.log(counts / counts.sum())

    def _rated(self, X):
        return sparse.csr_matrix(X.multiply(self.ratio_))


class NaiveBayesSVMModel:
    """The SVM on words and pairs of words, with C chosen by folds."""

    name = "words, NB-SVM"
    key = ("nb-svm", SVM_CS, FOLDS)

    def fit(self, texts, y, unlabeled, seed):
        """Fit; return what predicts."""
        words = CountVectorizer(binary=True, dtype=np.float64, **WORDS)
        X = words.fit_transform(texts)
        model = OneVsRestClassifier(NaiveBayesSVM())
        grid = {"estimator__C": SVM_CS}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no convergence, few of a class
            search = GridSearchCV(model, grid, cv=FOLDS).fit(X, y)
        return lambda new: search.predict(words.transform(new))
