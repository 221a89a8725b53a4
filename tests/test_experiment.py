"""Tests of skelmo.compare: what is fitted on what, and what is scored."""

import random
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_validate,
)
from sklearn.naive_bayes import MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

import skelmo
from skelmo import ElmoClassifier, ElmoVectorizer
from skelmo.comparison import classifiers, folds, representations, resources, trial
from skelmo.estimators import vectorizer
from skelmo.models import shared
from skelmo.pretrained import registry
from skelmo.training.pretraining import Pretraining

SPLIT = (range(60), range(60, 90))
METRICS = ("accuracy", "precision_macro", "recall_macro", "f1_macro")
NOISE = "a the of in on it is was film plot scene actor music story start end"


@pytest.fixture(scope="module")
def data():
    """Return 90 documents of two classes that words tell apart, mostly."""
    rng = random.Random(0)
    documents, labels = [], []
    for k in range(90):
        label = "good" if k % 3 else "bad"
        words = [rng.choice(NOISE.split()) for _ in range(6)]
        if rng.random() < 0.8:
            words.append(label)
        words.append(f"name{k}" if k % 2 else "again")
        rng.shuffle(words)
        documents.append(" ".join(words))
        labels.append(label)
    return documents, np.array(labels)


class Recorder(CountVectorizer):
    """Remember what every clone was fitted on."""

    fitted_on: list = []

    def fit_transform(self, X, y=None):
        self.fitted_on.append((list(X), None if y is None else list(y)))
        return super().fit_transform(X, y)


class Majority(ClassifierMixin, BaseEstimator):
    """Predict the class that is the most frequent."""

    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.best_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X):
        return np.full(X.shape[0], self.best_)


@pytest.fixture(autouse=True)
def _nothing_recorded():
    Recorder.fitted_on.clear()


def run(data, given, **parameters):
    X, y = data
    parameters = {"cv": 3, "verbose": 0, "label_counts": None, **parameters}
    return skelmo.compare(X, y, representations=given, **parameters)


def test_scores_are_those_of_cross_validate(data):
    found = run(data, {"t": TfidfVectorizer()}, classifier=MultinomialNB())
    expected = cross_validate(
        make_pipeline(TfidfVectorizer(), MultinomialNB()),
        *data,
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        scoring=METRICS,
    )
    assert found.metrics == METRICS
    for metric in METRICS:
        np.testing.assert_allclose(found.folds[metric], expected[f"test_{metric}"])
        assert found.table.loc["t", metric] == pytest.approx(
            expected[f"test_{metric}"].mean()
        )
        assert found.table.loc["t", f"{metric}_std"] == pytest.approx(
            expected[f"test_{metric}"].std(ddof=1)
        )


def test_default_classifier_is_a_search_over_c(data):
    # TF-IDF rows have norm 1, as they are after scaling.
    found = run(data, {"t": TfidfVectorizer()}, random_state=3)
    inner = StratifiedKFold(3, shuffle=True, random_state=3)
    search = GridSearchCV(
        LogisticRegression(max_iter=2000), {"C": classifiers.C_GRID}, cv=inner
    )
    expected = cross_validate(
        make_pipeline(TfidfVectorizer(), search),
        *data,
        cv=StratifiedKFold(3, shuffle=True, random_state=3),
        return_estimator=True,
    )
    np.testing.assert_allclose(found.folds["accuracy"], expected["test_score"])
    best = [f"C={model[-1].best_params_['C']}" for model in expected["estimator"]]
    assert found.folds["chosen"].tolist() == best


def test_search_goes_by_the_first_metric():
    y = np.repeat([0, 1], 10)
    block = [classifiers.Block(2, True)]
    search = classifiers.make_classifier(None, block, y, 0, "f1_macro")
    assert search.scoring == "f1_macro"


