"""Files of word vectors, and what bad input gets."""

import re
import sys
import time

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from tiny_models import Killed, kill_at

from skelmo.baselines import GloveVectorizer, Word2VecVectorizer
from skelmo.text.word_vectors import read_word_vectors

BOTH = [GloveVectorizer, Word2VecVectorizer]
NAMES = ["vectors.txt", "vectors.bin", "vectors.txt.gz", "vectors.bin.gz"]
WORDS = ["moon", "é", "\N{SNOWMAN}", "new_york"]
VECTORS = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


def sure(message):
    return f"^{re.escape(message)}$"


@pytest.fixture(params=BOTH, ids=lambda cls: cls.__name__)
def cls(request):
    return request.param


@pytest.fixture
def put(tmp_path):
    """Return a function that writes a text file of word vectors."""

    def put(content):
        path = tmp_path / "given.txt"
        path.write_text(content, encoding="utf-8", errors="surrogatepass")
        return path

    return put


@pytest.fixture
def vectorizer(cls, put):
    lines = [
        f"{word} {' '.join(repr(float(x)) for x in row)}\n"
        for word, row in zip(WORDS, VECTORS, strict=True)
    ]
    return cls(vectors=put("".join(lines))).fit(["a"])


@pytest.mark.parametrize("name", NAMES)
def test_saved_vectors_are_read_bit_for_bit(cls, vectorizer, tmp_path, name):
    path = tmp_path / name
    vectorizer.save_vectors(str(path))
    again = cls(vectors=path).fit(["a"])
    assert again.vocabulary_ == read_word_vectors(path).words == WORDS
    assert_array_equal(again.vectors_, VECTORS)


@pytest.mark.parametrize("name", NAMES)
def test_gensim_reads_saved_vectors(vectorizer, tmp_path, name):
    models = pytest.importorskip("gensim.models", reason="gensim is the oracle")
    vectorizer.save_vectors(tmp_path / name)
    read = models.KeyedVectors.load_word2vec_format(
        str(tmp_path / name), binary=".bin" in name
    )
    assert read.index_to_key == WORDS
    assert_array_equal(read.vectors, VECTORS)


@pytest.mark.parametrize("binary", [True, False])
def test_vectors_that_gensim_trained_and_wrote_are_the_same(cls, tmp_path, binary):
    models = pytest.importorskip("gensim.models", reason="gensim is the oracle")
    sentences = [["the", "cat", "sat"], ["the", "dog", "sat"]] * 20
    trained = models.Word2Vec(sentences, vector_size=6, min_count=1, seed=1).wv
    path = tmp_path / ("vectors.bin" if binary else "vectors.txt")
    trained.save_word2vec_format(str(path), binary=binary)
    read = cls(vectors=path).fit(["The cat."])
    assert read.vocabulary_ == trained.index_to_key
    np.testing.assert_allclose(read.vectors_, trained.vectors, rtol=1e-6)
    expected = trained.get_mean_vector(["the", "cat"], pre_normalize=False)
    np.testing.assert_allclose(read.transform(["The cat."])[0], expected, rtol=1e-5)
    theirs = trained.most_similar("cat", topn=3)
    assert [word for word, _ in read.most_similar("cat", 3)] == [w for w, _ in theirs]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_vectors_give_the_same_bytes(vectorizer, tmp_path, monkeypatch, name):
    contents = set()
    for k in range(2):
        monkeypatch.setattr(time, "time", lambda k=k: 1e9 + 60 * k)
        vectorizer.save_vectors(tmp_path / name)
        contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1
    assert list(tmp_path.glob(".*")) == []


def test_an_old_file_stays_whole_until_the_new_one_is(
    vectorizer, tmp_path, monkeypatch
):
    path = tmp_path / "vectors.txt"
    path.write_text("old")
    for step in range(2):
        with monkeypatch.context() as patch:
            kill_at(patch, step)
            with pytest.raises(Killed, match="^the process was killed$"):
                vectorizer.save_vectors(path)
        assert path.read_text() == "old"
    vectorizer.save_vectors(path)
    assert read_word_vectors(path).words == WORDS


