"""Tests of what a comparison shows: table, words, figure and page."""

import base64
import dataclasses
import io
import math
import pickle
import re
import sys
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy.stats import ttest_rel
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB

import skelmo
from skelmo.comparison import Comparison
from skelmo.comparison.figure import _apart
from skelmo.comparison.fold_result import FoldResult
from skelmo.comparison.statistics import corrected_p_value
from skelmo.comparison.tables import Tables, make_tables

mpl.use("Agg")
NAMES = ("elmo", "tfidf", "<b>&glove")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def fold_result(name, fold, score, **changes):
    curve = [[50, {"accuracy": score / 2}], [80 + fold, {"accuracy": score}]]
    result = FoldResult(
        representation=name, fold=fold, n_train=80 + fold, n_test=20, n_features=7,
        scores={"accuracy": score}, curve=curve, chosen={"C": 1.0}, fit_seconds=2.0,
        transform_seconds=0.5, classifier_seconds=1.0, model_bytes=3_000_000,
        peak_bytes=1_000_000 * (fold + 1), unseen_rate=0.25, oov_rate=None,
        n_unseen=4, accuracy_unseen=score - 0.1,
    )  # fmt: skip
    return dataclasses.replace(result, **changes)


def make(scores, baseline="tfidf", skipped=None, **changes):
    results = [
        fold_result(name, fold, score, **changes)
        for name, values in scores.items()
        for fold, score in enumerate(values)
    ]
    return Comparison(*make_tables(results, ["accuracy"], baseline, skipped or {}))


@pytest.fixture
def comparison():
    scores = dict(
        zip(NAMES, ([0.8, 0.9, 0.85], [0.7, 0.8, 0.76], [0.5, 0.6, 0.7]), strict=True)
    )
    return make(scores, skipped={"<i>": "needs <nothing>"})


def test_p_value_without_correction_is_that_of_a_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 10))
    assert corrected_p_value(a - b, 0.0) == pytest.approx(ttest_rel(a, b).pvalue)


def test_p_value_by_the_formula_of_nadeau_and_bengio():
    # t = 0.02 / sqrt((1 / 5 + 1 / 4) * 5e-5) = 4.2164 with 4 degrees of freedom.
    p = corrected_p_value([0.02, 0.01, 0.03, 0.02, 0.02], 0.25)
    assert p == pytest.approx(0.013513, abs=1e-5)
    assert corrected_p_value([0.0, 0.0], 0.25) == 1.0
    assert corrected_p_value([0.1, 0.1], 0.25) == 0.0
    assert math.isnan(corrected_p_value([0.1], 0.25))


def test_table_sums_up_folds(comparison):
    table = comparison.table
    assert list(table.index) == ["elmo", "tfidf", "<b>&glove"]
    assert table.index.name == "representation"
    assert table.loc["elmo", "accuracy"] == pytest.approx(0.85)
    assert table.loc["elmo", "accuracy_std"] == pytest.approx(0.05)
    assert table.loc["elmo", "difference"] == pytest.approx(0.85 - 2.26 / 3)
    p = corrected_p_value([0.1, 0.1, 0.09], np.mean([20 / 80, 20 / 81, 20 / 82]))
    assert table.loc["elmo", "p_value"] == pytest.approx(p)
    assert math.isnan(table.loc["tfidf", "p_value"])
    assert table.loc["elmo", "documents_per_second"] == 40.0
    assert table.loc["elmo", "peak_bytes"] == 3_000_000
    assert math.isnan(table.loc["elmo", "oov_rate"])
    assert comparison.folds.shape[0] == 9
    counts = comparison.curve.groupby("is_all")["n_labels"].unique().map(list)
    assert counts.to_dict() == {False: [50], True: [80, 81, 82]}


def test_summary_says_that_tfidf_is_not_enough(comparison):
    best, verdict, few, cost, unseen, skipped = comparison.summary().split("\n")
    assert best == (
        "Best accuracy: elmo, 0.850 ± 0.050 (mean ± standard deviation of 3 folds)."
    )
    assert verdict == (
        "TF-IDF is not enough for the best accuracy: elmo is 0.097 above TF-IDF (0.753 "
        "± 0.050), more than the noise between folds (corrected resampled t-test, p = "
        "0.002, 0.004 after correction for 2 comparisons)."
    )
    assert few == (
        "With 50 labels the best is elmo, 0.425; TF-IDF has 0.377, and less in 3 of 3 "
        "folds."
    )
    assert cost == (
        "Cost: tfidf takes 2 s to fit and encode the training documents, and then "
        "encodes 40 documents a second with a model of 3 MB; elmo takes 2 s to fit and "
        "encode the training documents, and then encodes 40 documents a second with a "
        "model of 3 MB."
    )
    assert unseen == (
        "Unseen words: 25.0 % of the words of test documents are in no training "
        "document. On documents with one, accuracy is highest by elmo, 0.750 (TF-IDF "
        "0.653)."
    )
    assert skipped == "Left out: <i> needs <nothing>."


