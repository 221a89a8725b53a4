"""Words for a masked token, against the network run on its contexts alone."""

import math
import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from tiny_models import OPTIONS, tf_datasets, write_tf

from skelmo import ElmoLanguageModel
from skelmo.scoring import predicted_words as prediction
from skelmo.scoring.predicted_words import WordPrediction
from skelmo.text.characters import encode_tokens
from skelmo.text.tokenization import split_sentences, tokenize

WHO = "ElmoLanguageModel.predict_words"
SPECIAL = ["<S>", "</S>", "<UNK>"]


def sure(message):
    return f"^{re.escape(message)}$"


def distribution(model, context, direction):
    """Return the log-probabilities that a context gives for what comes after it.

    The network reads the context alone: what is predicted is not there.
    """
    network, vocabulary = model.network_, model.vocabulary_
    chars = torch.from_numpy(encode_tokens(context, 50)).long()
    words = None
    if model.config_.word_embedding_dim:
        rows = [vocabulary.index(t) if t in vocabulary else 2 for t in context]
        words = torch.tensor(rows)
    with torch.no_grad():
        vectors = network.bilm.token_encoder(chars, words)
        output = network.bilm(vectors, [1] * len(context))
    top = output.forward[-1][-1] if direction == "forward" else output.backward[-1][0]
    weight, bias = (p.detach().double().numpy() for p in network.softmax.parameters())
    logits = weight @ top.double().numpy() + bias
    return logits - np.logaddexp.reduce(logits)


def expected(model, sentence, k):
    """Return both, forward and backward probabilities of token k of a sentence."""
    forward = distribution(model, ["<S>", *sentence[:k]], "forward")
    backward = distribution(model, [*sentence[k + 1 :], "</S>"], "backward")
    both = (forward + backward) / 2
    return np.exp([both - np.logaddexp.reduce(both), forward, backward])


def assert_as_expected(model, found, sentences):
    """Compare predictions of every token, over all words, with the oracle's."""
    n_words = len(model.vocabulary_) - len(SPECIAL)
    frame = pd.DataFrame(found)
    tokens = [token for sentence in sentences for token in sentence]
    assert frame["token"].tolist() == np.repeat(tokens, n_words).tolist()
    assert frame["position"].tolist() == np.repeat(range(len(tokens)), n_words).tolist()
    places = [(s, k) for s in sentences for k in range(len(s))]
    for position, (sentence, k) in enumerate(places):
        rows = frame[frame["position"] == position]
        by_word = dict(
            zip(model.vocabulary_, expected(model, sentence, k).T, strict=True)
        )
        want = [by_word[word] for word in rows["word"]]
        got = rows[["probability", "forward", "backward"]].to_numpy()
        np.testing.assert_allclose(got, want, rtol=1e-4)
        assert rows["probability"].is_monotonic_decreasing
        assert set(rows["word"]) == set(model.vocabulary_) - set(SPECIAL)
        left = sum(by_word[word][0] for word in SPECIAL)
        assert rows["probability"].sum() == pytest.approx(1 - left, rel=1e-4)


DOCUMENTS = [
    "The cat watches the moon.",
    "Unheard words, here! A doctor paints two small boats. Twice.",
    "river",
]


def test_every_token_is_predicted_from_its_contexts_alone(language_model):
    found = language_model.predict_words(DOCUMENTS, n_words=10_000)
    assert len(found) == len(DOCUMENTS)
    for predictions, document in zip(found, DOCUMENTS, strict=True):
        sentences = [tokenize(s) for s in split_sentences(document)]
        assert_as_expected(language_model, predictions, sentences)


@pytest.fixture(scope="module")
def with_words(tiny, texts):
    """Return a model with a word-level embedding that reads tokens of documents."""
    model = ElmoLanguageModel(
        **tiny, word_embedding_dim=3, input="tokens", sequence="document"
    )
    return model.fit([tokenize(text) for text in texts])


