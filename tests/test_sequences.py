import contextlib
import gc
import itertools
import re
import sys
import tempfile
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from skelmo.text import sequences as module
from skelmo.text.sequences import index_documents, ranges

DOCUMENTS = [
    [["the", "cat"], ["sat"]],
    [],
    [["zebra", "\ud800", "", "the", "<S>"]],
    [["a"], [], ["é", "cat", "cat"]],
]


def decoded(sequences):
    """Documents as the arrays tell them, markers included."""
    words = [sequences.tokens[i] for i in sequences.token_ids]
    spans = [words[a:b] for a, b in itertools.pairwise(sequences.offsets)]
    return [spans[a:b] for a, b in itertools.pairwise(sequences.document_offsets)]


def test_documents_come_back_between_markers():
    expected = [
        [["<S>", *sentence, "</S>"] for sentence in document] for document in DOCUMENTS
    ]
    assert decoded(index_documents(DOCUMENTS)) == expected


def test_some_tokens_are_all_if_there_is_room():
    documents = [*DOCUMENTS, [["cat"] * 5]]
    flat = Counter(t for d in documents for s in d for t in s if t != "<S>")
    assert index_documents(documents).some_tokens(1000) == flat
    assert index_documents([]).some_tokens(1000) == Counter()


def test_some_tokens_are_spread_over_all_documents():
    words = [f"w{k:03}" for k in range(998)]
    some = index_documents([[words[:400]], [words[400:]]]).some_tokens(100)
    assert len(some) <= 100
    assert np.diff([words.index(word) for word in sorted(some)]).max() <= 11


def test_a_generator_is_read_once():
    assert decoded(index_documents(iter(DOCUMENTS))) == decoded(
        index_documents(DOCUMENTS)
    )


def test_tokens_are_unique_and_sorted():
    tokens = index_documents(DOCUMENTS).tokens
    every = {t for d in DOCUMENTS for s in d for t in s}
    assert tokens == sorted(every | {"<S>", "</S>"})


def test_ids_do_not_depend_on_the_order_of_the_documents():
    first = index_documents(DOCUMENTS)
    for order in itertools.permutations(range(4)):
        other = index_documents([DOCUMENTS[d] for d in order])
        assert other.tokens == first.tokens
        for place, d in enumerate(order):
            ours = slice(*other.document_offsets[[place, place + 1]])
            theirs = slice(*first.document_offsets[[d, d + 1]])
            np.testing.assert_array_equal(other.lengths[ours], first.lengths[theirs])
            a = other.offsets[[ours.start, ours.stop]]
            b = first.offsets[[theirs.start, theirs.stop]]
            np.testing.assert_array_equal(
                other.token_ids[slice(*a)], first.token_ids[slice(*b)]
            )


def test_properties_follow_from_the_offsets():
    sequences = index_documents(DOCUMENTS)
    assert sequences.n_documents == 4
    sentences = [(d, s) for d, document in enumerate(DOCUMENTS) for s in document]
    assert sequences.document_of_sequence.tolist() == [d for d, _ in sentences]
    assert sequences.lengths.tolist() == [len(s) + 2 for _, s in sentences]


def test_no_documents_and_empty_documents_have_no_sequences():
    for documents in ([], [[]], [[], []]):
        sequences = index_documents(documents)
        assert sequences.n_documents == len(documents)
        assert len(sequences.token_ids) == len(sequences.lengths) == 0
        assert decoded(sequences) == documents


def random_documents(seed, n=200):
    rng = np.random.default_rng(seed)
    words = [f"w{k}" for k in range(50)]
    return [
        [rng.choice(words, size=n).tolist() for n in rng.integers(1, 9, size=k % 4)]
        for k in range(n)
    ]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Return the directory of temporary files, empty at first."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def is_mapped(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return isinstance(array, np.memmap)


def maps_of(directory):
    """Return the lines of this process's memory map that name a directory."""
    lines = Path("/proc/self/maps").read_text("utf-8").splitlines()
    return [line for line in lines if str(directory) in line]


def open_files_in(directory):
    """Return the files of a directory that this process has open."""
    paths = []
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the handle of this listing
            paths.append(str(handle.readlink()))
    return [path for path in paths if path.startswith(str(directory))]


# Sizes around the chunks in which ids are ranked, in ids.
@pytest.mark.parametrize("chunk", [1, 7, 1000, 2**20])
@pytest.mark.parametrize("above", [0, 100, 3999])
def test_mapped_sequences_equal_those_in_memory(monkeypatch, temporary, above, chunk):
    documents = random_documents(0)
    expected = index_documents(documents)
    assert not is_mapped(expected.token_ids)
    monkeypatch.setattr(module, "MEMORY_MAP_ABOVE", above)
    monkeypatch.setattr(module, "CHUNK", chunk)
    got = index_documents(iter(documents))
    assert is_mapped(got.token_ids)
    assert got.tokens == expected.tokens
    for mine, yours in zip(got[1:], expected[1:], strict=True):
        assert type(mine) is type(yours) is np.ndarray
        assert mine.dtype == yours.dtype
        np.testing.assert_array_equal(mine, yours)
    assert not got.token_ids.flags.writeable
    message = "assignment destination is read-only"
    with pytest.raises(ValueError, match=f"^{message}$"):
        got.token_ids[0] = 1


