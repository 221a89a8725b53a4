"""Every path that a user gives means the same, to read and to write."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

import skelmo
from skelmo import ElmoLanguageModel, ElmoVectorizer, cache_info, clear_cache
from skelmo.baselines import GloveVectorizer
from skelmo.files import user_path
from skelmo.inspection import inspect_text
from skelmo.pretrained import registry
from skelmo.pretrained.bilm_format import write_bilm
from skelmo.text.word_vectors import read_word_vectors


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a home directory, with another one to work in."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(elsewhere)
    yield home
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("kind", [str, Path], ids=["str", "Path"])
def test_the_home_directory_is_meant_everywhere(kind, home, texts, tiny, tmp_path):
    def at(name):
        return kind(f"~/{name}")

    (home / "corpus.txt").write_text("".join(f"{text}\n" for text in texts))
    (home / "vectors.txt").write_text("the 1 2 3 4\nmoon 5 6 7 8\n")
    model = ElmoLanguageModel(
        **tiny,
        checkpoint=at("runs"),
        word_embedding_dim=4,
        init_word_vectors=at("vectors.txt"),
    ).fit(Path("~/corpus.txt"), X_val=Path("~/corpus.txt"))
    assert len(list((home / "runs").iterdir())) == 1
    model.save(at("model"))
    loaded = ElmoLanguageModel.load(at("model"))
    np.testing.assert_array_equal(
        loaded.score_samples(Path("~/corpus.txt")), model.score_samples(texts)
    )
    ElmoLanguageModel(**tiny, init=at("model")).fit(texts)
    assert inspect_text(texts[:5], language_model=at("model")).n_documents == 5
    vectorizer = ElmoVectorizer(language_model=at("model"), cache=at("cache"))
    features = vectorizer.fit_transform(texts[:5])
    assert (home / "cache" / "activations.sqlite3").exists()
    assert cache_info(at("cache")).entries == 5
    whole = ElmoVectorizer(language_model=str(home / "model"), cache=None)
    np.testing.assert_array_equal(whole.fit_transform(texts[:5]), features)
    ElmoVectorizer(language_model=ElmoLanguageModel(**tiny), cache=at("cache")).fit(
        texts
    )
    assert len(list((home / "cache" / "models").iterdir())) == 1
    clear_cache(at("cache"))
    assert not (home / "cache" / "models").exists()
    static = GloveVectorizer(vectors=at("vectors.txt")).fit(["the moon"])
    static.save_vectors(at("saved.txt.gz"))
    assert read_word_vectors(at("saved.txt.gz")).words == ["the", "moon"]
    plain = ElmoLanguageModel(**tiny).fit(texts)
    write_bilm(plain.model_.to_saved({}), at("bilm"))
    assert (home / "bilm" / "weights.hdf5").exists()
    assert registry.find(at("model")) == home / "model"


def test_a_home_that_is_not_known_is_told(monkeypatch):
    def unknown(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    message = (
        "~/x: cannot be found, as the home directory is not known (Could not determine "
        "home directory.). Give the whole path."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        user_path("~/x")


def test_one_function_expands_all_paths():
    package = Path(skelmo.__file__).parent
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "expanduser"
    }
    assert found == {"files.py"}


@pytest.mark.parametrize("name", ["Memory", " memory", "memory_", "MEMORY", "None"])
def test_what_is_nearly_a_keyword_is_refused(name, language_model, texts, home):
    vectorizer = ElmoVectorizer(
        language_model=FrozenEstimator(language_model), cache=name
    )
    message = (
        f"cache must be 'memory', None or a directory, got {name!r}. Write './{name}' "
        f"if a directory of that name is meant."
    )
    for call in (
        lambda: vectorizer.fit(texts[:3]),
        lambda: vectorizer.fit_transform(texts[:3]),
        lambda: cache_info(name),
        lambda: clear_cache(name),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call()


def test_other_names_are_directories(language_model, texts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frozen = FrozenEstimator(language_model)
    for name in ("./memory", "memos", "none.d"):
        ElmoVectorizer(language_model=frozen, cache=name).fit_transform(texts[:3])
        assert cache_info(name).entries == 3
    assert len(list(tmp_path.iterdir())) == 3
