"""Tests of the cache of comparisons: what is taken up, and what is computed again."""

import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.preprocessing import FunctionTransformer

import skelmo
from skelmo import ElmoVectorizer
from skelmo.comparison.store import described, key_of

X = ["good film", "bad film", "a good day", "a bad day", "good", "bad"] * 4
Y = np.array(["+", "-"] * 12)


class Counted(CountVectorizer):
    """Count fits, and be interrupted in the one that is asked for."""

    n_fits = 0
    stop_at = None

    def fit_transform(self, raw_documents, y=None):
        type(self).n_fits += 1
        if self.n_fits == self.stop_at:
            raise KeyboardInterrupt
        return super().fit_transform(raw_documents, y)


@pytest.fixture(autouse=True)
def _no_fits():
    Counted.n_fits, Counted.stop_at = 0, None


def run(cache, given=None, documents=X, labels=Y, **parameters):
    given = given or {"a": Counted(), "b": Counted(ngram_range=(1, 2))}
    parameters = {
        "classifier": MultinomialNB(), "cv": 3, "verbose": 0, "metrics": "accuracy",
        **parameters,
    }  # fmt: skip
    return skelmo.compare(
        documents, labels, representations=given, cache=cache, **parameters
    )


def test_interrupted_comparison_goes_on_where_it_was(tmp_path):
    Counted.stop_at = 5
    with pytest.raises(KeyboardInterrupt, match="^$"):
        run(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    Counted.n_fits, Counted.stop_at = 0, None
    found = run(tmp_path)
    assert Counted.n_fits == 2
    Counted.n_fits = 0
    again = run(tmp_path)
    assert Counted.n_fits == 0
    # Times, too, are those of the run that took them.
    assert again.folds.equals(found.folds)
    assert again.table.equals(found.table)
    assert again.curve.equals(found.curve)
    fresh = run(None)
    assert Counted.n_fits == 6
    assert fresh.folds["accuracy"].equals(found.folds["accuracy"])


@pytest.mark.parametrize(
    ("parameters", "n_fits"),
    [
        ({"verbose": 0}, 0),
        ({"given": {"other": Counted(), "b": Counted(ngram_range=(1, 2))}}, 0),
        ({"given": {"a": Counted(), "b": Counted(ngram_range=(1, 3))}}, 3),
        ({"given": {"a": Counted(), "b": TfidfVectorizer()}}, 0),
        ({"classifier": MultinomialNB(alpha=0.5)}, 6),
        ({"classifier": None}, 6),
        ({"metrics": "f1_macro"}, 6),
        ({"label_counts": [4]}, 6),
        ({"random_state": 1}, 6),
        ({"cv": 2}, 4),
        ({"documents": [*X[:-1], "bad night"]}, 6),
        ({"labels": np.roll(Y, 1)}, 6),
    ],
    ids=str,
)
def test_what_follows_from_something_else_is_computed_again(
    tmp_path, parameters, n_fits
):
    run(tmp_path)
    Counted.n_fits = 0
    run(tmp_path, **parameters)
    assert Counted.n_fits == n_fits


def test_renamed_representation_keeps_its_results(tmp_path):
    run(tmp_path, {"a": Counted()})
    found = run(tmp_path, {"b": Counted()})
    assert Counted.n_fits == 3
    assert found.folds["representation"].tolist() == ["b"] * 3


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"fold": 1}', "\udcff"])
def test_damaged_result_is_computed_again(tmp_path, damage):
    run(tmp_path)
    victim = sorted(tmp_path.iterdir())[0]
    victim.write_bytes(damage.encode("utf-8", "surrogateescape"))
    Counted.n_fits = 0
    run(tmp_path)
    assert Counted.n_fits == 1
    assert json.loads(victim.read_text("utf-8"))["n_train"] == 16


def test_cache_that_is_a_file_is_answered(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    message = "must be a directory to save to, found a file. Give another path."
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {message}')}$"):
        run(path)


def test_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def killed(directory, name, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt, match="^$"):
        run(tmp_path)
    assert list(tmp_path.glob("*.json")) == []


def cut(text, at=3):
    return text[:at]


def test_functions_are_told_apart_by_their_code():
    def make(at):
        return lambda text: text[:at]

    twins = [lambda text: text.split("a"), lambda text: text.split("b")]
    functions = [*twins, make(1), make(2), cut, str.split, str.lower]
    functions += [functools.partial(cut, at=1), functools.partial(cut, at=2)]
    functions += [lambda s: [t for t in s if t], lambda s: [t for t in s if not t]]
    keys = [key_of(TfidfVectorizer(tokenizer=f)) for f in functions]
    assert len(set(keys)) == len(functions)
    assert key_of(make(1)) == key_of(make(1))
    assert key_of(TfidfVectorizer(tokenizer=str.split)) == keys[5]


def test_values_are_told_apart():
    values = [
        None, 0, 1, 1.5, "1", [1], (1,), {"a": 1}, {"a": 2}, np.arange(3),
        np.arange(3.0), LogisticRegression(), LogisticRegression(C=2.0),
        LogisticRegression, TfidfVectorizer(stop_words=["a"]), {1, 2}, {1, 3},
    ]  # fmt: skip
    keys = [key_of(value) for value in values]
    assert len(set(keys)) == len(values)
    assert keys == [key_of(value) for value in values]


def test_what_cannot_be_hashed_is_never_found_again():
    holder = FunctionTransformer(kw_args={"a": (k for k in "b")})
    assert key_of(holder) != key_of(holder)


def test_where_to_work_and_what_to_show_does_not_matter(frozen):
    one = ElmoVectorizer(language_model=frozen)
    other = ElmoVectorizer(language_model=frozen, cache=None, verbose=1)
    assert key_of(one) == key_of(other)
    assert key_of(one) != key_of(ElmoVectorizer(language_model=frozen, layers="top"))


def test_models_are_told_apart_by_what_they_learned(language_model, tiny, texts):
    again = skelmo.ElmoLanguageModel(**{**tiny, "random_state": 1}).fit(texts)
    again.random_state = 0
    one, other = (key_of(FrozenEstimator(m)) for m in (language_model, again))
    assert one != other
    assert one == key_of(FrozenEstimator(language_model))


def test_model_in_files_is_known_by_its_files(language_model, tmp_path):
    path = tmp_path / "model"
    language_model.save(path)
    vectorizer = ElmoVectorizer(language_model=str(path))
    key = key_of(vectorizer)
    assert key == key_of(vectorizer)
    (path / "config.json").write_text("{}")
    assert key != key_of(vectorizer)


@pytest.mark.slow
def test_key_is_the_same_in_another_process():
    code = (
        "from sklearn.feature_extraction.text import TfidfVectorizer as T\n"
        "from skelmo.comparison.store import key_of\n"
        "print(key_of(T(stop_words=['a'], tokenizer=str.split), {'x', 'y', 'z'}))"
    )
    ours = key_of(
        TfidfVectorizer(stop_words=["a"], tokenizer=str.split), {"x", "y", "z"}
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert run.stdout.strip() == ours


def test_description_is_json():
    estimator = TfidfVectorizer(tokenizer=lambda text: [text], dtype=np.float32)
    json.dumps(described(estimator))
