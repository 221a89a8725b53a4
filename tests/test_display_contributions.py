import re
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from skelmo import ElmoClassifier, ElmoRegressor, explain_linear
from skelmo.display import TokenContributionsDisplay
from skelmo.display.looks import COLORS
from skelmo.encoding.contributions import TokenContributions

mpl.use("Agg")

VALUES = np.array([[0.5, -1.0], [0.0, 2.0], [-0.25, 0.5]])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def found():
    return TokenContributions(["A", "fine", "film"], VALUES, ["bad", "good"])


def long_document(n):
    rng = np.random.default_rng(0)
    tokens = ["abcdefghijklmnop"[: rng.integers(1, 16)] for _ in range(n)]
    return TokenContributions(tokens, rng.standard_normal((n, 1)))


def backgrounds(display):
    return np.array([text.get_bbox_patch().get_facecolor() for text in display.text_])


class Spans(HTMLParser):
    """Text and attributes of the elements of a page."""

    def __init__(self, page):
        super().__init__()
        self.found, self.tags = [], set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.found.append([dict(attrs), ""])

    def handle_data(self, data):
        if self.found:
            self.found[-1][1] += data

    @property
    def tokens(self):
        return [(text, attrs) for attrs, text in self.found if "title" in attrs]


def opacities(page):
    styles = [attrs["style"] for _, attrs in Spans(page).tokens]
    shades = [re.search(r"rgba\((\d+),\d+,\d+,([\d.]+)\)", style) for style in styles]
    return [(int(shade[1]), float(shade[2])) for shade in shades]


@pytest.mark.parametrize(
    ("target", "column", "label"), [("bad", 0, "bad"), ("good", 1, "good")]
)
def test_colors_are_those_of_the_contributions(found, target, column, label):
    display = TokenContributionsDisplay.from_contributions(found, target=target)
    assert [text.get_text() for text in display.text_] == found.tokens
    largest = np.abs(VALUES[:, column]).max()
    for value, color in zip(VALUES[:, column], backgrounds(display), strict=True):
        end = np.array(to_rgb(COLORS[0] if value > 0 else COLORS[1]))
        expected = 1 - abs(value) / largest * (1 - end)
        np.testing.assert_allclose(color[:3], expected, atol=0.01)
    total = f"{VALUES[:, column].sum():+.2g}".replace("-", "−")
    expected = f"Contributions to {label}, {total} in all"
    assert display.ax_.get_title() == expected
    assert display.figure_ is display.ax_.figure


def test_the_class_that_tokens_speak_for_most_is_shown(found):
    display = TokenContributionsDisplay.from_contributions(found)
    np.testing.assert_array_equal(display.contributions, VALUES[:, 1])
    unnamed = TokenContributions(found.tokens, VALUES)
    shown = TokenContributionsDisplay.from_contributions(unnamed)
    assert shown.label == "output 1"
    shown = TokenContributionsDisplay.from_contributions(unnamed, target=0)
    np.testing.assert_array_equal(shown.contributions, VALUES[:, 0])


def test_one_scale_for_several_documents(found):
    draw = TokenContributionsDisplay.from_contributions
    display = draw(found, target="good", vmax=4.0)
    end = np.array(to_rgb(COLORS[0]))
    expected = 1 - 0.5 * (1 - end)
    np.testing.assert_allclose(backgrounds(display)[1, :3], expected, atol=0.01)
    assert display.colorbar_.mappable.get_clim() == (-4, 4)
    ticks = [label.get_text() for label in display.colorbar_.ax.get_xticklabels()]
    assert ticks == ["−4", "−2", "0", "+2", "+4"]
    assert opacities(display._repr_html_())[1] == (0, pytest.approx(0.375))


def test_text_stands_out_from_its_color():
    display = TokenContributionsDisplay(tokens=["a", "b"], contributions=[1.0, 0.0])
    display.plot(cmap="seismic_r")
    assert [text.get_color() for text in display.text_] == ["white", "#000000"]


def boxes(display):
    display.figure_.draw_without_rendering()
    return [text.get_bbox_patch().get_window_extent() for text in display.text_]


