import re

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.pipeline import make_pipeline

from skelmo.baselines import GloveVectorizer
from skelmo.display import TokenSimilarityDisplay

mpl.use("Agg")

FIRST, SECOND = "The cat watches the moon.", "My neighbour ignores two boats!"
FIRST_TOKENS = ["The", "cat", "watches", "the", "moon", "."]
SECOND_TOKENS = ["My", "neighbour", "ignores", "two", "boats", "!"]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def tick_labels(display):
    ax = display.ax_
    return [
        [label.get_text() for label in axis.get_ticklabels()]
        for axis in (ax.yaxis, ax.xaxis)
    ]


def assert_apart(texts):
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:k])


@pytest.mark.parametrize("layers", ["mean", "top", [0, 2]])
def test_map_holds_the_cosines(make, layers):
    elmo = make(layers=layers)
    display = TokenSimilarityDisplay.from_estimator(elmo, FIRST, SECOND)
    rows, columns = elmo.transform_tokens([FIRST, SECOND])
    expected = cosine_similarity(rows, columns)
    np.testing.assert_array_equal(display.similarities, expected)
    np.testing.assert_array_equal(display.im_.get_array(), expected)
    by_hand = rows[1] @ columns[2]
    by_hand /= np.linalg.norm(rows[1]) * np.linalg.norm(columns[2])
    assert display.similarities[1, 2] == pytest.approx(by_hand, abs=1e-6)
    assert tick_labels(display) == [FIRST_TOKENS, SECOND_TOKENS]


def test_labels_say_what_is_drawn(vectorizer):
    display = TokenSimilarityDisplay.from_estimator(vectorizer, FIRST, SECOND)
    assert display.ax_.get_title() == "Cosine similarity of tokens"
    assert display.ax_.get_xlabel() == "tokens of the second text"
    assert display.ax_.get_ylabel() == "tokens of the first text"
    bar = display.im_.colorbar
    assert bar.ax.get_ylabel() == "cosine similarity"
    display.figure_.draw_without_rendering()
    box, of_bar = display.ax_.get_window_extent(), bar.ax.get_window_extent()
    np.testing.assert_allclose([of_bar.y0, of_bar.y1], [box.y0, box.y1])
    assert of_bar.x0 > box.x1


def test_numbers_are_written_where_they_have_room():
    rng = np.random.default_rng(0)
    few, many = rng.uniform(-1, 1, (3, 4)), rng.uniform(-1, 1, (30, 40))
    draw = TokenSimilarityDisplay.from_similarities
    few[0, 0] = -0.001  # no "-0.00"
    display = draw(few, "abc", "defg")
    expected = ["0.00", *(f"{value:.2f}".replace("-", "−") for value in few.flat[1:])]
    assert [text.get_text() for text in display.text_] == expected
    display.figure_.draw_without_rendering()
    assert_apart(display.text_)
    assert draw(few, "abc", "defg", include_values=False).text_ == []
    words = [f"w{k}" for k in range(40)]
    assert draw(many, words[:30], words).text_ == []
    assert len(draw(many, words[:30], words, include_values=True).text_) == 1200


def test_numbers_stand_out_from_their_cells():
    display = TokenSimilarityDisplay.from_similarities([[0.0, 1.0]], ["a"], ["b", "c"])
    assert [text.get_color() for text in display.text_] == ["white", "black"]


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (12, 9), (60, 3), (150, 200)])
def test_tokens_do_not_overlap(shape):
    names = [f"particularly{k}"[-(1 + 5 * k % 13) :] for k in range(max(shape))]
    display = TokenSimilarityDisplay.from_similarities(
        np.linspace(0, 1, np.prod(shape)).reshape(shape),
        names[: shape[0]],
        names[: shape[1]],
    )
    display.figure_.draw_without_rendering()
    assert_apart(display.ax_.get_yticklabels())
    # Slanted labels lie in overlapping boxes: their lines must be apart.
    labels = display.ax_.get_xticklabels()
    distance = np.ptp(display.ax_.transData.transform([[0, 0], [1, 0]])[:, 0])
    places = np.diff(display.ax_.get_xticks())
    if len(places):
        apart = distance * places.min() * np.sin(np.deg2rad(labels[0].get_rotation()))
        height = labels[0].get_fontsize() * display.figure_.dpi / 72
        assert apart >= height


def test_strange_tokens_are_written_as_they_are():
    display = TokenSimilarityDisplay.from_similarities(
        [[0.5, 0.1]], ["$x^2"], ["a_{b}$ $", "x" * 30]
    )
    assert tick_labels(display) == [["$x^2"], ["a_{b}$ $", "x" * 23 + "…"]]
    display.figure_.draw_without_rendering()


def test_look_can_be_set():
    _, ax = plt.subplots()
    display = TokenSimilarityDisplay.from_similarities(
        [[0.5]], ["a"], ["b"], ax=ax, cmap="cividis", colorbar=False,
        im_kw={"vmin": 0, "vmax": 1},
    )  # fmt: skip
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.im_.get_cmap().name == "cividis"
    assert display.im_.get_clim() == (0, 1)
    assert display.im_.colorbar is None


def test_vectors_without_context_will_do(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("cat 1 0\ndog 1 1\n")
    glove = GloveVectorizer(vectors=path).fit(["cat"])
    display = TokenSimilarityDisplay.from_estimator(glove, "cat owl", "cat dog")
    np.testing.assert_allclose(display.similarities, [[1, 0.5**0.5], [0, 0]])


def test_text_without_a_token_is_refused(vectorizer):
    message = (
        "TokenSimilarityDisplay needs a token in each text, but the second has none "
        "('  '). Pass a text with words."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TokenSimilarityDisplay.from_estimator(vectorizer, FIRST, "  ")


def test_wrong_shape_is_refused():
    message = (
        "TokenSimilarityDisplay needs a similarity for each pair of tokens, an array "
        "of shape (2, 1) for 2 and 1 tokens, got shape (1, 2). Pass a row for each "
        "token of the first text."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TokenSimilarityDisplay.from_similarities([[0.1, 0.2]], ["a", "b"], ["c"])


def test_estimator_without_vectors_of_tokens_is_refused(vectorizer):
    message = (
        "TokenSimilarityDisplay needs an estimator with transform_tokens, got "
        "Pipeline. Of a pipeline, pass the step: pipeline[0]."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        TokenSimilarityDisplay.from_estimator(make_pipeline(vectorizer), "a", "b")
