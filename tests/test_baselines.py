"""What both transformers by static word vectors do with documents."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skelmo import ElmoVectorizer, split_sentences, tokenize
from skelmo.baselines import GloveVectorizer, Word2VecVectorizer
from skelmo.baselines.static import COMMON
from skelmo.testing import text_transformer_checks

BOTH = [GloveVectorizer, Word2VecVectorizer]
WORDS = {"the": 0, "cat": 1, "sat": 2, ".": 3, "dog": 4}
VECTORS = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
X = ["The cat sat. The dog sat.", "", "A bird!", "The the cat."]


def sure(message):
    return f"^{re.escape(message)}$"


def needs_gensim(cls):
    if cls is Word2VecVectorizer:
        pytest.importorskip("gensim", reason="gensim trains word2vec")


@pytest.fixture(params=BOTH, ids=lambda cls: cls.__name__)
def cls(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    """Return a file of the five vectors."""
    rows = [
        f"{word} {' '.join(repr(float(x)) for x in VECTORS[row])}\n"
        for word, row in WORDS.items()
    ]
    path = tmp_path / "vectors.txt"
    path.write_text("".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def read(cls, path):
    """Return a function from parameters to a transformer that has read the file."""
    return lambda **parameters: cls(vectors=path, **parameters)


def tokens_of(document, lowercase=True):
    tokens = [t for s in split_sentences(document) for t in tokenize(s)]
    return [t.lower() for t in tokens] if lowercase else tokens


def mean_of(tokens, weight=lambda word: 1.0):
    """Compute the mean one word at a time."""
    known = [t for t in tokens if t in WORDS]
    total = sum((weight(t) * VECTORS[WORDS[t]] for t in known), np.zeros(3))
    return total / max(len(known), 1)


@pytest.mark.parametrize("lowercase", [True, False])
def test_a_document_is_the_mean_of_its_words(read, lowercase):
    expected = [mean_of(tokens_of(text, lowercase)) for text in X]
    vectorizer = read(lowercase=lowercase).fit(["something else"])
    got = vectorizer.transform(X)
    assert got.dtype == np.float32
    assert_allclose(got, expected, rtol=1e-6)
    assert_array_equal(got[1:3], 0)


def test_sif_weighs_by_the_shares_of_words_in_fit(read):
    fitted_on = ["The cat sat.", "The mouse."]  # 7 tokens
    shares = {"the": 2 / 7, "cat": 1 / 7, "sat": 1 / 7, ".": 2 / 7, "dog": 0.0}
    vectorizer = read(weighting="sif", sif_a=0.1).fit(fitted_on)
    expected = [mean_of(tokens_of(t), lambda w: 0.1 / (0.1 + shares[w])) for t in X]
    assert_allclose(vectorizer.transform(X), expected, rtol=1e-5)


def test_words_without_a_vector_are_counted(read):
    vectorizer = read().fit(X)
    tokens = [t for text in X for t in tokens_of(text)]
    unknown = sum(t not in WORDS for t in tokens)
    assert unknown == 3  # a bird !
    assert vectorizer.n_tokens_ == len(tokens)
    assert vectorizer.oov_rate_ == pytest.approx(unknown / len(tokens))
    assert vectorizer.oov_rate(X) == pytest.approx(vectorizer.oov_rate_)
    assert vectorizer.oov_rate(["A dog"]) == 0.5
    assert vectorizer.oov_rate(["", "   "]) == vectorizer.oov_rate([]) == 0
    counts = dict(zip(vectorizer.vocabulary_, vectorizer.word_counts_, strict=True))
    assert counts == {w: tokens.count(w) for w in WORDS}


def test_markers_of_sentences_are_words_like_others(cls, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("<S> 1 0\n</S> 0 1\n<UNK> 3 3\ncat 5 5\n")
    words = [["<S>", "cat"], ["</S>"]]
    vectorizer = cls(vectors=path, lowercase=False, input="tokens").fit([words])
    assert_array_equal(vectorizer.transform([words, ["cat"]]), [[2, 2], [5, 5]])
    assert vectorizer.oov_rate_ == 0
    assert vectorizer.word_counts_.tolist() == [1, 1, 0, 1]


def test_large_data_go_part_by_part(read, monkeypatch):
    texts = [f"the cat sat {'dog ' * (k % 7)}." for k in range(100)] + X
    vectorizer = read(weighting="sif").fit(texts)
    expected = vectorizer.transform(texts)
    monkeypatch.setattr("skelmo.baselines.static.CHUNK", 20)
    monkeypatch.setattr("skelmo.baselines.word_rows.CHUNK", 13)
    assert_array_equal(vectorizer.transform(iter(texts)), expected)
    assert_array_equal(read(weighting="sif").fit_transform(iter(texts)), expected)


def test_a_generator_is_read_once(read):
    assert_array_equal(read().fit_transform(iter(X)), read().fit(X).transform(X))


def test_a_file_of_documents_is_read(cls, read, tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(X), encoding="utf-8")
    assert_array_equal(read().fit_transform(path), read().fit_transform(X))


def test_a_long_document_rounds_little(read):
    vectorizer = read().fit(X)
    got = vectorizer.transform(["the cat " * 100_000])
    assert_allclose(got[0], VECTORS[:2].mean(0), rtol=1e-6)


def test_tokens_have_their_vectors(read, vectorizer):
    elmo, vectorizer = vectorizer, read().fit(X)
    documents = [*X, "The BIRD sat."]
    got = vectorizer.transform_tokens(documents)
    names = vectorizer.tokenize(documents)
    assert names == elmo.tokenize(documents)
    for vectors, tokens in zip(got, names, strict=True):
        zero = np.zeros(3, np.float32)
        lower = [token.lower() for token in tokens]
        expected = [VECTORS[WORDS[t]] if t in WORDS else zero for t in lower]
        assert_array_equal(vectors, np.reshape(expected, (-1, 3)))


def test_tokens_can_be_given(read):
    documents = [tokenize(text) for text in X]
    got = read(input="tokens").fit_transform(documents)
    assert_array_equal(got, read().fit_transform(X))


def test_the_tokenizer_and_splitter_are_used(read):
    vectorizer = read(sentence_splitter=lambda d: d.split("|"), tokenizer=str.split)
    assert vectorizer.fit(X).tokenize(["a b|c.d"]) == [["a", "b", "c.d"]]


@pytest.mark.parametrize(("missing", "row"), [("empty", 0.0), ("nan", np.nan)])
def test_a_missing_document_is_a_row_of_its_own(read, missing, row):
    vectorizer = read(missing=missing).fit([None, *X, pd.NA])
    got = vectorizer.transform([X[0], None, X[3], np.nan])
    assert_array_equal(got[1::2], np.full((2, 3), row, np.float32))
    assert_array_equal(got[::2], vectorizer.transform([X[0], X[3]]))
    assert [len(tokens) for tokens in vectorizer.transform_tokens([None])] == [0]
    assert vectorizer.tokenize([None]) == [[]]
    assert vectorizer.oov_rate_ == pytest.approx(read().fit(X).oov_rate_)


def test_pickles_give_the_same(read):
    vectorizer = read(weighting="sif").fit(X)
    again = pickle.loads(pickle.dumps(vectorizer))
    assert_array_equal(again.transform(X), vectorizer.transform(X))
    assert again.most_similar("cat") == vectorizer.most_similar("cat")


def test_names_and_frames(read):
    vectorizer = read().set_output(transform="pandas")
    series = pd.Series(X, index=list("wxyz"), name="text")
    frame = vectorizer.fit_transform(series)
    stem = type(vectorizer).__name__.lower()
    assert frame.columns.tolist() == [f"text_{stem}{k}" for k in range(3)]
    assert frame.index.tolist() == list("wxyz")
    assert vectorizer.fit(series.to_frame()).feature_names_in_.tolist() == ["text"]
    assert not hasattr(vectorizer.fit(X), "feature_names_in_")


def test_neighbours_are_those_of_the_largest_cosine(read):
    vectorizer = read().fit(X)
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    cosines = unit @ unit[WORDS["cat"]]
    order = [w for w in sorted(WORDS, key=lambda w: -cosines[WORDS[w]]) if w != "cat"]
    got = vectorizer.most_similar("Cat")
    assert [word for word, _ in got] == order
    assert_allclose([c for _, c in got], [cosines[WORDS[w]] for w in order], rtol=1e-5)
    assert vectorizer.most_similar("cat", n=2) == got[:2]


def test_neighbours_of_an_unknown_word_are_refused(cls, read):
    message = (
        f"{cls.__name__} has no vector of 'bird'. Ask for one of the 5 words in "
        f"vocabulary_."
    )
    with pytest.raises(ValueError, match=sure(message)):
        read().fit(X).most_similar("bird")


def test_works_before_a_classifier(read):
    texts, y = ["cat sat", "dog", "the cat", "the dog", "bird"] * 4, [1, 0, 1, 0, 1] * 4
    pipeline = make_pipeline(read(), LogisticRegression(C=100)).fit(texts, y)
    assert pipeline.score(texts, y) == 1


def test_parameters_are_those_of_the_elmo_vectorizer(cls):
    shared = {"tokenizer", "sentence_splitter", "input", "missing", "random_state"}
    ours, theirs = cls().get_params(), ElmoVectorizer().get_params()
    assert {name: ours[name] for name in shared} == {n: theirs[n] for n in shared}
    assert set(COMMON) < set(ours)
    assert set(ours) == set(cls._parameter_constraints)
    for method in ("fit_transform", "transform_tokens", "tokenize"):
        assert hasattr(cls, method)


def trainable(cls):
    needs_gensim(cls)
    few = {"max_epochs": 1}
    return cls(vector_size=4, min_count=1, random_state=0, **few)


NAMES = [check.__name__ for _, check in text_transformer_checks(GloveVectorizer())]


@pytest.mark.filterwarnings(
    "ignore:(Glove|Word2Vec)Vectorizer (is trained on|found no sentence):UserWarning"
)
@pytest.mark.parametrize("name", NAMES)
def test_checks_of_transformers(cls, name):
    checks = {c.__name__: c for _, c in text_transformer_checks(trainable(cls))}
    checks[name](trainable(cls))


def test_unfitted_is_told(cls):
    message = f"This {cls.__name__} instance is not fitted yet. Call 'fit' with "
    for call in ("transform", "oov_rate", "tokenize", "most_similar", "save_vectors"):
        with pytest.raises(NotFittedError, match=f"^{message}"):
            getattr(cls(), call)("x" if "_" in call else ["x"])


def test_a_clone_is_unfitted(read):
    assert not hasattr(clone(read().fit(X)), "vectors_")