@pytest.mark.parametrize("n", [1, 12, 150])
def test_tokens_do_not_overlap_and_none_is_cut_off(n):
    display = TokenContributionsDisplay.from_contributions(long_document(n))
    assert len(display.text_) == n
    drawn, inside = boxes(display), display.figure_.bbox
    for k, box in enumerate(drawn):
        assert not any(box.overlaps(other) for other in drawn[:k])
        assert inside.x0 <= box.x0 <= box.x1 <= inside.x1
    title = display.ax_.title.get_window_extent()
    bar = display.colorbar_.ax.get_window_extent()
    assert max(box.y1 for box in drawn) <= title.y0 + 1
    assert min(box.y0 for box in drawn) >= bar.y1 - 1


def test_lines_are_read_as_text_is():
    display = TokenContributionsDisplay.from_contributions(long_document(80))
    places = [(-round(box.y0), box.x0) for box in boxes(display)]
    lines = [text.get_position()[1] for text in display.text_]
    assert len(set(lines)) > 3
    assert lines == sorted(lines, reverse=True)
    for (line, x), (after, then) in zip(places, places[1:], strict=False):
        assert then > x or after > line


def test_as_many_are_drawn_as_given_axes_have_room_for():
    _, (upper, lower) = plt.subplots(2, figsize=(5, 4), layout="constrained")
    draw = TokenContributionsDisplay.from_contributions
    whole = draw(long_document(60), ax=upper, colorbar=False)
    assert whole.ax_ is upper
    assert whole.colorbar_ is None
    assert len(whole.text_) == 60
    assert whole.text_[0].get_fontsize() < 11
    part = draw(long_document(500), ax=lower, colorbar=False)
    assert 60 < len(part.text_) < 500
    assert part.text_[-1].get_text() == "…"
    part.figure_.draw_without_rendering()
    least = min(text.get_window_extent().y0 for text in part.text_)
    assert least >= lower.get_window_extent().y0 - 1


def test_strange_tokens_are_drawn_as_they_are():
    tokens = ["$x^2", "a_{b}$ $", "x" * 30]
    display = TokenContributionsDisplay(
        tokens=tokens, contributions=[1, -1, 0], label="$_{"
    )
    texts = [text.get_text() for text in display.plot().text_]
    assert texts == ["$x^2", "a_{b}$ $", "x" * 23 + "…"]
    assert display.ax_.get_title() == "Contributions to $_{, 0 in all"
    display.figure_.draw_without_rendering()


def test_tokens_that_say_nothing_are_white():
    display = TokenContributionsDisplay(tokens=["a", "b"], contributions=[0, 0]).plot()
    np.testing.assert_array_equal(backgrounds(display), 1.0)
    assert [opacity for _, opacity in opacities(display._repr_html_())] == [0, 0]


def test_notebooks_show_every_token(found):
    display = TokenContributionsDisplay(
        tokens=found.tokens, contributions=VALUES[:, 0], label="bad"
    )
    page = display._repr_html_()
    assert [text.strip() for text, _ in Spans(page).tokens] == found.tokens
    titles = [attrs["title"] for _, attrs in Spans(page).tokens]
    assert titles == ["+0.5", "0", "−0.25"]
    assert opacities(page)[0] == (0, pytest.approx(0.75))
    assert opacities(page)[2] == (213, pytest.approx(0.375))
    assert "Contributions to bad, +0.25 in all" in page
    many = long_document(3000)
    page = TokenContributionsDisplay(
        tokens=many.tokens, contributions=many.contributions[:, 0]
    )._repr_html_()
    assert len(Spans(page).tokens) == 3000


def test_a_page_holds_no_markup_of_the_texts():
    strange = ["<script>alert(1)</script>", '"&quot;', "a\nb", "</p>", "&lt;"]
    display = TokenContributionsDisplay(
        tokens=strange, contributions=np.ones(5), label="<b onload='x'>&"
    )
    page = Spans(display._repr_html_())
    assert page.tags == {"div", "p", "b", "span", "small"}
    assert all(set(attrs) <= {"style", "title"} for attrs, _ in page.found)
    assert [text.removesuffix(" ") for text, _ in page.tokens] == strange
    assert page.found[2][1] == "Contributions to <b onload='x'>&, +5 in all"