def test_the_word_level_embedding_is_read_of_the_context_alone(with_words):
    document = [["The", "cat", "unheard"], ["moon", "!"]]
    (found,) = with_words.predict_words([document], n_words=10_000)
    assert_as_expected(with_words, found, [sum(document, [])])


def assert_same(one, other):
    """Compare predictions but for the token that stands there."""
    assert [(p.position, p.word) for p in one] == [(p.position, p.word) for p in other]
    np.testing.assert_allclose([p[3:] for p in one], [p[3:] for p in other], rtol=1e-5)


@pytest.mark.parametrize(
    "spelling", ["dog", "moon", "Unheard", "<S>", "</S>", "x" * 99]
)
def test_the_masked_token_itself_is_not_read(with_words, spelling):
    document = ["The", "cat", "watches", "the", "moon", "."]
    for k in range(len(document)):
        changed = [*document[:k], spelling, *document[k + 1 :]]
        (one,), (other,) = (
            with_words.predict_words([d], k) for d in (document, changed)
        )
        assert other[0].token == spelling
        assert_same(one, other)


def test_a_position_chooses_among_all_tokens_of_a_document(language_model):
    every = language_model.predict_words(DOCUMENTS)
    for position in ([5, 7, 0], (5, -6, -1), np.array([-1, 7, 0])):
        found = language_model.predict_words(DOCUMENTS, position)
        for predictions, all_of_it, k in zip(found, every, position, strict=True):
            n_tokens = len(all_of_it) // 10
            wanted = [p for p in all_of_it if p.position == k % n_tokens]
            assert predictions[0].token == wanted[0].token
            assert_same(predictions, wanted)
    assert every[1][70].token == "paints"
    for k in (0, -1, np.int64(0)):
        one = language_model.predict_words(DOCUMENTS, k)
        assert [p[0].token for p in one] == [
            ["The", "Unheard", "river"], [".", ".", "river"]
        ][k]  # fmt: skip


def test_predictions_do_not_depend_on_other_documents(language_model, texts):
    together = language_model.predict_words(texts[:20], -2)
    alone = [language_model.predict_words([text], -2)[0] for text in texts[:20]]
    for one, other in zip(together, alone, strict=True):
        assert_same(one, other)
    assert language_model.predict_words(texts[:20][::-1], -2) == together[::-1]


@pytest.mark.parametrize("at_once", [1, 500])
def test_few_logits_at_once_give_the_same(language_model, monkeypatch, at_once):
    whole = language_model.predict_words(DOCUMENTS, n_words=5)
    monkeypatch.setattr(prediction, "LOGITS_AT_ONCE", at_once)
    for one, other in zip(
        whole, language_model.predict_words(DOCUMENTS, n_words=5), strict=True
    ):
        assert_same(one, other)


def test_a_memorised_sentence_gives_back_its_words(tiny):
    sentence = "Seven grey zebras graze quietly near the northern lake."
    settings = {**tiny, "max_epochs": 4, "learning_rate_init": 0.03, "batch_tokens": 64}
    model = ElmoLanguageModel(**settings).fit([sentence] * 120)
    (found,) = model.predict_words([sentence], n_words=1)
    assert [p.word for p in found] == tokenize(sentence)
    assert min(p.probability for p in found) > 0.9
    (masked,) = model.predict_words([sentence.replace("quietly", "qqq")], 4, n_words=1)
    assert masked[0][:3] == (4, "qqq", "quietly")


def test_the_result_is_ready_for_a_frame(language_model):
    found = language_model.predict_words(["The cat watches the moon."], 1)
    assert type(found) is list
    assert all(type(p) is WordPrediction for p in found[0])
    frame = pd.DataFrame(found[0])
    assert list(frame) == [
        "position", "token", "word", "probability", "forward", "backward"
    ]  # fmt: skip
    assert len(frame) == 10
    assert [type(value) for value in found[0][0]] == [int, str, str, *[float] * 3]


