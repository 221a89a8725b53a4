"""Every draw comes from a generator of our own: threads do not disturb one another."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from joblib import parallel_backend
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skelmo import (
    ElmoLanguageModel,
    ElmoVectorizer,
    clear_cache,
)
from skelmo.baselines import GloveVectorizer, Word2VecVectorizer
from skelmo.nn.randomness import DrawnFrom, Dropout, torch_generator

ALL_DRAWS = {
    "dropout": 0.3,
    "word_embedding_dim": 8,
    "tie_weights": True,
    "word_dropout": 0.2,
    "misspelling": 0.3,
    "n_samples": 5,
    "max_epochs": 2,
}


def weights_of(model):
    return [w.numpy() for w in model.network_.state_dict().values()]


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_fits_at_once_give_what_one_after_the_other_gives(tiny, texts):
    start = threading.Barrier(4)

    def fit(seed, together):
        model = ElmoLanguageModel(**{**tiny, **ALL_DRAWS, "random_state": seed})
        if together:
            start.wait()
        return weights_of(model.fit(texts))

    seeds = [0, 1, 0, 2]
    alone = [fit(seed, False) for seed in seeds]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fit, seeds, [True] * 4))
    for found, expected in zip(together, alone, strict=True):
        assert_same(found, expected)
    assert any((a != b).any() for a, b in zip(alone[0], alone[1], strict=True))


def test_a_search_in_threads_scores_as_the_serial_one(tiny, texts):
    model = ElmoLanguageModel(**tiny)
    pipeline = make_pipeline(ElmoVectorizer(language_model=model), LogisticRegression())
    grid = {"elmovectorizer__language_model__proj_size": [4, 6, 8]}
    documents, labels = texts * 2, [len(text) % 2 for text in texts * 2]

    def scores(n_jobs):
        clear_cache()
        search = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs)
        with parallel_backend("threading"):
            return search.fit(documents, labels).cv_results_["mean_test_score"]

    np.testing.assert_array_equal(scores(3), scores(1))


@pytest.fixture
def estimators(tiny, language_model):
    return [
        ElmoLanguageModel(**{**tiny, **ALL_DRAWS}),
        ElmoVectorizer(language_model=ElmoLanguageModel(**tiny)),
        ElmoVectorizer(language_model=FrozenEstimator(language_model), cache="memory"),
        ElmoVectorizer(),
        GloveVectorizer(vector_size=4, max_epochs=1, random_state=0),
        Word2VecVectorizer(vector_size=4, max_epochs=1, random_state=0),
    ]


def test_global_generators_are_left_alone(estimators, texts):
    def states():
        return (
            torch.get_rng_state().numpy(),
            np.random.get_state()[1],  # noqa: NPY002
            random.getstate()[1],
        )

    before = states()
    for estimator in estimators:
        estimator.fit(texts)
        if hasattr(estimator, "transform"):
            estimator.transform(texts[:3])
        assert_same(states(), before)


def test_dropout_keeps_the_mean_and_drops_its_share():
    x = torch.ones(200, 100)
    dropout = Dropout(0.25)
    found = dropout(x, torch.Generator().manual_seed(0))
    kept = found != 0
    assert abs(kept.float().mean().item() - 0.75) < 0.01
    assert torch.equal(found[kept], torch.full_like(found[kept], 1 / 0.75))
    # Without a generator, and in evaluation, nothing is dropped.
    assert torch.equal(dropout(x), x)
    assert torch.equal(dropout.eval()(x, torch.Generator()), x)


def test_dropout_is_that_of_torch():
    x = torch.linspace(-1, 1, 1000).reshape(50, 20)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        expected = torch.nn.Dropout(0.4)(x)
    found = Dropout(0.4)(x, torch.Generator().manual_seed(3))
    assert torch.equal(found, expected)


def test_modules_are_initialised_as_from_a_seeded_global_generator():
    def build():
        return torch.nn.Sequential(
            torch.nn.Embedding(5, 3), torch.nn.Conv1d(3, 4, 2), torch.nn.Linear(4, 2)
        )

    with torch.random.fork_rng():
        torch.manual_seed(7)
        expected = build().state_dict()
    with DrawnFrom(torch.Generator().manual_seed(7)):
        found = build().state_dict()
    assert_same(found.values(), expected.values())


def test_one_draw_of_a_generator_decides_the_other():
    first, second = (torch_generator(np.random.default_rng(k)) for k in (0, 0))
    other = torch_generator(np.random.default_rng(1))
    draws = [torch.rand(5, generator=g) for g in (first, second, other)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
