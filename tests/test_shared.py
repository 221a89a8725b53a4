import os
import re
import shutil
import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
from forked import CONTEXT, forked
from numpy.testing import assert_array_equal
from sklearn.base import clone
from tiny_runs import assert_same_weights, differ

from skelmo import ElmoLanguageModel, ElmoVectorizer, split_sentences
from skelmo.estimators.language_model import shared_model
from skelmo.models import shared, trained
from skelmo.training.loop import Loop


@pytest.fixture
def built(monkeypatch):
    """Return a list that grows with each network that is made from files."""
    networks, build = [], trained.build_network

    def noting(*arguments):
        networks.append(build(*arguments))
        return networks[-1]

    monkeypatch.setattr(trained, "build_network", noting)
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


def train(model, documents, directory=None):
    """Return a language model as a vectorizer trains it, or takes it from a cache."""
    cache = "memory" if directory is None else directory
    return (
        ElmoVectorizer(language_model=model, cache=cache).fit(documents).language_model_
    )


def test_files_are_read_once(model_copy, built, language_model):
    first = shared_model(model_copy, {})
    second = shared_model(str(model_copy), {"tokenizer": str.split})
    assert len(built) == 1
    assert first.network_ is second.network_
    assert first is not second
    assert (first.tokenizer, second.tokenizer) == (None, str.split)
    assert_same_weights(first.network_, language_model.network_)
    alone = ElmoLanguageModel.load(model_copy)
    assert alone.network_ is not first.network_
    assert vars(alone).keys() == vars(first).keys()
    for name in vars(alone).keys() - {"model_"}:
        assert getattr(first, name) == getattr(alone, name), name
    for name in ("vocabulary_", "history_", "n_tokens_", "truncation_"):
        assert getattr(first, name) == getattr(alone, name), name


def test_files_that_changed_are_read_again(model_copy, built, tiny, texts):
    first = shared_model(model_copy, {})
    other = ElmoLanguageModel(**{**tiny, "random_state": 1}).fit(texts)
    shutil.rmtree(model_copy)
    other.save(model_copy)
    second = shared_model(model_copy, {})
    assert len(built) == 2
    assert_same_weights(second.network_, other.network_)
    assert differ(first.network_, other.network_)


def test_not_all_models_are_kept(language_model, tmp_path, built):
    paths = [tmp_path / str(k) for k in range(shared.MOST_READ + 1)]
    for path in paths:
        language_model.save(path)
        shared_model(path, {})
    shared_model(paths[-1], {})
    assert len(built) == len(paths)
    shared_model(paths[0], {})
    assert len(built) == len(paths) + 1


def test_what_cannot_be_read_is_not_kept(tmp_path):
    for _ in range(2):
        with pytest.raises(
            FileNotFoundError, match="^No language model '.*/nothing': "
        ):
            shared_model(tmp_path / "nothing", {})


def test_threads_read_files_once(model_copy, built):
    barrier, found = threading.Barrier(4), []

    def work():
        barrier.wait(timeout=60)
        found.append(shared_model(model_copy, {}).network_)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert found == built * 4


def test_training_on_leaves_a_shared_network_alone(model_copy, texts, language_model):
    one, other = (shared_model(model_copy, {}) for _ in range(2))
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
    model = train(ElmoLanguageModel(**tiny), texts)
    again = train(
        ElmoLanguageModel(**tiny, verbose=0, tokenizer=None, checkpoint_every=9), texts
    )
    assert len(runs) == 1
    assert again.network_ is model.network_
    assert again.checkpoint_every == 9
    assert again.history_ == model.history_
    assert_same_weights(model.network_, ElmoLanguageModel(**tiny).fit(texts).network_)


def test_a_function_counts_by_the_tokens_it_gives(tiny, texts, runs):
    X = [text.lower() for text in texts]
    first = train(ElmoLanguageModel(**tiny, tokenizer=lambda s: s.split()), X)
    second = train(ElmoLanguageModel(**tiny, tokenizer=lower), X)
    assert len(runs) == 1
    assert second.network_ is first.network_
    assert second.tokenizer is lower
    train(ElmoLanguageModel(**tiny), X)
    assert len(runs) == 2


@pytest.mark.parametrize(
    "change",
    [{"random_state": 1}, {"hidden_size": 9}, {"max_epochs": 2}, {"alpha": 0.1}],
    ids=str,
)
def test_another_training_is_another(tiny, texts, runs, change):
    train(ElmoLanguageModel(**tiny), texts)
    train(ElmoLanguageModel(**{**tiny, **change}), texts)
    assert len(runs) == 2


def test_other_documents_or_another_order_are_another_training(tiny, texts, runs):
    for n, X in enumerate([texts, texts[::-1], texts[1:], [*texts[:-1], "No."]]):
        train(ElmoLanguageModel(**tiny), X)
        assert len(runs) == n + 1


@pytest.mark.filterwarnings("ignore:ElmoVectorizer trains the same:UserWarning")
def test_without_a_seed_every_training_is_its_own(tiny, texts, runs):
    for seed in (None, np.random.RandomState(0)):
        runs.clear()
        for _ in range(2):
            model = ElmoLanguageModel(**{**tiny, "random_state": seed})
            train(model, texts)
        assert len(runs) == 2