def test_summary_says_that_tfidf_is_enough():
    noisy = make({"elmo": [0.8, 0.6, 0.75], "tfidf": [0.7, 0.7, 0.7]})
    verdict = noisy.summary().split("\n")[1]
    assert verdict.startswith(
        "TF-IDF is enough as far as these data tell: elmo is 0.017 above TF-IDF (0.700 "
        "± 0.000), within the noise between folds (corrected resampled t-test, p = 0."
    )
    assert "comparisons" not in verdict
    best = make({"elmo": [0.6, 0.6], "tfidf": [0.7, 0.8]})
    assert best.summary().split("\n")[1] == (
        "TF-IDF is enough here: nothing has a higher accuracy. The next is elmo, 0.600 "
        "± 0.000."
    )
    # A tie goes to TF-IDF, whatever the order.
    tie = make({"elmo": [0.7, 0.8], "tfidf": [0.7, 0.8]})
    assert tie.summary().split("\n")[1].startswith("TF-IDF is enough here: ")


def test_summary_says_each_reason_once():
    skipped = {"a": "needs x", "b": "needs y", "c": "needs x"}
    found = make({"elmo": [0.8, 0.8]}, baseline=None, skipped=skipped)
    assert found.summary().split("\n")[-1] == "Left out: a, c needs x; b needs y."


def test_correction_for_many_comparisons_decides():
    scores = {"tfidf": [0.7, 0.71, 0.7], "elmo": [0.8, 0.79, 0.84]}
    assert "TF-IDF is not enough" in make(scores).summary()
    scores |= {f"other{k}": [0.6, 0.6, 0.6] for k in range(4)}
    assert "TF-IDF is enough as far" in make(scores).summary()


def test_summary_without_tfidf_does_not_judge_it():
    found = make({"elmo": [0.8, 0.8], "glove": [0.7, 0.7]}, baseline=None)
    assert found.summary().split("\n")[1] == (
        "The next is glove, 0.100 lower. TF-IDF was not compared, so it is not known "
        "whether it would be enough."
    )
    assert "difference" not in found.table


def test_summary_of_one_split_says_that_noise_is_unknown():
    found = make({"elmo": [0.8], "tfidf": [0.7]})
    best, verdict = found.summary().split("\n")[:2]
    assert best == "Best accuracy: elmo, 0.800 in one split."
    assert verdict == (
        "elmo is 0.100 above TF-IDF (0.700); one split cannot tell whether that is "
        "more than noise. Raise cv before giving up TF-IDF."
    )


def test_what_is_not_known_is_shown_as_such():
    unknown = {"model_bytes": None, "peak_bytes": None, "accuracy_unseen": None}
    found = make({"elmo": [0.8, 0.9], "tfidf": [0.7, 0.7]}, **unknown)
    text = repr(found)
    assert "nan" not in text.lower()
    assert "–" in text
    assert "Unseen words" not in found.summary()
    assert "with a model" not in found.summary()


def test_repr_is_table_and_summary(comparison):
    text = repr(comparison)
    assert text.endswith(comparison.summary())
    assert "0.850 ± 0.050" in text.split("\n")[1]


def test_comparison_is_frozen(comparison):
    with pytest.raises(
        dataclasses.FrozenInstanceError, match="^cannot assign to field 'table'$"
    ):
        comparison.table = None


def texts_of(figure):
    figure.draw_without_rendering()
    return [text for text in figure.findobj(mpl.text.Text) if text.get_text()]


def test_figure_shows_scores_and_curve(comparison):
    left, right = comparison.plot().axes
    assert [t.get_text() for t in left.get_yticklabels()] == list(NAMES)
    assert left.get_xlabel() == "accuracy\n(mean ± standard deviation of 3 folds)"
    assert right.get_xscale() == "log"
    assert right.get_xlabel() == "labels in training (logarithmic)"
    for line, name in zip(right.get_lines(), NAMES, strict=True):
        score = comparison.table.loc[name, "accuracy"]
        np.testing.assert_allclose(line.get_xdata(), [50, 81])
        np.testing.assert_allclose(line.get_ydata(), [score / 2, score])
    assert [t.get_text() for t in right.texts] == list(NAMES)


def test_figure_of_all_labels_alone_has_one_panel():
    curve = [[80, {"accuracy": 0.8}]]
    found = make({"elmo": [0.8], "tfidf": [0.7]}, curve=curve, n_train=80)
    assert len(found.plot().axes) == 1


