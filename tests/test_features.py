"""Documents to feature rows without an estimator."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skelmo import ElmoVectorizer, cache_info
from skelmo.encoding.features import Features
from skelmo.encoding.layer_choice import LayerChoice
from skelmo.text.analysis import Analyzer

X = ["The cat watches the moon.", None, "", "A dog.", "The cat watches the moon."]


@pytest.fixture
def features(language_model):
    return Features(
        language_model.model_, Analyzer(), LayerChoice((0, 2)), ("max", "mean")
    )


@pytest.mark.parametrize("missing", ["empty", "nan"])
def test_they_are_those_of_the_vectorizer(features, frozen, missing):
    vectorizer = ElmoVectorizer(
        language_model=frozen, layers=[0, 2], pooling=["max", "mean"], cache=None,
        missing=missing,
    )  # fmt: skip
    expected = vectorizer.fit(X).transform(X)
    fill = np.nan if missing == "nan" else 0.0
    got = replace(features, fill=fill)
    assert_array_equal(got(X), expected)
    assert_allclose(got(iter(X)), expected, rtol=0, atol=1e-6)
    assert got.names == vectorizer.get_feature_names_out().tolist()
    assert got.n_features == expected.shape[1]
    for mine, yours in zip(got.tokens(X), vectorizer.transform_tokens(X), strict=True):
        assert_array_equal(mine, yours)
    assert_array_equal(vectorizer.features_(X), expected)


def test_a_pickle_of_them_needs_no_estimator_and_no_file(features):
    data = pickle.dumps(features)
    assert b"estimators" not in data
    assert b"sklearn" not in data
    assert_array_equal(pickle.loads(data)(X), features(X))


def test_pooled_layers_give_the_same_rows(features):
    (distinct,) = features.index(iter(X))
    pooled = features.pool(distinct)
    assert_array_equal(features.encode([distinct], pooled), features(X))
    rows = [features.layers(row) for row in pooled]
    assert_array_equal(np.stack(rows).reshape(len(X), -1), features(X))


def test_a_cache_answers_for_other_layers(features):
    kept = replace(features, cache="memory")
    assert_allclose(kept(X), features(X), rtol=0, atol=1e-6)
    other = replace(kept, layers=LayerChoice(), pooling=("min",))
    other(X)
    assert (cache_info().misses, cache_info().hits) == (3, 3)


def test_layers_side_by_side_or_mixed_are_what_numpy_makes_of_them():
    layers = np.random.default_rng(0).normal(size=(4, 5, 3, 6)).astype(np.float32)
    weights = np.array([0.2, 0.5, 0.7])
    cases = [
        (LayerChoice((2, 0)), layers[..., [2, 0], :].reshape(4, 5, 12)),
        (LayerChoice(), layers.mean(axis=2)),
        (LayerChoice(weights=weights), (weights @ layers.astype(float))),
    ]
    for choice, expected in cases:
        assert_allclose(choice(layers), expected, rtol=0, atol=1e-6)
        assert choice(layers[:0]).shape == expected[:0].shape
    assert [choice.names for choice, _ in cases] == [
        ["layer2", "layer0"], ["mix"], ["mix"]
    ]  # fmt: skip
