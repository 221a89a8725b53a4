"""A fit that fails, or is interrupted, leaves its estimator as it was."""

import copy
import inspect
import itertools
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

import skelmo
from skelmo import ElmoLanguageModel, ElmoVectorizer, clear_cache
from skelmo.baselines import GloveVectorizer, Word2VecVectorizer
from skelmo.estimators.base import DocumentEstimator

PACKAGE = str(Path(skelmo.__file__).parent)
N_STAGES = 8
NAMES = ("model", "trained", "learned", "frozen", "glove", "word2vec", "read")


@pytest.fixture(params=NAMES)
def estimator(request, tiny, language_model, tmp_path):
    if request.param == "word2vec":
        pytest.importorskip("gensim")
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("the 1 2\ncat 3 4\n")
    small = {"vector_size": 4, "random_state": 0}
    frozen = FrozenEstimator(language_model)
    estimators = {
        "model": ElmoLanguageModel(**tiny),
        "trained": ElmoVectorizer(language_model=ElmoLanguageModel(**tiny)),
        "learned": ElmoVectorizer(language_model=frozen, layers="learned"),
        "frozen": ElmoVectorizer(language_model=frozen),
        "glove": GloveVectorizer(**small, max_epochs=1),
        "word2vec": Word2VecVectorizer(**small, max_epochs=1),
        "read": GloveVectorizer(vectors=vectors),
    }
    return estimators[request.param]


class Stages:
    """Count the calls of functions of the package, and fail in one of them."""

    def __init__(self, fail_at=None, error=KeyboardInterrupt):
        self.fail_at, self.error, self.n = fail_at, error, 0

    def __call__(self, frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            self.n += 1
            if self.n == self.fail_at:
                raise self.error(f"in stage {self.n}")

    def __enter__(self):
        clear_cache()
        self.before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before)


def numbers(estimator, texts):
    clear_cache()
    if isinstance(estimator, ElmoLanguageModel):
        return estimator.score_samples(texts)
    return estimator.transform(texts)


def interrupted(estimator, name, *data):
    """Fail in some stages of a method, and yield after each."""
    copied = copy.deepcopy(estimator)
    with Stages() as counted:
        getattr(copied, name)(*data)
    assert counted.n > 3 * N_STAGES
    for k, stage in enumerate(np.linspace(1, counted.n, N_STAGES, dtype=int)):
        error = (KeyboardInterrupt, MemoryError)[k % 2]
        with (
            pytest.raises(error, match=f"^in stage {stage}$"),
            Stages(stage, error),
        ):
            getattr(estimator, name)(*data)
        yield


@pytest.mark.filterwarnings("ignore")
def test_a_failed_fit_leaves_the_estimator_as_it_was(estimator, texts):
    y = [len(text) % 2 for text in texts]
    expected = numbers(clone(estimator).fit(texts, y), texts[:5])
    for _ in interrupted(estimator, "fit", texts, y):
        assert not [name for name in vars(estimator) if name.endswith("_")]
        if get_tags(estimator).requires_fit:
            with pytest.raises(NotFittedError, match="is not fitted yet"):
                check_is_fitted(estimator)
    estimator.fit(texts[:60] * 2, y)
    before, features = dict(vars(estimator)), numbers(estimator, texts[:5])
    # Other words from a column of another name.
    other = pd.Series([f"{text} anew" for text in texts], name="other")
    for name in {"fit", "partial_fit"} & {*dir(estimator)}:
        for _ in interrupted(estimator, name, other, y):
            assert vars(estimator) == before
            np.testing.assert_array_equal(numbers(estimator, texts[:5]), features)
    np.testing.assert_array_equal(numbers(estimator.fit(texts, y), texts[:5]), expected)


def test_an_interrupt_anywhere_leaves_no_lock_held(language_model):
    elmo = ElmoVectorizer(FrozenEstimator(language_model)).fit(["a b"])
    for stage in itertools.count(1):
        try:
            with Stages(stage):
                elmo.transform(["The moon.", "a b"])
        except KeyboardInterrupt:
            # A lock that this thread holds stops others alone.
            other = threading.Thread(target=elmo.transform, args=[["The moon."]])
            other.daemon = True
            other.start()
            other.join(timeout=60)
            assert not other.is_alive()
        else:
            break
    assert stage > 50


def test_every_way_to_fit_is_undone_on_failure():
    classes, found = [DocumentEstimator], []
    while classes:
        cls = classes.pop()
        classes += cls.__subclasses__()
        for name in ("fit", "fit_transform", "partial_fit"):
            method = cls.__dict__.get(name)
            if method is not None and cls.__module__.startswith("skelmo."):
                wrapped = set()
                while hasattr(method, "__wrapped__"):
                    wrapped.add(method.__code__.co_name)
                    method = method.__wrapped__
                assert "whole_or_not" in wrapped, f"{cls.__name__}.{name}"
                assert "X" in inspect.signature(method).parameters
                found.append(name)
    assert len(found) >= 6