def test_training_that_warns_of_few_tokens_warns_each_time(tiny, texts, runs):
    for _ in range(2):
        with pytest.warns(UserWarning, match="tokens only; fewer than 1,000 teach it "):
            train(ElmoLanguageModel(**tiny), texts[:10])
    assert len(runs) == 2


def test_training_on_a_kept_model_does_not_change_it(tiny, texts, runs):
    model = train(ElmoLanguageModel(**tiny), texts)
    network = model.network_
    expected = ElmoLanguageModel(**tiny).fit(texts).network_
    model.partial_fit(texts)
    assert model.network_ is not network
    again = train(ElmoLanguageModel(**tiny), texts)
    assert_same_weights(again.network_, expected)


def test_trained_models_are_bounded_in_bytes(tiny, texts, runs, monkeypatch):
    monkeypatch.setattr(shared, "MOST_TRAINED_BYTES", 1)
    for seed in (0, 0, 1, 0):
        model = ElmoLanguageModel(**{**tiny, "random_state": seed})
        train(model, texts)
    assert len(runs) == 3


def test_the_bound_counts_what_optimizers_remember(tiny, texts, monkeypatch):
    first = train(ElmoLanguageModel(**tiny), texts).model_
    weights = replace(first, optimizer=None).n_bytes
    assert first.n_bytes > 2 * weights
    other = ElmoLanguageModel(**{**tiny, "random_state": 1})
    # Room for the weights of both, but for one of them with its optimiser.
    monkeypatch.setattr(shared, "MOST_TRAINED_BYTES", 2 * weights + 1)
    train(other, texts)
    again = train(ElmoLanguageModel(**tiny), texts).model_
    assert again is not first


def fit_together(barrier, tiny, texts, cache):
    warnings.simplefilter("error")
    barrier.wait(timeout=60)
    for seed in range(3):
        model = ElmoLanguageModel(**{**tiny, "random_state": seed})
        ElmoVectorizer(language_model=model, cache=cache).fit(texts)


@pytest.mark.slow
def test_processes_that_train_the_same_find_a_whole_model(tiny, texts, tmp_path):
    given = CONTEXT.Barrier(3), tiny, texts, tmp_path
    processes = [forked(fit_together, *given) for _ in range(3)]
    for process in processes:
        process.join(timeout=120)
        assert process.exitcode == 0
    kept = sorted((tmp_path / "models").iterdir())
    assert len(kept) == 3
    for path in kept:
        found = ElmoLanguageModel.load(path)
        assert found.n_epochs_ == tiny["max_epochs"]


def test_documents_are_cut_into_tokens_once(tiny, texts):
    cut = []

    def tokenizer(sentence):
        cut.append(sentence)
        return sentence.split()

    model = ElmoLanguageModel(**tiny, tokenizer=tokenizer)
    ElmoVectorizer(language_model=model).fit(texts)
    assert cut == [s for text in texts for s in split_sentences(text)]


def test_a_directory_keeps_trained_models_for_other_processes(
    tiny, texts, runs, tmp_path
):
    first = train(ElmoLanguageModel(**tiny), texts, tmp_path)
    shared.forget()  # as another process has nothing in memory
    model = ElmoLanguageModel(**tiny, tokenizer=None, verbose=0)
    second = train(model, texts, tmp_path)
    assert len(runs) == 1
    assert second.network_ is not first.network_
    assert_same_weights(second.network_, first.network_)
    assert second.vocabulary_ == first.vocabulary_
    assert second.n_tokens_ == first.n_tokens_


def test_a_damaged_kept_model_is_trained_anew(tiny, texts, runs, tmp_path):
    first = train(ElmoLanguageModel(**tiny), texts, tmp_path)
    shared.forget()
    (kept,) = (tmp_path / "models").iterdir()
    weights = kept / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    message = f"ElmoVectorizer: the language model kept in {kept} cannot be read ("
    with pytest.warns(
        UserWarning, match=f"^{re.escape(message)}.*; it is trained anew"
    ):
        second = train(ElmoLanguageModel(**tiny), texts, tmp_path)
    assert len(runs) == 2
    assert_same_weights(second.network_, first.network_)
    shared.forget()
    train(ElmoLanguageModel(**tiny), texts, tmp_path)
    assert len(runs) == 2


def test_a_directory_that_cannot_be_written_costs_a_warning(tiny, texts, tmp_path):
    (tmp_path / "file").write_text("")
    directory = tmp_path / "file"
    kept = directory / "models"
    message = f"ElmoVectorizer: the trained language model cannot be kept in {kept}"
    with pytest.warns(
        UserWarning, match=f"^{re.escape(message)}/.* Choose a directory"
    ):
        model = train(ElmoLanguageModel(**tiny), texts, directory)
    assert_same_weights(model.network_, ElmoLanguageModel(**tiny).fit(texts).network_)


def test_a_directory_keeps_the_models_used_last(
    tiny, texts, runs, tmp_path, monkeypatch
):
    monkeypatch.setattr(shared, "MOST_IN_DIRECTORY", 2)
    for n, seed in enumerate((0, 1, 0, 2, 0)):
        shared.forget()
        model = ElmoLanguageModel(**{**tiny, "random_state": seed})
        train(model, texts, tmp_path)
        for path in (tmp_path / "models").iterdir():  # clocks of files may be coarse
            stat = path.stat()
            if stat.st_mtime > 1e9:
                os.utime(path, (n, n))
    assert len(list((tmp_path / "models").iterdir())) == 2
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
