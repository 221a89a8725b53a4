"""What all tests share: threads, text, and one small fitted language model."""

import os
import random
import signal
from pathlib import Path

# For torch, BLAS and the processes that tests start: other tests share the CPU.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skelmo import ElmoLanguageModel, ElmoVectorizer, clear_cache
from skelmo.nn import device

_SUBJECTS = ("The cat", "A doctor", "My neighbour", "Every student", "This old river")
_VERBS = ("watches", "ignores", "remembers", "follows", "paints")
_OBJECTS = ("the moon", "two small boats", "a letter", "its own shadow", "the city")
_ENDINGS = (".", "!", " at night.", " because it rains.", ", as always.")


def _sentence(rng):
    words = [rng.choice(w) for w in (_SUBJECTS, _VERBS, _OBJECTS)]
    return " ".join(words) + rng.choice(_ENDINGS)


def pytest_configure():
    """Let Ctrl-C interrupt, which what a shell starts in the background ignores."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _nothing_kept():
    """Let no test answer from what another has left in memory."""
    clear_cache()


@pytest.fixture(scope="session")
def texts():
    """Return 120 different-looking documents of 1 to 3 sentences, over 1,000 tokens."""
    rng = random.Random(0)
    return [" ".join(_sentence(rng) for _ in range(1 + k % 3)) for k in range(120)]


@pytest.fixture(scope="session")
def tiny():
    """Return parameters of a language model that trains in a moment."""
    return {
        "hidden_size": 16,
        "proj_size": 8,
        "char_embedding_dim": 4,
        "filters": ((1, 4), (2, 4)),
        "max_epochs": 1,
        "batch_tokens": 512,
        "random_state": 0,
    }


@pytest.fixture(scope="session")
def language_model(tiny, texts):
    """Return a fitted language model; a test that changes it takes a copy."""
    return ElmoLanguageModel(**tiny).fit(texts)


@pytest.fixture(scope="session")
def model_path(language_model, tmp_path_factory):
    """Return where the language model is saved, to be read alone."""
    path = tmp_path_factory.mktemp("model")
    language_model.save(path)
    return str(path)


@pytest.fixture
def model_copy(language_model, tmp_path):
    """Return where the language model is saved for one test, which may change it."""
    path = tmp_path / "model"
    language_model.save(path)
    return path


@pytest.fixture(scope="session")
def corpus_path(texts, tmp_path_factory):
    """Return the path of a text file with a document in each line."""
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text("".join(f"{text}\n" for text in texts))
    return str(path)


@pytest.fixture(scope="session")
def frozen(language_model):
    """Return the fitted language model, to be used as it is."""
    return FrozenEstimator(language_model)


@pytest.fixture
def vectorizer(frozen, texts):
    """Return a vectorizer fitted on five texts."""
    return ElmoVectorizer(language_model=frozen, cache=None).fit(texts[:5])


@pytest.fixture
def make(frozen, texts):
    """Return a function from parameters to a vectorizer fitted on five texts."""

    def make(**parameters):
        # A cache would answer for the encoder.
        given = {"language_model": clone(frozen), "cache": None, **parameters}
        X = texts[:5]
        if given.get("input") == "tokens":
            X = [text.split() for text in X]
        return ElmoVectorizer(**given).fit(X)

    return make


@pytest.fixture(scope="session")
def shared():
    """Return the folder of data too large for the repository, or skip."""
    root = Path(__file__).parents[1]
    path = Path(os.environ.get("SKELMO_SHARED", root.parent / "shared"))
    if not path.is_dir():
        pytest.skip(f"no folder {path}: name one by SKELMO_SHARED")
    return path


@pytest.fixture
def instructions(monkeypatch):
    """Return a function that gives or takes this CPU's bfloat16 instructions."""
    monkeypatch.setattr(device.platform, "machine", lambda: "x86_64")

    def give(has_them):
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
            monkeypatch.setattr(torch.cpu, name, lambda: has_them, raising=False)

    return give