@pytest.mark.parametrize(("word", "shown"), [("a b", "'a b'"), ("\ud800", "'\\ud800'")])
def test_words_that_the_format_cannot_hold_are_refused(tmp_path, word, shown):
    vectorizer = GloveVectorizer(input="tokens", min_count=1, vector_size=2)
    vectorizer.fit([[word, "x"]] * 1000)
    message = (
        f"GloveVectorizer.save_vectors needs words in UTF-8 without white space, as "
        f"word2vec's format has no other, got {shown}. Pickle the vectorizer instead, "
        f"or train with another tokenizer."
    )
    with pytest.raises(ValueError, match=sure(message)):
        vectorizer.save_vectors(tmp_path / "vectors.txt")
    assert list(tmp_path.iterdir()) == []


def test_the_first_of_equal_words_counts_and_the_first_words_stay(cls, put):
    path = put("a 1 2\nb 3 4\na 5 6\nc 7 8\nd 9 9\n")
    assert_array_equal(
        cls(vectors=path).fit(["a"]).vectors_, [[1, 2], [3, 4], [7, 8], [9, 9]]
    )
    some = cls(vectors=path, max_vocabulary=3).fit(["a d"])
    assert some.vocabulary_ == ["a", "b", "c"]
    assert_array_equal(some.vectors_, [[1, 2], [3, 4], [7, 8]])
    assert some.oov_rate_ == 0.5


def test_numbers_that_are_not_finite_are_told(cls, put):
    path = put("a 1 2\nb 3 nan\nc inf 0\n")
    message = (
        f"{path}: the vectors must be finite, but that of 'b' in line 2 is not. "
        f"Take the word out, or train again."
    )
    with pytest.raises(ValueError, match=sure(message)):
        cls(vectors=path).fit(["a"])


def test_a_file_of_other_words_is_told(cls, put):
    path = put("a 1 2\nb 3 4\n")
    documents = ["a " + "x y z " * 40]
    message = (
        f"{cls.__name__} has no vector in {path} for 99.2% of the 121 tokens. Give "
        f"vectors of the same language, tokenisation and case."
    )
    with pytest.warns(UserWarning, match=sure(message)) as record:
        fitted = cls(vectors=path).fit(documents)
    assert [warning.filename for warning in record] == [__file__]
    assert fitted.oov_rate_ == pytest.approx(120 / 121)


def test_capitals_that_are_never_found_are_told(cls, put):
    path = put("a 1 2\nBob 3 4\nc 5 6\n")
    message = (
        f"{cls.__name__} looks up words in lower case, but 1 of the 3 words in {path} "
        f"have capitals, and are never found. Set lowercase=False."
    )
    with pytest.warns(UserWarning, match=sure(message)):
        cls(vectors=path, lowercase=True).fit(["a Bob"])
    assert cls(vectors=path, lowercase=False).fit(["a Bob"]).oov_rate_ == 0.0


def test_a_wrong_file_is_told_before_the_documents_are_read(cls, tmp_path, put):
    def documents():
        pytest.fail("the documents were read")
        yield

    path = tmp_path / "none.txt"
    message = (
        f"{path}: no such file of word vectors. Give the path of a word2vec or GloVe "
        f"file."
    )
    with pytest.raises(FileNotFoundError, match=sure(message)):
        cls(vectors=path).fit(documents())
    path = put("a 1 2\nb 1\n")
    message = (
        f"{path}: line 2 must hold a word and 2 numbers, separated by spaces, found "
        f"b'b 1\\n'. Give a word2vec or GloVe file; a binary one must end in .bin."
    )
    with pytest.raises(ValueError, match=sure(message)):
        cls(vectors=path).fit(documents())


