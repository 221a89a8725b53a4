import functools
import pickle
import re
import sys

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.encoding.encoder import Encoder
from skelmo.text.tokenization import split_sentences, tokenize

P = 8  # proj_size: features of one direction
# Sums of at most some dozen float32 in another order.
CLOSE = {"rtol": 0, "atol": 1e-6}


def lower_words(sentence):
    return re.findall(r"\w+", sentence.lower())


def token_layers(make, X):
    """Return a (n_tokens, 3, 2P) array for each document."""
    rows = make(layers="concat").transform_tokens(X)
    return [array.reshape(len(array), 3, 2 * P) for array in rows]


def test_a_list_of_layers_puts_them_side_by_side_in_its_order(make, texts):
    one = [make(pooling="mean", layers=k).transform(texts) for k in range(3)]
    for layers in ([0, 2], [2, 0], (1,), [-1, 1], [2, 1, 0]):
        expected = np.hstack([one[k] for k in layers])
        assert_array_equal(
            make(pooling="mean", layers=layers).transform(texts), expected
        )


def test_named_layers(make, texts):
    one = [make(pooling="mean", layers=k).transform(texts) for k in range(3)]
    assert_array_equal(
        make(pooling="mean", layers="concat").transform(texts), np.hstack(one)
    )
    assert_allclose(
        make(pooling="mean", layers="mean").transform(texts),
        np.mean(one, axis=0),
        **CLOSE,
    )
    assert_array_equal(make(pooling="mean", layers="top").transform(texts), one[2])
    assert_array_equal(make(pooling="mean", layers=-1).transform(texts), one[2])
    assert_array_equal(make(pooling="mean", layers=-3).transform(texts), one[0])
    assert min(np.abs(one[a] - one[b]).max() for a, b in [(0, 1), (1, 2)]) > 1e-3


def test_a_list_of_poolings_puts_them_side_by_side_in_its_order(make, texts):
    names = ["last", "max", "std", "mean", "min"]
    for layers in ("mean", [2, 0]):
        one = [make(pooling=n, layers=layers).transform(texts) for n in names]
        together = make(pooling=names, layers=layers).transform(texts)
        assert_array_equal(together, np.hstack(one))


def test_mean_pooling_is_the_mean_of_the_token_vectors(make, texts):
    for layers in ("mean", "concat", [2, 0], 1):
        vectorizer = make(layers=layers, pooling="mean")
        tokens = vectorizer.transform_tokens(texts)
        expected = np.stack([array.mean(axis=0) for array in tokens])
        assert_allclose(vectorizer.transform(texts), expected, **CLOSE)


@pytest.mark.parametrize(
    ("pooling", "tolerance"), [("max", 0), ("min", 0), ("std", 1e-6)]
)
def test_other_poolings_are_those_of_each_layer(make, texts, pooling, tolerance):
    pool = getattr(np, pooling)
    by_layer = np.stack([pool(a, axis=0) for a in token_layers(make, texts)])
    found = make(layers="concat", pooling=pooling).transform(texts)
    expected = by_layer.reshape(len(texts), -1)
    assert_allclose(found, expected, rtol=0, atol=tolerance)
    mixed = make(layers="mean", pooling=pooling).transform(texts)
    assert_allclose(mixed, by_layer.mean(axis=1), **CLOSE)


def test_last_pooling_is_where_each_direction_ends(make, texts):
    tokens = token_layers(make, texts)
    expected = [np.concatenate([a[-1, :, :P], a[0, :, P:]], axis=-1) for a in tokens]
    found = make(layers="concat", pooling="last").transform(texts)
    assert_array_equal(found, np.stack(expected).reshape(len(texts), -1))


def test_a_direction_does_not_see_what_lies_ahead(make):
    one, other = "we saw the old river", "we saw the city burn"
    a, b = token_layers(make, [one, other])
    assert_allclose(a[:3, :, :P], b[:3, :, :P], **CLOSE)
    assert np.abs(a[3:, :, :P] - b[3:, :, :P]).max() > 1e-3
    a, b = token_layers(make, ["we saw the river", "they paint the river"])
    assert_allclose(a[2:, :, P:], b[2:, :, P:], **CLOSE)
    assert_allclose(a[2:, 0], b[2:, 0], **CLOSE)  # layer 0 has no context
    assert np.abs(a[2, 1:, :P] - b[2, 1:, :P]).max() > 1e-3


