"""Documents from iterators and files: what comes out, what training makes of it."""

import bz2
import codecs
import gc
import gzip
import io
import lzma
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from tiny_runs import assert_same_weights

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.text import sequences as sequences_module
from skelmo.text.documents import stream_documents

LINES = ["A cat sat.", "", "Füße 数据\u2028🙂\x85", "  spaces  ", "a\rb", "last"]
PACK = {
    ".txt": bytes,
    "": bytes,
    ".gz": gzip.compress,
    ".GZ": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def sure(message):
    return f"^{re.escape(message)}$"


def stream(X, **parameters):
    return list(stream_documents(X, owner="Owner", **parameters))


@pytest.fixture
def write(tmp_path):
    """Return a function from bytes and a name to the path of a file."""

    def write(content, name="texts.txt"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("suffix", PACK)
def test_lines_of_a_file_are_documents(write, suffix, end):
    content = PACK[suffix](end.join(LINES).encode())
    assert stream(write(content, f"texts{suffix}")) == LINES


@pytest.mark.parametrize(
    ("content", "documents"),
    [
        ("", []),
        ("\n", [""]),
        ("a", ["a"]),
        ("a\n", ["a"]),
        ("a\n\n", ["a", ""]),
        ("\n\na", ["", "", "a"]),
        ("a\n \nb\n", ["a", " ", "b"]),
    ],
)
def test_document_n_is_line_n(write, content, documents):
    assert stream(write(content.encode())) == documents


def test_a_byte_order_mark_is_no_text(write):
    mark = codecs.BOM_UTF8
    assert stream(write(mark + b"a\n" + mark + b"b")) == ["a", "\ufeffb"]


def test_every_kind_of_path_is_one(write):
    path = write(b"a\nb\n")

    class Own(os.PathLike):
        def __fspath__(self):
            return os.fsencode(path)

    (entry,) = os.scandir(path.parent)
    for each in (path, entry, Own()):
        assert stream(each) == ["a", "b"]


def test_an_open_file_is_an_iterator_of_its_lines(write):
    path = write("é\nb\n".encode())
    with path.open(encoding="utf-8") as file:
        assert stream(file) == ["é\n", "b\n"]
    with path.open("rb") as file:
        assert stream(file) == ["é\n", "b\n"]


def test_a_file_is_read_line_by_line(write):
    path = write(b"a\nb\n\xff")
    documents = stream_documents(path, owner="Owner")
    assert [next(documents), next(documents)] == ["a", "b"]
    message = (
        f"Owner: line 3 of {path} must be UTF-8, but b'\\xff' in it is not (invalid "
        f"start byte at byte 0). Convert the file to UTF-8, or pass a generator of its "
        f"lines, decoded."
    )
    with pytest.raises(ValueError, match=sure(message)):
        next(documents)


def test_a_list_is_checked_before_the_first_document_is_passed_on():
    message = "Owner: row 2 of X must be a str, got int 3. Convert it with str()."
    with pytest.raises(TypeError, match=sure(message)):
        stream_documents(["a", "b", 3], owner="Owner")
    documents = stream_documents(iter(["a", "b", 3]), owner="Owner")
    assert [next(documents), next(documents)] == ["a", "b"]
    with pytest.raises(TypeError, match=sure(message)):
        next(documents)


@pytest.mark.parametrize("content", [b"Z\xfcrich is", b"Z\xfcrich is\r\nmore\n"])
def test_bytes_that_are_not_utf_8_are_found_in_their_line(write, content):
    path = write(b"one\n" + b"x" * 99 + content)
    message = (
        f"Owner: line 2 of {path} must be UTF-8, but b'{'x' * 19}Z\\xfcrich is' in "
        f"it is not (invalid start byte at byte 100). Convert the file to UTF-8, or "
        f"pass a generator of its lines, decoded."
    )
    with pytest.raises(ValueError, match=sure(message)):
        stream(path)


PACKED = [".gz", ".bz2", ".xz"]


@pytest.mark.parametrize("suffix", PACKED)
def test_a_packed_file_cut_short_is_no_whole_file(write, suffix):
    rng = np.random.default_rng(0)
    content = PACK[suffix](rng.bytes(20_000).hex().encode())
    path = write(content[:-500], f"texts{suffix}")
    message = (
        f"Owner: {path} is no whole {suffix} file (Compressed file ended before the "
        f"end-of-stream marker was reached). Copy it again, or rename it if it is not "
        f"packed."
    )
    with pytest.raises(ValueError, match=sure(message)):
        stream(path)


@pytest.mark.parametrize("suffix", PACKED)
def test_a_file_that_is_not_packed_is_told(write, suffix):
    path = write(b"The cat sat on the mat.\n" * 9, f"texts{suffix}")
    message = (
        rf"^Owner: {re.escape(str(path))} is no whole \{suffix} file \(.+\)\. Copy it "
        rf"again, or rename it if it is not packed\.$"
    )
    with pytest.raises(ValueError, match=message):
        stream(path)


def test_damage_inside_a_packed_file_is_told(write):
    content = bytearray(gzip.compress(b"The cat sat on the mat.\n" * 9))
    content[10] = 255  # a block of a type that there is not
    path = write(content, "texts.gz")
    message = (
        rf"^Owner: {re.escape(str(path))} is no whole \.gz file \(.+\)\. Copy it "
        rf"again, or rename it if it is not packed\.$"
    )
    with pytest.raises(ValueError, match=message):
        stream(path)


@pytest.mark.parametrize("suffix", ["", *PACKED])
def test_errors_of_the_system_are_its_own(write, monkeypatch, suffix):
    def broken(*args, **kwargs):
        raise OSError(5, "Input/output error")

    path = write(b"", f"texts{suffix}")
    for name in ("gzip.open", "bz2.open", "lzma.open", "pathlib.Path.open"):
        monkeypatch.setattr(name, broken)
    message = r"^\[Errno 5\] Input/output error$"
    with pytest.raises(OSError, match=message):
        stream(path)


def users(language_model, X):
    """Return every way by which a language model takes documents."""
    model = ElmoLanguageModel()
    return [
        lambda: model.fit(X),
        lambda: model.fit(["a b c"], X_val=X),
        lambda: model.partial_fit(X),
        lambda: language_model.perplexity(X),
        lambda: language_model.score(X),
        lambda: language_model.score_samples(X),
    ]


def test_a_file_that_is_not_there_is_told(language_model, tmp_path):
    path = tmp_path / "absent.txt"
    message = (
        f"ElmoLanguageModel needs a text file with a document on each line, but {path} "
        f"does not exist. Check the path."
    )
    for call in users(language_model, path):
        with pytest.raises(FileNotFoundError, match=sure(message)):
            call()


def test_a_directory_is_no_file(language_model, tmp_path):
    message = (
        f"ElmoLanguageModel needs a text file with a document on each line, but "
        f"{tmp_path} is a directory. Pass one file, or a generator of the lines of "
        f"several."
    )
    for call in users(language_model, tmp_path):
        with pytest.raises(IsADirectoryError, match=sure(message)):
            call()


def test_lines_of_a_file_are_no_tokens(language_model, write):
    path = write(b"a b c\n")
    message = (
        f"ElmoLanguageModel takes a file of documents under input='text' only, but "
        f"input is 'tokens' and X is {path}. Pass a generator of lists of tokens, such "
        f"as (line.split() for line in file), or set input='text'."
    )
    with pytest.raises(ValueError, match=sure(message)):
        ElmoLanguageModel(input="tokens").fit(path)


def test_a_bad_validation_file_is_told_before_documents_are_read(tmp_path):
    def documents():
        raise AssertionError("read too early")
        yield

    path = tmp_path / "absent.txt"
    message = (
        f"ElmoLanguageModel needs a text file with a document on each line, but {path} "
        f"does not exist. Check the path."
    )
    with pytest.raises(FileNotFoundError, match=sure(message)):
        ElmoLanguageModel().fit(documents(), X_val=path)


@pytest.mark.parametrize("X", [iter(()), Path(os.devnull), io.StringIO()])
def test_a_stream_without_a_document_cannot_be_fitted(X, texts):
    message = (
        "ElmoLanguageModel needs at least 1 document to fit, but X has 0 sample(s). "
        "Pass a non-empty X."
    )
    with pytest.raises(ValueError, match=sure(message)):
        ElmoLanguageModel().fit(X, X_val=texts)


def test_missing_documents_of_a_stream_are_counted_or_passed_over(
    language_model, texts
):
    message = (
        "ElmoLanguageModel needs a text in every row of X, but 2 of 4 are missing, the "
        "first in row 1 (NoneType None). Fill them in, or set missing='empty' or "
        "missing='nan' before fit."
    )
    X = [texts[0], None, texts[1], float("nan")]
    for call in users(language_model, X):
        with pytest.raises(ValueError, match=sure(message)):
            call()
    for k in range(6):
        with pytest.raises(ValueError, match=sure(message)):
            users(language_model, iter(X))[k]()
    other = clone(language_model).set_params(missing="nan")
    other.fit(iter([*texts, None]))
    assert np.isnan(other.score_samples(iter(X))).tolist() == [0, 1, 0, 1]


@pytest.fixture
def corpus(texts):
    """Return documents, one without text and one with more than ASCII."""
    return [*texts, "", "Füße 数据 🙂 " + "x" * 99, *texts[:9]]


def train(tiny, tmp_path, name, X, **fit):
    """Return a trained model and the name that its checkpoints go by."""
    root = tmp_path / name
    model = ElmoLanguageModel(**tiny, checkpoint=root).fit(X, **fit)
    (run,) = root.iterdir()
    return model, run.name


def assert_same_model(model, expected):
    assert_same_weights(model.network_, expected.network_)
    for name in ("vocabulary_", "truncation_", "unknown_share_", "n_tokens_"):
        assert getattr(model, name) == getattr(expected, name), name
    record, other = model.history_[-1], expected.history_[-1]
    assert record._replace(seconds=0) == other._replace(seconds=0)


def ways(corpus, write, name):
    """Return the documents in every other form."""
    text = "\n".join(corpus).encode()
    windows = "\r\n".join([*corpus, ""]).encode()
    return {
        "generator": (document for document in corpus),
        "file": write(text, f"{name}.txt"),
        "windows": write(codecs.BOM_UTF8 + windows, f"{name}-windows.txt"),
        "gz": write(gzip.compress(text), f"{name}.gz"),
    }


@pytest.mark.parametrize("mapped", [False, True])
def test_a_stream_trains_the_same_model_as_a_list(
    tiny, tmp_path, corpus, write, monkeypatch, mapped
):
    expected, run = train(tiny, tmp_path, "list", corpus)
    assert expected.truncation_ == (1, 1)
    scores = expected.score_samples(corpus)
    if mapped:
        monkeypatch.setattr(sequences_module, "MEMORY_MAP_ABOVE", 1000)
        monkeypatch.setattr(sequences_module, "CHUNK", 333)
        maps = count_maps(monkeypatch)
        model, name = train(tiny, tmp_path, "mapped", corpus)
        assert name == run
        assert_same_model(model, expected)
    for way, X in ways(corpus, write, "texts").items():
        model, name = train(tiny, tmp_path, way, X)
        assert name == run, way
        assert_same_model(model, expected)
    for way, X in ways(corpus, write, "texts").items():
        np.testing.assert_array_equal(expected.score_samples(X), scores, way)
    for way, X in ways(corpus, write, "texts").items():
        assert expected.score(X) == expected.score(corpus), way
    for way, X in ways(corpus, write, "texts").items():
        assert expected.perplexity(X) == expected.perplexity(corpus), way
    if mapped:
        assert len(maps) >= 17


def count_maps(monkeypatch):
    """Return a list that grows by each array that is mapped."""
    maps, memmap = [], np.memmap

    def counted(*args, **kwargs):
        maps.append(args)
        return memmap(*args, **kwargs)

    monkeypatch.setattr(np, "memmap", counted)
    return maps


@pytest.mark.parametrize("mapped", [False, True])
def test_validation_documents_may_be_a_stream(
    tiny, tmp_path, corpus, texts, write, monkeypatch, mapped
):
    expected, run = train(tiny, tmp_path, "list", corpus, X_val=texts[5:60])
    if mapped:
        monkeypatch.setattr(sequences_module, "MEMORY_MAP_ABOVE", 1000)
    for way, X_val in ways(texts[5:60], write, "validation").items():
        X = ways(corpus, write, "texts")[way]
        model, name = train(tiny, tmp_path, way, X, X_val=X_val)
        assert name == run, way
        assert_same_model(model, expected)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_stays_mapped_after_training(tiny, texts, tmp_path, monkeypatch):
    monkeypatch.setattr(sequences_module, "MEMORY_MAP_ABOVE", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    maps = count_maps(monkeypatch)
    model = ElmoLanguageModel(**tiny).fit(iter(texts))
    model.score(iter(texts))
    gc.collect()
    assert len(maps) == 2
    assert str(tmp_path) not in Path("/proc/self/maps").read_text("utf-8")


def test_partial_fit_takes_streams(tiny, texts, write):
    expected = ElmoLanguageModel(**tiny).partial_fit(texts).partial_fit(texts[9:])
    model = ElmoLanguageModel(**tiny).partial_fit(iter(texts))
    model.partial_fit(write("\n".join(texts[9:]).encode()))
    assert_same_model(model, expected)


def test_a_stream_of_tokens_is_one_of_lists(tiny, texts):
    def tokens():
        return (text.split() for text in texts)

    expected = ElmoLanguageModel(**tiny, input="tokens").fit(list(tokens()))
    model = ElmoLanguageModel(**tiny, input="tokens").fit(tokens())
    assert_same_model(model, expected)


def test_a_vectorizer_takes_no_path(frozen, write):
    path = write(b"a\n")
    shown = f"{type(path).__name__} {repr(path)[:40]}..."
    message = (
        f"ElmoVectorizer needs an iterable of documents, got {shown}. Pass a list, a "
        f"Series or an array."
    )
    with pytest.raises(TypeError, match=sure(message)):
        ElmoVectorizer(language_model=frozen).fit(path)
