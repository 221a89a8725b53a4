import re

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skelmo import ElmoVectorizer
from skelmo.display import LayerWeightsDisplay

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def learned(frozen, texts):
    """Return three vectorizers that have learned weights from different texts."""
    vectorizer = {"language_model": frozen, "layers": "learned", "cache": None}
    return [
        ElmoVectorizer(**vectorizer).fit(part, ["moon" in text for text in part])
        for part in (texts[:40], texts[40:80], texts[80:])
    ]


def heights(display):
    return [bar.get_height() for bar in display.bars_]


def test_bars_are_the_weights(learned):
    display = LayerWeightsDisplay.from_estimator(learned[0])
    np.testing.assert_array_equal(heights(display), learned[0].layer_weights_)
    names = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert names == ["characters", "LSTM 1", "LSTM 2"]
    assert display.points_ == []
    title = f"Learned mix of layers\nγ = {learned[0].gamma_:.3g}"
    assert display.ax_.get_title() == title
    assert display.ax_.get_ylabel() == "weight (share; all sum to 1)"


def test_bars_of_several_are_their_means(learned):
    display = LayerWeightsDisplay.from_estimators(iter(learned))
    weights = np.array([vectorizer.layer_weights_ for vectorizer in learned])
    np.testing.assert_allclose(heights(display), weights.mean(axis=0))
    for points, expected in zip(display.points_, weights.T, strict=True):
        np.testing.assert_array_equal(points.get_offsets()[:, 1], expected)
    assert display.ax_.get_ylabel() == (
        "weight (share; all sum to 1)\n(mean ± standard deviation of 3 vectorizers)"
    )
    gammas = [vectorizer.gamma_ for vectorizer in learned]
    mean, deviation = np.mean(gammas), np.std(gammas, ddof=1)
    title = f"Learned mix of layers\nγ = {mean:.3g} ± {deviation:.2g}"
    assert display.ax_.get_title() == title


def test_spread_is_the_standard_deviation():
    weights = np.array([[0.2, 0.8], [0.4, 0.6]])
    display = LayerWeightsDisplay(layer_weights=weights).plot()
    (segments,) = (
        container.lines[2][0].get_segments()
        for container in display.ax_.containers
        if container is not display.bars_
    )
    deviation = np.sqrt(0.02)
    expected = [[0.3 - deviation, 0.3 + deviation], [0.7 - deviation, 0.7 + deviation]]
    np.testing.assert_allclose([segment[:, 1] for segment in segments], expected)
    assert display.ax_.get_title() == "Learned mix of layers"


def test_one_of_several_is_drawn_as_one(learned):
    display = LayerWeightsDisplay.from_estimators(learned[:1])
    np.testing.assert_array_equal(heights(display), learned[0].layer_weights_)
    assert display.points_ == []


@pytest.mark.parametrize("weights", [[0.98, 0.01, 0.01], [1 / 3] * 3, [[0.5, 0.5]] * 9])
def test_numbers_lie_below_the_legend(weights):
    display = LayerWeightsDisplay(layer_weights=weights).plot()
    display.figure_.draw_without_rendering()
    legend = display.ax_.get_legend().get_window_extent()
    for text in display.ax_.texts:
        assert not text.get_window_extent().overlaps(legend)


def test_given_axes_are_used(learned):
    _, ax = plt.subplots()
    display = LayerWeightsDisplay.from_estimator(learned[0], ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert LayerWeightsDisplay.from_estimators(learned, ax=ax).ax_ is ax


def assert_refused(error, message, function, value):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        function(value)


def test_vectorizer_without_weights_is_refused(vectorizer, learned):
    message = (
        "LayerWeightsDisplay shows learned weights of layers, but this ElmoVectorizer "
        "has none (layers='concat'). Set layers='learned' and fit it with y."
    )
    from_estimator = LayerWeightsDisplay.from_estimator
    assert_refused(ValueError, message, from_estimator, vectorizer)
    several = [*learned, vectorizer]
    from_estimators = LayerWeightsDisplay.from_estimators
    assert_refused(ValueError, message, from_estimators, several)


def test_unfitted_vectorizer_is_refused():
    with pytest.raises(
        NotFittedError, match="^This ElmoVectorizer instance is not fitted yet"
    ):
        LayerWeightsDisplay.from_estimator(ElmoVectorizer(layers="learned"))


def test_other_objects_are_refused(learned):
    from_estimator = LayerWeightsDisplay.from_estimator
    message = (
        "LayerWeightsDisplay needs an ElmoVectorizer, got Pipeline. Of a pipeline, "
        "pass the step: pipeline[0]."
    )
    assert_refused(TypeError, message, from_estimator, make_pipeline(learned[0]))
    from_estimators = LayerWeightsDisplay.from_estimators
    message = (
        "LayerWeightsDisplay.from_estimators needs a list of vectorizers, got one "
        "ElmoVectorizer. Call LayerWeightsDisplay.from_estimator."
    )
    assert_refused(TypeError, message, from_estimators, learned[0])


def test_vectorizers_of_different_models_are_refused(learned):
    other = ElmoVectorizer(layers="learned")
    other.language_model_, other.layer_weights_, other.gamma_ = None, np.ones(2) / 2, 1
    from_estimators = LayerWeightsDisplay.from_estimators
    message = (
        "LayerWeightsDisplay needs vectorizers with the same number of layers, got 2 "
        "and 3. Draw each kind by itself."
    )
    assert_refused(ValueError, message, from_estimators, [*learned, other])
    message = (
        "LayerWeightsDisplay needs at least one vectorizer, got an empty list. Pass "
        "those of cross_validate(..., return_estimator=True)."
    )
    assert_refused(ValueError, message, from_estimators, [])