def test_a_sentence_is_read_apart_unless_the_document_is_one_sequence(tiny, texts):
    X = ["A cat sleeps. The dog barks.", "A cat sleeps.", "The dog barks."]
    for sequence in ("sentence", "document"):
        model = ElmoLanguageModel(**tiny, sequence=sequence).fit(texts)
        vectorizer = ElmoVectorizer(language_model=FrozenEstimator(model)).fit(X)
        both, first, second = vectorizer.transform_tokens(X)
        apart = np.abs(both - np.vstack([first, second])).max()
        assert (apart < 1e-6) == (sequence == "sentence")


def test_feature_names_say_what_a_column_is(make, texts):
    vectorizer = make(layers=[2, 1], pooling=["mean", "max"])
    frame = pd.DataFrame(
        vectorizer.transform(texts), columns=vectorizer.get_feature_names_out()
    )
    tokens = np.stack([a.mean(axis=0) for a in token_layers(make, texts)])
    highest = np.stack([a.max(axis=0) for a in token_layers(make, texts)])
    assert frame.shape == (len(texts), 2 * 2 * 2 * P)
    for statistic, values in (("mean", tokens), ("max", highest)):
        for layer in (1, 2):
            for k in range(P):
                name = f"elmo_{statistic}_layer{layer}"
                column = frame[f"{name}_forward_{k}"]
                assert_allclose(column, values[:, layer, k], **CLOSE)
                column = frame[f"{name}_backward_{k}"]
                assert_allclose(column, values[:, layer, P + k], **CLOSE)


def test_feature_names_of_mixed_layers(make):
    names = make(layers="mean", pooling="mean").get_feature_names_out()
    assert names.dtype == object
    directions = ("forward", "backward")
    assert names.tolist() == [
        f"elmo_mean_mix_{d}_{k}" for d in directions for k in range(P)
    ]


@pytest.mark.parametrize("layers", ["mean", "concat", [0, 2], 1])
@pytest.mark.parametrize("pooling", ["mean", ["min", "last"]])
def test_feature_names_are_as_many_as_columns_and_differ(make, texts, layers, pooling):
    vectorizer = make(layers=layers, pooling=pooling)
    names = vectorizer.get_feature_names_out()
    assert len(set(names)) == len(names) == vectorizer.transform(texts[:1]).shape[1]


def test_feature_names_check_the_name_of_the_column(frozen, texts):
    frame = pd.DataFrame({"review": texts[:5]})
    vectorizer = ElmoVectorizer(language_model=frozen).fit(frame)
    names = vectorizer.get_feature_names_out()
    assert {name.partition("_")[0] for name in names} == {"review"}
    assert_array_equal(vectorizer.get_feature_names_out(["review"]), names)
    message = "input_features is not equal to feature_names_in_"
    with pytest.raises(ValueError, match=f"^{message}$"):
        vectorizer.get_feature_names_out(["title"])
    columns = ColumnTransformer([("text", clone(vectorizer), "review")]).fit(frame)
    assert columns.get_feature_names_out().tolist() == [f"text__{n}" for n in names]


def test_set_output_pandas_keeps_the_index(make, texts):
    X = pd.Series(texts[:4], index=[7, 5, 5, 1])
    vectorizer = make().set_output(transform="pandas")
    expected = make().transform(texts[:4])
    for found in (vectorizer.transform(X), vectorizer.transform(X.to_frame())):
        assert found.index.tolist() == [7, 5, 5, 1]
        assert found.columns.tolist() == vectorizer.get_feature_names_out().tolist()
        assert_array_equal(found.to_numpy(), expected)
    assert_array_equal(vectorizer.transform(texts[:4]).index, np.arange(4))
    assert vectorizer.fit_transform(X).index.tolist() == [7, 5, 5, 1]
    with config_context(transform_output="pandas"):
        assert_array_equal(make().transform(X).to_numpy(), expected)


def test_set_output_polars(make, texts):
    vectorizer = make(layers="concat").set_output(transform="polars")
    expected = make(layers="concat").transform(texts)
    for X in (texts, pl.Series("text", texts), pl.DataFrame({"text": texts})):
        found = vectorizer.transform(X)
        assert isinstance(found, pl.DataFrame)
        assert found.columns == vectorizer.get_feature_names_out().tolist()
        assert_array_equal(found.to_numpy(), expected)


