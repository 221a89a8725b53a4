"""Parameters set after `fit`: nothing that is given changes until the next `fit`."""

import copy
import pickle
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.baselines import GloveVectorizer, Word2VecVectorizer

# Of a misspelt word, two sentences, punctuation, capitals and a missing document.
X = ["The moom, he remembrs. Boats!", "A CAT-like letter\nfor us.", None, "the city ½"]
GIVEN = {"missing": "nan"}

LANGUAGE_MODEL = {
    "tokenizer": str.split,
    "sentence_splitter": "lines",
    "input": "tokens",
    "missing": "error",
    "sequence": "document",
    "unicode_normalization": "NFKC",
    "characters": "codepoints",
    "max_characters": 20,
    "char_embedding_dim": 3,
    "filters": ((1, 2),),
    "n_highway": 2,
    "activation": "tanh",
    "word_embedding_dim": 5,
    "init_word_vectors": "nowhere.txt",
    "hidden_size": 3,
    "proj_size": 2,
    "num_layers": 1,
    "cell_clip": 0.01,
    "proj_clip": 0.01,
    "skip_connections": False,
    "min_count": 9,
    "max_vocabulary": 9,
    "lowercase": True,
    "softmax": "full",
    "n_samples": 3,
    "tie_weights": True,
    "solver": "sgd",
    "momentum": 0.5,
    "learning_rate": "constant",
    "learning_rate_init": 1.0,
    "warmup": 0.5,
    "alpha": 1.0,
    "l1": 1.0,
    "dropout": 0.9,
    "word_dropout": 0.9,
    "misspelling": 0.9,
    "max_grad_norm": None,
    "batch_tokens": 9,
    "max_epochs": 7,
    "max_time": 1.0,
    "early_stopping": False,
    "validation_fraction": 0.5,
    "n_iter_no_change": 1,
    "tol": 1.0,
    "init": "nowhere",
    "warm_start": True,
    "checkpoint": "nowhere",
    "checkpoint_every": 1,
    "device": "meta",
    "precision": "bfloat16",
    "random_state": 5,
    "verbose": 1,
}
VECTORIZER = {
    "language_model": "nowhere",
    "layers": "mean",
    "pooling": "max",
    "n_components": 2,
    "tokenizer": str.split,
    "sentence_splitter": "lines",
    "unknown_words": "characters",
    "input": "tokens",
    "missing": "error",
    "max_batch_tokens": 2,
    "device": "meta",
    "precision": "bfloat16",
    "cache": None,
    "store_weights": True,
    "random_state": 5,
    "verbose": 1,
}
STATIC = {
    "vectors": None,
    "vector_size": 3,
    "window": 1,
    "min_count": 9,
    "max_vocabulary": 1,
    "learning_rate_init": 1.0,
    "lowercase": False,
    "weighting": "sif",
    "sif_a": 1.0,
    "tokenizer": str.split,
    "sentence_splitter": "lines",
    "input": "tokens",
    "missing": "error",
    "random_state": 5,
    "verbose": 1,
}
GLOVE = {**STATIC, "x_max": 1.0, "alpha": 0.1, "max_epochs": 1, "tol": 1.0}
WORD2VEC = {
    **STATIC,
    "algorithm": "cbow",
    "negative": 1,
    "sample": 0.1,
    "max_epochs": 1,
    "epochs": 2,
    "n_jobs": 2,
}
CHANGES = {
    ElmoLanguageModel: LANGUAGE_MODEL,
    ElmoVectorizer: VECTORIZER,
    GloveVectorizer: GLOVE,
    Word2VecVectorizer: WORD2VEC,
}
# Those of training alone are set together: a language model has many.
READING = {
    "tokenizer", "sentence_splitter", "input", "missing", "sequence",
    "unicode_normalization",
}  # fmt: skip
PAIRS = [
    (cls, [name])
    for cls, changes in CHANGES.items()
    for name in changes
    if cls is not ElmoLanguageModel or name in READING
]
PAIRS.append((ElmoLanguageModel, [n for n in LANGUAGE_MODEL if n not in READING]))
DECISIVE = [
    (cls, name)
    for cls, names in {
        ElmoLanguageModel: [
            "tokenizer", "sentence_splitter", "sequence", "missing",
            "unicode_normalization",
        ],
        ElmoVectorizer: [
            "language_model", "layers", "pooling", "tokenizer", "sentence_splitter",
            "unknown_words", "missing", "precision",
        ],
        GloveVectorizer: ["lowercase", "weighting", "tokenizer", "missing"],
    }.items()
    for name in names
]  # fmt: skip


def pair_id(value):
    if isinstance(value, list):
        return value[0] if len(value) == 1 else "others"
    return value if isinstance(value, str) else value.__name__


@pytest.fixture(scope="module")
def with_words(tiny, texts):
    """Return a language model that reads words too, for which letters do not decide."""
    return ElmoLanguageModel(**tiny, **GIVEN, word_embedding_dim=4).fit(texts)


@pytest.fixture(scope="module")
def vectors_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors") / "vectors.txt"
    words = ["the", "The", "cat", "us", "us.", "city", "like", "letter"]
    words += [f"word{k}" for k in range(30)]
    path.write_text("".join(f"{w} {k} {k * k - 5}\n" for k, w in enumerate(words)))
    return path