def test_dense_blocks_are_standardised():
    X = np.random.default_rng(0).normal(3.0, 5.0, (50, 4))
    X[:, 2] = 7.0
    scaled = classifiers.BlockScaler([classifiers.Block(4, True)]).fit_transform(X)
    np.testing.assert_allclose(scaled, StandardScaler().fit_transform(X) / 2)


def test_blocks_have_one_scale_and_weights(data):
    rng = np.random.default_rng(0)
    from scipy import sparse

    counts = CountVectorizer().fit_transform(data[0])
    dense = rng.normal(3.0, 5.0, (90, 4))
    X = sparse.csr_array(sparse.hstack([dense, counts]))
    blocks = [classifiers.Block(4, True), classifiers.Block(counts.shape[1], False)]
    scaled = classifiers.BlockScaler(blocks).fit_transform(X).toarray()
    norms = [np.mean((part**2).sum(axis=1)) for part in (scaled[:, :4], scaled[:, 4:])]
    np.testing.assert_allclose(norms, [1.0, 1.0])
    heavy = classifiers.BlockScaler(blocks, weights=(3.0, 1.0)).fit_transform(X)
    np.testing.assert_allclose(heavy.toarray()[:, :4], 3 * scaled[:, :4])
    np.testing.assert_allclose(heavy.toarray()[:, 4:], scaled[:, 4:])


def test_union_searches_the_weights_of_its_parts(data):
    union = FeatureUnion([("w", TfidfVectorizer()), ("c", CountVectorizer())])
    found = run(data, {"both": union, "t": TfidfVectorizer()}, cv=[SPLIT])
    chosen = found.folds.groupby("representation")["chosen"].first()
    assert re.fullmatch(r"C=[\d.]+, weights=(None|\(.*\))", chosen["both"])
    assert re.fullmatch(r"C=[\d.]+", chosen["t"])


def test_classifier_without_enough_labels_is_not_searched():
    block = [classifiers.Block(2, True)]
    make = classifiers.make_classifier
    few = make(None, block, np.array([0, 0, 0, 1]), 0, "accuracy")
    assert not hasattr(few, "cv")
    two = make(None, block, np.array([0, 0, 1, 1]), 0, "accuracy")
    assert two.cv.n_splits == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_mlp_is_a_search_over_alpha(data):
    found = run(data, {"t": TfidfVectorizer()}, classifier="mlp", cv=[SPLIT])
    mlp = MLPClassifier(hidden_layer_sizes=(64,), max_iter=300, random_state=0)
    inner = StratifiedKFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(mlp, {"alpha": classifiers.ALPHA_GRID}, cv=inner)
    model = make_pipeline(TfidfVectorizer(), search).fit(data[0][:60], data[1][:60])
    assert found.folds["accuracy"].tolist() == [model.score(data[0][60:], data[1][60:])]
    assert found.folds["chosen"].tolist() == [
        f"alpha={model[-1].best_params_['alpha']}"
    ]


def test_representations_see_training_documents_alone(data):
    X, y = data
    run(data, {"r": Recorder()}, label_counts=[20])
    splits = StratifiedKFold(3, shuffle=True, random_state=0).split(X, y)
    expected = [([X[k] for k in train], y[train].tolist()) for train, _ in splits]
    assert Recorder.fitted_on == expected


def test_what_learns_from_labels_sees_only_those_given(data):
    X, y = data
    selected = make_pipeline(Recorder(), SelectKBest(chi2, k=5))
    found = run(data, {"s": selected}, label_counts=[20])
    sizes = [len(documents) for documents, _ in Recorder.fitted_on]
    assert sizes == [60, 20] * 3
    for whole, part in zip(
        Recorder.fitted_on[::2], Recorder.fitted_on[1::2], strict=True
    ):
        assert set(zip(*part, strict=True)) <= set(zip(*whole, strict=True))
    assert found.curve["n_labels"].tolist() == [20, 60] * 3


def test_given_transformer_is_not_changed(data):
    given = TfidfVectorizer()
    run(data, {"t": given})
    assert not hasattr(given, "vocabulary_")


