import numpy as np
import pytest

from skelmo.text import sequences as sequences_module
from skelmo.text.characters import Utf8Bytes
from skelmo.text.codepoints import CodePoints
from skelmo.text.sequences import index_documents
from skelmo.text.truncation import count_truncation

LENGTHS = (0, 1, 2, 3, 4, 5, 11, 12, 13, 47, 48, 49, 60, 200)


def brute_force(documents, max_characters):
    def is_cut(token):
        whole = token.encode("utf-8", errors="ignore")
        markers = token in ("<S>", "</S>")  # ids of their own, whatever the limit
        return not markers and len(whole) > max_characters - 2

    counts = [sum(is_cut(t) for s in document for t in s) for document in documents]
    return sum(counts), sum(count > 0 for count in counts)


def random_documents(seed):
    rng = np.random.default_rng(seed)
    tokens = [c * n for c in ("a", "é", "語", "😀", "\ud800") for n in LENGTHS]
    tokens += ["<S>", "</S>"]

    def sentence():
        return rng.choice(tokens, size=rng.integers(0, 4)).tolist()

    return [[sentence() for _ in range(rng.integers(0, 3))] for _ in range(12)]


@pytest.mark.parametrize("chunk", [1, 5, 1000])
@pytest.mark.parametrize("max_characters", [3, 4, 5, 6, 13, 50, 10_000])
@pytest.mark.parametrize("seed", range(3))
def test_counts_equal_brute_force(monkeypatch, seed, max_characters, chunk):
    monkeypatch.setattr(sequences_module, "CHUNK", chunk)
    documents = random_documents(seed)
    got = count_truncation(index_documents(documents), Utf8Bytes(max_characters))
    assert got == brute_force(documents, max_characters)


def test_limit_is_in_bytes_and_fits_exactly():
    documents = [
        [["é" * 24]],
        [["é" * 24 + "a"]],
        [["語" * 16]],
        [["語" * 16 + "b"] * 2],
    ]
    assert count_truncation(index_documents(documents), Utf8Bytes(50)) == (3, 2)


def test_limit_of_code_points_is_in_code_points():
    documents = [[["é" * 48, "語" * 49]], [["<bos>", "</S>"]], [["语" * 60]]]
    assert count_truncation(index_documents(documents), CodePoints("é")) == (2, 2)
    short = CodePoints("é", max_characters=3)
    assert count_truncation(index_documents(documents[1:2]), short) == (0, 0)


@pytest.mark.parametrize("documents", [[], [[]], [[], [["a"]], []]])
def test_nothing_is_cut_where_nothing_is_long(documents):
    assert count_truncation(index_documents(documents), Utf8Bytes(50)) == (0, 0)