@pytest.fixture
def fitted(with_words, vectors_path):
    """Return a function from a class to a fitted estimator of its own."""

    def make(cls):
        if cls is ElmoLanguageModel:
            return copy.deepcopy(with_words)
        if cls is ElmoVectorizer:
            return ElmoVectorizer(FrozenEstimator(with_words), **GIVEN).fit(X)
        return cls(vectors_path, sif_a=0.01, **GIVEN).fit(X)

    return make


def given_by(estimator, tmp_path, X=X):
    """Return all that an estimator gives, as arrays."""
    if isinstance(estimator, ElmoLanguageModel):
        estimator.save(tmp_path / "saved")
        own = {"device": "cpu", **GIVEN}
        if estimator.analyzer.tokenizer is not None:
            own["tokenizer"] = estimator.analyzer.tokenizer  # files cannot hold it
        saved = ElmoLanguageModel.load(tmp_path / "saved", **own)
        return [
            estimator.score_samples(X),
            saved.score_samples(X),
            *estimator.perplexity(X),
            [one.probability for each in estimator.predict_words(X) for one in each],
        ]
    numbers = [estimator.transform(X), *estimator.transform_tokens(X)]
    if isinstance(estimator, GloveVectorizer | Word2VecVectorizer):
        similar = [number for _, number in estimator.most_similar("The")]
        return [*numbers, [estimator.oov_rate(X)], similar]
    return numbers


def words_of(estimator):
    if isinstance(estimator, ElmoLanguageModel):
        return estimator.analyzer.tokens([x for x in X if x])
    return [estimator.tokenize(X), estimator.get_feature_names_out().tolist()]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=0, atol=1e-5)


def test_all_parameters_are_here():
    for cls, changes in CHANGES.items():
        given = {"vectors": "some.txt"} if "vectors" in changes else {}
        parameters = cls(**GIVEN, **given).get_params(deep=False)
        assert set(changes) == set(parameters)
        assert not [name for name in changes if changes[name] == parameters[name]]


@pytest.mark.parametrize(("cls", "names"), PAIRS, ids=pair_id)
def test_what_is_set_after_fit_changes_nothing(cls, names, fitted, tmp_path):
    estimator = fitted(cls)
    numbers, words = given_by(estimator, tmp_path), words_of(estimator)
    changes = {name: CHANGES[cls][name] for name in names}
    estimator.set_params(**changes)
    assert_same(given_by(estimator, tmp_path), numbers)
    assert words_of(estimator) == words
    if "device" in names:  # there is none of that name where it is read
        changes["device"] = "cpu"
        estimator.set_params(device="cpu")
    again = pickle.loads(pickle.dumps(estimator))
    assert_same(given_by(again, tmp_path), numbers)
    kept = again.get_params()
    assert {name: kept[name] for name in names} == changes


@pytest.mark.parametrize(("cls", "name"), DECISIVE, ids=pair_id)
def test_it_takes_effect_at_the_next_fit(cls, name, fitted, tmp_path, tiny, texts):
    estimator, present = fitted(cls), [x for x in X if x]
    before = given_by(estimator, tmp_path, present)
    value = CHANGES[cls][name]
    if name == "language_model":
        other = {**tiny, "random_state": 1}
        value = FrozenEstimator(ElmoLanguageModel(**other).fit(texts))
    corpus = texts if cls is ElmoLanguageModel else present
    found = estimator.set_params(**{name: value}).fit(corpus)
    numbers = given_by(found, tmp_path, present)
    assert_same(numbers, given_by(clone(found).fit(corpus), tmp_path, present))
    if name == "missing":
        call = getattr(found, "transform", None) or found.score_samples
        message = f"{cls.__name__} needs a text in every row of X, but 1 of 4 are missi"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}ng, .*$"):
            call(X)
        return
    same = [
        np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=0, atol=1e-5)
        for a, b in zip(numbers, before, strict=False)
    ]
    assert not all(same)


def test_a_failed_fit_leaves_the_parameters_of_the_last(fitted, tmp_path):
    for cls in (ElmoVectorizer, GloveVectorizer):
        estimator = fitted(cls)
        numbers = given_by(estimator, tmp_path)
        message = f"{cls.__name__} needs at least 1 document to fit, but X has 0 sampl"
        with pytest.raises(ValueError, match=f"^{message}"):
            estimator.set_params(tokenizer=str.split, missing="empty").fit([])
        assert_same(given_by(estimator, tmp_path), numbers)


def test_a_frozen_model_is_used_as_it_was_fitted(with_words, tmp_path):
    model = copy.deepcopy(with_words)
    expected = ElmoVectorizer(FrozenEstimator(model), **GIVEN).fit_transform(X)
    changes = {"tokenizer": str.split, "sequence": "document", "num_layers": 7}
    model.set_params(**changes)
    vectorizer = ElmoVectorizer(FrozenEstimator(model), **GIVEN)
    np.testing.assert_array_equal(vectorizer.fit_transform(X), expected)
    vectorizer.language_model_.set_params(tokenizer=str.split)
    assert_allclose(vectorizer.transform(X), expected, rtol=0, atol=1e-6)


def test_more_training_reads_as_is_set(with_words, texts):
    model = copy.deepcopy(with_words).set_params(sequence="document")
    assert model.analyzer.sequence == "sentence"
    assert model.partial_fit(texts).analyzer.sequence == "document"
    trained = ElmoVectorizer(clone(model), random_state=0).fit([*texts, "a. b."])
    model = trained.language_model_.set_params(sequence="sentence")
    assert model.analyzer.sequence == "document"
