"""The pure parts of what makes the bundled models."""

from collections import Counter
from pathlib import Path

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