def test_ids_are_mapped_above_the_size_and_not_at_it(monkeypatch, temporary):
    documents = [[["a", "b"]]] * 10  # 40 ids of 4 bytes
    monkeypatch.setattr(module, "MEMORY_MAP_ABOVE", 160)
    assert not is_mapped(index_documents(documents).token_ids)
    monkeypatch.setattr(module, "MEMORY_MAP_ABOVE", 159)
    assert is_mapped(index_documents(documents).token_ids)
    monkeypatch.setattr(module, "MEMORY_MAP_ABOVE", 0)
    assert not is_mapped(index_documents([[]]).token_ids)  # nothing to map


def test_the_temporary_file_goes_with_the_array(monkeypatch, temporary):
    monkeypatch.setattr(module, "MEMORY_MAP_ABOVE", 100)
    sequences = index_documents(random_documents(1))
    ids, total = sequences.token_ids[5:], int(sequences.token_ids[5:].sum())
    del sequences
    gc.collect()
    assert ids.sum() == total
    if sys.platform == "linux":
        # Without a name, it would go with the process, however that ends.
        assert list(temporary.iterdir()) == []
        assert len(maps_of(temporary)) == len(open_files_in(temporary)) == 1
    del ids
    gc.collect()
    assert list(temporary.iterdir()) == []
    if sys.platform == "linux":
        assert maps_of(temporary) == open_files_in(temporary) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_temporary_file_goes_with_an_error(monkeypatch, temporary, error):
    def broken():
        yield from random_documents(2)
        if sys.platform == "linux":
            assert len(open_files_in(temporary)) == 1
        raise error("no more")

    monkeypatch.setattr(module, "MEMORY_MAP_ABOVE", 100)
    with pytest.raises(error, match="^no more$") as caught:
        index_documents(broken())
    # The traceback holds on to what there was, but the file is closed.
    assert caught.value.__traceback__ is not None
    assert list(temporary.iterdir()) == []
    if sys.platform == "linux":
        assert open_files_in(temporary) == []


class FullDisk:
    """A file that nothing can be written to."""

    closed = False

    def write(self, content):
        raise OSError(28, "No space left on device")

    def close(self):
        self.closed = True


def test_a_full_disk_is_told_with_its_directory(monkeypatch, temporary):
    file = FullDisk()
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: file)
    monkeypatch.setattr(module, "MEMORY_MAP_ABOVE", 100)
    message = (
        f"[Errno 28] No space left on device\nToken ids beyond 100 bytes are kept in a "
        f"file in {temporary}. Set TMPDIR to a directory with more room."
    )
    with pytest.raises(OSError, match=f"^{re.escape(message)}$"):
        index_documents(random_documents(3))
    assert file.closed


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_chunks_cover_the_tokens_once(monkeypatch, chunk):
    monkeypatch.setattr(module, "CHUNK", chunk)
    for sequences in (index_documents(DOCUMENTS), index_documents([[]])):
        parts = [sequences.token_ids[piece] for piece in sequences.chunks()]
        assert all(0 < len(part) <= chunk for part in parts)
        joined = np.concatenate([sequences.token_ids[:0], *parts])
        np.testing.assert_array_equal(joined, sequences.token_ids)


def test_a_stream_takes_a_fraction_of_the_memory_of_its_documents(
    monkeypatch, temporary
):
    size = 0

    def documents():
        nonlocal size
        for k in range(100_000):
            text = f"the {k % 1000} cats of number {k % 777}"
            size += sys.getsizeof(text) + sys.getsizeof([text])
            yield [text.split(" ", 2)]

    monkeypatch.setattr(module, "MEMORY_MAP_ABOVE", 2**16)
    monkeypatch.setattr(module, "CHUNK", 2**14)
    tracemalloc.start()
    try:
        sequences = index_documents(documents())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sequences.n_documents == 100_000
    assert size > 13e6
    # Two offsets a document, of 8 bytes and room to grow, are most of it.
    assert peak < 2.5e6


def test_ranges_are_put_together():
    starts, lengths = np.array([5, 2, 9, 0]), np.array([2, 0, 1, 3])
    got = ranges(starts, lengths)
    assert got.tolist() == [5, 6, 9, 0, 1, 2]
    assert got.dtype == np.int64
