"""Pipelines on reviews in English and Chinese; skipped where the data is not."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from skelmo import ElmoLanguageModel, ElmoVectorizer

CLASSIFIERS = {
    "logistic regression": LogisticRegression(max_iter=2000),
    "linear SVM": LinearSVC(random_state=0, max_iter=20_000),
    "SVM": SVC(random_state=0),
}


@pytest.fixture(scope="module")
def english(shared):
    """Return 300 sentences from film reviews, half of them positive."""
    path = shared / "data" / "sentiment" / "mr.tsv"
    table = pd.read_csv(path, sep="\t", quoting=3, dtype={"text": str})
    both = table.groupby("label").sample(150, random_state=0)
    return both.sample(frac=1.0, random_state=0)


@pytest.fixture(scope="module")
def film_model(tiny, english):
    model = ElmoLanguageModel(**{**tiny, "max_epochs": 3, "learning_rate_init": 0.01})
    return model.fit(english["text"])


@pytest.fixture(scope="module")
def chinese(shared):
    """Return 300 hotel reviews, half of them positive, one of them empty."""
    table = pd.read_csv(shared / "data" / "zh" / "chnsenticorp_htl.csv")
    empty = table[table["review"].isna()]
    assert len(empty) == 1
    rest = table.drop(empty.index).groupby("label").sample(150, random_state=0)
    rest = rest.drop(rest.index[rest["label"] == empty["label"].item()][0])
    return pd.concat([empty, rest]).sample(frac=1.0, random_state=0)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_pipeline_is_its_steps(english, film_model, name):
    X, y = english["text"], english["label"]
    vectorizer = ElmoVectorizer(language_model=FrozenEstimator(film_model))
    pipeline = make_pipeline(vectorizer, StandardScaler(), CLASSIFIERS[name])
    pipeline.fit(X[:200], y[:200])
    features = ElmoVectorizer(**vectorizer.get_params(deep=False)).fit_transform(X)
    apart = make_pipeline(StandardScaler(), CLASSIFIERS[name])
    apart.fit(features[:200], y[:200])
    expected = apart.decision_function(features[200:])
    # SVM solvers stop at a tolerance of their own.
    found = pipeline.decision_function(X[200:])
    assert_allclose(found, expected, rtol=0, atol=1e-3)
    copy = pickle.loads(pickle.dumps(pipeline))
    assert_array_equal(copy.decision_function(X[200:]), found)


def test_a_search_over_layers_is_a_cross_validation_of_each(english, film_model):
    X, y = english["text"], english["label"]
    vectorizer = ElmoVectorizer(language_model=FrozenEstimator(film_model))
    pipeline = make_pipeline(vectorizer, LogisticRegression(max_iter=2000))
    candidates = ["mean", [0, 2]]
    grid = {"elmovectorizer__layers": candidates}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    for layers, found in zip(
        candidates, search.cv_results_["mean_test_score"], strict=True
    ):
        alone = pipeline.set_params(elmovectorizer__layers=layers)
        # A vote in 300 may turn with the last bit of a feature.
        assert found == pytest.approx(
            cross_val_score(alone, X, y, cv=3).mean(), abs=0.01
        )
    best = search.best_estimator_[0]
    assert best.language_model_.network_ is film_model.network_
    assert best.layers == search.best_params_["elmovectorizer__layers"]
    assert (
        search.predict(X[:5]).tolist() == search.best_estimator_.predict(X[:5]).tolist()
    )


def test_a_search_trains_the_language_model_on_the_training_folds(tiny, english):
    X, y = english["text"], english["label"]
    vectorizer = ElmoVectorizer(language_model=ElmoLanguageModel(**tiny))
    pipeline = make_pipeline(vectorizer, LogisticRegression(max_iter=2000))
    grid = {"elmovectorizer__language_model__hidden_size": [4, 16]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    (size,) = search.best_params_.values()
    assert search.best_estimator_[0].language_model_.config_.hidden_size == size
    assert not hasattr(pipeline[0].language_model, "network_")


def test_features_of_films_keep_their_values_in_company(english, film_model):
    X = english["text"]
    vectorizer = ElmoVectorizer(language_model=FrozenEstimator(film_model)).fit(X)
    together = vectorizer.transform(X)
    apart = np.vstack([vectorizer.transform(X[k : k + 1]) for k in range(40)])
    assert_allclose(together[:40], apart, rtol=0, atol=1e-5)
    assert_array_equal(vectorizer.transform(X[::-1]), together[::-1])


def test_chinese_reviews_with_an_empty_one(tiny, chinese):
    X, y = chinese["review"], chinese["label"]
    sizes = {"proj_size": 32, "filters": ((2, 16), (3, 64)), "batch_tokens": 1024}
    parameters = {**tiny, **sizes, "learning_rate_init": 0.01}
    vectorizer = ElmoVectorizer(
        language_model=ElmoLanguageModel(**parameters),
        missing="empty",
        layers="concat",
        pooling=["mean", "max"],
    )
    features = vectorizer.fit_transform(X)  # warnings are errors here
    empty = np.flatnonzero(X.isna())
    assert_array_equal(np.flatnonzero(~features.any(axis=1)), empty)
    assert np.isfinite(features).all()
    joined = ["".join(tokens) for tokens in vectorizer.tokenize(X)]
    assert joined == ["".join(text.split()) for text in X.fillna("")]
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=999)
    )
    assert cross_val_score(classifier, features, y, cv=5).mean() > 0.56
