import re
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from skelmo.encoding import layer_mix as mixing
from skelmo.encoding.layer_mix import learn_mix

Task = namedtuple("Task", "layers y")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def noise(rng, n=200, n_poolings=2, n_layers=3, size=5):
    return rng.normal(size=(n, n_poolings, n_layers, size)).astype(np.float32)


def planted(rng, signal, kind="regression", n=300, loudness=1.0):
    """Return layers of noise, of which those of `signal` tell the target."""
    layers = noise(rng, n)
    layers *= np.where(np.isin(np.arange(3), signal), 1.0, loudness)[:, None]
    score = layers[:, :, signal].sum(axis=(1, 2, 3)) + rng.normal(size=n)
    y = score if kind == "regression" else np.digitize(score, [-2.0, 2.0])
    return Task(layers.astype(np.float32), y)


def learn(layers, y, sample_weight=None):
    return learn_mix(layers, y, sample_weight, owner="Elmo")


def assert_same(got, expected, rtol=1e-6):
    np.testing.assert_allclose(
        got.layer_weights, expected.layer_weights, rtol=0, atol=rtol
    )
    assert got.gamma == pytest.approx(expected.gamma, rel=rtol)


def standardised(y, weight):
    """Return the columns that stand for numbers, or for labels if whole."""
    y = np.asarray(y)
    columns = y.reshape(len(y), -1)
    if y.dtype.kind != "f":
        columns = (y[:, None] == np.unique(y)).astype(float)
    columns = columns - np.average(columns, axis=0, weights=weight)
    return columns / np.sqrt(np.average(columns**2, axis=0, weights=weight))


def brute_force(layers, y, mix, weight=None):
    """Return GCV of layers times `mix`, by the hat matrix itself, relative to none."""
    n = len(layers)
    weight = np.ones(n) if weight is None else np.asarray(weight, float)
    targets = standardised(y, weight)
    features = np.tensordot(layers.astype(float), mix, axes=(2, 0)).reshape(n, -1)
    root = np.sqrt(weight)[:, None]
    design = root * np.column_stack([np.ones(n), features])
    penalty = np.eye(design.shape[1])
    penalty[0, 0] = 0
    hat = design @ np.linalg.solve(design.T @ design + penalty, design.T)
    rss = np.sum(((np.eye(n) - hat) @ (root * targets)) ** 2)
    gcv = n * rss / (n - np.trace(hat)) ** 2
    return gcv / (n * np.sum((root * targets) ** 2) / (n - 1) ** 2)


def objective(layers, y, mix, weight=None):
    """Return what the documentation says is minimised, of layers times `mix`."""
    n = len(layers)
    weight = np.ones(n) if weight is None else np.asarray(weight, float)
    centred = layers - np.average(layers.astype(float), axis=0, weights=weight)
    norm = np.sqrt((weight[:, None, None, None] * centred**2).sum(axis=(0, 1, 3)))
    shares = mix * norm / (mix * norm).sum()
    # Around features of norm 1, with standard deviation 3; Dirichlet, of parameter 3/2.
    log_gamma = np.log((mix * norm).sum() / np.sqrt(n))
    log_prior = -((log_gamma / 3) ** 2) / 2 + 0.5 * np.log(shares).sum()
    log_likelihood = -n / 2 * np.log(brute_force(layers, y, mix, weight) + 1e-6)
    return -2 / n * (log_likelihood + log_prior)


SIZES = {"many-documents": 40, "few-documents": 9, "as-many": 10, "one-more": 11}


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("n", SIZES.values(), ids=SIZES)
def test_what_is_learnt_is_the_best_by_the_hat_matrix_formula(n, weighted):
    rng = np.random.default_rng(2)  # of a best that lies inside and is no perfect fit
    layers = noise(rng, n) * np.float32([[1], [30], [0.1]]) + np.float32(2)
    signal = layers[:, 0, [0, 1], 0] @ [[1, 0], [0, 0.02]]
    y = signal + rng.normal(size=(n, 2))
    weight = rng.uniform(0.5, 3, size=n) if weighted else None
    learnt = learn(layers, y, weight)
    mix = learnt.gamma * learnt.layer_weights
    best = objective(layers, y, mix, weight)
    for step in 1e-4 * np.eye(3):
        up = objective(layers, y, mix * np.exp(step), weight)
        down = objective(layers, y, mix * np.exp(-step), weight)
        assert abs(up - down) / 2e-4 < 1e-5  # the slope
        assert min(up, down) > best
    for scale in (0.1, 1.0, 3.0):
        for _ in range(30):
            other = mix * np.exp(scale * rng.normal(size=3))
            assert objective(layers, y, other, weight) > best


