import gzip
import pickle
import re

import numpy as np
import pytest

from skelmo.text.word_vectors import read_word_vectors

WORDS = ["the", "moon", "é", "\N{SNOWMAN}", "New_York"]
VECTORS = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


def text_of(*, header):
    rows = [
        f"{word} {' '.join(repr(float(x)) for x in vector)}\n"
        for word, vector in zip(WORDS, VECTORS, strict=True)
    ]
    return ((f"{len(WORDS)} 4\n" if header else "") + "".join(rows)).encode()


def binary_of(*, newlines):
    end = b"\n" if newlines else b""
    rows = [
        word.encode() + b" " + vector.tobytes() + end
        for word, vector in zip(WORDS, VECTORS, strict=True)
    ]
    return b"5 4\n" + b"".join(rows)


CONTENTS = {
    "word2vec.txt": text_of(header=True),
    "glove.txt": text_of(header=False),
    "crlf.txt": text_of(header=False).replace(b"\n", b"\r\n"),
    "trailing.vec": text_of(header=True).replace(b"\n", b" \n"),
    "google.bin": binary_of(newlines=False),
    "mikolov.bin": binary_of(newlines=True),
}


@pytest.fixture
def put(tmp_path):
    """Return a function that writes a file of some name and content."""

    def put(name, content):
        path = tmp_path / name
        if name.endswith(".gz"):
            content = gzip.compress(content)
        path.write_bytes(content)
        return path

    return put


def sure(message):
    return f"^{re.escape(message)}$"


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", CONTENTS)
def test_every_format_gives_words_and_vectors(put, name, suffix):
    got = read_word_vectors(put(name + suffix, CONTENTS[name]))
    assert got.words == WORDS
    assert got.vectors.dtype == np.float32
    np.testing.assert_array_equal(got.vectors, VECTORS)


@pytest.mark.parametrize("name", CONTENTS)
def test_only_wanted_words_are_kept(put, name):
    got = read_word_vectors(str(put(name, CONTENTS[name])), {"moon", "sun", "é"})
    assert got.words == ["moon", "é"]
    np.testing.assert_array_equal(got.vectors, VECTORS[[1, 2]])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("binary", [True, False])
def test_files_of_gensim_are_read(tmp_path, binary):
    models = pytest.importorskip("gensim.models")
    vectors = models.KeyedVectors(4)
    vectors.add_vectors(WORDS, VECTORS)
    path = tmp_path / ("vectors.bin" if binary else "vectors.txt")
    vectors.save_word2vec_format(str(path), binary=binary)
    got = read_word_vectors(path)
    assert sorted(got.words) == sorted(WORDS)
    rows = [got.words.index(word) for word in WORDS]
    np.testing.assert_allclose(got.vectors[rows], VECTORS, rtol=1e-6)


def test_a_word_may_hold_spaces(put):
    path = put("glove.txt", b"the 1 2\n. . . 3 4\nat name@domain.com 5 6\n")
    got = read_word_vectors(path)
    assert got.words == ["the", ". . .", "at name@domain.com"]
    np.testing.assert_array_equal(got.vectors, [[1, 2], [3, 4], [5, 6]])


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "none.txt"
    message = (
        f"{path}: no such file of word vectors. Give the path of a word2vec or GloVe "
        f"file."
    )
    with pytest.raises(FileNotFoundError, match=sure(message)):
        read_word_vectors(path)


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was opened",)


@pytest.mark.parametrize("name", ["model.kv", "model.bin", "model.gz"])
@pytest.mark.parametrize("protocol", [2, 5])
def test_a_pickle_is_never_opened(put, name, protocol):
    path = put(name, pickle.dumps(Bomb(), protocol))
    message = (
        f"{path}: is a pickle, which skelmo never opens. Save the vectors with "
        f"gensim's KeyedVectors.save_word2vec_format."
    )
    with pytest.raises(ValueError, match=sure(message)):
        read_word_vectors(path)