def test_labels_of_the_figure_do_not_overlap():
    names = [f"representation {k}" for k in range(12)]
    found = make({n: [0.7 + k / 1e4, 0.7] for k, n in enumerate(names)}, baseline=None)
    figure = found.plot()
    figure.canvas.draw()
    right = figure.axes[1]
    extent = mpl.text.Text.get_window_extent  # that of an annotation has its arrow
    boxes = [extent(text) for text in right.texts]
    assert not any(
        a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :]
    )  # fmt: skip
    ticks = figure.axes[0].get_yticklabels()
    boxes = [text.get_window_extent() for text in ticks]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    for text in texts_of(figure):
        box = text.get_window_extent()
        assert box.x0 >= 0, text
        assert box.x1 <= figure.bbox.x1, text
    # Every one looks different.
    looks = {
        (line.get_color(), line.get_marker(), str(line._unscaled_dash_pattern))
        for line in right.get_lines()
    }
    assert len(looks) == 12


def test_places_are_apart_and_in_order():
    places = _apart([0.5, 0.1, 0.5, 0.52, 0.9], 0.1)
    np.testing.assert_allclose(
        places, [0.4066666667, 0.1, 0.5066666667, 0.6066666667, 0.9]
    )
    np.testing.assert_allclose(_apart([0.9, 0.95, 0.99], 0.1), [0.8, 0.9, 1.0])


def test_names_are_no_mathematics_in_a_figure():
    found = make({"cost $x_1$ and $": [0.8, 0.9], "y" * 60: [0.7, 0.8]}, baseline=None)
    figure = found.plot()
    named = [*figure.axes[0].get_yticklabels(), *figure.axes[1].texts]
    names = ["cost $x_1$ and $", "y" * 23 + "…"]
    assert [text.get_text() for text in named] == names * 2
    assert not any(text.get_parse_math() for text in named)


class Reader(HTMLParser):
    """Collect tags, cells and images, and check that all is closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.cells, self.images = [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("th", "td", "li"):
            self.cells.append(data)


def test_page_is_one_file_with_escaped_names(comparison, tmp_path):
    page = comparison.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == page
    reader = Reader(page)
    assert not set(reader.tags) & {"b", "i", "nothing", "script", "link"}
    assert "<b>&glove" in reader.cells
    assert "Left out: <i> needs <nothing>." in reader.cells
    assert "0.850 ± 0.050" in reader.cells
    for line in comparison.summary().split("\n"):
        assert line in reader.cells
    (image,) = reader.images
    kind, data = image["src"].split(",")
    assert kind == "data:image/svg+xml;base64"
    assert b"<svg" in base64.b64decode(data)
    assert image["alt"]
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert plt.get_fignums() == []


def test_notebook_shows_table_and_summary(comparison):
    reader = Reader(comparison._repr_html_())
    assert reader.tags.count("tr") == 4
    assert "<b>&glove" in reader.cells
    assert reader.images == []


def test_without_matplotlib_there_is_a_page_and_a_clear_error(comparison, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = comparison.to_html()
    assert "The figure needs matplotlib, which was not installed." in page
    assert Reader(page).images == []
    with pytest.raises(
        ImportError,
        match=r"^Comparison\.plot requires matplotlib\. You can install matplotlib "
        r"with `pip install matplotlib`$",
    ):
        comparison.plot()


X = ["good film", "bad film", "a good day", "a bad day", "good", "bad"] * 4


def shown(verbose, monkeypatch, is_terminal):
    stream = io.StringIO()
    stream.isatty = lambda: is_terminal
    monkeypatch.setattr(sys, "stderr", stream)
    skelmo.compare(
        X, [0, 1] * 12, classifier=MultinomialNB(), cv=2, verbose=verbose,
        representations={"t": TfidfVectorizer(), "c": CountVectorizer()},
    )  # fmt: skip
    return stream.getvalue()


def test_progress_is_a_bar_in_a_terminal_and_lines_elsewhere(monkeypatch):
    lines = shown(1, monkeypatch, is_terminal=False).splitlines()
    assert len(lines) == 4
    assert re.fullmatch(r"t, fold 1 of 2: accuracy 1\.000 \(\d+\.\d s\)", lines[0])
    bar = shown(1, monkeypatch, is_terminal=True)
    assert "compare: 100%" in bar
    assert "4/4" in bar
    assert shown(0, monkeypatch, is_terminal=True) == ""
    assert shown(0, monkeypatch, is_terminal=False) == ""


def test_results_of_the_whole_call_can_be_pickled(comparison):
    import pickle

    again = pickle.loads(pickle.dumps(comparison))
    pd.testing.assert_frame_equal(again.table, comparison.table)


def test_a_page_is_replaced_whole_or_not_at_all(comparison, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old", "utf-8")

    def full(self, data, encoding):
        self.write_bytes(data.encode(encoding)[:10])
        raise OSError("no space is left")

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "write_text", full)
        with pytest.raises(OSError, match=r"^no space is left$"):
            comparison.to_html(path)
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
    page = comparison.to_html(path)
    assert path.read_text("utf-8") == page
    assert list(tmp_path.iterdir()) == [path]


def test_a_comparison_is_made_of_its_tables(comparison):
    fields = tuple(field.name for field in dataclasses.fields(Comparison))
    assert fields == Tables._fields
    again = pickle.loads(pickle.dumps(comparison))
    assert repr(again) == repr(comparison)