def test_chunks_change_nothing(rng, monkeypatch):
    for n in (60, 8):
        task = planted(rng, [0], n=n)
        expected = learn(*task)
        with monkeypatch.context() as patch:
            patch.setattr(mixing, "_CHUNK", 7 * task.layers[0].size)
            assert_same(learn(*task), expected)


@pytest.mark.parametrize("kind", ["regression", "classification"])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_layer_with_the_signal_gets_the_weight(rng, layer, kind):
    mix = learn(*planted(rng, [layer], kind))
    assert mix.layer_weights[layer] > 0.8
    assert mix.layer_weights.sum() == pytest.approx(1)
    assert (mix.layer_weights > 0).all()
    assert mix.gamma > 0


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_loud_noise_does_not_hide_the_signal(rng, layer):
    layers, y = planted(rng, [layer], loudness=100)
    mix = learn(layers, y)
    shares = mix.layer_weights * layers.std(axis=(0, 1, 3))
    assert shares[layer] / shares.sum() > 0.8


def test_layers_that_complement_each_other_share_the_weight(rng):
    mix = learn(*planted(rng, [0, 2]))
    assert mix.layer_weights[[0, 2]].min() > 0.35
    assert mix.layer_weights[1] < 0.2


@pytest.mark.parametrize("n", [300, 9], ids=["many-documents", "few-documents"])
def test_mix_is_no_worse_than_one_layer_or_all_alike(rng, n):
    layers, y = planted(rng, [0, 2], n=n)
    mix = learn(layers, y)
    got = brute_force(layers, y, mix.gamma * mix.layer_weights)
    for shares in (np.ones(3) / 3, *np.eye(3)):
        for gamma in np.geomspace(0.01, 100, 30):
            # The prior may cost a little.
            assert got <= 1.1 * brute_force(layers, y, gamma * shares)


def test_gamma_makes_a_penalty_of_1_the_best(rng):
    layers, y = planted(rng, [1])
    y = y + 8 * rng.normal(size=300)  # else hardly any penalty is needed
    mix = learn(layers, y)
    at = {
        factor: brute_force(layers, y, factor * mix.gamma * mix.layer_weights)
        for factor in (0.3, 1.0, 3.0)
    }
    assert min(at, key=at.get) == 1.0


def test_weights_are_those_of_the_raw_layers(rng):
    layers, y = planted(rng, [0, 2])
    mix = learn(layers, y)
    factors = np.float32([4, 1, 0.25])
    other = learn(layers * factors[:, None], y)
    np.testing.assert_allclose(
        other.gamma * other.layer_weights * factors,
        mix.gamma * mix.layer_weights,
        rtol=1e-5,
    )


@pytest.mark.parametrize("n", [60, 8], ids=["many-documents", "few-documents"])
@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_weight_equals_repetition(rng, kind, n):
    layers, y = planted(rng, [1], kind, n)
    weight = rng.integers(0, 4, size=n)
    weight[:6] = 1
    rows = rng.permutation(np.repeat(np.arange(n), weight))
    expected = learn(layers[rows], y[rows])
    assert_same(learn(layers, y, weight), expected)
    assert_same(learn(layers, y, weight.tolist()), expected)
    assert abs(learn(layers, y).gamma / expected.gamma - 1) > 1e-3


def test_copies_with_rounding_count_as_copies(rng):
    layers, y = planted(rng, [1], n=8)
    error = 1 + 1e-7 * rng.normal(size=layers.shape)
    twice = np.concatenate([layers, (layers * error).astype(np.float32)])
    expected = learn(layers, y, np.full(8, 2.0))
    # Else both would be predicted by each other, and gamma go to its limit.
    assert_same(learn(twice, np.tile(y, 2)), expected, rtol=1e-3)


def test_copies_with_different_targets_count_by_their_mean(rng):
    layers, y = planted(rng, [1], n=50)
    noisy = np.concatenate([y + 1.0, y - 1.0])
    got = learn(np.concatenate([layers, layers]), noisy)
    assert_same(got, learn(layers, y, np.full(50, 2.0)), rtol=1e-5)


def test_weights_of_another_unit_only_rescale_gamma(rng):
    layers, y = planted(rng, [1])
    mix, other = learn(layers, y), learn(layers, y, 1e-4)
    np.testing.assert_allclose(mix.layer_weights, other.layer_weights, atol=1e-6)
    assert other.gamma == pytest.approx(100 * mix.gamma, rel=1e-6)


