"""The pure parts of what makes the bundled models."""

import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).parents[1] / "tools"
if not TOOLS.is_dir():
    pytest.skip("tools are not part of this copy", allow_module_level=True)


@pytest.fixture(autouse=True)
def _tools(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)


LONG = "it 's a film that nobody who has a heart will ever forget ."
NEAR = "I say It's a film that nobody who has a heart!"
FAR = "a film that nobody who has ever had a heart will ever forget"


@pytest.fixture
def overlap():
    from overlap import Overlap

    return Overlap({"a": [LONG, "Dull ."], "b": ["dull!", "of another kind"], "c": []})


def cut(*documents):
    from skelmo import split_sentences, tokenize

    return [[tokenize(s) for s in split_sentences(text)] for text in documents]


def test_overlap_finds_texts_and_words_in_a_row(overlap):
    same, shared = overlap.find(cut("Well. DULL. Or not.", f"Yes! {NEAR} No.", FAR))
    assert same == {"a": {(0, 1)}, "b": {(0, 1)}, "c": set()}
    assert shared == {"a": {(1, 1)}, "b": set(), "c": set()}


def test_overlap_does_not_join_documents(overlap):
    words = LONG.split(" ")
    documents = cut(" ".join(words[:7]), " ".join(words[7:]))
    assert not any(overlap.find(documents)[1].values())


def test_overlap_takes_documents_without_words(overlap):
    assert not any(overlap.find(cut("", "...", "a"))[1].values())


def test_without_overlap_leaves_out_sentences_or_all(overlap):
    from pretraining_texts import without_overlap

    counts = Counter()
    texts = [f"One. Two. Three. {NEAR}", f"One. {NEAR}", "Four."]
    kept = without_overlap(cut(*texts), overlap, counts)
    assert kept == cut("One. Two. Three.", "", "Four.")
    assert counts["documents left out"] == 1
    assert counts["sentences left out"] == 3
    assert counts["shares eight words with a"] == 2


def key_vectors(words, rows):
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(rows.shape[1])
    vectors.add_vectors(words, rows.astype(np.float32))
    return vectors


def test_joint_vectors_keep_what_both_say():
    pytest.importorskip("gensim")
    from word_vectors import joint, normed

    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(60, 4))
    words = [f"w{k}" for k in range(60)]
    ours = key_vectors(words[:50], hidden[:50] @ rng.normal(size=(4, 6)))
    theirs = np.float32(hidden[10:] @ rng.normal(size=(4, 5)))
    found = joint(ours, words[10:], theirs)
    assert found.index_to_key == words
    assert found.vector_size == 6
    mean = np.linalg.norm(found.vectors, axis=1).mean()
    assert mean == pytest.approx(np.linalg.norm(ours.vectors, axis=1).mean(), rel=1e-3)
    own = normed(ours.vectors[10:50])
    cosines = np.corrcoef(
        (own @ own.T).ravel(),
        (normed(found.vectors[10:50]) @ normed(found.vectors[10:50]).T).ravel(),
    )
    assert cosines[0, 1] > 0.7


def test_a_model_with_turned_vectors_is_the_same_model(tmp_path):
    pytest.importorskip("gensim")
    from starting_model import EMBEDDING, with_vectors

    from skelmo.pretrained import registry

    model = registry.load("en")
    old, words = model.arrays[EMBEDDING], model.vocabulary
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(old.shape[1],) * 2))[0]
    center = old[3:].mean(axis=0)
    rows = np.concatenate([(old[3:] - center) @ rotation, np.ones((1, old.shape[1]))])
    turned = with_vectors(model, key_vectors([*words[3:], "skelmoish"], rows))
    assert turned.vocabulary == [*words, "skelmoish"]
    assert turned.config.n_words == len(words) + 1
    error = np.abs(turned.arrays[EMBEDDING][:-1] - old).max()
    assert error < 0.05 * old.std()


def test_options_of_training_go_by_the_language(monkeypatch):
    pytest.importorskip("gensim")
    from train_bundled import DEFAULTS, names, parse

    given = ["train", "--shared", "data", "--work", "work"]
    for language, expected in DEFAULTS.items():
        words = [*given, "--language", language, "--tokens", "3"]
        monkeypatch.setattr(sys, "argv", words)
        options = vars(parse())
        assert options["tokens"] == 3.0
        for name in expected.keys() - {"tokens", "filters"}:
            assert options[name] == expected[name], name
    monkeypatch.setattr(sys, "argv", [*given, "--language", "zh"])
    assert names(parse()) == ["reviews-zh", "wiki-zh"]


def test_the_mixture_has_the_shares_that_are_asked_for(tmp_path):
    pytest.importorskip("gensim")
    from train_bundled import mixture

    texts = {"reviews-zh": "好 吃\t不 贵", "wiki-zh": "山 在 北 方"}
    for name, line in texts.items():
        (tmp_path / f"{name}.tokens").write_text(f"{line}\n" * 5, encoding="utf-8")
    options = Namespace(language="zh", without=[], seed=0, tokens=1e-4, reviews=0.6)
    documents = list(mixture(options, tmp_path))
    assert documents.count([["好", "吃"], ["不", "贵"]]) == 15  # 60 tokens
    assert documents.count([["山", "在", "北", "方"]]) == 10
    options.without = ["reviews-zh"]
    assert len(list(mixture(options, tmp_path))) == 10


def test_keeping_words_needs_a_model_that_has_them(monkeypatch, capsys):
    pytest.importorskip("gensim")
    from train_bundled import parse

    given = ["train", "--shared", "data", "--work", "work", "--keep-words"]
    monkeypatch.setattr(sys, "argv", given)
    with pytest.raises(SystemExit, match="^2$"):
        parse()
    said = capsys.readouterr().err.splitlines()[-1]
    rule = "--keep-words goes on from a model: give its name by --init"
    assert said == f"train: error: {rule}"
    monkeypatch.setattr(sys, "argv", [*given, "--init", "zh"])
    assert parse().keep_words
