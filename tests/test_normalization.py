"""A letter is the same to a new model however it was typed."""

import dataclasses
import pickle
import unicodedata

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.pretrained.safetensors_format import read_model, write_model
from skelmo.text.analysis import Analyzer

TYPED = ["Café déjà vu.", "Ångström, ﬁne", "한국어 단어", "\ufeffnaïve"]
DECOMPOSED = [unicodedata.normalize("NFD", text) for text in TYPED]


@pytest.mark.parametrize("form", ["NFC", "NFKC", None])
def test_texts_and_tokens_are_put_into_a_form(form):
    seen = []

    def split(text):
        seen.append(text)
        return text.split()

    def expected(text):
        if form is None:
            return text
        return unicodedata.normalize(form, text.removeprefix("\ufeff"))

    analyze = Analyzer(split, lambda text: [text], unicode_normalization=form)
    by_token = Analyzer(input="tokens", unicode_normalization=form)
    for text in (*TYPED, *DECOMPOSED):
        tokens = [expected(token) for token in text.split()]
        assert analyze(text) == [tokens]
        assert by_token(text.split()) == [tokens]
        assert by_token([text.split()]) == [tokens]
    assert seen == [expected(text) for text in (*TYPED, *DECOMPOSED)]


def fitted(tiny, texts, **parameters):
    return ElmoLanguageModel(**tiny, **parameters).fit([*texts, *TYPED])


def test_new_models_read_both_ways_to_type_alike(tiny, texts, tmp_path):
    model = fitted(tiny, texts)
    np.testing.assert_array_equal(
        model.score_samples(TYPED), model.score_samples(DECOMPOSED)
    )
    model.save(tmp_path / "model")
    vectorizer = ElmoVectorizer(language_model=FrozenEstimator(model)).fit(TYPED)
    features = vectorizer.transform(DECOMPOSED)
    others = [
        ElmoVectorizer(language_model=tmp_path / "model").fit(TYPED),
        pickle.loads(pickle.dumps(vectorizer)),
    ]
    for other in (vectorizer, *others):
        np.testing.assert_array_equal(other.transform(TYPED), features)
        np.testing.assert_array_equal(other.transform(DECOMPOSED), features)
    assert ElmoLanguageModel.load(tmp_path / "model").unicode_normalization == "NFC"


def test_it_can_be_left_out_and_that_is_recorded(tiny, texts, tmp_path):
    model = fitted(tiny, texts, unicode_normalization=None)
    model.save(tmp_path)
    for each in (model, ElmoLanguageModel.load(tmp_path)):
        assert each.unicode_normalization is None
        assert (each.score_samples(TYPED) != each.score_samples(DECOMPOSED)).all()


def test_models_that_do_not_know_of_it_read_as_before(tiny, texts, tmp_path):
    model = fitted(tiny, texts, unicode_normalization=None)
    model.save(tmp_path / "new")
    saved = read_model(tmp_path / "new")
    parameters = dict(saved.settings["parameters"])
    del parameters["unicode_normalization"]
    settings = {**saved.settings, "parameters": parameters}
    write_model(dataclasses.replace(saved, settings=settings), tmp_path / "old")
    assert ElmoLanguageModel.load(tmp_path / "old").unicode_normalization is None
    state = model.__getstate__()
    del state["unicode_normalization"]
    old = ElmoLanguageModel.__new__(ElmoLanguageModel)
    old.__setstate__(state)
    assert old.unicode_normalization is None


def test_training_reads_the_form(tiny, texts):
    composed = fitted(tiny, texts)
    typed = ElmoLanguageModel(**tiny).fit([*texts, *DECOMPOSED])
    for name, weight in composed.network_.state_dict().items():
        np.testing.assert_array_equal(weight, typed.network_.state_dict()[name])
