import os
import re
import shutil
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from tiny_runs import assert_same_weights, differ

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.models import shared as shared_models
from skelmo.training.loop import Loop


@pytest.fixture
def built(monkeypatch):
    """Return a list that grows with each network that is made from files."""
    networks, build = [], shared_models.build_network

    def noting(*arguments):
        networks.append(build(*arguments))
        return networks[-1]

    monkeypatch.setattr(shared_models, "build_network", noting)
    return networks


@pytest.fixture
def runs(monkeypatch):
    """Return a list that grows with each training run."""
    found, run = [], Loop.run

    def noting(self, *arguments, **named):
        found.append(self)
        return run(self, *arguments, **named)

    monkeypatch.setattr(Loop, "run", noting)
    return found


def test_files_are_read_once(model_copy, built, language_model):
    first = shared_models.load(model_copy, {})
    second = shared_models.load(str(model_copy), {"tokenizer": str.split})
    assert len(built) == 1
    assert first.network_ is second.network_
    assert first is not second
    assert (first.tokenizer, second.tokenizer) == (None, str.split)
    assert_same_weights(first.network_, language_model.network_)
    alone = ElmoLanguageModel.load(model_copy)
    assert alone.network_ is not first.network_
    for name, value in vars(alone).items():
        if name not in ("network_", "history_"):
            assert getattr(first, name) == value, name


def test_files_that_changed_are_read_again(model_copy, built, tiny, texts):
    first = shared_models.load(model_copy, {})
    other = ElmoLanguageModel(**{**tiny, "random_state": 1}).fit(texts)
    shutil.rmtree(model_copy)
    other.save(model_copy)
    second = shared_models.load(model_copy, {})
    assert len(built) == 2
    assert_same_weights(second.network_, other.network_)
    assert differ(first.network_, other.network_)


def test_not_all_models_are_kept(language_model, tmp_path, built):
    paths = [tmp_path / str(k) for k in range(shared_models.MOST_READ + 1)]
    for path in paths:
        language_model.save(path)
        shared_models.load(path, {})
    shared_models.load(paths[-1], {})
    assert len(built) == len(paths)
    shared_models.load(paths[0], {})
    assert len(built) == len(paths) + 1


def test_what_cannot_be_read_is_not_kept(tmp_path):
    for _ in range(2):
        with pytest.raises(
            FileNotFoundError, match="^No language model '.*/nothing': "
        ):
            shared_models.load(tmp_path / "nothing", {})


def test_threads_read_files_once(model_copy, built):
    barrier, found = threading.Barrier(4), []

    def work():
        barrier.wait()
        found.append(shared_models.load(model_copy, {}).network_)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert found == built * 4


def test_training_on_leaves_a_shared_network_alone(model_copy, texts, language_model):
    one, other = (shared_models.load(model_copy, {}) for _ in range(2))
    one.partial_fit(texts)
    assert_same_weights(other.network_, language_model.network_)
    assert differ(one.network_, language_model.network_)


def test_a_vectorizer_switches_models_when_told(model_copy, tiny, texts, tmp_path):
    other = ElmoLanguageModel(**{**tiny, "random_state": 1}).fit(texts)
    other.save(tmp_path / "other")
    vectorizer = ElmoVectorizer(language_model=model_copy)
    first = vectorizer.fit_transform(texts)
    vectorizer.set_params(language_model=str(tmp_path / "other"))
    second = vectorizer.fit_transform(texts)
    alone = ElmoVectorizer(language_model=str(tmp_path / "other"), cache=None)
    np.testing.assert_allclose(second, alone.fit_transform(texts), rtol=0, atol=1e-6)
    assert np.abs(first - second).max() > 0.01
    vectorizer.set_params(language_model=model_copy)
    assert_array_equal(vectorizer.fit_transform(texts), first)


def lower(sentence):
    return sentence.lower().split()


def test_the_same_training_is_done_once(tiny, texts, runs):
    model = shared_models.train(ElmoLanguageModel(**tiny), texts)
    again = shared_models.train(
        ElmoLanguageModel(**tiny, verbose=0, tokenizer=None, missing="empty"), texts
    )
    assert len(runs) == 1
    assert again.network_ is model.network_
    assert again.missing == "empty"
    assert again.history_ == model.history_
    assert_same_weights(model.network_, ElmoLanguageModel(**tiny).fit(texts).network_)


def test_a_function_counts_by_the_tokens_it_gives(tiny, texts, runs):
    X = [text.lower() for text in texts]
    first = shared_models.train(
        ElmoLanguageModel(**tiny, tokenizer=lambda s: s.split()), X
    )
    second = shared_models.train(ElmoLanguageModel(**tiny, tokenizer=lower), X)
    assert len(runs) == 1
    assert second.network_ is first.network_
    assert second.tokenizer is lower
    shared_models.train(ElmoLanguageModel(**tiny), X)
    assert len(runs) == 2


@pytest.mark.parametrize(
    "change",
    [{"random_state": 1}, {"hidden_size": 9}, {"max_epochs": 2}, {"alpha": 0.1}],
    ids=str,
)
def test_another_training_is_another(tiny, texts, runs, change):
    shared_models.train(ElmoLanguageModel(**tiny), texts)
    shared_models.train(ElmoLanguageModel(**{**tiny, **change}), texts)
    assert len(runs) == 2