def test_without_gensim_it_is_told_how_to_get_it(monkeypatch, put):
    monkeypatch.setitem(sys.modules, "gensim", None)
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    message = (
        "Word2VecVectorizer needs gensim to train vectors, but it cannot be imported. "
        "Install it with pip install 'skelmo[baselines]', or pass vectors='path of a "
        "file' to read them."
    )
    with pytest.raises(ImportError, match=sure(message)):
        Word2VecVectorizer().fit(["a b"] * 1000)
    path = put("a 1 2\n")
    assert_array_equal(Word2VecVectorizer(vectors=path).fit_transform(["a"]), [[1, 2]])


PARAMETERS = [(cls, name) for cls in BOTH for name in cls().get_params()]


@pytest.mark.parametrize(("owner", "name"), PARAMETERS)
def test_each_parameter_is_validated(owner, name):
    vectorizer = owner(**{name: type("Wrong", (), {})()})
    message = f"^The '{name}' parameter of {owner.__name__} must be .* Got .* instead.$"
    with pytest.raises(ValueError, match=message):
        vectorizer.fit(["a b"])
    assert set(vars(vectorizer)) == set(vectorizer.get_params())


def test_a_bare_str_is_to_be_wrapped(vectorizer):
    message = "Iterable over raw text documents expected, string object received. "
    hint = (
        "Wrap it in a list, [X], or pass pathlib.Path(X) if it names a file with a "
        "document on each line."
    )
    for call in (vectorizer.fit, vectorizer.fit_transform):
        with pytest.raises(ValueError, match=sure(message + hint)):
            call("a")
    for call in (vectorizer.transform, vectorizer.oov_rate, vectorizer.tokenize):
        with pytest.raises(ValueError, match=sure(message + "Wrap it in a list: [X].")):
            call("a")


def test_wrong_documents_are_named(cls, vectorizer):
    owner = cls.__name__
    message = f"{owner}: row 1 of X must be a str, got int 7. Convert it with str()."
    missing = (
        f"{owner} needs a text in every row of X, but 1 of 2 are missing, the first in "
        f"row 1 (NoneType None). Fill them in, or set missing='empty' or "
        "missing='nan' before fit."
    )
    for call in (vectorizer.fit, vectorizer.fit_transform, vectorizer.transform):
        with pytest.raises(TypeError, match=sure(message)):
            call(["a", 7])
        with pytest.raises(ValueError, match=sure(missing)):
            call(["a", None])


def test_another_column_is_refused(cls, vectorizer):
    message = (
        f"{cls.__name__} was fitted on column 'text', but X is column 'title'. Pass "
        f"the column of the same name."
    )
    vectorizer.fit(pd.DataFrame({"text": ["a"]}))
    with pytest.raises(ValueError, match=sure(message)):
        vectorizer.transform(pd.DataFrame({"title": ["a"]}))


def test_no_documents_are_too_few(cls, vectorizer):
    message = (
        f"{cls.__name__} needs at least 1 document to fit, but X has 0 sample(s). Pass "
        f"a non-empty X."
    )
    with pytest.raises(ValueError, match=sure(message)):
        vectorizer.fit([])


def test_little_text_is_told():
    message = (
        "GloveVectorizer needs at least 2 tokens to train on, found 1. Pass more text, "
        "or check the tokenizer."
    )
    with pytest.raises(ValueError, match=sure(message)):
        GloveVectorizer().fit(["a"])
    message = (
        "GloveVectorizer is trained on 200 tokens only; fewer than 1,000 teach it "
        "little. Pass more text, or use a model trained on more."
    )
    with pytest.warns(UserWarning, match=sure(message)):
        GloveVectorizer(vector_size=2).fit(["a b"] * 100)
    message = (
        "GloveVectorizer found no word that occurs min_count=900 times in 1000 tokens. "
        "Lower min_count, or pass more text."
    )
    with pytest.raises(ValueError, match=sure(message)):
        GloveVectorizer(min_count=900).fit(["a b"] * 500)
