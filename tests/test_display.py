import math
import re
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.display import (
    LayerWeightsDisplay,
    PerplexityDisplay,
    SenseDisplay,
    TokenSimilarityDisplay,
)
from skelmo.models.history import EpochRecord

mpl.use("Agg")

HISTORY = [
    EpochRecord(1, 100, 1.0, 0.1, math.log(50.0), 40.0, 30.0, 34.6),
    EpochRecord(2, 200, 2.0, 0.1, math.log(20.0), 16.0, 14.0, 15.0),
]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_curves_are_the_history():
    display = PerplexityDisplay(history=HISTORY).plot()
    for line, expected in zip(
        display.lines_, ([40.0, 16.0], [30.0, 14.0], [50.0, 20.0]), strict=True
    ):
        np.testing.assert_allclose(line.get_xdata(), [100, 200])
        np.testing.assert_allclose(line.get_ydata(), expected)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["validation, forward", "validation, backward", "training"]
    assert display.ax_.get_yscale() == "log"
    assert display.ax_.get_title() == "Learning curve of the language model"


def test_run_without_validation_shows_training_alone():
    nan = [math.nan] * 3
    bare = [EpochRecord(*record[:5], *nan) for record in HISTORY]
    display = PerplexityDisplay(history=bare).plot()
    assert [line.get_label() for line in display.lines_] == ["training"]


def test_given_axes_are_used(language_model):
    _, ax = plt.subplots()
    display = PerplexityDisplay.from_estimator(language_model, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    tokens = [record.n_tokens for record in language_model.history_]
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), tokens)


def test_unfitted_model_is_refused():
    with pytest.raises(
        NotFittedError, match="^This ElmoLanguageModel instance is not fitted yet"
    ):
        PerplexityDisplay.from_estimator(ElmoLanguageModel())


def test_perplexity_of_a_vectorizer_is_that_of_its_language_model(language_model):
    vectorizer = ElmoVectorizer(language_model=FrozenEstimator(language_model))
    vectorizer.fit(["a"])
    message = (
        "PerplexityDisplay.from_estimator draws the history of a fitted "
        "ElmoLanguageModel, got ElmoVectorizer. Pass its language_model_."
    )
    with pytest.raises(TypeError, match=f"^{message}$"):
        PerplexityDisplay.from_estimator(vectorizer)
    PerplexityDisplay.from_estimator(vectorizer.language_model_)


@pytest.mark.parametrize(
    ("display", "function", "n_arguments"),
    [
        (PerplexityDisplay, "from_estimator", 1),
        (LayerWeightsDisplay, "from_estimator", 1),
        (LayerWeightsDisplay, "from_estimators", 1),
        (TokenSimilarityDisplay, "from_estimator", 3),
        (TokenSimilarityDisplay, "from_similarities", 3),
        (SenseDisplay, "from_estimator", 3),
    ],
)
def test_missing_matplotlib_is_named_before_any_work(
    display, function, n_arguments, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = (
        f"{display.__name__}.{function} requires matplotlib. You can install "
        f"matplotlib with `pip install matplotlib`"
    )
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        getattr(display, function)(*[None] * n_arguments)
