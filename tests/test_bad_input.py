"""What bad input gets: each row of the table in the product description."""

import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from skelmo import ElmoLanguageModel, ElmoVectorizer

BARE = {
    "ElmoVectorizer": "Iterable over raw text documents expected, string object "
    "received. Wrap it in a list: [X].",
    "ElmoLanguageModel": "Iterable over raw text documents expected, string object "
    "received. Wrap it in a list, [X], or pass pathlib.Path(X) if it names a file "
    "with a document on each line.",
}


def users(language_model, vectorizer):
    """Return every way by which documents come in, by its name."""
    return {
        "ElmoVectorizer.fit": vectorizer.fit,
        "ElmoVectorizer.fit_transform": vectorizer.fit_transform,
        "ElmoVectorizer.transform": vectorizer.transform,
        "ElmoVectorizer.transform_tokens": vectorizer.transform_tokens,
        "ElmoVectorizer.tokenize": vectorizer.tokenize,
        "ElmoLanguageModel.fit": ElmoLanguageModel().fit,
        "ElmoLanguageModel.score": language_model.score,
        "ElmoLanguageModel.perplexity": language_model.perplexity,
        "ElmoLanguageModel.score_samples": language_model.score_samples,
    }


@pytest.fixture(params=users(ElmoLanguageModel(), ElmoVectorizer()))
def user(request, language_model, vectorizer):
    owner = request.param.partition(".")[0]
    return owner, users(language_model, vectorizer)[request.param]


def sure(message):
    return f"^{re.escape(message)}$"


def test_a_bare_str_is_to_be_wrapped(user):
    owner, call = user
    with pytest.raises(ValueError, match=sure(BARE[owner])):
        call("The cat sat.")


def test_a_missing_document_is_named(user):
    owner, call = user
    message = (
        f"{owner} needs a text in every row of X, but 1 of 3 are missing, the first in "
        f"row 2 (NAType <NA>). Fill them in, or set missing='empty' or "
        "missing='nan' before fit."
    )
    with pytest.raises(ValueError, match=sure(message)):
        call(pd.Series(["a", "b", pd.NA], dtype="string"))


def test_a_number_is_named(user):
    owner, call = user
    message = f"{owner}: row 1 of X must be a str, got int 7. Convert it with str()."
    with pytest.raises(TypeError, match=sure(message)):
        call(["a", 7])


def test_bytes_that_are_not_utf_8_are_named(user):
    owner, call = user
    message = (
        f"{owner}: row 0 of X must be text or UTF-8 bytes, got bytes b'\\xff', which "
        f"is not UTF-8 (invalid start byte at byte 0). Decode it first, as in "
        f"X[0].decode('latin-1')."
    )
    with pytest.raises(ValueError, match=sure(message)):
        call([b"\xff"])


def test_a_dict_is_no_set_of_documents(user):
    owner, call = user
    message = (
        f"{owner} needs an iterable of documents, got dict {{'text': ['a']}}. Pass a "
        f"list, a Series or an array."
    )
    with pytest.raises(TypeError, match=sure(message)):
        call({"text": ["a"]})


def test_a_sparse_matrix_is_refused(user):
    owner, call = user
    message = (
        f"{owner} needs documents, but X is a sparse csr_matrix: sparse data is not "
        f"supported. Pass the texts themselves."
    )
    with pytest.raises(TypeError, match=sure(message)):
        call(scipy.sparse.csr_matrix((2, 2)))


def test_a_frame_of_several_columns_is_refused(user):
    owner, call = user
    message = (
        f"{owner} takes one column of text, but X has 2: 'id', 'text'. Choose one, "
        f"X['id'], or use ColumnTransformer([('text', {owner}(), 'id')])."
    )
    with pytest.raises(ValueError, match=sure(message)):
        call(pd.DataFrame({"id": [1], "text": ["a"]}))