def test_other_documents_or_another_order_are_another_training(tiny, texts, runs):
    for n, X in enumerate([texts, texts[::-1], texts[1:], [*texts[:-1], "No."]]):
        shared_models.train(ElmoLanguageModel(**tiny), X)
        assert len(runs) == n + 1


def test_without_a_seed_every_training_is_its_own(tiny, texts, runs):
    for seed in (None, np.random.RandomState(0)):
        runs.clear()
        for _ in range(2):
            model = ElmoLanguageModel(**{**tiny, "random_state": seed})
            shared_models.train(model, texts)
        assert len(runs) == 2


def test_training_that_warns_of_few_tokens_warns_each_time(tiny, texts, runs):
    for _ in range(2):
        with pytest.warns(UserWarning, match="tokens only; fewer than 1,000 teach it "):
            shared_models.train(ElmoLanguageModel(**tiny), texts[:10])
    assert len(runs) == 2


def test_training_on_a_kept_model_does_not_change_it(tiny, texts, runs):
    model = shared_models.train(ElmoLanguageModel(**tiny), texts)
    network = model.network_
    expected = ElmoLanguageModel(**tiny).fit(texts).network_
    model.partial_fit(texts)
    assert model.network_ is not network
    again = shared_models.train(ElmoLanguageModel(**tiny), texts)
    assert_same_weights(again.network_, expected)


def test_trained_models_are_bounded_in_bytes(tiny, texts, runs, monkeypatch):
    monkeypatch.setattr(shared_models, "MOST_TRAINED_BYTES", 1)
    for seed in (0, 0, 1, 0):
        model = ElmoLanguageModel(**{**tiny, "random_state": seed})
        shared_models.train(model, texts)
    assert len(runs) == 3


def test_a_directory_keeps_trained_models_for_other_processes(
    tiny, texts, runs, tmp_path
):
    first = shared_models.train(ElmoLanguageModel(**tiny), texts, tmp_path / "models")
    shared_models.forget()  # as another process has nothing in memory
    model = ElmoLanguageModel(**tiny, tokenizer=None, verbose=0)
    second = shared_models.train(model, texts, tmp_path / "models")
    assert len(runs) == 1
    assert second.network_ is not first.network_
    assert_same_weights(second.network_, first.network_)
    assert second.vocabulary_ == first.vocabulary_
    assert second.n_tokens_ == first.n_tokens_


def test_a_damaged_kept_model_is_trained_anew(tiny, texts, runs, tmp_path):
    first = shared_models.train(ElmoLanguageModel(**tiny), texts, tmp_path)
    shared_models.forget()
    (kept,) = tmp_path.iterdir()
    weights = kept / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    message = f"ElmoVectorizer: the language model kept in {kept} cannot be read ("
    with pytest.warns(
        UserWarning, match=f"^{re.escape(message)}.*; it is trained anew"
    ):
        second = shared_models.train(ElmoLanguageModel(**tiny), texts, tmp_path)
    assert len(runs) == 2
    assert_same_weights(second.network_, first.network_)
    shared_models.forget()
    shared_models.train(ElmoLanguageModel(**tiny), texts, tmp_path)
    assert len(runs) == 2


def test_a_directory_that_cannot_be_written_costs_a_warning(tiny, texts, tmp_path):
    (tmp_path / "file").write_text("")
    directory = tmp_path / "file" / "models"
    message = (
        f"ElmoVectorizer: the trained language model cannot be kept in {directory}"
    )
    with pytest.warns(
        UserWarning, match=f"^{re.escape(message)}/.* Choose a directory"
    ):
        model = shared_models.train(ElmoLanguageModel(**tiny), texts, directory)
    assert_same_weights(model.network_, ElmoLanguageModel(**tiny).fit(texts).network_)


def test_a_directory_keeps_the_models_used_last(
    tiny, texts, runs, tmp_path, monkeypatch
):
    monkeypatch.setattr(shared_models, "MOST_IN_DIRECTORY", 2)
    for n, seed in enumerate((0, 1, 0, 2, 0)):
        shared_models.forget()
        model = ElmoLanguageModel(**{**tiny, "random_state": seed})
        shared_models.train(model, texts, tmp_path)
        for path in tmp_path.iterdir():  # clocks of files may be coarse
            stat = path.stat()
            if stat.st_mtime > 1e9:
                os.utime(path, (n, n))
    assert len(list(tmp_path.iterdir())) == 2
    assert len(runs) == 3


def test_a_model_given_to_a_vectorizer_stays_as_it_was(tiny, texts, runs):
    model = ElmoLanguageModel(**tiny)
    for layers in ("mean", "concat"):
        vectorizer = ElmoVectorizer(language_model=model, layers=layers).fit(texts)
        assert vectorizer.language_model_ is not model
        assert not hasattr(model, "network_")
    assert len(runs) == 1
    clone(vectorizer).set_params(cache=None).fit(texts)
    assert len(runs) == 2