def test_curve_ends_at_the_scores_of_the_table(data):
    found = run(data, {"t": TfidfVectorizer(), "c": CountVectorizer()},
                label_counts=[10, 30, 1000], classifier=MultinomialNB())  # fmt: skip
    assert sorted(found.curve["n_labels"].unique()) == [10, 30, 60]
    last = found.curve[found.curve["is_all"]].reset_index(drop=True)
    for metric in METRICS:
        assert last[metric].tolist() == found.folds[metric].tolist()
        means = last.groupby("representation")[metric].mean()
        pd.testing.assert_series_equal(
            means.loc[found.table.index], found.table[metric], check_names=False
        )


def test_labels_of_the_curve_have_the_shares_of_the_classes(data):
    order = np.argsort(data[1], kind="stable")
    sorted_by_class = [data[0][k] for k in order], data[1][order]
    seen = []

    class Watched(Majority):
        def fit(self, X, y):
            seen.append(np.unique(y, return_counts=True)[1].tolist())
            return super().fit(X, y)

    given = {"c": CountVectorizer()}
    run(sorted_by_class, given, classifier=Watched(), label_counts=[21, 39])
    assert seen == [[7, 14], [13, 26], [20, 40]] * 3


def test_automatic_counts_double():
    counts_for = folds.counts_for
    assert counts_for("auto", 801) == [50, 100, 200, 400, 800, 801]
    assert counts_for("auto", 800) == [50, 100, 200, 400, 800]
    assert counts_for("auto", 30) == [30]
    assert counts_for(None, 30) == [30]


def test_every_beginning_of_the_labels_has_the_shares_of_the_classes():
    y = np.repeat([0, 1, 2], [600, 300, 100])
    order = folds.label_order(y, np.random.default_rng(0))
    assert sorted(order) == list(range(1000))
    for n in (50, 100, 333, 800):
        shares = np.bincount(y[order[:n]], minlength=3) / n
        np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=2 / n)


def test_unseen_words_are_those_of_no_training_document():
    X = ["one two", "one two", "One three!", "one four, two five"]
    y = [0, 1, 0, 1]
    found = skelmo.compare(
        X, y, representations={"c": CountVectorizer()}, classifier=Majority(),
        cv=[([0, 1], [2, 3])], verbose=0,
    )  # fmt: skip
    row = found.folds.iloc[0]
    assert row["unseen_rate"] == 3 / 6
    assert row["oov_rate"] == 3 / 6
    assert row["n_unseen"] == 2
    assert row["accuracy_unseen"] == 0.5
    assert np.isnan(found.table.loc["c", "accuracy_std"])


def test_accuracy_on_unseen_words_is_that_of_these_documents(data):
    X, y = data
    vectorizer, model = CountVectorizer(), LogisticRegression()
    found = run(data, {"c": vectorizer}, classifier=model)
    splits = StratifiedKFold(3, shuffle=True, random_state=0).split(X, y)
    for (train, test), (_, row) in zip(splits, found.folds.iterrows(), strict=True):
        known = {word for k in train for word in X[k].split()}
        new = [k for k in test if set(X[k].split()) - known]
        fitted = make_pipeline(vectorizer, model).fit([X[k] for k in train], y[train])
        assert row["n_unseen"] == len(new)
        assert row["accuracy_unseen"] == fitted.score([X[k] for k in new], y[new])


def test_rates_of_a_vocabulary_are_its_own(data):
    found = run(data, {
        "all": CountVectorizer(), "pairs": CountVectorizer(ngram_range=(1, 2)),
        "frequent": CountVectorizer(min_df=20), "none": CountVectorizer(binary=True),
    }, classifier=Majority())  # fmt: skip
    rates = found.table["oov_rate"]
    assert rates["all"] == rates["pairs"]
    assert rates["frequent"] > rates["all"] > 0