@pytest.mark.parametrize(
    ("content", "number", "line"),
    [
        (b"the 1 2\nmoon 1 x\n", 2, b"moon 1 x\n"),
        (b"the 1 2\nmoon 1\n", 2, b"moon 1\n"),
        (b"2 2\nthe 1 2\nmoon 1\n", 3, b"moon 1\n"),
        (b"hello there\n", 1, b"hello there\n"),
    ],
)
def test_a_damaged_line_is_named(put, content, number, line):
    path = put("vectors.txt", content)
    dim = len(content.split(b"\n")[0].split()) - 1 if b"2 2" not in content else 2
    message = (
        f"{path}: line {number} must hold a word and {dim} numbers, separated by "
        f"spaces, found {line!r}. Give a word2vec or GloVe file; a binary one must end "
        f"in .bin."
    )
    with pytest.raises(ValueError, match=sure(message)):
        read_word_vectors(path)


DAMAGED = {
    "header counts too many": (b"900 2\nthe 1 2\nmoon 3 4\n", "must hold 900 words"),
    "header counts too few": (b"1 2\nthe 1 2\nmoon 3 4\n", "must hold 1 words"),
    "header of fewer numbers": (b"2 2\nthe 1 2 3 4\nmoon 3 4 5 6\n", "line 2"),
    "header of more numbers": (b"2 4\nthe 1 2\nmoon 3 4\n", "line 2"),
    "more numbers in a row": (b"the 1 2\nmoon 3 4 5\n", "line 2"),
    "tabs": (b"2 2\nthe\t1\t2\nmoon\t3\t4\n", "line 2"),
    "a tab": (b"2 2\nthe 1 2\nmoon 3\t4\n", "line 3"),
    "tabs, no header": (b"the\t1\t2\nmoon\t3\t4\n", "line 1"),
    "Latin-1": ("2 2\nthe 1 2\ncaf\xe9 3 4\n".encode("latin-1"), "line 3"),
    "Latin-1, no header": ("the 1 2\ncaf\xe9 3 4\n".encode("latin-1"), "line 2"),
    "UTF-16": ("2 2\nthe 1 2\nmoon 3 4\n".encode("utf-16"), "line 1"),
    "two spaces": (b"2 2\nthe 1 2\nmoon  3 4\n", "line 3"),
    "cut in a row": (b"2 2\nthe 1 2\nmoon 3", "line 3"),
    "no row": (b"2 2\n", "must hold 2 words"),
    "not a number": (b"2 2\nthe 1 2\nmoon 3 nan\n", "'moon' in line 3"),
    "infinite": (b"the 1 2\nmoon 3 1e99\n", "'moon' in line 2"),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_what_gensim_refuses_is_refused(put, how):
    content, place = DAMAGED[how]
    path = put("vectors.txt", content)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: .*{place}.*\.$"):
        read_word_vectors(path)


@pytest.mark.filterwarnings("ignore")
def test_damage_is_read_as_gensim_reads_it_or_refused(put):
    models = pytest.importorskip("gensim.models")
    rng, n_read = np.random.default_rng(0), 0
    for name in ("word2vec.txt", "google.bin"):
        for k in range(150):
            content = bytearray(CONTENTS[name])
            for _ in range(rng.integers(1, 4)):
                content[rng.integers(len(content))] = rng.integers(256)
            del content[len(content) - rng.integers(2) * rng.integers(40) :]
            path = put(f"{k}{name}", bytes(content))
            try:
                found = read_word_vectors(path)
            except ValueError:
                continue
            load = models.KeyedVectors.load_word2vec_format
            expected = load(str(path), binary=name.endswith(".bin"))
            assert found.words == expected.index_to_key
            np.testing.assert_array_equal(found.vectors, expected.vectors)
            n_read += 1
    assert n_read > 30


def test_a_byte_order_mark_is_passed_over(put):
    for name in ("word2vec.txt", "glove.txt"):
        got = read_word_vectors(put(name, b"\xef\xbb\xbf" + CONTENTS[name]))
        assert got.words == WORDS
        np.testing.assert_array_equal(got.vectors, VECTORS)


def test_a_packed_file_is_known_by_its_content(put):
    got = read_word_vectors(put("glove.txt", gzip.compress(CONTENTS["glove.txt"])))
    assert got.words == WORDS
    np.testing.assert_array_equal(got.vectors, VECTORS)


def test_a_text_file_that_is_called_binary_is_told(put):
    path = put("vectors.bin", b"2 2\nthe 1.5 2.5\nmoon 3.5 4.5\n")
    message = (
        f"{path}: must be binary, as its name ends in .bin, found the text "
        f"{bytes([*b'1.5 2.5', 10])!r} in word 1. Rename it."
    )
    with pytest.raises(ValueError, match=sure(message)):
        read_word_vectors(path)


def test_a_word_that_is_not_utf_8_is_told(put):
    path = put("vectors.txt", b"the 1 2\ncaf\xe9 3 4\n")
    message = (
        f"{path}: line 2 must be in UTF-8, found b'caf\\xe9'. Convert the file, or "
        f"take the word out."
    )
    with pytest.raises(ValueError, match=sure(message)):
        read_word_vectors(path)


def test_bytes_behind_the_last_word_are_told(put):
    path = put("vectors.bin", binary_of(newlines=True).replace(b"5 4", b"4 4"))
    message = (
        rf"^{re.escape(str(path))}: must end after 4 words of 4 numbers .*again\.$"
    )
    with pytest.raises(ValueError, match=message):
        read_word_vectors(path)


def test_the_first_of_several_rows_counts(put):
    got = read_word_vectors(put("v.txt", b"the 1 2\nmoon 3 4\nthe 5 6\n"))
    assert got.words == ["the", "moon"]
    np.testing.assert_array_equal(got.vectors, [[1, 2], [3, 4]])


@pytest.mark.parametrize("lost", [1, 16, 17, 21, 40])
def test_a_binary_file_cut_short_is_told(put, lost):
    path = put("vectors.bin", binary_of(newlines=False)[:-lost])
    message = (
        r"^.*vectors\.bin: must hold 5 words, found [34]; it was cut short\. Copy or "
        r"download it again\.$"
    )
    with pytest.raises(ValueError, match=message):
        read_word_vectors(path)


def test_binary_under_another_name_is_told(put):
    path = put("vectors.dat", binary_of(newlines=False))
    message = (
        r"^.*vectors\.dat: line 2 must hold a word and 4 numbers, separated by spaces, "
        r"found .*\. Give a word2vec or GloVe file; a binary one must end in \.bin\.$"
    )
    with pytest.raises(ValueError, match=message):
        read_word_vectors(path)


@pytest.mark.parametrize("name", ["glove.txt.gz", "google.bin.gz"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "plain"])
def test_a_damaged_gzip_file_is_told(put, name, damage):
    path = put(name, CONTENTS[name.removesuffix(".gz")])
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[:-12]
    elif damage == "flipped":
        content[-6] ^= 1  # of the checksum
    else:
        content = CONTENTS[name.removesuffix(".gz")]
    path.write_bytes(content)
    message = (
        rf"^{re.escape(str(path))}: is no whole gzip file: .*\. Copy or download it "
        rf"again\.$"
    )
    with pytest.raises(ValueError, match=message):
        read_word_vectors(path)


def test_a_file_without_the_words_is_told(put):
    path = put("glove.txt", CONTENTS["glove.txt"])
    message = (
        f"{path}: holds none of the words looked for. Give word vectors of the same "
        f"language and tokenisation."
    )
    with pytest.raises(ValueError, match=sure(message)):
        read_word_vectors(path, {"sun"})
    path = put("empty.txt", b"")
    message = message.replace("glove", "empty").replace(
        "none of the words looked for", "no word"
    )
    with pytest.raises(ValueError, match=sure(message)):
        read_word_vectors(path)