def test_numbers_in_a_column_are_refused(user):
    owner, call = user
    message = (
        f"{owner}: row 0 of X must be a str, got float64 np.float64(0.0). Convert it "
        f"with str()."
    )
    with pytest.raises(TypeError, match=sure(message)):
        call(np.zeros((3, 1)))


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, pd.NaT, np.float32("nan")])
@pytest.mark.parametrize(("missing", "row"), [("empty", 0.0), ("nan", np.nan)])
def test_a_missing_document_is_a_row_of_its_own(make, texts, value, missing, row):
    vectorizer = make(missing=missing)
    X = [texts[0], value, texts[1], value]
    features = vectorizer.transform(X)
    np.testing.assert_array_equal(features[[1, 3]], np.full((2, 96), row, np.float32))
    np.testing.assert_array_equal(features[[0, 2]], make().transform(texts[:2]))
    assert [len(tokens) for tokens in vectorizer.transform_tokens(X)[1::2]] == [0, 0]
    assert vectorizer.tokenize(X)[1::2] == [[], []]


@pytest.mark.parametrize("missing", ["empty", "nan"])
def test_a_model_trains_on_the_documents_that_are_there(tiny, texts, missing):
    with_gaps = [None, *texts[:100], np.nan, *texts[100:], pd.NA]
    model = ElmoLanguageModel(**tiny)
    vectorizer = ElmoVectorizer(language_model=model, missing=missing)
    features = vectorizer.fit_transform(with_gaps)
    expected = ElmoVectorizer(language_model=model).fit_transform(texts)
    np.testing.assert_array_equal(features[1:101], expected[:100])
    np.testing.assert_array_equal(features[102:-1], expected[100:])
    scores = clone(model).set_params(missing=missing).fit(with_gaps)
    assert np.isnan(scores.score_samples([texts[0], None])).tolist() == [False, True]


def test_utf_8_bytes_are_text(vectorizer):
    texts = ["Füße am Ende.", "数据"]
    np.testing.assert_array_equal(
        vectorizer.transform([text.encode() for text in texts]),
        vectorizer.transform(texts),
    )


def test_a_frame_of_one_column_gives_its_name(frozen, texts):
    frame = pd.DataFrame({"review": texts[:9]})
    vectorizer = ElmoVectorizer(language_model=frozen).fit(frame)
    assert vectorizer.feature_names_in_.tolist() == ["review"]
    np.testing.assert_array_equal(
        vectorizer.transform(frame), vectorizer.transform(texts[:9])
    )


STRANGE = {
    "empty": ("", 0),
    "spaces": (" \t\n\u3000 ", 0),
    "emoji": ("🙂🙂 👍🏽 🇩🇪", 4),
    "lone surrogates": ("\ud800\udfff \ud800", 2),
    "NUL": ("\0", 1),
    "NUL inside": ("a\0b", 3),
    "control characters": ("\x07\x1b", 1),
    "zero-width space": ("\u200b", 1),
    "right to left": ("\u202eשלום", 2),
    "one letter": ("a", 1),
    "many stops": ("." * 3000, 1),
}


@pytest.mark.parametrize(("text", "n"), STRANGE.values(), ids=STRANGE.keys())
def test_strange_text_gives_a_finite_vector(vectorizer, texts, text, n):
    if text.startswith(".."):
        with pytest.warns(UserWarning, match=sure(cut(1, 1))):
            features = vectorizer.transform([texts[0], text])
    else:
        features = vectorizer.transform([texts[0], text])
    assert np.isfinite(features).all()
    assert len(vectorizer.tokenize([text])[0]) == n
    assert np.any(features[1]) == (n > 0)
    np.testing.assert_allclose(
        features[:1], vectorizer.transform(texts[:1]), rtol=0, atol=1e-6
    )


def test_strange_text_can_be_trained_on(tiny, texts):
    strange = [text for text, _ in STRANGE.values()]
    model = ElmoLanguageModel(**tiny).fit([*texts, *strange])
    assert model.truncation_ == (1, 1)
    assert np.isfinite(model.perplexity(texts).mean)


