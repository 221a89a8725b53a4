"""Tools of scikit-learn around a vectorizer, on the docstrings of libraries.

The oracle is the same tool around features computed beforehand: a vector depends on its
document alone.
"""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    TunedThresholdClassifierCV,
    cross_val_score,
    learning_curve,
)
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.datasets import load_docstrings

CLOSE = {"rtol": 0, "atol": 1e-4}


@pytest.fixture(scope="module")
def documents():
    """Return 160 docstrings of two libraries, mixed, with their library."""
    frame = load_docstrings(as_frame=True).frame
    frame = frame[frame["label"].isin(frame["label"].unique()[[1, 3]])]
    return (
        frame.groupby("label")
        .sample(80, random_state=0)
        .sample(frac=1.0, random_state=0)
    )


@pytest.fixture(scope="module")
def text(documents):
    return documents["text"]


@pytest.fixture(scope="module")
def y(documents):
    return (documents["label"] == documents["label"].iloc[0]).astype(int)


@pytest.fixture(scope="module")
def vectorizer(tiny, text):
    model = ElmoLanguageModel(**{**tiny, "max_epochs": 3, "learning_rate_init": 0.01})
    return ElmoVectorizer(language_model=FrozenEstimator(model.fit(text)))


@pytest.fixture
def features(vectorizer, text):
    return clone(vectorizer).fit_transform(text)


@pytest.fixture
def classifier():
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


@pytest.fixture
def pipeline(vectorizer, classifier):
    return make_pipeline(clone(vectorizer), classifier)


def test_cross_validation(pipeline, classifier, features, text, y):
    expected = cross_val_score(classifier, features, y, cv=4)
    assert_allclose(cross_val_score(pipeline, text, y, cv=4), expected, **CLOSE)
    assert expected.mean() > 0.6  # a half would be chance


def test_learning_curves(pipeline, classifier, features, text, y):
    settings = {"cv": 3, "train_sizes": [0.3, 1.0]}
    found = learning_curve(pipeline, text, y, **settings)
    for got, wanted in zip(
        found, learning_curve(classifier, features, y, **settings), strict=True
    ):
        assert_allclose(got, wanted, **CLOSE)


def test_stacking(pipeline, classifier, features, text, y):
    words = make_pipeline(TfidfVectorizer(), LogisticRegression())
    stack = StackingClassifier([("elmo", pipeline), ("words", words)], cv=3)
    proba = stack.fit(text, y).predict_proba(text)
    # By hand, with the same folds.
    columns = []
    for estimator, X in ((classifier, features), (words, text)):
        alone = StackingClassifier([("one", estimator)], cv=3)
        columns.append((alone.fit(X, y).transform(X), estimator))
    assert_allclose(stack.transform(text), np.hstack([c for c, _ in columns]), **CLOSE)
    assert ((proba[:, 1] > 0.5) == y).mean() > 0.7


def test_calibration(pipeline, classifier, features, text, y):
    expected = CalibratedClassifierCV(classifier, cv=3).fit(features, y)
    found = CalibratedClassifierCV(pipeline, cv=3).fit(text, y)
    assert_allclose(
        found.predict_proba(text), expected.predict_proba(features), **CLOSE
    )


def test_a_tuned_threshold(pipeline, classifier, features, text, y):
    expected = TunedThresholdClassifierCV(classifier, cv=3).fit(features, y)
    found = TunedThresholdClassifierCV(pipeline, cv=3).fit(text, y)
    assert found.best_threshold_ == pytest.approx(expected.best_threshold_, abs=1e-4)
    assert_array_equal(found.predict(text), expected.predict(features))


def test_a_union_with_tfidf(vectorizer, features, text):
    union = FeatureUnion([("elmo", clone(vectorizer)), ("words", TfidfVectorizer())])
    found = union.fit_transform(text).toarray()
    words = TfidfVectorizer().fit(text)
    n = features.shape[1]
    assert_allclose(found[:, :n], features, rtol=0, atol=1e-6)
    assert_allclose(found[:, n:], words.transform(text).toarray(), rtol=1e-12)
    names = union.get_feature_names_out()
    assert names[0] == "elmo__text_mean_layer0_forward_0"
    assert names[n] == f"words__{words.get_feature_names_out()[0]}"


def test_a_pipeline_with_a_memory(pipeline, text, y, tmp_path):
    expected = clone(pipeline).fit(text, y).predict_proba(text)
    pipeline.set_params(memory=str(tmp_path))
    for _ in range(2):  # computed, then read
        found = clone(pipeline).fit(text, y)
        assert_allclose(found.predict_proba(text), expected, **CLOSE)


def test_importance_of_the_columns_of_a_frame(vectorizer, classifier, text, y):
    noise = np.random.default_rng(0).normal(size=len(text))
    frame = pd.DataFrame({"noise": noise, "text": text, "length": text.str.len()})
    numbers = ("rest", "passthrough", ["noise", "length"])
    columns = ColumnTransformer([("elmo", clone(vectorizer), "text"), numbers])
    columns.set_output(transform="pandas")
    model = make_pipeline(columns, classifier).fit(frame, y)
    assert model[0].transform(frame).index.equals(frame.index)
    found = permutation_importance(model, frame, y, n_repeats=3, random_state=0)
    importance = dict(zip(frame, found.importances_mean, strict=True))
    assert importance["text"] > 0.1
    assert importance["text"] > 5 * abs(importance["noise"])


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_workers_give_what_one_process_gives(
    pipeline, classifier, features, text, y, n_jobs
):
    expected = cross_val_score(classifier, features, y, cv=2)
    found = cross_val_score(pipeline, text, y, cv=2, n_jobs=n_jobs)
    assert_allclose(found, expected, **CLOSE)


@pytest.mark.slow
def test_workers_do_not_take_more_threads_than_there_are_cores(tmp_path):
    # Told by the environment, which a test's own process has read long ago.
    code = """
import os
import torch
from joblib import Parallel, delayed
def threads(k):
    import skelmo
    import torch
    return torch.get_num_threads()
if __name__ == "__main__":
    n_cores = len(os.sched_getaffinity(0))
    for n_jobs in {2, n_cores}:
        found = Parallel(n_jobs=n_jobs)(delayed(threads)(k) for k in range(n_jobs))
        assert max(found) * n_jobs <= max(n_cores, n_jobs), (found, n_cores)
"""
    script = tmp_path / "workers.py"
    script.write_text(code)
    settings = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    subprocess.run([sys.executable, script], check=True, env=settings)