def test_output_is_float32_in_rows(vectorizer, texts):
    features = vectorizer.transform(texts)
    assert features.dtype == np.float32
    assert features.flags.c_contiguous
    assert {a.dtype for a in vectorizer.transform_tokens(texts)} == {features.dtype}


@pytest.mark.parametrize("copier", ["pickle", "joblib"])
def test_a_copy_on_disk_gives_the_same_features(make, texts, tmp_path, copier):
    vectorizer = make(layers=[0, -1], pooling=["mean", "last"])
    if copier == "pickle":
        other = pickle.loads(pickle.dumps(vectorizer))
    else:
        joblib.dump(vectorizer, tmp_path / "vectorizer.joblib", compress=3)
        other = joblib.load(tmp_path / "vectorizer.joblib")
    # What the original has computed before stood in other company.
    assert_allclose(
        other.transform(texts), vectorizer.transform(texts), rtol=0, atol=1e-6
    )
    names = vectorizer.get_feature_names_out()
    assert_array_equal(other.get_feature_names_out(), names)
    assert other.truncation_ == vectorizer.truncation_


def test_clone_takes_the_parameters_alone(make):
    vectorizer = make(layers=[0, 2], tokenizer=str.split)
    other = clone(vectorizer)
    assert other.get_params() == vectorizer.get_params()
    assert not [name for name in vars(other) if name.endswith("_")]


def test_tokenizer_and_splitter_replace_those_of_the_model(make, texts):
    X = ["The cat; the DOG\nand us.", *texts]

    def split(document):
        return re.split("[;\n]", document)

    vectorizer = make(tokenizer=lower_words, sentence_splitter=split)
    sentences = [[lower_words(part) for part in split(text)] for text in X]
    assert vectorizer.tokenize(X) == [sum(parts, []) for parts in sentences]
    # Token vectors that an earlier call has left were computed in other company.
    near = functools.partial(assert_allclose, rtol=0, atol=1e-6)
    near(vectorizer.transform(X), make(input="tokens").transform(sentences))
    lines = make(sentence_splitter="lines").transform(X[:1])
    by_lines = [[tokenize(line) for line in X[0].splitlines()]]
    near(lines, make(input="tokens").transform(by_lines))


def test_a_tokenizer_comes_before_that_of_the_model(tiny, texts):
    model = ElmoLanguageModel(
        **tiny, tokenizer=lower_words, sentence_splitter="lines"
    ).fit(texts)
    frozen = FrozenEstimator(model)
    own = ElmoVectorizer(language_model=frozen).fit(texts)
    assert own.tokenize(texts) == [lower_words(text) for text in texts]
    other = ElmoVectorizer(
        language_model=frozen, tokenizer=str.split, sentence_splitter=str.split
    ).fit(texts)
    assert other.tokenize(texts) == [text.split() for text in texts]
    one_by_one = ElmoVectorizer(language_model=frozen, input="tokens").fit([["a"]])
    words = [[[word] for word in text.split()] for text in texts]
    assert_array_equal(other.transform(texts), one_by_one.transform(words))


def test_tokens_give_the_features_of_their_text(make, texts):
    sentences = [[tokenize(s) for s in split_sentences(text)] for text in texts]
    vectorizer = make(input="tokens")
    assert_array_equal(vectorizer.transform(sentences), make().transform(texts))
    flat = [tokens for (tokens,) in sentences[::3]]  # documents of one sentence
    assert_array_equal(vectorizer.transform(flat), make().transform(texts[::3]))
    arrays = [np.array(tokens) for tokens in flat]
    assert_array_equal(vectorizer.transform(arrays), make().transform(texts[::3]))


def test_tokenize_aligns_with_transform_tokens(make, texts):
    X = [*texts, "", "Mr. Li paid $3.50. He didn't stay!"]
    vectorizer = make(layers=0)
    tokens, arrays = vectorizer.tokenize(X), vectorizer.transform_tokens(X)
    expected = [[t for s in split_sentences(x) for t in tokenize(s)] for x in X]
    assert tokens == expected
    assert [len(array) for array in arrays] == [len(each) for each in tokens]
    seen = {}  # layer 0 has no context: a token has one vector wherever it stands
    for words, array in zip(tokens, arrays, strict=True):
        for word, row in zip(words, array, strict=True):
            assert_allclose(row, seen.setdefault(word, row), **CLOSE)