@pytest.mark.parametrize("missing", [None, math.nan, "", " "])
def test_documents_without_tokens_have_no_prediction(language_model, missing, tmp_path):
    language_model.save(tmp_path / "model")
    model = ElmoLanguageModel.load(tmp_path / "model", missing="empty")
    found = model.predict_words([missing, "The cat.", missing])
    assert [len(predictions) for predictions in found] == [0, 30, 0]
    assert model.predict_words([missing]) == [[]]


def test_no_document_has_no_prediction(language_model):
    assert language_model.predict_words([]) == []
    assert language_model.predict_words([], 3) == []


@pytest.mark.parametrize(("position", "where"), [(7, 7), (-8, -8), ([0, 9], 9)])
def test_a_position_outside_of_a_document_is_refused(language_model, position, where):
    X = ["The old cat watches the moon. Twice!", "The cat ran off at noon."]
    message = (
        f"{WHO} needs a token at the position of each document, but row 1 of X has 7 "
        f"tokens, and its position is {where}. Pass a position from -7 to 6."
    )
    with pytest.raises(ValueError, match=sure(message)):
        language_model.predict_words(X, position)


def test_a_document_without_tokens_has_no_position(language_model):
    message = (
        f"{WHO} needs a token at the position of each document, but row 1 of X has 0 "
        f"tokens, and its position is 0. Leave it out of X."
    )
    with pytest.raises(ValueError, match=sure(message)):
        language_model.predict_words(["A cat.", " "], 0)


@pytest.mark.parametrize("position", [[1], [1, 1, 1], []])
def test_there_is_one_position_or_one_for_each_document(language_model, position):
    message = (
        f"{WHO} needs one position for each document, got {len(position)} for 2 "
        f"documents. Pass one int for all, or one for each."
    )
    with pytest.raises(ValueError, match=sure(message)):
        language_model.predict_words(["A cat.", "A doctor."], position)


@pytest.mark.parametrize(
    ("position", "bad"),
    [(1.0, 1.0), ("cat", "cat"), (True, True), ([0, "1"], "1"), ([0, None], None)],
)
def test_a_position_is_an_integer(language_model, position, bad):
    message = (
        f"{WHO} needs an int, one int for each document, or None as position, got "
        f"{bad!r}. Pass the index of a token in its document."
    )
    with pytest.raises(TypeError, match=sure(message)):
        language_model.predict_words(["A cat.", "A doctor."], position)


def test_n_words_is_a_positive_integer_before_anything_is_read(language_model):
    def documents():
        raise AssertionError("a document was read")
        yield ""

    remedy = "Pass the number of words to give for each token, as in n_words=10."
    for n_words in (0, -1):
        message = f"{WHO} needs n_words to be at least 1, got {n_words}. {remedy}"
        with pytest.raises(ValueError, match=sure(message)):
            language_model.predict_words(documents(), n_words=n_words)
    for n_words in (1.0, "all", None, True):
        message = f"{WHO} needs an int as n_words, got {n_words!r}. {remedy}"
        with pytest.raises(TypeError, match=sure(message)):
            language_model.predict_words(documents(), n_words=n_words)


def test_an_unfitted_model_predicts_nothing():
    message = (
        "This ElmoLanguageModel instance is not fitted yet. Call 'fit' with "
        "appropriate arguments before using this estimator."
    )
    with pytest.raises(NotFittedError, match=sure(message)):
        ElmoLanguageModel().predict_words(["A cat."])


def test_a_foreign_model_predicts_nothing(tmp_path):
    foreign = write_tf(tmp_path / "foreign", tf_datasets(), OPTIONS)
    message = (
        "ElmoLanguageModel needs a softmax to predict words, but the files it was read "
        "from hold none: they suffice for features only. Train a model with fit."
    )
    with pytest.raises(ValueError, match=sure(message)):
        ElmoLanguageModel.load(foreign).predict_words(["A cat."])
