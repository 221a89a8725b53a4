"""Tests of the product reviews that come with the library."""

import csv
import hashlib
import io
import re
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from skelmo.datasets import load_reviews

CATEGORIES = [
    "backpack",
    "book",
    "game",
    "headphones",
    "kettle",
    "lamp",
    "phone",
    "shoes",
]
FOLDS = StratifiedKFold(10, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def reviews():
    return load_reviews()


@pytest.fixture(scope="module")
def frame():
    return load_reviews(as_frame=True).frame


def test_load_reviews_has_as_many_of_each_category_and_label(frame):
    counts = frame.groupby(["category", "label"]).size()
    assert sorted(set(frame["category"])) == CATEGORIES
    assert counts.tolist() == [25] * 16


def test_load_reviews_stars_agree_with_labels(frame):
    assert set(frame["stars"]) == {1, 2, 4, 5}
    assert (frame["label"] == (frame["stars"] > 3)).all()


def test_load_reviews_order_is_mixed(frame):
    # Slices and folds that do not shuffle meet all labels and categories.
    for start in range(0, 400, 100):
        part = frame[start : start + 100]
        assert 30 <= part["label"].sum() <= 70
        assert sorted(set(part["category"])) == CATEGORIES


def test_load_reviews_has_no_duplicates(reviews):
    words = {" ".join(re.findall(r"\w+", text.lower())) for text in reviews.data}
    assert len(words) == 400


def test_load_reviews_shares_few_phrases(reviews):
    # They were not filled into a template: no run of five words comes three times.
    runs = {}
    for text in reviews.data:
        words = re.findall(r"[\w']+", text.lower())
        for run in {tuple(words[i : i + 5]) for i in range(len(words) - 4)}:
            runs[run] = runs.get(run, 0) + 1
    assert max(runs.values()) < 3


def test_load_reviews_texts_are_short_and_clean(reviews):
    for text in reviews.data:
        assert text == " ".join(text.split())
        assert text.isascii()
        assert 5 <= len(text.split()) <= 45
        assert not re.search(r"\.\.|,,|\s[,.!?]", text), text


def test_load_reviews_prices_say_nothing_of_the_label(frame):
    assert frame["price"].between(5, 1500).all()
    means = frame.pivot_table(index="category", columns="label", values="price")
    assert (means[1] / means[0]).between(0.8, 1.25).all()
    ranks = frame.groupby("category")["price"].rank()
    assert abs(np.corrcoef(ranks, frame["label"])[0, 1]) < 0.1


def test_load_reviews_can_be_learnt_but_not_by_a_word(reviews):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    scores = cross_val_score(model, reviews.data, reviews.target, cv=FOLDS)
    assert 0.6 < scores.mean() < 0.97


def test_load_reviews_bunch(reviews):
    assert reviews.target_names == ["negative", "positive"]
    assert reviews.frame is None
    assert (reviews.target.dtype, reviews.target.shape) == (np.int64, (400,))
    assert (reviews.stars.dtype, reviews.prices.dtype) == (np.int64, np.float64)
    assert len(reviews.data) == len(reviews.categories) == 400
    assert "negative: 200, positive: 200" in reviews.DESCR
    assert "not collected" in reviews.DESCR


def test_load_reviews_other_outputs_agree_with_bunch(reviews):
    data, target = load_reviews(return_X_y=True)
    assert data == reviews.data
    np.testing.assert_array_equal(target, reviews.target)
    framed = load_reviews(as_frame=True)
    columns = ["text", "category", "price", "stars", "label"]
    assert framed.frame.columns.tolist() == columns
    assert framed.frame["text"].tolist() == reviews.data
    assert framed.frame["category"].tolist() == reviews.categories
    np.testing.assert_array_equal(framed.frame["price"], reviews.prices)
    np.testing.assert_array_equal(framed.frame["stars"], reviews.stars)
    pd.testing.assert_series_equal(framed.data, framed.frame["text"])
    pd.testing.assert_series_equal(framed.target, framed.frame["label"])
    X, y = load_reviews(return_X_y=True, as_frame=True)
    pd.testing.assert_series_equal(X, framed.data)
    pd.testing.assert_series_equal(y, framed.target)


def test_load_reviews_gives_new_objects_each_time(reviews):
    before = hashlib.sha256(repr(reviews.data).encode()).hexdigest()
    load_reviews().data.clear()
    after = hashlib.sha256(repr(load_reviews().data).encode()).hexdigest()
    assert before == after


def test_load_reviews_reads_what_stands_in_the_package(frame):
    content = files("skelmo.datasets").joinpath("reviews.tsv").read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    table = pd.read_csv(io.BytesIO(content), sep="\t", quoting=csv.QUOTE_NONE)
    pd.testing.assert_frame_equal(table, frame)


def test_load_reviews_refuses_what_is_not_boolean():
    with pytest.raises(ValueError, match="'as_frame' parameter of load_reviews must"):
        load_reviews(as_frame="yes")