def test_elmo_reads_all_words_and_its_weights_count(data, frozen):
    elmo = ElmoVectorizer(language_model=frozen)
    union = FeatureUnion([("elmo", elmo), ("t", TfidfVectorizer())])
    given = {"elmo": elmo, "u": union, "t": TfidfVectorizer()}
    found = run(data, given, classifier=Majority())
    assert found.table.loc[["elmo", "u"], "oov_rate"].tolist() == [0.0, 0.0]
    weights = sum(
        p.numel() * 4 for p in frozen.estimator.network_.bilm.parameters()
    )  # fmt: skip
    sizes = found.table["model_bytes"]
    assert weights < sizes["elmo"] < sizes["u"]
    assert found.baseline == "t"
    assert set(found.table["difference"]) == {0.0}
    np.testing.assert_array_equal(found.table["n_features"]["elmo"], 96)


def test_size_of_a_model_from_files_holds_its_weights(data, language_model, tmp_path):
    language_model.save(tmp_path / "model")
    elmo = ElmoVectorizer(language_model=tmp_path / "model", tokenizer=lambda s: [s])
    found = run(data, {"elmo": elmo}, classifier=Majority())
    weights = (tmp_path / "model" / "weights.safetensors").stat().st_size
    assert found.table.loc["elmo", "model_bytes"] > 0.8 * weights


def test_encoding_is_timed_without_the_cache(data, frozen, monkeypatch):
    calls = []
    original = ElmoVectorizer.transform

    def transform(self, X):
        calls.append((self.cache, len(X)))
        return original(self, X)

    monkeypatch.setattr(ElmoVectorizer, "transform", transform)
    monkeypatch.setattr(resources, "N_TIMED", 10)
    run(data, {"e": ElmoVectorizer(language_model=frozen)}, classifier=Majority(), cv=2)
    assert calls == [(None, 10), ("memory", 45)] * 2


