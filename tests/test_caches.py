"""One forward pass for each distinct document, whatever is done with it."""

import os
import threading

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline

import skelmo
from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.encoding.encoder import Encoder
from skelmo.models import trained
from skelmo.training.pretraining import Pretraining

CLOSE = {"rtol": 0, "atol": 1e-6}


@pytest.fixture
def encoded(monkeypatch):
    """Return a list that grows with each document that goes through a network."""
    found, pool = [], Encoder.pool

    def noting(self, *arguments, **options):
        for documents, pooled in pool(self, *arguments, **options):
            found.extend(documents.tolist())
            yield documents, pooled

    monkeypatch.setattr(Encoder, "pool", noting)
    return found


@pytest.fixture(params=["memory", "directory"])
def cache(request, tmp_path):
    return "memory" if request.param == "memory" else tmp_path / "cache"


def test_a_document_is_encoded_once(frozen, texts, encoded, cache):
    n = len(set(texts))
    for settings in (
        {}, {"layers": "concat"}, {"layers": 1, "pooling": "max"},
        {"pooling": ["last", "min"], "max_batch_tokens": 64},
    ):  # fmt: skip
        vectorizer = ElmoVectorizer(language_model=frozen, cache=cache, **settings)
        got = vectorizer.fit_transform(texts)
        assert len(encoded) == n
        alone = ElmoVectorizer(language_model=frozen, cache=None, **settings)
        expected = alone.fit_transform(texts)
        assert_allclose(got, expected, **CLOSE)
        del encoded[n:]
        shuffled = vectorizer.transform(texts[::-1])
        assert_array_equal(shuffled, got[::-1])
    info = skelmo.cache_info(cache)
    assert (info.hits, info.misses, info.entries) == (7 * n, n, n)
    assert info.bytes > n * 4 * 3 * 16 * 4


def test_what_changes_activations_is_not_mixed_up(tiny, texts, frozen, encoded, cache):
    other = ElmoLanguageModel(**{**tiny, "random_state": 1}).fit(texts)
    path = cache if cache != "memory" else None
    n = len(set(texts))
    expected = {}
    for turn in (1, 2):
        for name, settings in {
            "one": {"language_model": frozen},
            "other": {"language_model": type(frozen)(other)},
            "rough": {"language_model": frozen, "precision": "bfloat16"},
            "cut": {"language_model": frozen, "tokenizer": str.split},
        }.items():
            vectorizer = ElmoVectorizer(cache=path or "memory", **settings)
            got = vectorizer.fit_transform(texts)
            assert_array_equal(expected.setdefault(name, got), got)
            alone = ElmoVectorizer(cache=None, **settings)
            count = len(encoded)
            assert_allclose(got, alone.fit_transform(texts), **CLOSE)
            del encoded[count:]
        assert len(encoded) == 4 * n, turn


def test_a_function_with_the_same_tokens_shares(frozen, texts, encoded):
    for tokenizer in (str.split, lambda sentence: sentence.split()):
        ElmoVectorizer(language_model=frozen, tokenizer=tokenizer).fit_transform(texts)
    assert len(encoded) == len(set(texts))


