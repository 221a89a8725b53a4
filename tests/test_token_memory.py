import threading

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

import skelmo
from skelmo import ElmoVectorizer
from skelmo.text import analysis, tokenization
from skelmo.text.analysis import Analyzer
from skelmo.text.distinct import index_distinct
from skelmo.text.token_memory import TokenMemory

ODD = [
    "", " ", "\n\n", "a", "a b. C d!", "a\nb", "日本語 です。", "x\u00a0y", "\ud800 b",
    "a\x1fb", "a\u2028b", "tab\tbed", "e\u0301", "\ufeffbom",
]  # fmt: skip


@pytest.fixture
def cuts(monkeypatch):
    """Return the list of what is tokenised."""
    seen = []

    def tokenize(text):
        seen.append(text)
        return tokenization.tokenize(text)

    monkeypatch.setattr(analysis, "tokenize", tokenize)
    return seen


@pytest.mark.parametrize("how", [{}, {"sentence_splitter": "lines"}])
@pytest.mark.parametrize("sequence", ["sentence", "document"])
def test_what_is_remembered_is_what_was_found(how, sequence, texts):
    memory, analyze = TokenMemory(), Analyzer(sequence=sequence, **how)
    expected = [analyze(text) for text in (*texts, *ODD)]
    for _ in range(2):
        found = [memory.sequences(analyze, text) for text in (*texts, *ODD)]
        assert found == expected
    # What was given out can be changed without harm.
    found[0].clear()
    assert memory.sequences(analyze, texts[0]) == expected[0]


def test_ways_to_cut_are_told_apart():
    memory, text = TokenMemory(), "One. Two.\nThree"
    ways = [
        Analyzer(),
        Analyzer(sentence_splitter="lines"),
        Analyzer(sequence="document"),
    ]
    for _ in range(2):
        assert [memory.sequences(w, text) for w in ways] == [w(text) for w in ways]


def test_bytes_are_bounded_and_the_least_recently_used_goes(texts, cuts):
    memory, analyze = TokenMemory(10_000), Analyzer()
    for text in texts:
        memory.sequences(analyze, text)
        memory.sequences(analyze, texts[0])
        assert memory.n_bytes <= 10_000
    assert 5 < len(memory.joined) < len(texts)
    cuts.clear()
    memory.sequences(analyze, texts[0])
    assert cuts == []
    memory.sequences(analyze, texts[1])
    assert cuts != []
    memory.clear()
    assert memory.n_bytes == 0


def test_threads_may_share_a_memory(texts):
    memory, analyze, errors = TokenMemory(5_000), Analyzer(), []
    expected = [analyze(text) for text in texts]

    def work(seed):
        for k in np.random.default_rng(seed).integers(0, len(texts), size=500):
            if memory.sequences(analyze, texts[k]) != expected[k]:
                errors.append(k)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert memory.n_bytes <= 5_000


def test_a_text_is_cut_once_in_all_calls(language_model, texts, cuts):
    vectorizer = ElmoVectorizer(language_model=FrozenEstimator(language_model))
    first = vectorizer.fit_transform(texts[:20] * 3)
    n_sentences = len(cuts)
    assert n_sentences == sum(len(Analyzer()(text)) for text in texts[:20])
    cuts.clear()
    np.testing.assert_array_equal(vectorizer.transform(texts[:20]), first[:20])
    assert cuts == []
    skelmo.clear_cache()
    vectorizer.transform(texts[:20])
    assert len(cuts) == n_sentences


def test_functions_of_a_user_are_asked_again_in_each_call():
    seen = []

    def tokenize(text):
        seen.append(text)
        return text.split()

    analyze = Analyzer(tokenizer=tokenize, sentence_splitter="lines")
    for _ in range(2):
        found = index_distinct(iter(["a b", "c", "a b"]), analyze)
        assert found.place.tolist() == [0, 1, 0]
    # But once for each distinct text in a call.
    assert seen == ["a b", "c"] * 2
