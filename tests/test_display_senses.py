import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from sklearn.decomposition import TruncatedSVD
from sklearn.pipeline import make_pipeline

from skelmo.baselines import GloveVectorizer
from skelmo.display import SenseDisplay

mpl.use("Agg")

TEXTS = [
    "The cat watches the moon because it rains.",
    "Every student paints a letter.",
    "A doctor saw the Moon. The moon saw my neighbour at night!",
    "This old river follows the moon, as always.",
    "The city remembers two small moons.",
]
ROWS, PLACES = [0, 2, 2, 3], [4, 4, 7, 5]
CONTEXTS = [
    "… cat watches the moon because it rains …",
    "… doctor saw the Moon . The moon …",
    "… Moon . The moon saw my neighbour …",
    "… river follows the moon , as always …",
]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def cloud():
    """Return 200 points of three senses, with a context each."""
    rng = np.random.default_rng(0)
    return {
        "word": "line",
        "coordinates": rng.normal(size=(200, 2)),
        "contexts": [f"… in the context {k} of the line …" for k in range(200)],
        "senses": [("cord", "phone", "text")[k % 3] for k in range(200)],
    }


def vectors_of(elmo):
    tokens = elmo.transform_tokens(TEXTS)
    pairs = zip(ROWS, PLACES, strict=True)
    return np.array([tokens[row][k] for row, k in pairs], dtype=np.float64)


def test_points_are_the_principal_components(vectorizer):
    display = SenseDisplay.from_estimator(vectorizer, TEXTS, "moon")
    vectors = vectors_of(vectorizer)
    centred = vectors - vectors.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    expected = (left * singular)[:, :2]
    signs = np.sign((display.coordinates * expected).sum(axis=0))
    np.testing.assert_allclose(display.coordinates, signs * expected, atol=1e-6)
    (points,) = display.points_
    np.testing.assert_array_equal(points.get_offsets(), display.coordinates)
    shares = np.square(singular) / np.square(singular).sum()
    assert display.ax_.get_xlabel() == (
        f"first principal component ({shares[0]:.0%} of the variance)"
    )
    assert display.ax_.get_ylabel() == (
        f"second principal component ({shares[1]:.0%} of the variance)"
    )
    assert display.ax_.get_title() == "“moon” in 4 contexts"
    assert display.ax_.get_legend() is None
    assert display.contexts == CONTEXTS


@pytest.mark.parametrize("holder", [tuple, iter, np.array, pd.Series, pd.DataFrame])
def test_all_that_holds_documents_will_do(vectorizer, holder):
    expected = SenseDisplay.from_estimator(vectorizer, TEXTS, "moon").coordinates
    display = SenseDisplay.from_estimator(vectorizer, holder(TEXTS), "MOON")
    np.testing.assert_array_equal(display.coordinates, expected)


def test_several_forms_are_one_word(vectorizer):
    display = SenseDisplay.from_estimator(vectorizer, TEXTS, ["moon", "moons"])
    assert len(display.coordinates) == 5
    assert display.ax_.get_title() == "“moon/moons” in 5 contexts"


def test_senses_are_those_of_the_texts(vectorizer):
    senses = np.array(["b", "x", "a", "b", "x"], dtype=object)
    display = SenseDisplay.from_estimator(vectorizer, TEXTS, "moon", senses=senses)
    assert display.senses == ["b", "a", "a", "b"]
    found = [points.get_offsets() for points in display.points_]
    np.testing.assert_array_equal(found[0], display.coordinates[[1, 2]])
    np.testing.assert_array_equal(found[1], display.coordinates[[0, 3]])
    legend = display.ax_.get_legend()
    assert legend.get_title().get_text() == "sense (occurrences)"
    assert [text.get_text() for text in legend.get_texts()] == ["a (2)", "b (2)"]


def test_missing_senses_are_grey(vectorizer):
    senses = [1, None, np.nan, None, 2]
    display = SenseDisplay.from_estimator(vectorizer, TEXTS, "moon", senses=senses)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["1 (1)", "none given (3)"]
    assert to_hex(display.points_[1].get_facecolor()[0]) == "#555555"


