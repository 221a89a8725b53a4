"""The mix of layers that a vectorizer learns from targets."""

import pickle
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.encoding.features import Features
from skelmo.encoding.layer_mix import learn_mix

CLOSE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture
def learned(make):
    """Return a function from parameters to an unfitted vectorizer that learns."""

    def learned(**settings):
        return clone(make()).set_params(
            **{"layers": "learned", "pooling": "mean", **settings}
        )

    return learned


@pytest.fixture
def layers(make, texts):
    """Return the pooled layers of the texts, shape (N, 3, 16)."""
    flat = make(layers="concat", pooling="mean").transform(texts)
    return flat.reshape(len(texts), 3, -1)


@pytest.mark.parametrize("signal", [0, 1, 2])
def test_the_layer_that_carries_the_signal_is_found(
    learned, texts, layers, signal, monkeypatch
):
    # The layers of a real model know much of each other.
    rng = np.random.default_rng(0)
    planted = rng.normal(size=layers.shape).astype(np.float32)
    planted[:, signal] = layers[:, signal] / layers[:, signal].std()
    pooled = planted[:, None]
    monkeypatch.setattr(Features, "pool", lambda *_: pooled)
    score = planted[:, signal] @ rng.normal(size=16)
    for y in (score, score > np.median(score)):
        weights = learned().fit(texts, y).layer_weights_
        assert weights[signal] > 0.8


def test_features_are_the_mix(learned, make, texts, layers):
    y = np.arange(len(texts)) % 3
    vectorizer = learned(pooling=["mean", "max"]).fit(texts, y)
    weights, gamma = vectorizer.layer_weights_, vectorizer.gamma_
    assert weights.shape == (3,)
    assert weights.sum() == pytest.approx(1.0)
    assert weights.min() > 0
    assert gamma > 0
    found = vectorizer.transform(texts)
    for k, pooling in enumerate(("mean", "max")):
        flat = make(layers="concat", pooling=pooling).transform(texts)
        mixed = gamma * np.einsum("nlp,l->np", flat.reshape(len(texts), 3, -1), weights)
        assert_allclose(found[:, 16 * k : 16 * (k + 1)], mixed, rtol=1e-4, atol=1e-4)
    names = vectorizer.get_feature_names_out()
    assert names[[0, 31]].tolist() == [
        "elmo_mean_mix_forward_0", "elmo_max_mix_backward_7"
    ]  # fmt: skip
    tokens = vectorizer.transform_tokens(texts[:1])[0]
    assert_allclose(tokens.mean(axis=0), found[0, :16], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cache", [None, "memory"])
def test_fit_transform_is_fit_and_transform(learned, texts, cache):
    y = np.arange(len(texts)) % 2
    X = [*texts, None, texts[0], ""]
    y = [*y, 0, 1, 1]
    for missing in ("empty", "nan"):
        vectorizer = learned(cache=cache, missing=missing)
        found = vectorizer.fit_transform(X, y)
        again = clone(vectorizer).fit(X, y)
        scale = np.nanmax(np.abs(found))
        assert_allclose(again.transform(X), found, rtol=0, atol=1e-5 * scale)
        assert np.isnan(found).any() == (missing == "nan")


def test_it_is_what_the_layers_teach(learned, texts, layers):
    y = np.array([len(text) for text in texts], dtype=float)
    weight = np.random.default_rng(0).uniform(0.1, 2.0, len(texts))
    for sample_weight in (None, weight):
        vectorizer = learned().fit(texts, y, sample_weight=sample_weight)
        expected = learn_mix(layers[:, None], y, sample_weight, owner="test")
        assert_allclose(vectorizer.layer_weights_, expected.layer_weights, **CLOSE)
        assert vectorizer.gamma_ == pytest.approx(expected.gamma, rel=1e-4)
    both = np.column_stack([y, weight])
    assert learned().fit(texts, both).layer_weights_.sum() == pytest.approx(1.0)


def test_without_targets_there_is_nothing_to_learn(learned, tiny, texts):
    message = (
        "ElmoVectorizer(layers='learned') requires y to be passed, but the target y is "
        "None: it learns the weights of the layers from y. Pass the targets to fit, or "
        "choose layers='mean'."
    )

    def tokenizer(sentence):
        raise AssertionError("it should be said before there is any work to do")

    untrained = ElmoLanguageModel(**tiny, tokenizer=tokenizer)
    for vectorizer in (learned(), ElmoVectorizer(language_model=untrained)):
        vectorizer.set_params(layers="learned")
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            vectorizer.fit(texts)
    with pytest.raises(ValueError, match=r"^Found input variables with inconsistent "):
        learned().fit(texts, [0, 1])


def test_targets_are_asked_for_where_they_are_used(learned, make):
    assert get_tags(learned()).target_tags.required
    assert not get_tags(make()).target_tags.required


def test_another_choice_of_layers_forgets_the_mix(learned, make, texts):
    y = np.arange(len(texts)) % 2
    vectorizer = learned().fit(texts, y).set_params(layers="mean").fit(texts)
    assert not hasattr(vectorizer, "layer_weights_")
    assert not hasattr(vectorizer, "gamma_")
    assert_array_equal(
        vectorizer.transform(texts),
        make(layers="mean", pooling="mean").transform(texts),
    )


def test_a_mix_survives_a_pickle_and_a_pipeline(learned, texts):
    y = np.array(["long" if len(text) > 40 else "short" for text in texts])
    pipeline = make_pipeline(learned(cache="memory"), LogisticRegression(max_iter=500))
    assert cross_val_score(pipeline, texts, y, cv=3).mean() > 0.8
    pipeline.fit(texts, y)
    again = pickle.loads(pickle.dumps(pipeline))
    assert_array_equal(again[0].layer_weights_, pipeline[0].layer_weights_)
    assert_allclose(again.predict_proba(texts), pipeline.predict_proba(texts), **CLOSE)


def test_searching_the_mix_encodes_nothing_twice(learned, texts, monkeypatch):
    from skelmo import cache_info

    y = np.arange(len(texts)) % 2
    for settings in ({}, {"pooling": "max"}, {"pooling": ["mean", "last"]}):
        learned(cache="memory", **settings).fit_transform(texts, y)
    assert cache_info().misses == len(set(texts))


def test_a_fit_that_fails_leaves_the_vectorizer_as_it_was(learned, texts):
    vectorizer, one_class = learned(), np.zeros(len(texts))
    message = (
        "^ElmoVectorizer\\(layers='learned'\\) learns the weights of the layers from "
    )
    with pytest.raises(ValueError, match=message):
        vectorizer.fit(texts, one_class)
    with pytest.raises(NotFittedError, match="^This ElmoVectorizer instance is not "):
        vectorizer.transform(texts)
    y = np.arange(len(texts)) % 2
    expected = vectorizer.fit(texts, y).transform(texts)
    before = dict(vars(vectorizer))
    with pytest.raises(ValueError, match=message):
        vectorizer.fit(texts[:50], one_class[:50])
    assert vars(vectorizer) == before
    assert_array_equal(vectorizer.transform(texts), expected)