@pytest.mark.parametrize("n", [100, 8, 4])
def test_order_of_documents_does_not_matter(rng, n):
    layers, y = planted(rng, [1], n=n)
    order = rng.permutation(n)
    assert_same(learn(layers[order], y[order]), learn(layers, y), rtol=1e-12)


def test_names_of_classes_do_not_matter(rng):
    layers, y = planted(rng, [1], "classification")
    expected = learn(layers, y)
    names = np.array(["one", "a", "two"])[y]
    for other in (
        names,
        list(names),
        pd.Series(names),
        pd.Categorical(names),
        y[:, None],
    ):
        assert_same(learn(layers, other), expected)
    for other in (names.astype(object), 7 - y, y.astype(float)):
        assert_same(learn(layers, other), expected)


def test_two_classes_are_one_label_and_one_number(rng):
    layers, y = planted(rng, [1])
    expected = learn(layers, y > 0)
    for other in (
        (y > 0).astype(int),
        np.where(y > 0, "b", "a"),
        np.where(y > 0, 0.5, 2),
    ):
        assert_same(learn(layers, other), expected)
    both = np.column_stack([y > 0, y <= 0]).astype(int)
    assert_same(learn(layers, both), expected)
    assert_same(learn(layers, csr_array(both)), expected)


def test_outputs_count_the_same_whatever_their_unit(rng):
    layers = noise(rng)
    first, second = layers[:, 0, 0, 0], layers[:, 0, 2, 0]
    y = np.column_stack([first, second]) + 0.5 * rng.normal(size=(200, 2))
    mix = learn(layers, y)
    assert_same(learn(layers, y * [1, 1000] + [5, -5]), mix)
    assert_same(learn(layers, np.column_stack([y, np.full(200, 3.5)])), mix)


def test_several_columns_of_labels(rng):
    layers, y = planted(rng, [1], "classification")
    expected = learn(layers, y)
    assert_same(learn(layers, np.column_stack([y, 2 - y])), expected)
    assert_same(
        learn(layers, np.array(["x", "y", "z"])[np.column_stack([y, y])]), expected
    )


def test_many_whole_numbers_are_quantities(rng):
    layers, y = planted(rng, [1])
    ranks = y.argsort().argsort()
    assert_same(learn(layers, ranks), learn(layers, ranks + 0.5))
    few = ranks * 20 // 300  # labels: what is between them has no meaning
    assert abs(learn(layers, few).gamma / learn(layers, few + 0.5).gamma - 1) > 1e-3


def test_missing_documents_are_left_out(rng):
    layers, y = planted(rng, [1])
    expected = learn(layers[2:], y[2:])
    layers[0], layers[1, 0, 2, 3] = np.nan, np.nan
    assert_same(learn(layers, y), expected)
    y[:2] = np.nan
    assert_same(learn(layers, y), expected)


def test_what_is_given_is_not_changed(rng):
    layers, y = planted(rng, [1])
    weight = np.ones(len(y))
    copies = layers.copy(), y.copy()
    for array in (layers, y, weight):
        array.flags.writeable = False
    learn(layers, y, weight)
    np.testing.assert_array_equal(layers, copies[0])
    np.testing.assert_array_equal(y, copies[1])


def test_layers_that_are_alike_get_the_same_weight(rng):
    layers, y = planted(rng, [1])
    layers[:, :, 2] = layers[:, :, 1]
    weights = learn(layers, y).layer_weights
    assert weights[1] == pytest.approx(weights[2], abs=1e-5)
    assert weights[1] > 0.4


@pytest.mark.parametrize("value", [0.0, 3.3])
def test_constant_layers_and_columns_do_no_harm(rng, value):
    layers, y = planted(rng, [1])
    layers[:, :, 0] = value * (1 + 1e-7 * rng.normal(size=(300, 2, 5)))
    layers[..., 2] = layers[..., 3]
    layers[..., 4] = -1
    weights = learn(layers, y).layer_weights
    assert weights[1] > 4 * weights[2]
    assert 0.01 < weights[0] < 0.8


@pytest.mark.parametrize("n", [4, 12, 100])
def test_perfect_targets_give_finite_weights(rng, n):
    layers = noise(rng, n)
    y = layers[:, 0, 1, 0]
    for target in (y, y > np.median(y)):
        mix = learn(layers, target)
        assert np.isfinite(mix.layer_weights).all()
        assert 0 < mix.gamma < 1e5
    if n == 100:
        assert learn(layers, y).layer_weights[1] > 0.8