def test_a_directory_serves_who_starts_anew(frozen, texts, encoded, tmp_path):
    vectorizer = ElmoVectorizer(language_model=frozen, cache=str(tmp_path / "a"))
    expected = vectorizer.fit_transform(texts)
    skelmo.clear_cache()
    again = clone(vectorizer).fit_transform(texts)
    assert_array_equal(again, expected)
    assert len(encoded) == len(set(texts))
    skelmo.clear_cache(tmp_path / "a")
    assert skelmo.cache_info(tmp_path / "a") == (0, 0, 0, 0)
    clone(vectorizer).fit_transform(texts)
    assert len(encoded) == 2 * len(set(texts))


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_grid_search_encodes_each_document_once(
    language_model, texts, encoded, monkeypatch, tmp_path, n_jobs
):
    language_model.save(tmp_path / "model")
    built, build = [], trained.build_network

    def noting(*arguments):
        built.append(arguments)
        return build(*arguments)

    monkeypatch.setattr(trained, "build_network", noting)
    X = pd.Series([*texts[:40], *texts[:5]])
    y = np.arange(len(X)) % 2
    cache = "memory" if n_jobs == 1 else tmp_path / "cache"
    pipeline = Pipeline([
        ("elmo", ElmoVectorizer(language_model=tmp_path / "model", cache=cache)),
        ("classify", LogisticRegression(max_iter=2000)),
    ])  # fmt: skip
    grid = {
        "elmo__layers": ["mean", "top", "concat"],
        "elmo__pooling": ["mean", "max"],
        "classify__C": [0.01, 0.1, 1.0, 10.0],
    }
    folds = KFold(5, shuffle=True, random_state=0)
    search = GridSearchCV(pipeline, grid, cv=folds, n_jobs=n_jobs).fit(X, y)
    info = skelmo.cache_info(cache)
    assert info.entries == X.nunique() == 40
    if n_jobs == 1:
        assert len(encoded) == info.misses == 40
        assert len(built) == 1
    else:
        # Two processes may come to a document at the same time.
        assert 40 <= info.misses <= 80
    pipeline.set_params(elmo__cache=None)
    alone = GridSearchCV(pipeline, grid, cv=folds).fit(X, y)
    for name in ("mean_test_score", "std_test_score"):
        assert_allclose(search.cv_results_[name], alone.cv_results_[name], atol=1e-9)
    assert search.best_params_ == alone.best_params_


def test_a_search_trains_a_language_model_once_for_each_fold(tiny, texts, monkeypatch):
    fits, train = [], Pretraining.__call__

    def noting(self, sequences, *arguments, **named):
        fits.append(sequences.n_documents)
        return train(self, sequences, *arguments, **named)

    monkeypatch.setattr(Pretraining, "__call__", noting)
    vectorizer = ElmoVectorizer(language_model=ElmoLanguageModel(**tiny))
    pipeline = Pipeline([("elmo", vectorizer), ("classify", LogisticRegression())])
    grid = {"elmo__layers": ["mean", "top"], "classify__C": [0.1, 1.0]}
    y = np.arange(len(texts)) % 2
    GridSearchCV(pipeline, grid, cv=3).fit(texts, y)
    assert fits == [80, 80, 80, 120]


def test_threads_share_what_is_kept(frozen, texts, encoded):
    found = []

    def work(seed):
        order = np.random.default_rng(seed).permutation(len(texts))
        vectorizer = ElmoVectorizer(language_model=frozen)
        features = vectorizer.fit_transform([texts[k] for k in order])
        found.append(features[np.argsort(order)])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for features in found:
        assert_allclose(features, found[0], **CLOSE)


def test_clearing_frees_models_and_vectors(language_model, texts, encoded, tmp_path):
    language_model.save(tmp_path / "model")
    vectorizer = ElmoVectorizer(language_model=tmp_path / "model")
    expected = vectorizer.fit_transform(texts)
    network = vectorizer.language_model_.network_
    skelmo.clear_cache()
    assert skelmo.cache_info() == (0, 0, 0, 0)
    assert_allclose(vectorizer.transform(texts), expected, **CLOSE)
    assert clone(vectorizer).fit(texts).language_model_.network_ is not network


def test_clearing_a_directory_removes_a_model_at_once(tmp_path, monkeypatch):
    models = tmp_path / "cache" / "models"
    for name in ("a", "b"):
        (models / name).mkdir(parents=True)
        for file in ("config.json", "weights.safetensors"):
            (models / name / file).write_text(name)
    seen, unlink = [], os.unlink

    def looking(*arguments, **options):
        there = [path for path in models.iterdir() if path.name in {"a", "b"}]
        if "activations" not in str(arguments[0]):
            seen.append([len(list(path.iterdir())) for path in there])
        return unlink(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", looking)
        skelmo.clear_cache(tmp_path / "cache")
    assert seen == [[2], [2], [], []]
    assert not models.exists()
    skelmo.clear_cache(tmp_path / "cache")


def test_information_is_asked_of_a_cache():
    with pytest.raises(ValueError, match="^cache_info needs 'memory' or a directory, "):
        skelmo.cache_info(None)
    with pytest.raises(
        ValueError, match="^clear_cache needs 'memory' or a directory, "
    ):
        skelmo.clear_cache(None)