def test_time_that_a_cache_saved_is_added(data, frozen, monkeypatch):
    def timed(transformer, documents):
        return 1000.0, transformer.transform(documents)

    monkeypatch.setattr(trial, "seconds_per_document", timed)
    given = {"e": ElmoVectorizer(language_model=frozen)}
    found = run(data, given, classifier=Majority(), cv=2)
    # All documents of the second fold were encoded for the first.
    assert (found.folds["fit_seconds"] // 1000).tolist() == [0, 45]


def test_learned_layers_are_learned_on_the_labels_given(data, frozen, monkeypatch):
    sizes = []
    original = ElmoVectorizer.fit_transform

    def fit_transform(self, X, y=None):
        sizes.append(len(X))
        return original(self, X, y)

    monkeypatch.setattr(ElmoVectorizer, "fit_transform", fit_transform)
    given = {k: ElmoVectorizer(language_model=frozen, layers=k)
             for k in ("mean", "learned")}  # fmt: skip
    run(data, given, classifier=Majority(), label_counts=[20], cv=2)
    assert sizes == [45, 45, 45, 20, 45, 20]


@pytest.mark.slow
def test_bundled_model_brings_its_representations(
    data, language_model, tmp_path, monkeypatch
):
    language_model.save(tmp_path / "en")
    monkeypatch.setitem(registry.BUNDLED, "en", tmp_path / "en")
    names = ["elmo", "elmo-layer-2", "elmo-learned", "elmo+tfidf"]
    found = run(data, names, cv=2)
    assert set(found.table.index) == set(names)
    assert found.skipped == {}
    made = representations.choose(None, 0, "compare").transformers
    assert [name for name in made if "layer" in name] == [
        f"elmo-layer-{k}" for k in range(language_model.num_layers + 1)
    ]
    assert made["elmo-layer-2"].layers == 2


def test_bundled_model_is_read_only_where_it_is_compared(data, monkeypatch):
    monkeypatch.setattr(shared, "load", None)
    assert list(run(data, ["tfidf"], cv=2).table.index) == ["tfidf"]


def test_own_language_model_is_trained_on_each_training_fold(data, monkeypatch, tiny):
    read, prepare = [], Pretraining.from_parameters
    index = vectorizer.index_distinct

    def small(parameters, owner, **given):
        return prepare({**parameters, **tiny, "random_state": 0}, owner, **given)

    def noting(documents, analyze):
        read.append(list(documents))
        return index(iter(read[-1]), analyze)

    monkeypatch.setattr(Pretraining, "from_parameters", small)
    monkeypatch.setattr(vectorizer, "index_distinct", noting)
    with pytest.warns(UserWarning, match="teach it little"):
        found = run(data, "elmo-own", cv=2)
    splits = StratifiedKFold(2, shuffle=True, random_state=0).split(*data)
    assert read == [[data[0][k] for k in some] for some, _ in splits]
    assert list(found.table.index) == ["elmo-own"]
    # Else a second comparison would find the model trained, and say it took no time.
    made = representations.choose("elmo-own", 0, "compare").transformers
    assert made["elmo-own"].cache is None


TUNED = {
    "head": "linear", "tune": "none", "max_iter": 9, "learning_rate_init": 0.1,
    "class_weight": "balanced", "random_state": 0,
}  # fmt: skip


def test_a_tuned_model_is_judged_by_its_own_head(data, frozen):
    classifier = ElmoClassifier(frozen, **TUNED)
    given = {"tuned": classifier, "words": CountVectorizer()}
    found = run(data, given, classifier=Majority())
    expected = cross_validate(
        classifier,
        *data,
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        scoring=METRICS,
    )
    rows = found.folds[found.folds["representation"] == "tuned"]
    for metric in METRICS:
        np.testing.assert_allclose(rows[metric], expected[f"test_{metric}"])
    assert found.table.loc["tuned", "n_features"] == 96
    assert found.table.loc["tuned", "oov_rate"] == 0
    assert not hasattr(classifier, "classes_")


def test_a_tuned_model_learns_from_the_labels_given_alone(data, frozen, monkeypatch):
    sizes, fit = [], ElmoClassifier.fit

    def noting(self, X, y):
        sizes.append(len(X))
        return fit(self, X, y)

    monkeypatch.setattr(ElmoClassifier, "fit", noting)
    given = {"tuned": ElmoClassifier(frozen, **TUNED)}
    found = run(data, given, label_counts=[20], cv=2)
    assert sizes == [45, 20, 45, 20]
    assert sorted({int(n) for n in found.curve["n_labels"]}) == [20, 45]


def test_the_bundled_model_is_tuned_where_that_is_asked_for():
    made = representations.choose("elmo-tuned", 3, "compare").transformers
    expected = {**ElmoClassifier().get_params(), "random_state": 3}
    assert made["elmo-tuned"].get_params() == expected
    assert "elmo-tuned" not in representations.choose(None, 0, "compare").transformers


def test_word_vectors_are_compared_by_name(data):
    with pytest.warns(UserWarning, match="teach it little"):
        found = run(data, ["glove", "tfidf"], cv=2)
    assert found.baseline == "tfidf"
    assert found.table.loc["glove", "n_features"] == 100
    assert found.table.loc["glove", "oov_rate"] > 0


def test_what_cannot_run_is_left_out_with_its_reason(data, monkeypatch):
    monkeypatch.setattr(representations, "find_spec", lambda name: None)
    reason = "needs gensim. Install it by pip install 'skelmo[baselines]'"
    message = f"compare leaves out 'word2vec', which {reason}."
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        found = run(data, ["tfidf", "word2vec"], cv=2)
    assert found.skipped == {"word2vec": reason}
    assert list(found.table.index) == ["tfidf"]
    everything = representations.choose(None, 0, "compare")
    assert "word2vec" not in everything.transformers
    assert {"tfidf", "glove", "elmo", "elmo-own"} < everything.transformers.keys()
    assert everything.skipped == {"word2vec": reason}


def test_names_of_built_in_ones_stand_in_a_dict(data):
    found = run(data, {"words": "tfidf", "counts": CountVectorizer()}, cv=2)
    assert found.baseline == "words"


def test_all_kinds_of_input_are_one(data):
    X, y = data
    settings = {"classifier": MultinomialNB(), "metrics": "accuracy"}
    expected = run(data, {"t": TfidfVectorizer()}, **settings)
    for documents, labels in (
        (pd.Series(X, index=range(5, 95)), pd.Series(y)),
        (pd.DataFrame({"text": X}), list(y)),
        (iter(X), y.astype(object)),
    ):
        found = run((documents, labels), {"t": TfidfVectorizer()}, **settings)
        assert found.folds["accuracy"].tolist() == expected.folds["accuracy"].tolist()


def test_splitter_is_taken_as_it_is(data):
    cv = KFold(4, shuffle=True, random_state=7)
    found = run(data, {"c": CountVectorizer()}, classifier=MultinomialNB(), cv=cv)
    expected = cross_validate(
        make_pipeline(CountVectorizer(), MultinomialNB()), *data, cv=cv
    )
    np.testing.assert_allclose(found.folds["accuracy"], expected["test_score"])


def test_peak_memory_is_seen_or_unknown(data, monkeypatch):
    class Hungry(TfidfVectorizer):
        def fit_transform(self, X, y=None):
            np.ones(40_000_000)  # 320 MB for a moment
            return super().fit_transform(X, y)

    found = run(data, {"h": Hungry()}, cv=2, classifier=Majority())
    if sys.platform == "linux":
        assert 250e6 < found.table.loc["h", "peak_bytes"] < 500e6
    monkeypatch.setattr(resources, "_STATM", resources.Path("/nowhere"))
    found = run(data, {"h": TfidfVectorizer()}, cv=2, classifier=Majority())
    assert np.isnan(found.table.loc["h", "peak_bytes"])


def test_error_names_representation_and_fold(data):
    class Broken(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            raise RuntimeError("no")

        def transform(self, X):
            return X

    with pytest.raises(RuntimeError, match=r"^no(\n|$)") as caught:
        run(data, {"b": Broken()})
    assert caught.value.__notes__ == ["In compare: representation 'b', fold 1."]


@pytest.mark.slow
def test_package_is_imported_without_what_a_comparison_needs():
    code = """if True:
        import sys, skelmo
        assert "skelmo.comparison" not in sys.modules
        assert "sklearn.neural_network" not in sys.modules
        assert "compare" in dir(skelmo)
        assert skelmo.compare.__module__ == "skelmo.comparison.experiment"
        assert skelmo.Comparison.__name__ == "Comparison"
    """
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(
        AttributeError, match=r"^module 'skelmo' has no attribute 'other'$"
    ):
        skelmo.other  # noqa: B018


BAD = [
    (
        {"representations": ["tfidf", "bert"]},
        ValueError,
        "compare: no representation 'bert'. Choose among 'tfidf', 'word2vec', 'glove', "
        "'elmo', 'elmo-layer-0', 'elmo-layer-1', 'elmo-layer-2', 'elmo-learned', "
        "'elmo-own', 'elmo+tfidf', 'elmo-tuned', or give a dict of names and "
        "transformers.",
    ),
    (
        {"representations": ["tfidf", "tfidf"]},
        ValueError,
        "compare: representation 'tfidf' is given twice. Leave one out, or give a dict "
        "to compare it under two names.",
    ),
    (
        {"representations": []},
        ValueError,
        "compare has no representation to compare. Give at least one, such as 'tfidf'.",
    ),
    (
        {"representations": {"a": TfidfVectorizer}},
        TypeError,
        "compare: representation 'a' must be a transformer or the name of a built-in "
        "one, got the class TfidfVectorizer. Give an object with fit and transform.",
    ),
    (
        {"representations": {"a": 3}},
        TypeError,
        "compare: representation 'a' must be a transformer or the name of a built-in "
        "one, got int 3. Give an object with fit and transform.",
    ),
    (
        {"representations": {1: TfidfVectorizer()}},
        TypeError,
        "compare: the name of a representation must be a str, got int 1. Give it a "
        "name.",
    ),
    (
        {"y": ["a", "b"]},
        ValueError,
        "compare needs one label per document, but X has 90 documents and y has 2 "
        "labels. Pass X and y of one length.",
    ),
    (
        {"y": ["a"] * 45 + [None] * 45},
        ValueError,
        "compare needs a label for every document, but 45 of 90 are missing, the first "
        "in row 45 of y. Drop these documents.",
    ),
    (
        {"y": np.linspace(0, 0.9, 90)},
        ValueError,
        "compare needs classes in y, got values that are continuous. Cut numbers into "
        "classes first.",
    ),
    (
        {"y": ["a"] * 90},
        ValueError,
        "compare needs at least 2 classes in y, got 1. Pass labels that differ.",
    ),
    (
        {"y": ["a"] * 88 + ["b"] * 2},
        ValueError,
        "compare needs at least cv=3 documents of each class, but class 'b' has 2. "
        "Lower cv, or drop or merge rare classes.",
    ),
    (
        {"metrics": []},
        ValueError,
        "compare needs at least 1 metric, got none. Pass metrics=['accuracy'].",
    ),
    (
        {"label_counts": [50, 0.5]},
        ValueError,
        "The 'label_counts' parameter of compare must hold int of at least 2, got "
        "float 0.5. Give numbers of labels, or 'auto'.",
    ),
    (
        {"X": []},
        ValueError,
        "compare needs at least 1 document to fit, but X has 0 sample(s). Pass a "
        "non-empty X.",
    ),
    (
        {"X": ["a", None]},
        ValueError,
        "compare needs a text in every row of X, but 1 of 2 are missing, the first in "
        "row 1. Fill them in, or drop them and their labels.",
    ),
]


@pytest.mark.parametrize(("given", "kind", "message"), BAD)
def test_bad_input_is_answered(data, given, kind, message):
    X, y = data
    given = {"X": X, "y": y, "representations": "tfidf", "cv": 3, "verbose": 0, **given}
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        skelmo.compare(**given)


def test_unknown_metric_is_answered_by_scikit_learn(data):
    with pytest.raises(
        ValueError, match=r"^'nonsense' is not a valid scoring value\. "
    ):
        run(data, "tfidf", metrics=["accuracy", "nonsense"])


def test_bad_parameter_is_answered(data):
    message = (
        "The 'classifier' parameter of compare must be a str among {'mlp'}, an object "
        "implementing 'fit' and 'predict' or None. Got 'svm' instead."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run(data, "tfidf", classifier="svm")


def test_parameters_of_transformers_are_checked(data):
    message = "The 'min_df' parameter of TfidfVectorizer must be "
    with pytest.raises(ValueError, match=rf"^{message}.* Got -1 instead\.(\n|$)"):
        run(data, {"t": TfidfVectorizer(min_df=-1)})


def test_nothing_left_says_why(data, monkeypatch):
    monkeypatch.setattr(representations, "find_spec", lambda name: None)
    message = (
        "compare has no representation to compare. Give at least one, such as 'tfidf'."
        "\n- word2vec needs gensim. Install it by pip install 'skelmo[baselines]'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run(data, "word2vec")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The café's 3 Größen, x_y 2024.", None),
        ("房间很干净 OK", ["房", "间", "很", "干", "净", "ok"]),
        ("かなカナ", ["か", "な", "カ", "ナ"]),
    ],
)
def test_tfidf_reads_east_asian_text_by_character(text, expected):
    tfidf = representations.choose("tfidf", 0, "compare").transformers["tfidf"]
    found = tfidf.set_params(ngram_range=(1, 1)).build_analyzer()(text)
    assert found == (expected or TfidfVectorizer().build_analyzer()(text))