def cut(n_tokens, n_documents, owner="ElmoVectorizer"):
    return (
        f"{owner}: {n_tokens} tokens in {n_documents} documents are longer than the 48 "
        f"bytes that the language model reads of a token; the rest of them is ignored. "
        f"Use a tokenizer that cuts shorter tokens if that matters."
    )


LONG = "x" * 10_000


def test_a_long_word_counts_by_its_first_48_bytes(vectorizer):
    with pytest.warns(UserWarning, match=sure(cut(2, 2))) as record:
        features = vectorizer.transform([LONG, "x" * 48, "é" * 5000, "é" * 24])
    assert len(record) == 1
    assert record[0].filename == __file__
    np.testing.assert_array_equal(features[0], features[1])
    np.testing.assert_array_equal(features[2], features[3])
    assert np.abs(features[0] - features[2]).max() > 1e-3


def test_truncation_counts_every_document_of_fit_and_none_of_transform(frozen):
    vectorizer = ElmoVectorizer(language_model=frozen)
    vectorizer.fit([LONG, LONG, f"a {LONG} {LONG}", "short"])
    assert vectorizer.truncation_ == (4, 3)
    with pytest.warns(UserWarning, match=sure(cut(3, 3))):
        vectorizer.transform([LONG, LONG, LONG])
    assert vectorizer.truncation_ == (4, 3)
    vectorizer.fit(["short"])
    assert vectorizer.truncation_ == (0, 0)


def test_fit_transform_warns_once_of_what_is_cut(frozen):
    vectorizer = ElmoVectorizer(language_model=frozen, missing="empty")
    with pytest.warns(UserWarning, match=sure(cut(2, 2))) as record:
        vectorizer.fit_transform([LONG, None, LONG])
    assert [warning.filename for warning in record] == [__file__]


def test_a_document_of_100_000_tokens_takes_bounded_memory(make):
    lines = "\n".join(["to be or not to be , that is the question"] * 9091)
    vectorizer = make(sentence_splitter="lines", tokenizer=str.split)
    assert len(vectorizer.tokenize([lines])[0]) == 100_001
    tracemalloc.start()
    features = vectorizer.transform([lines])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # What the features of all tokens would take, were they kept.
    assert peak < 100_001 * 3 * 16 * 4
    one_line = vectorizer.transform([lines.partition("\n")[0]])
    np.testing.assert_allclose(features, one_line, rtol=0, atol=1e-5)


def test_fit_needs_a_document(frozen):
    for estimator in (ElmoVectorizer(language_model=frozen), ElmoLanguageModel()):
        message = (
            f"{type(estimator).__name__} needs at least 1 document to fit, but X has 0 "
            f"sample(s). Pass a non-empty X."
        )
        for X in ([], np.array([], dtype=str), iter(()), pd.Series([], dtype="str")):
            with pytest.raises(ValueError, match=sure(message)):
                estimator.fit(X)


@pytest.mark.parametrize("X", [[], (), np.array([]), pd.Series([], dtype=object)])
@pytest.mark.parametrize(("layers", "n"), [("mean", 16), ("concat", 48), (0, 16)])
def test_transform_of_no_document_has_no_row(make, X, layers, n):
    vectorizer = make(layers=layers, pooling=["mean", "last"])
    features = vectorizer.transform(X)
    assert (features.shape, features.dtype) == ((0, 2 * n), np.float32)
    assert vectorizer.transform_tokens(X) == vectorizer.tokenize(X) == []


@pytest.mark.parametrize(("layers", "n"), [("mean", 16), ("concat", 48), (0, 16)])
def test_documents_without_a_token_are_rows_of_zeros(make, layers, n):
    vectorizer = make(layers=layers, missing="empty", pooling="mean")
    for X in ([""], [None], [None, " ", np.nan, ""]):
        zeros = np.zeros((len(X), n), dtype=np.float32)
        np.testing.assert_array_equal(vectorizer.transform(X), zeros)
        for array in vectorizer.transform_tokens(X):
            assert (array.shape, array.dtype) == ((0, n), np.float32)


