import re

import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from tiny_runs import encoder_of

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.text.tokenization import split_sentences, tokenize
from skelmo.training.pretraining import Pretraining


def lower_words(sentence):
    return re.findall(r"\w+", sentence.lower())


def weights(model):
    state = model.network_.state_dict()
    return {name: tensor.numpy().copy() for name, tensor in state.items()}


def test_a_frozen_model_is_used_as_it_is(frozen, language_model, texts):
    before = weights(language_model)
    vectorizer = ElmoVectorizer(language_model=frozen).fit(texts)
    assert vectorizer.language_model_.network_ is language_model.network_
    vectorizer.transform(texts)
    for name, array in weights(language_model).items():
        assert_array_equal(array, before[name])


def test_a_fitted_model_is_cloned_and_retrained_with_a_warning(tiny, texts):
    model = ElmoLanguageModel(**tiny).fit(texts)
    before = weights(model)
    message = (
        "ElmoVectorizer trains a clone of the ElmoLanguageModel it is given, although "
        "this one is fitted. Pass FrozenEstimator(language_model) to use it as it is."
    )
    X = texts[::-1]
    vectorizer = ElmoVectorizer(language_model=model)
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$") as record:
        features = vectorizer.fit_transform(X)
    assert [warning.filename for warning in record] == [__file__]
    assert vectorizer.language_model_ is not model
    for name, array in weights(model).items():
        assert_array_equal(array, before[name])
    retrained = FrozenEstimator(clone(model).fit(X))
    expected = ElmoVectorizer(language_model=retrained).fit_transform(X)
    assert_array_equal(features, expected)


def test_an_unfitted_model_is_trained_on_the_documents(tiny, texts):
    model = ElmoLanguageModel(**{**tiny, "random_state": None})
    features = ElmoVectorizer(language_model=model, random_state=3).fit_transform(texts)
    trained = ElmoLanguageModel(**{**tiny, "random_state": 3}).fit(texts)
    expected = ElmoVectorizer(language_model=FrozenEstimator(trained))
    assert_array_equal(features, expected.fit_transform(texts))
    assert not hasattr(model, "network_")


def test_none_stands_for_a_model_with_default_parameters(
    monkeypatch, language_model, texts
):
    asked = []

    def train(run, sequences, observer, **_):
        asked.append((run, sequences))
        return language_model.model_

    monkeypatch.setattr(Pretraining, "__call__", train)
    vectorizer = ElmoVectorizer(language_model=None, random_state=5, verbose=2)
    vectorizer.fit(iter(texts))
    model = ElmoLanguageModel(random_state=5, verbose=2)
    assert vectorizer.language_model_.get_params() == model.get_params()
    assert vectorizer.language_model_.network_ is language_model.network_
    model.fit(texts)
    (mine, documents), (other, same) = asked
    assert mine == other
    for found, expected in zip(documents, same, strict=True):
        assert_array_equal(found, expected)


def test_a_frozen_model_must_be_fitted_and_a_language_model(texts):
    message = (
        "This ElmoLanguageModel instance is not fitted yet. Call 'fit' with "
        "appropriate arguments before using this estimator."
    )
    unfitted = ElmoVectorizer(language_model=FrozenEstimator(ElmoLanguageModel()))
    with pytest.raises(NotFittedError, match=f"^{re.escape(message)}$"):
        unfitted.fit(texts)
    message = (
        "The 'language_model' parameter of ElmoVectorizer must freeze an "
        "ElmoLanguageModel, got FrozenEstimator(ElmoVectorizer). Freeze a fitted "
        "ElmoLanguageModel."
    )
    other = ElmoVectorizer(language_model=FrozenEstimator(ElmoVectorizer()))
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        other.fit(texts)


@pytest.mark.parametrize("sequence", ["sentence", "document"])
def test_a_directory_gives_the_features_of_the_model_saved(
    tiny, texts, tmp_path, sequence
):
    changes = {"sequence": sequence, "sentence_splitter": "lines", "max_characters": 12}
    changes |= {"word_embedding_dim": 3, "num_layers": 1, "skip_connections": False}
    model = ElmoLanguageModel(**tiny, **changes).fit(texts)
    model.save(tmp_path / "model")
    expected = ElmoVectorizer(language_model=FrozenEstimator(model), layers="concat")
    expected = expected.fit(texts[:9]).transform(texts)
    for path in (tmp_path / "model", str(tmp_path / "model")):
        vectorizer = ElmoVectorizer(language_model=path, layers="concat").fit(texts[:9])
        assert_array_equal(vectorizer.transform(texts), expected)
        assert vectorizer.tokenize(texts) == [tokenize(text) for text in texts]


def test_a_saved_tokenizer_is_demanded_again(tiny, texts, tmp_path):
    model = ElmoLanguageModel(**tiny, tokenizer=lower_words).fit(texts)
    path = tmp_path / "model"
    model.save(path)
    message = (
        f"{path}: the model was trained with a tokenizer of its own, "
        f"{__name__}.lower_words, which files do not hold. Give it again, as in "
        f"tokenizer=lower_words."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ElmoVectorizer(language_model=path).fit(texts)
    again = ElmoVectorizer(language_model=path, tokenizer=lower_words)
    frozen = ElmoVectorizer(language_model=FrozenEstimator(model))
    assert_array_equal(again.fit_transform(texts), frozen.fit_transform(texts))
    assert again.tokenize(texts) == [lower_words(text) for text in texts]


def test_another_model_takes_effect_at_the_next_fit(tiny, frozen, texts):
    other = FrozenEstimator(ElmoLanguageModel(**{**tiny, "proj_size": 5}).fit(texts))
    vectorizer = ElmoVectorizer(language_model=frozen).fit(texts)
    before = vectorizer.transform(texts)
    vectorizer.set_params(language_model=other)
    assert_array_equal(vectorizer.transform(texts), before)
    after = vectorizer.fit(texts).transform(texts)
    expected = ElmoVectorizer(language_model=other).fit_transform(texts)
    assert_array_equal(after, expected)
    assert len(vectorizer.get_feature_names_out()) == 60


def test_tokens_are_what_a_model_trains_on(tiny, texts):
    model = ElmoLanguageModel(**tiny)
    sentences = [[tokenize(s) for s in split_sentences(text)] for text in texts]
    tokens = ElmoVectorizer(language_model=model, input="tokens")
    expected = ElmoVectorizer(language_model=model).fit_transform(texts)
    assert_array_equal(tokens.fit_transform(sentences), expected)


def test_device_moves_a_copy_of_a_frozen_model(frozen, language_model, texts):
    vectorizer = ElmoVectorizer(language_model=frozen, device="cpu")
    expected = ElmoVectorizer(language_model=frozen).fit_transform(texts)
    assert_array_equal(vectorizer.fit_transform(texts), expected)
    vectorizer.set_params(device="meta").fit(texts[:1])
    assert vectorizer.language_model_ is not language_model
    assert next(language_model.network_.parameters()).device.type == "cpu"


def test_the_encoder_knows_the_rows_of_words_where_there_are_any(
    tiny, texts, language_model
):
    model = ElmoLanguageModel(**tiny, word_embedding_dim=3).fit(texts)
    encoder = encoder_of(model, max_batch_tokens=77)
    assert encoder.bilm is model.network_.bilm
    assert encoder.max_batch_tokens == 77
    words = ["moon", "Moon", "moons", "</S>"]
    rows = {word: k for k, word in enumerate(model.vocabulary_)}
    assert encoder_of(model, unknown_words="characters").indexer(
        words
    ).word_ids.tolist() == [rows.get(word, 2) for word in words]
