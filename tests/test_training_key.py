"""The same training: done once if it has a seed, and told of if it has none."""

import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skelmo import ElmoLanguageModel, ElmoVectorizer, clear_cache


def told(what):
    return (
        f"ElmoVectorizer trains the same language model on the same documents again, "
        f"as in a search for every candidate: its random_state is {what}, so that no "
        f"training can stand for another. Set random_state=0 to train it once, or "
        f"train it first and pass FrozenEstimator(language_model)."
    )


@pytest.fixture
def unseeded(tiny):
    """Return a language model in which nothing decides how it is trained."""
    return ElmoLanguageModel(**{**tiny, "random_state": None})


def warnings_of(function):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    return [str(each.message) for each in caught if "again" in str(each.message)]


def search(model, X, grid):
    y = np.arange(len(X)) % 2
    pipeline = make_pipeline(model, LogisticRegression())
    return lambda: GridSearchCV(pipeline, grid, cv=2).fit(X, y)


CANDIDATES = {"logisticregression__C": [0.1, 1, 10]}


@pytest.fixture
def long_texts(texts):
    """Return documents of which a half suffices to train on without a warning."""
    return [*texts, *(text.replace("e", "a") for text in texts)]


def test_a_search_tells_once(unseeded, long_texts):
    run = search(ElmoVectorizer(unseeded), long_texts, CANDIDATES)
    assert warnings_of(run) == [told("None")]
    assert warnings_of(run) == []
    clear_cache()
    assert warnings_of(run) == [told("None")]


def test_the_line_of_the_user_is_named(unseeded, texts):
    vectorizer = ElmoVectorizer(unseeded).fit(texts)
    with pytest.warns(UserWarning, match=f"^{re.escape(told('None'))}$") as caught:
        vectorizer.fit(texts)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_generator_is_no_seed(unseeded, texts):
    state = np.random.RandomState(0)
    vectorizer = ElmoVectorizer(unseeded, random_state=state).fit(texts)
    assert warnings_of(lambda: vectorizer.fit(texts)) == [told("no int")]


def remedies(unseeded, X):
    seeded = clone(unseeded).set_params(random_state=0)
    return {
        "a seed of the model": ElmoVectorizer(seeded),
        "a seed of the vectorizer": ElmoVectorizer(unseeded, random_state=0),
        "trained first": ElmoVectorizer(FrozenEstimator(clone(unseeded).fit(X))),
    }


@pytest.mark.parametrize("k", range(3))
def test_the_remedies_are_some(unseeded, long_texts, k):
    model = list(remedies(unseeded, long_texts).values())[k]
    assert warnings_of(search(model, long_texts, CANDIDATES)) == []


def test_other_trainings_are_none_that_repeat(unseeded, long_texts):
    grid = {"elmovectorizer__language_model__hidden_size": [4, 8, 12]}

    def run():
        pipeline = search(ElmoVectorizer(unseeded), long_texts, grid)
        pipeline()

    # The best candidate is fitted again on all documents, which are others.
    assert warnings_of(run) == []
    vectorizer = ElmoVectorizer(unseeded)
    assert warnings_of(lambda: vectorizer.fit(long_texts[:100])) == []
    assert warnings_of(lambda: vectorizer.fit(long_texts[100:])) == []
    assert warnings_of(lambda: vectorizer.fit(long_texts[::-1])) == []


def test_without_a_cache_a_seed_would_not_help(unseeded, texts):
    vectorizer = ElmoVectorizer(unseeded, cache=None).fit(texts)
    assert warnings_of(lambda: vectorizer.fit(texts)) == []


@pytest.mark.filterwarnings("ignore:ElmoLanguageModel is trained on:UserWarning")
def test_few_documents_are_trained_on_again_in_any_case(unseeded, texts):
    vectorizer = ElmoVectorizer(unseeded).fit(texts[:9])
    assert warnings_of(lambda: vectorizer.fit(texts[:9])) == []