@pytest.mark.parametrize(("X", "n"), [([""], 0), (["", " \n"], 0), (["", "one"], 1)])
def test_training_needs_two_tokens(tiny, X, n):
    message = (
        f"ElmoLanguageModel needs at least 2 tokens to train on, found {n}. Pass more "
        f"text, or check the tokenizer."
    )
    model = ElmoLanguageModel(**tiny)
    with pytest.raises(ValueError, match=sure(message)):
        model.fit(X)
    with pytest.raises(ValueError, match=sure(message)):
        ElmoVectorizer(language_model=model).fit(X)
    assert not hasattr(model, "network_")


def test_training_on_few_tokens_warns_at_the_line_of_the_user(tiny):
    message = (
        "ElmoLanguageModel is trained on 6 tokens only; fewer than 1,000 teach it "
        "little. Pass more text, or use a model trained on more."
    )
    vectorizer = ElmoVectorizer(language_model=ElmoLanguageModel(**tiny))
    for estimator in (ElmoLanguageModel(**tiny), vectorizer):
        for fit in (estimator.fit, getattr(estimator, "fit_transform", estimator.fit)):
            with pytest.warns(UserWarning, match=sure(message)) as record:
                fit(["The cat", "sat", "on the mat"])
            assert [warning.filename for warning in record] == [__file__]


def diverge(tiny, texts):
    model = ElmoLanguageModel(**{**tiny, "learning_rate_init": 1e30, "max_epochs": 3})
    message = (
        "The loss of ElmoLanguageModel became nan in epoch 1 (learning_rate_init=1e+30)"
        "; the weights of the start are kept. Lower learning_rate_init or "
        "max_grad_norm."
    )
    with pytest.warns(ConvergenceWarning, match=sure(message)) as record:
        model.fit(texts)
    assert [warning.filename for warning in record] == [__file__]
    return model


def test_a_loss_of_nan_keeps_finite_weights(tiny, texts):
    model = diverge(tiny, texts)
    assert all(torch.isfinite(p).all() for p in model.network_.parameters())
    assert model.n_epochs_ == 0


def test_a_loss_of_nan_in_the_first_epoch_restores_the_start(tiny, texts):
    model = diverge(tiny, texts)
    # A rate of 1e-30 leaves the weights where they started.
    start = ElmoLanguageModel(**{**tiny, "learning_rate_init": 1e-30}).fit(texts)
    kept, expected = (
        ElmoVectorizer(language_model=FrozenEstimator(m)).fit_transform(texts)
        for m in (model, start)
    )
    np.testing.assert_allclose(kept, expected, rtol=0, atol=1e-6)


def test_tokens_are_no_text(make):
    message = (
        "ElmoVectorizer: row 0 of X must be a list of tokens (str) or a list of such "
        "sentences, got str 'The cat'. Split it into tokens, or set input='text'."
    )
    with pytest.raises(TypeError, match=sure(message)):
        make(input="tokens").transform(["The cat"])
    message = (
        "ElmoVectorizer: row 1 of X must be a list of tokens (str) or a list of such "
        "sentences, got int 3. Split it into tokens, or set input='text'."
    )
    with pytest.raises(TypeError, match=sure(message)):
        make(input="tokens").transform([["a"], ["b", 3]])


def test_a_cut_token_among_a_thousand_is_counted_but_no_reason_to_warn(make):
    documents = ["one two three four five"] * 400
    rare = ["one two three four " + "x" * 100, *documents]
    often = ["one two three four " + "x" * 100, *documents[:20]]
    vectorizer = make().fit(rare)
    assert vectorizer.truncation_ == (1, 1)
    distinct = [f"{document} {k}" for k, document in enumerate(rare)]
    vectorizer.transform(distinct)
    with pytest.warns(UserWarning, match="^ElmoVectorizer: 1 tokens in 1 documents "):
        vectorizer.transform(often)