def test_looks_of_senses_differ():
    n = 36
    points = np.random.default_rng(0).normal(size=(n, 2))
    senses = [f"sense {k:02}" for k in range(n)]
    display = SenseDisplay(word="set", coordinates=points, senses=senses).plot()
    looks = {
        (to_hex(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in display.points_
    }
    assert len(looks) == n


def test_layers_are_those_of_the_vectorizer(make):
    bottom, top = (
        SenseDisplay.from_estimator(make(layers=k), TEXTS, ["moon", "moons"])
        for k in (0, 2)
    )
    assert not np.allclose(np.abs(bottom.coordinates), np.abs(top.coordinates))


def test_other_methods_reduce_too(vectorizer):
    svd = TruncatedSVD(n_components=2, random_state=0)
    display = SenseDisplay.from_estimator(vectorizer, TEXTS, "moon", method=svd)
    expected = TruncatedSVD(n_components=2, random_state=0).fit_transform(
        vectors_of(vectorizer).astype(np.float32)
    )
    np.testing.assert_allclose(display.coordinates, expected)
    assert not hasattr(svd, "components_")
    assert display.ax_.get_xlabel() == "first dimension (no unit)"


def test_contexts_overlap_no_other_and_stay_inside(cloud):
    display = SenseDisplay(**cloud).plot(annotate=8)
    assert len(display.annotations_) == 8
    display.figure_.draw_without_rendering()
    inside = display.ax_.get_window_extent()
    boxes = []
    for annotation in display.annotations_:
        drawn = plt.Text.get_window_extent(annotation)
        assert not any(drawn.overlaps(box) for box in boxes)
        assert inside.x0 <= drawn.x0 <= drawn.x1 <= inside.x1
        assert inside.y0 <= drawn.y0 <= drawn.y1 <= inside.y1
        boxes.append(drawn)
        place = cloud["contexts"].index(annotation.get_text())
        np.testing.assert_array_equal(annotation.xy, cloud["coordinates"][place])


def test_only_what_has_room_is_annotated(cloud):
    display = SenseDisplay(**cloud).plot(annotate=200)
    assert 8 < len(display.annotations_) < 200
    assert SenseDisplay(**cloud).plot().annotations_ == []


def test_same_input_gives_the_same_figure(cloud):
    first, second = (SenseDisplay(**cloud).plot(annotate=6) for _ in range(2))
    for one, other in zip(first.annotations_, second.annotations_, strict=True):
        assert one.get_text() == other.get_text()
        np.testing.assert_array_equal(one.get_position(), other.get_position())


def test_given_axes_are_used(cloud):
    _, ax = plt.subplots()
    display = SenseDisplay(**cloud).plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def assert_refused(error, message, *given, **options):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        SenseDisplay.from_estimator(*given, **options)


def test_rare_word_is_refused(vectorizer):
    message = (
        "SenseDisplay needs at least 3 occurrences of 'letter' or 'city' as a token, "
        "found 2 in 5 texts. Pass more texts, or all forms of the word; tokenize shows "
        "the tokens."
    )
    assert_refused(ValueError, message, vectorizer, TEXTS, ["letter", "city"])


def test_vectors_without_context_are_refused(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("moon 1 0\n")
    glove = GloveVectorizer(vectors=path).fit(TEXTS)
    message = (
        "SenseDisplay needs vectors that depend on the context, but all 4 of 'moon' "
        "are the same. Choose layers above 0 of an ElmoVectorizer, or pass different "
        "texts."
    )
    assert_refused(ValueError, message, glove, TEXTS, "moon")


def test_wrong_number_of_senses_is_refused(vectorizer):
    message = (
        "SenseDisplay needs one sense for each text, got 2 senses for 5 texts. Pass "
        "None as the sense of a text without one."
    )
    assert_refused(ValueError, message, vectorizer, TEXTS, "moon", senses=["a", "b"])


def test_unknown_method_is_refused(vectorizer):
    message = (
        "SenseDisplay takes method='pca' or an estimator with fit_transform, got "
        "'umap'. Pass one, as TSNE(random_state=0)."
    )
    assert_refused(ValueError, message, vectorizer, TEXTS, "moon", method="umap")


def test_one_text_is_refused(vectorizer):
    message = (
        "Iterable over raw text documents expected, string object received. Wrap it "
        "in a list: [X]."
    )
    assert_refused(ValueError, message, vectorizer, TEXTS[0], "moon")


def test_estimator_without_vectors_of_tokens_is_refused(vectorizer):
    message = (
        "SenseDisplay needs an estimator with transform_tokens, got Pipeline. Of a "
        "pipeline, pass the step: pipeline[0]."
    )
    assert_refused(TypeError, message, make_pipeline(vectorizer), TEXTS, "moon")
