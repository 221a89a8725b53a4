"""Names of features: those of the column that texts come from are in them."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skelmo import ElmoVectorizer
from skelmo.baselines import GloveVectorizer

WORDS = ["cat", "dog", "moon"]


@pytest.fixture(scope="module")
def vectors_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors") / "vectors.txt"
    path.write_text("".join(f"{w} {k} {k + 1}\n" for k, w in enumerate(WORDS)))
    return path


@pytest.fixture(params=["elmo", "glove"])
def unfitted(request, frozen, vectors_path):
    if request.param == "glove":
        return GloveVectorizer(vectors_path)
    return ElmoVectorizer(frozen, pooling="mean", layers=[0, 2], cache=None)


def named(vectorizer, column):
    """Return the names that features of a column have."""
    names = vectorizer.get_feature_names_out()
    if isinstance(vectorizer, GloveVectorizer):
        return [f"{column}_{name}" for name in names]
    return [name.replace("elmo_", f"{column}_", 1) for name in names]


COLUMNS = {
    "pandas series": lambda X: pd.Series(X, name="my text"),
    "pandas frame": lambda X: pd.DataFrame({"my text": X}),
    "polars series": lambda X: pl.Series("my text", X),
    "polars frame": lambda X: pl.DataFrame({"my text": X}),
}
NAMELESS = {
    "list": list,
    "array": np.array,
    "generator": iter,
    "pandas series": pd.Series,
    "polars series": pl.Series,
    "frame of a number": lambda X: pd.DataFrame({7: X}),
}


def test_names_of_a_known_shape(frozen, vectors_path):
    X = pd.Series(WORDS, name="title")
    elmo = ElmoVectorizer(frozen, pooling=["std"], layers=1, cache=None).fit(X)
    names = elmo.get_feature_names_out().tolist()
    directions = ("forward", "backward")
    assert names == [f"title_std_layer1_{d}_{k}" for d in directions for k in range(8)]
    glove = GloveVectorizer(vectors_path).fit(X)
    names = glove.get_feature_names_out()
    assert names.dtype == object
    assert names.tolist() == ["title_glovevectorizer0", "title_glovevectorizer1"]


@pytest.mark.parametrize("hold", COLUMNS.values(), ids=COLUMNS)
def test_a_column_is_in_the_names(unfitted, hold):
    expected = named(clone(unfitted).fit(WORDS), "my text")
    vectorizer = clone(unfitted).fit(hold(WORDS))
    assert vectorizer.get_feature_names_out().tolist() == expected
    again = pickle.loads(pickle.dumps(vectorizer))
    assert again.get_feature_names_out().tolist() == expected


@pytest.mark.parametrize("hold", NAMELESS.values(), ids=NAMELESS)
def test_without_a_column_names_are_as_ever(unfitted, hold):
    expected = clone(unfitted).fit(WORDS).get_feature_names_out()
    assert re.match("elmo_mean_layer0_|glovevectorizer0", expected[0])
    vectorizer = clone(unfitted).fit(pd.Series(WORDS, name="text")).fit(hold(WORDS))
    assert_array_equal(vectorizer.get_feature_names_out(), expected)


def test_two_columns_of_text_do_not_clash(unfitted):
    frame = pd.DataFrame({"title": WORDS, "body": WORDS[::-1], "n": [1, 2, 3]})
    parts = [(name, clone(unfitted), name) for name in ("title", "body")]
    both = ColumnTransformer(parts, verbose_feature_names_out=False)
    found = both.set_output(transform="pandas").fit_transform(frame)
    alone = clone(unfitted).fit(WORDS)
    names = named(alone, "title") + named(alone, "body")
    assert found.columns.tolist() == names
    assert both.get_feature_names_out().tolist() == names
    for name in ("title", "body"):
        expected = alone.transform(frame[name])
        np.testing.assert_allclose(
            found[named(alone, name)].to_numpy(), expected, rtol=0, atol=1e-6
        )


def test_frames_that_come_out_have_the_names(unfitted):
    X = pd.Series(WORDS, name="text", index=[5, 3, 4])
    vectorizer = clone(unfitted).set_output(transform="pandas").fit(X)
    expected = named(clone(unfitted).fit(WORDS), "text")
    for given in (X, WORDS, X.rename("other"), X.to_frame()):
        assert vectorizer.transform(given).columns.tolist() == expected
    pipeline = make_pipeline(clone(unfitted), StandardScaler()).fit(X)
    assert pipeline.get_feature_names_out().tolist() == expected


OTHERS = {
    "list": list,
    "series of another name": lambda X: pd.Series(X, name="title"),
    "polars series of another name": lambda X: pl.Series("title", X),
    "series without a name": pd.Series,
}


@pytest.mark.parametrize("hold", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("fitted_on", COLUMNS.values(), ids=COLUMNS)
def test_the_name_of_a_series_has_not_to_come_again(unfitted, fitted_on, hold):
    vectorizer = clone(unfitted).fit(fitted_on(WORDS))
    expected = clone(unfitted).fit(WORDS).transform(WORDS)
    assert_array_equal(vectorizer.transform(hold(WORDS)), expected)
    assert vectorizer.tokenize(hold(WORDS)) == [[word] for word in WORDS]


def test_a_series_is_no_frame(unfitted):
    frame = pd.DataFrame({"title": WORDS})
    vectorizer = clone(unfitted).fit(pd.Series(WORDS, name="review"))
    assert not hasattr(vectorizer, "feature_names_in_")
    vectorizer.transform(frame)
    vectorizer.get_feature_names_out(["title"])
    vectorizer.fit(frame)
    assert vectorizer.feature_names_in_.tolist() == ["title"]
    owner = type(vectorizer).__name__
    message = (
        f"{owner} was fitted on column 'title', but X is column 'review'. Pass the "
        f"column of the same name."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        vectorizer.transform(frame.rename(columns={"title": "review"}))
    message = "input_features is not equal to feature_names_in_"
    with pytest.raises(ValueError, match=f"^{message}$"):
        vectorizer.get_feature_names_out(["review"])
    assert not hasattr(vectorizer.fit(pd.Series(WORDS)), "feature_names_in_")