def test_one_layer_has_all_the_weight(rng):
    layers, y = planted(rng, [0])
    mix = learn(layers[:, :, :1], y)
    assert mix.layer_weights.tolist() == [1.0]


def test_targets_that_differ_between_copies_alone_teach_nothing(rng):
    layers = noise(rng, 6)
    mix = learn(np.concatenate([layers, layers]), ["a"] * 6 + ["b"] * 6)
    shares = mix.layer_weights * np.sqrt(layers.var(axis=0).sum(axis=(0, 2)))
    np.testing.assert_allclose(shares / shares.sum(), np.ones(3) / 3, atol=1e-6)


def test_many_features_are_reduced_to_the_main_directions(rng, monkeypatch):
    layers, y = planted(rng, [1], n=100)
    # What is left out does not vary.
    wide = np.concatenate([layers, np.ones_like(layers), -layers], axis=3)
    expected = learn(wide, y)
    monkeypatch.setattr(mixing, "MOST_DIRECTIONS", 10)
    assert_same(learn(wide, y), expected, rtol=1e-5)
    monkeypatch.setattr(mixing, "MOST_DIRECTIONS", 2)
    assert abs(learn(wide, y).gamma / expected.gamma - 1) > 0.1


LEARNS = "Elmo(layers='learned') learns the weights of the layers from "
NEEDS = "Elmo(layers='learned') needs "
MEAN = ", or choose layers='mean'."


def given(y, weight=None, layers=None):
    return y, weight, layers


ERRORS = {
    "length": (
        given([1, 0]),
        "Found input variables with inconsistent numbers of samples: [4, 2]",
    ),
    "one-class": (
        given(["a"] * 4),
        LEARNS + "what targets differ in, but y has one class or value only, 'a'. "
        "Pass documents of at least 2" + MEAN,
    ),
    "one-class-left": (
        given([1, 1, 1, 0], [1, 1, 1, 0]),
        LEARNS + "what targets differ in, but y has one class or value only, 1. "
        "Pass documents of at least 2" + MEAN,
    ),
    "constant-outputs": (
        given([[0.1, 2]] * 4),
        LEARNS + "what targets differ in, but y has one class or value only, 0.1, "
        "2.0. Pass documents of at least 2" + MEAN,
    ),
    "label-missing": (
        given(np.array(["a", None, "b", None], dtype=object)),
        NEEDS + "a target for every document, but 2 in y are missing. Leave these "
        "documents out, or set their sample_weight to 0.",
    ),
    "nan": (given([0.5, np.nan, 1, 2]), "Input y contains NaN."),
    "infinity": (given([0.5, np.inf, 1, 2]), "Input y contains infinity or a value"),
    "kind": (given(np.zeros((4, 2, 2))), "Unknown label type for y: "),
    "negative-weight": (
        given([0, 1, 0, 1], [1, -0.5, 1, 1]),
        NEEDS + "weights of documents of at least 0, but sample_weight has -0.5. Set "
        "it to 0 to leave a document out.",
    ),
    "weight-length": (
        given([0, 1, 0, 1], [1, 1]),
        "sample_weight.shape == (2,), expected (4,)!",
    ),
    "all-missing": (
        given([0, 1, 0, 1], None, np.nan),
        LEARNS
        + "documents, but all 4 are missing or have weight 0. Pass some text"
        + MEAN,
    ),
    "all-alike": (
        given([0, 1, 0, 1], None, 1.5),
        LEARNS + "what documents differ in, but there is 1 sample, or all are alike. "
        "Pass different documents" + MEAN,
    ),
    "infinite-layers": (
        given([0, 1, 0, 1], None, np.array([1, 2, np.inf, 3])[:, None, None, None]),
        NEEDS + "finite activations, but row 2 of X has infinite ones. Train the "
        "language model anew, or choose another.",
    ),
}


@pytest.mark.parametrize("case", ERRORS.values(), ids=ERRORS)
def test_errors_say_what_is_wrong(rng, case):
    (y, weight, value), message = case
    layers = noise(rng, 4)
    if value is not None:
        layers[:] = value
    end = "$" if message[-1] in ".!]" else ""  # scikit-learn's go on with values
    with pytest.raises(ValueError, match="^" + re.escape(message) + end):
        learn(layers, y, weight)


def test_labels_that_cannot_be_compared_raise(rng):
    with pytest.raises(TypeError, match="not supported between instances of"):
        learn(noise(rng, 4), np.array(["a", 1, "b", 2], dtype=object))