def test_a_document_of_a_pipeline_is_drawn(make, texts):
    vectorizer = make(pooling="mean", layers="top")
    (explained,) = explain_linear(vectorizer, np.ones((1, 16)), texts[:1])
    display = TokenContributionsDisplay.from_contributions(explained)
    sums = vectorizer.transform(texts[:1]).sum()
    assert display.contributions.sum() == pytest.approx(sums, abs=1e-5)
    assert [text.get_text() for text in display.text_] == explained.tokens


@pytest.fixture(scope="module")
def classifier(frozen, texts):
    y = ["moon" if "moon" in text else "none" for text in texts]
    given = {"head": "linear", "tune": "none", "max_iter": 1, "random_state": 0}
    return ElmoClassifier(frozen, **given).fit(texts, y)


def test_a_classifier_shows_the_class_that_it_predicts(classifier, texts):
    draw = TokenContributionsDisplay.from_estimator
    for text in texts[:3]:
        (explained,) = classifier.explain([text])
        (predicted,) = classifier.predict([text])
        display = draw(classifier, text, vmax=3.0)
        column = list(classifier.classes_).index(predicted)
        np.testing.assert_array_equal(
            display.contributions, explained.contributions[:, column]
        )
        assert (display.label, display.vmax) == (predicted, 3.0)
        assert [t.get_text() for t in display.text_] == explained.tokens
        other = draw(classifier, text, target=classifier.classes_[1 - column])
        np.testing.assert_allclose(other.contributions, -display.contributions)


def test_labels_and_numbers_are_drawn(frozen, texts):
    y = np.array([["moon" in text, "letter" in text] for text in texts], int)
    given = {"head": "linear", "tune": "none", "max_iter": 1, "random_state": 0}
    for kind in (ElmoClassifier, ElmoRegressor):
        estimator = kind(frozen, **given).fit(texts, y)
        (explained,) = estimator.explain(texts[:1])
        draw = TokenContributionsDisplay.from_estimator
        best = explained.total.argmax()
        shown = draw(estimator, texts[0]).contributions
        np.testing.assert_array_equal(shown, explained.contributions[:, best])
        shown = draw(estimator, texts[0], target=1).contributions
        np.testing.assert_array_equal(shown, explained.contributions[:, 1])


def test_an_estimator_that_explains_nothing_is_refused(vectorizer):
    message = (
        "TokenContributionsDisplay needs an estimator with explain, as ElmoClassifier, "
        "got ElmoVectorizer. Of a pipeline of ElmoVectorizer and a linear model, call "
        "explain_linear, and from_contributions."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        TokenContributionsDisplay.from_estimator(vectorizer, "a")


def test_what_is_no_explained_document_is_refused(found):
    message = (
        "TokenContributionsDisplay draws the TokenContributions of one document, got "
        "list. Pass one of those that explain or explain_linear returns."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        TokenContributionsDisplay.from_contributions([found])


@pytest.mark.parametrize(
    ("classes", "target", "message"),
    [
        (
            ["bad", "good"],
            1,
            "TokenContributionsDisplay: target must be one of 'bad', 'good', got 1. "
            "Pass one of these, or None for the one that the tokens speak for most.",
        ),
        (
            None,
            2,
            "TokenContributionsDisplay: target must be one of 0, 1, got 2. Pass one of "
            "these, or None for the one that the tokens speak for most.",
        ),
    ],
)
def test_unknown_targets_are_refused(classes, target, message):
    found = TokenContributions(["a", "b", "c"], VALUES, classes)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TokenContributionsDisplay.from_contributions(found, target=target)


def test_a_document_without_tokens_is_refused():
    message = (
        "TokenContributionsDisplay needs a token, but the document has none. Choose "
        "another."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TokenContributionsDisplay.from_contributions(
            TokenContributions([], np.zeros((0, 2)))
        )
