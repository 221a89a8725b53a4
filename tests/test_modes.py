"""Nothing depends on the modes of torch that a caller has set, or leaves traces."""

import pickle
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator

from skelmo import ElmoLanguageModel, ElmoVectorizer, clear_cache


@contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


MODES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "set_grad_enabled": lambda: torch.set_grad_enabled(False),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "device": lambda: torch.device("meta"),
}


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


def everything(tiny, texts, path):
    """Train, encode, save and score; return all numbers, and what was fitted."""
    model = ElmoLanguageModel(**{**tiny, "dropout": 0.2}).fit(texts)
    vectorizer = ElmoVectorizer(language_model=FrozenEstimator(model), cache="memory")
    features = vectorizer.fit_transform(texts[40:60])
    tokens = vectorizer.transform_tokens(texts[:2])
    model.save(path)
    loaded = ElmoLanguageModel.load(path)
    copied = pickle.loads(pickle.dumps(vectorizer))
    guesses = model.predict_words(texts[:1], position=1)[0]
    numbers = [
        *(w.detach().cpu().numpy() for w in model.network_.state_dict().values()),
        features,
        *tokens,
        model.score_samples(texts[:4]),
        loaded.score_samples(texts[:4]),
        copied.transform(texts[60:64]),
        np.array([guess.probability for guess in guesses]),
    ]
    return numbers, (model, loaded, vectorizer, copied)


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_results_do_not_depend_on_the_mode(mode, tiny, texts, tmp_path):
    expected, _ = everything(tiny, texts, tmp_path / "plain")
    clear_cache()
    with mode():
        found, _ = everything(tiny, texts, tmp_path / "under")
    assert_equal(found, expected)


def test_what_was_made_under_a_mode_works_outside(mode, tiny, texts, tmp_path):
    def later(fitted):
        model, loaded, vectorizer, copied = fitted
        tuned = loaded.partial_fit(texts)
        return [
            vectorizer.transform(texts[50:70]),
            copied.transform(texts[50:70]),
            tuned.score_samples(texts[:3]),
            model.partial_fit(texts).score_samples(texts[:3]),
            vectorizer.transform(texts[70:90]),
        ]

    expected = later(everything(tiny, texts, tmp_path / "plain")[1])
    clear_cache()
    with mode():
        fitted = everything(tiny, texts, tmp_path / "under")[1]
    assert_equal(later(fitted), expected)


def test_the_bundled_model_read_under_a_mode_can_be_tuned(mode, texts):
    with mode():
        features = ElmoVectorizer().fit_transform(texts[:3])
    found = ElmoVectorizer().fit(texts[:3]).transform(texts[1:5])
    clear_cache()
    np.testing.assert_array_equal(ElmoVectorizer().fit_transform(texts[:3]), features)
    np.testing.assert_array_equal(ElmoVectorizer().fit_transform(texts[1:5]), found)


def test_modes_are_put_back(mode, language_model, texts):
    def asked():
        return (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.is_autocast_enabled("cpu"),
            torch.get_default_dtype(),
            torch.get_default_device(),
        )

    with mode():
        before = asked()
        ElmoVectorizer(language_model=FrozenEstimator(language_model)).fit_transform(
            texts[:3]
        )
        assert asked() == before


def test_no_mode_is_left_between_the_parts_of_an_iterator(language_model, texts):
    seen = []

    def documents():
        for text in texts[:5]:
            seen.append(torch.is_grad_enabled())
            yield text

    ElmoVectorizer(language_model=FrozenEstimator(language_model)).fit_transform(
        documents()
    )
    assert seen == [True] * 5