@pytest.mark.parametrize("trained", [False, True])
def test_fit_transform_is_fit_and_transform(frozen, tiny, texts, trained):
    model = ElmoLanguageModel(**tiny) if trained else frozen
    vectorizer = ElmoVectorizer(language_model=model, layers="concat")
    expected = clone(vectorizer).fit(texts).transform(texts)
    assert_array_equal(clone(vectorizer).fit_transform(texts), expected)
    generator = (text for text in texts)
    assert_array_equal(clone(vectorizer).fit_transform(generator), expected)


def test_a_column_of_another_name_is_refused(frozen, texts):
    vectorizer = ElmoVectorizer(language_model=frozen)
    vectorizer.fit(pd.DataFrame({"review": texts}))
    message = (
        "ElmoVectorizer was fitted on column 'review', but X is column 'title'. Pass "
        "the column of the same name."
    )
    for call in (vectorizer.transform, vectorizer.transform_tokens):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call(pd.DataFrame({"title": texts}))
    assert_array_equal(
        vectorizer.transform(pl.Series(texts)), vectorizer.transform(texts)
    )
    vectorizer.fit(texts)
    assert not hasattr(vectorizer, "feature_names_in_")


@pytest.mark.parametrize("at_once", [1, 40, 10_000])
def test_an_iterator_is_encoded_part_by_part(make, texts, at_once, monkeypatch):
    monkeypatch.setattr("skelmo.encoding.features.TOKENS_AT_ONCE", at_once)
    X = [*texts[:20], None, *texts[:5], "", "   ", *texts[20:40], None]
    for missing in ("empty", "nan"):
        vectorizer = make(missing=missing, pooling=["mean", "max"], layers="concat")
        expected = vectorizer.transform(X)
        got = vectorizer.transform(iter(X))
        assert_allclose(got, expected, **CLOSE)
        assert got.flags.c_contiguous
        assert got.dtype == np.float32
    assert np.isnan(expected).any(axis=1).tolist() == [x is None for x in X]
    vectorizer.set_params(missing="error").fit(texts[:1])
    with pytest.raises(ValueError, match="^ElmoVectorizer needs a text in every row "):
        vectorizer.transform(iter(X))
    assert vectorizer.transform(iter([])).shape == (0, expected.shape[1])


def test_of_an_iterator_a_part_is_in_memory(make, texts, monkeypatch):
    monkeypatch.setattr("skelmo.encoding.features.TOKENS_AT_ONCE", 50)
    vectorizer, n_read, ahead = make(), 0, []
    encode = Encoder.pool

    def pool(encoder, sequences, *arguments):
        ahead.append(n_read - sum(ahead))
        return encode(encoder, sequences, *arguments)

    def read():
        nonlocal n_read
        for text in texts:
            n_read += 1
            yield text

    monkeypatch.setattr(Encoder, "pool", pool)
    vectorizer.transform(read())
    assert sum(ahead) == len(texts)
    assert max(ahead) <= 10


def test_cut_tokens_of_all_parts_are_told_of_once(make, monkeypatch):
    monkeypatch.setattr("skelmo.encoding.features.TOKENS_AT_ONCE", 3)
    vectorizer = make()
    X = ["a " + "b" * 60, "c", "a " + "b" * 60, "d " + "e" * 70 + " " + "f" * 80]
    message = "^ElmoVectorizer: 4 tokens in 3 documents are longer than the 48 bytes "
    with pytest.warns(UserWarning, match=message) as caught:
        vectorizer.transform(iter(X))
    assert len(caught) == 1
    with pytest.warns(UserWarning, match=message):
        vectorizer.transform(X)


def test_verbose_shows_a_bar_and_changes_nothing(make, texts, capsys):
    quiet = make().transform(texts)
    assert capsys.readouterr() == ("", "")
    assert_array_equal(make(verbose=1).transform(texts), quiet)
    output = capsys.readouterr()
    assert output.out == ""
    assert re.search(r"encode: 100%.* 120/120 ", output.err)


def test_pandas_is_no_need(make, texts, monkeypatch):
    vectorizer = make(missing="empty")
    expected = vectorizer.transform([texts[0], None, float("nan")])
    monkeypatch.delitem(sys.modules, "pandas")
    assert_array_equal(vectorizer.transform([texts[0], None, float("nan")]), expected)
