"""What a text classifier must hold, of ours and of what is wrong on purpose."""

import re
from unittest import SkipTest

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from skelmo import ElmoClassifier, ElmoVectorizer
from skelmo.testing import check_text_classifier, text_classifier_checks

SETTINGS = {"max_iter": 4, "learning_rate_init": 0.05, "batch_size": 8}
OURS = {
    "frozen": ElmoClassifier(tune="none", **SETTINGS),
    "tuned": ElmoClassifier(tune="all", head="cnn", n_filters=4, **SETTINGS),
    "pipeline": make_pipeline(ElmoVectorizer(), LogisticRegression(max_iter=5000)),
}
NAMES = [check.__name__ for _, check in text_classifier_checks(OURS["frozen"])]


# Processes of their own import torch anew.
EACH = [
    pytest.param(name, marks=pytest.mark.slow) if name == "check_in_search" else name
    for name in NAMES
]


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("kind", OURS)
def test_ours_hold_the_contract(kind, name, frozen):
    key = "elmovectorizer__language_model" if kind == "pipeline" else "language_model"
    estimator = clone(OURS[kind]).set_params(**{key: frozen})
    known = {"check_classifier_tags": "a pipeline has none of its last step's"}
    checks = text_classifier_checks(
        estimator, known_failures=known if kind == "pipeline" else None
    )
    {check.__name__: check for _, check in checks}[name](estimator)


class Longer(ClassifierMixin, BaseEstimator):
    """Tell long documents from short ones, in one way or another wrongly."""

    def __init__(self, wrong=""):
        self.wrong = wrong

    def fit(self, X, y, sample_weight=None):
        if isinstance(X, str) or not len(list(y)):
            raise ValueError("no documents")
        self.classes_ = np.unique(np.asarray(y))
        if len(self.classes_) < 2 and self.wrong != "one class":
            raise ValueError("one class alone")
        seed = None if self.wrong == "seed" else 0
        self.noise_ = np.random.default_rng(seed).random()
        return self

    def predict_proba(self, X):
        check_is_fitted(self)
        lengths = np.array([len(text) for text in X], dtype=float)
        if self.wrong == "others":
            lengths -= lengths.mean()
        share = 1 / (1 + np.exp(-lengths / 50 + self.noise_))
        both = np.column_stack([1 - share, share])
        return both * 1.1 if self.wrong == "sum" else both

    def predict(self, X):
        best = self.predict_proba(X).argmax(axis=1)
        if self.wrong == "unlikely":
            best = 1 - best
        return self.classes_[best]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags


@pytest.mark.parametrize(
    ("wrong", "name", "told"),
    [
        (
            "sum",
            "check_probabilities",
            "probabilities of a document do not sum up to 1",
        ),
        ("unlikely", "check_probabilities", "predict is not what is likeliest"),
        ("others", "check_single_documents", "what is told of a document depends on"),
        ("seed", "check_same_seed", "two fits of one seed differ"),
        ("one class", "check_one_class", "one class alone raises neither TypeError"),
    ],
)
def test_what_is_wrong_is_named(wrong, name, told):
    message = f"^{name} failed for Longer: AssertionError: [\\s\\S]*{re.escape(told)}"
    for estimator, check in text_classifier_checks(Longer(wrong)):
        if check.__name__ == name:
            with pytest.raises(AssertionError, match=message):
                check(estimator)
            check(Longer())


def test_documents_of_ones_own_need_their_classes():
    message = (
        "^text_classifier_checks needs documents and y, or neither. Pass the class of "
        "each document, 0 or 1, as y.$"
    )
    with pytest.raises(ValueError, match=message):
        text_classifier_checks(Longer(), documents=["a"] * 30)
    pipeline = make_pipeline(HashingVectorizer(n_features=64), LogisticRegression())
    documents = [f"{word} {k}" for k in range(12) for word in ("good", "bad")]
    pairs = text_classifier_checks(pipeline, documents=documents, y=np.tile([0, 1], 12))
    checks = {check.__name__: check for _, check in pairs}
    for name in ("check_probabilities", "check_single_documents", "check_pickle"):
        checks[name](pipeline)
    told = "^fit of Pipeline takes no sample_weight$"
    with pytest.raises(SkipTest, match=told):
        checks["check_weight_is_repetition"](pipeline)


@pytest.mark.slow
def test_results_tell_how_checks_ended():
    with pytest.raises(AssertionError, match="^check_classifier_tags failed for Dummy"):
        check_text_classifier(DummyClassifier())
    results = check_text_classifier(
        DummyClassifier(), documents=["a", "b"] * 12, y=[0, 1] * 12, on_fail="collect"
    )
    status = {result.check_name: result.status for result in results}
    assert status["check_classifier_tags"] == "failed"
    assert status["check_clone"] == "passed"
