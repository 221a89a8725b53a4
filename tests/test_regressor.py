"""A head on a language model, for numbers."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import r2_score

from skelmo import ElmoLanguageModel, ElmoRegressor


@pytest.fixture(scope="module")
def frozen(tiny, texts):
    """Return a language model that has learned enough to tell words apart."""
    longer = {"max_epochs": 8, "batch_tokens": 128, "learning_rate_init": 0.02}
    return FrozenEstimator(ElmoLanguageModel(**{**tiny, **longer}).fit(texts))


@pytest.fixture
def make(frozen):
    """Return a function from parameters to a regressor that trains in a moment."""

    def make(**parameters):
        given = {
            "dropout": 0.0, "max_iter": 25, "learning_rate_init": 0.05, "tune": "none",
            "batch_size": 16, "random_state": 0, "language_model": clone(frozen),
        }  # fmt: skip
        return ElmoRegressor(**{**given, **parameters})

    return make


@pytest.fixture(scope="module")
def Y(texts):
    """Return two numbers for each text, of sizes that differ much."""
    cats = [1000.0 + 50 * text.count("The cat") for text in texts]
    loud = [0.01 * text.count("!") for text in texts]
    return np.array([cats, loud]).T


@pytest.mark.parametrize("tune", ["all", "none"])
def test_several_numbers_are_learned_whatever_their_size(make, texts, Y, tune):
    regressor = make(tune=tune, max_iter=25 if tune == "none" else 10).fit(texts, Y)
    found = regressor.predict(texts)
    assert found.shape == Y.shape
    assert found.dtype == np.float64
    assert (r2_score(Y, found, multioutput="raw_values") > 0.5).all()
    assert regressor.score(texts, Y) == r2_score(Y, found)


def test_one_number_has_one_axis(make, texts, Y):
    y = Y[:, 0]
    regressor = make(max_iter=3).fit(texts, y)
    found = regressor.predict(texts)
    assert found.shape == (len(texts),)
    for targets in (y.tolist(), y[:, None], y.astype(np.int64)):
        assert_allclose(make(max_iter=3).fit(texts, targets).predict(texts), found)


def test_scale_and_shift_of_numbers_are_of_no_account(make, texts, Y):
    found = make(max_iter=5).fit(texts, Y).predict(texts)
    other = make(max_iter=5).fit(texts, 3.0 + 20.0 * Y).predict(texts)
    assert_allclose(other, 3.0 + 20.0 * found, rtol=1e-4, atol=1e-4)


def test_a_number_that_never_varies_is_told(make, texts):
    regressor = make(learning_rate_init=0.005).fit(texts, np.full(len(texts), 7.5))
    found = regressor.predict(texts)
    assert_allclose(found, 7.5, rtol=0, atol=0.2)


def test_weight_2_is_a_document_given_twice(make, texts, Y):
    X, weight = texts[:40], np.tile([1, 2], 20)
    twice = [text for text, n in zip(X, weight, strict=True) for _ in range(n)]
    parameters = {"batch_size": 1000, "max_iter": 8}
    weighted = make(**parameters).fit(X, Y[:40], sample_weight=weight)
    repeated = make(**parameters).fit(twice, np.repeat(Y[:40], weight, axis=0))
    found, expected = weighted.predict(texts), repeated.predict(texts)
    assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_scores_of_what_is_held_out(make, texts, Y):
    regressor = make(early_stopping=True).fit(texts, Y)
    losses = [row.validation_loss for row in regressor.history_]
    expected = regressor.validation_scores_[int(np.argmin(losses))]
    assert regressor.best_validation_score_ == expected


def test_partial_fit_keeps_the_scale_of_the_first_documents(make, texts, Y):
    regressor = make(learning_rate_init=0.01)
    for _ in range(10):
        regressor.partial_fit(texts[:60], Y[:60]).partial_fit(texts[60:], Y[60:])
    assert r2_score(Y, regressor.predict(texts)) > 0.25
    assert regressor.n_iter_ == 20
    message = (
        "^ElmoRegressor was fitted on 2 outputs, but y has 1. Pass as many, or fit "
        "anew without warm_start.$"
    )
    with pytest.raises(ValueError, match=message):
        regressor.partial_fit(texts, Y[:, 0])


@pytest.mark.parametrize("tune", ["all", "none"])
def test_a_pickle_predicts_the_same(make, texts, Y, tune):
    regressor = make(tune=tune, max_iter=2).fit(texts, Y)
    other = pickle.loads(pickle.dumps(regressor))
    assert_array_equal(other.predict(texts), regressor.predict(texts))


def test_targets_that_are_no_numbers_are_refused(make, texts, Y):
    message = (
        "^ElmoRegressor requires y to be passed, but the target y is None. Pass the "
        "targets to fit.$"
    )
    with pytest.raises(ValueError, match=message):
        make().fit(texts, None)
    message = (
        "^ElmoRegressor needs a target for every document, but 1 in y are missing: "
        "Input y contains NaN. Leave these documents out.$"
    )
    with pytest.raises(ValueError, match=message):
        make().fit(texts, [np.nan, *Y[1:, 0]])
    with pytest.raises(ValueError, match="^could not convert string to float"):
        make().fit(texts, ["a"] * len(texts))
