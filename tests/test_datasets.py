"""Tests of skelmo.datasets: real docstrings, and a local server for the downloads."""

import hashlib
import http.server
import io
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skelmo.datasets import fetch_movie_reviews, load_docstrings, movie_reviews
from skelmo.datasets.docstrings import summary_of

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def docstrings():
    return load_docstrings()


def test_load_docstrings_has_many_documents_of_every_label(docstrings):
    counts = dict(
        zip(docstrings.target_names, np.bincount(docstrings.target), strict=True)
    )
    assert list(counts) == ["numpy", "pandas", "scikit-learn", "torch"]
    assert min(counts.values()) >= 300
    assert len(docstrings.data) >= 4000
    for name, count in counts.items():
        assert f"{name}: {count}" in docstrings.DESCR


def test_load_docstrings_has_no_duplicates(docstrings):
    assert len(set(docstrings.data)) == len(docstrings.data)
    assert len(set(docstrings.names)) == len(docstrings.names)


def test_load_docstrings_names_agree_with_labels_and_order(docstrings):
    packages = ["numpy", "pandas", "sklearn", "torch"]
    labels = [packages.index(name.split(".")[0]) for name in docstrings.names]
    assert labels == docstrings.target.tolist()
    keys = list(zip(labels, docstrings.names, strict=True))
    assert keys == sorted(keys)


def test_load_docstrings_masks_library_names(docstrings):
    names = re.compile(r"numpy|pandas|scikit|sklearn|torch|\b(np|pd)\b", re.I)
    assert [text for text in docstrings.data if names.search(text)] == []


def test_load_docstrings_texts_are_clean_prose(docstrings):
    markup = re.compile(r"`|:\w+:`|\.\. \w+::|>>>|\n|::$|-----|^\w+\([^)]*\) ->")
    assert [text for text in docstrings.data if markup.search(text)] == []
    assert min(len(text.split()) for text in docstrings.data) >= 5


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("numpy.linalg.qr", "Compute the qr factorization of a matrix."),
        ("pandas.DatetimeIndex.minute", "The minutes of the datetime."),
        ("sklearn.linear_model.Lasso.fit", "Fit model with coordinate descent."),
        ("torch.linalg.det", "Computes the determinant of a square matrix."),
        ("torch.nn.ReLU", "Applies the rectified linear unit function element-wise."),
    ],
)
def test_load_docstrings_agrees_with_docstrings_read_by_eye(docstrings, name, text):
    assert docstrings.data[docstrings.names.index(name)] == text


@pytest.mark.slow
def test_load_docstrings_is_the_same_in_every_process(docstrings):
    rows = (docstrings.data, docstrings.names, docstrings.target.tolist())
    expected = hashlib.sha256(repr(rows).encode()).hexdigest()
    code = (
        "import hashlib, sys\n"
        "from skelmo.datasets import load_docstrings\n"
        "b = load_docstrings()\n"
        "rows = repr((b.data, b.names, b.target.tolist())).encode()\n"
        "sys.stdout.write(hashlib.sha256(rows).hexdigest())"
    )
    for seed, first in [("0", ""), ("1", "import sklearn.utils.estimator_checks\n")]:
        result = subprocess.run(
            [sys.executable, "-c", first + code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert (result.stdout, result.stderr) == (expected, "")


def test_load_docstrings_is_silent(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_docstrings()
    assert capfd.readouterr() == ("", "")


def test_load_docstrings_can_be_learnt(docstrings):
    X_train, X_test, y_train, y_test = train_test_split(
        docstrings.data, docstrings.target, stratify=docstrings.target, random_state=0
    )
    model = make_pipeline(TfidfVectorizer(max_features=1000), LogisticRegression())
    majority = np.bincount(y_test).max() / len(y_test)
    assert model.fit(X_train, y_train).score(X_test, y_test) > majority + 0.3


def test_load_docstrings_other_outputs_agree_with_bunch(docstrings):
    data, target = load_docstrings(return_X_y=True)
    assert data == docstrings.data
    np.testing.assert_array_equal(target, docstrings.target)
    framed = load_docstrings(as_frame=True)
    assert docstrings.frame is None
    assert framed.frame["text"].tolist() == docstrings.data
    assert framed.frame.columns.tolist() == ["text", "label"]
    pd.testing.assert_series_equal(framed.data, framed.frame["text"])
    pd.testing.assert_series_equal(framed.target, framed.frame["label"])
    X, y = load_docstrings(return_X_y=True, as_frame=True)
    pd.testing.assert_series_equal(X, framed.data)
    pd.testing.assert_series_equal(y, framed.target)


@pytest.mark.parametrize(
    ("docstring", "summary"),
    [
        ("foo(x, /, y=(1, 2))\n\n    Adds *x* to ``y`` [1]_.", "Adds x to y."),
        ("foo(x) -> Tensor\nfoo(x, out=f(g(1))) -> (T, T)\n\nAdds.", "Adds."),
        ("A :class:`~torch.nn.Module` in :func:`torch.f`.", "A Module in library.f."),
        ("See `a guide <https://x.org>`_ of NumPy's.", "See a guide of library's."),
        ("Take input and output.\n\nParameters\n----------", "Take input and output."),
        ("Parameters\n----------\nx : int", ""),
        ("Args:\n    x: a number\n", ""),
        (".. deprecated:: 1.0\n    Old.\n\nSum all.", "Sum all."),
        ("Sum all.\n.. versionadded:: 2.0", "Sum all."),
        ("Sum all.\nReturns\n-------\nint", "Sum all."),
        ("to_numpy, scikit-learn, TorchScript", "to_library, library, libraryScript"),
        ("Input np.add to pd.", "Input library.add to library."),
        ("f(*args, **kwargs) of **all** *x*", "f(*args, **kwargs) of all x"),
    ],
)
def test_summary_of_a_docstring(docstring, summary):
    assert summary_of(docstring) == summary


# --- fetch_movie_reviews ---------------------------------------------------------

NEGATIVE = ["dull .", "simplistic , silly and tedious \x96 no ."]
POSITIVE = ["soufflé !", "a \x91gorgeous\x92 film\x85 really"]


def make_archive(negative=NEGATIVE, positive=POSITIVE):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, lines in [
            ("../../evil.txt", ["outside"]),
            ("rt-polaritydata/rt-polarity.pos", positive),
            ("rt-polaritydata/rt-polarity.neg", negative),
        ]:
            content = "".join(f"{line} \n" for line in lines).encode("latin-1")
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        script = self.server.script
        action = script.pop(0) if script else "serve"
        self.server.actions.append(action)
        content = self.server.content
        if isinstance(action, int):
            self.send_error(action)
            return
        if action == "stall":
            self.server.released.wait(5)
            return
        body = content[: len(content) // 2] if action == "truncate" else content
        body = body[::-1] if action == "corrupt" else body
        self.send_response(200)
        if action != "unsized":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.script, httpd.actions, httpd.content = [], [], make_archive()
    httpd.released = threading.Event()
    httpd.url = f"http://127.0.0.1:{httpd.server_port}/reviews.tar.gz"
    httpd.sha256 = hashlib.sha256(httpd.content).hexdigest()
    remote = movie_reviews._RemoteFile("reviews.tar.gz", (httpd.url,), httpd.sha256)
    monkeypatch.setattr(movie_reviews, "_MOVIE_REVIEWS", remote)
    monkeypatch.setattr(movie_reviews, "_TIMEOUT", 0.5)
    monkeypatch.setenv("no_proxy", "*")
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield httpd
    httpd.released.set()
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_fetch_movie_reviews_reads_negatives_then_positives(server, tmp_path):
    bunch = fetch_movie_reviews(data_home=tmp_path / "new" / "home")
    assert bunch.data == [
        "dull .",
        "simplistic , silly and tedious – no .",
        "soufflé !",
        "a ‘gorgeous’ film… really",
    ]
    assert bunch.target.tolist() == [0, 0, 1, 1]
    assert bunch.target_names == ["negative", "positive"]
    assert "negative: 2, positive: 2" in bunch.DESCR
    written = {path.name for path in tmp_path.rglob("*")}
    assert written == {"new", "home", "reviews.tar.gz"}


def test_fetch_movie_reviews_downloads_once(server, tmp_path):
    first = fetch_movie_reviews(data_home=str(tmp_path), return_X_y=True)
    second = fetch_movie_reviews(
        data_home=tmp_path, download_if_missing=False, return_X_y=True
    )
    assert server.actions == ["serve"]
    assert first[0] == second[0]
    frame = fetch_movie_reviews(data_home=tmp_path, as_frame=True).frame
    assert frame["text"].tolist() == first[0]


@pytest.mark.parametrize(
    "action", ["truncate", "corrupt", "stall", 404, 500, "unsized"], ids=str
)
def test_fetch_movie_reviews_recovers_from_one_failure(server, tmp_path, action):
    server.script[:] = [action]
    assert fetch_movie_reviews(data_home=tmp_path, delay=0).target.sum() == 2
    n_requests = 1 if action == "unsized" else 2  # no length is no failure
    assert len(server.actions) == n_requests
    assert [path.name for path in tmp_path.iterdir()] == ["reviews.tar.gz"]


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("truncate", r"expected \d+ bytes, got \d+"),
        ("corrupt", "expected sha256 [0-9a-f]{64}, got [0-9a-f]{64}"),
        ("stall", "timed out"),
        (404, "HTTP Error 404: Not Found"),
        (500, "HTTP Error 500: Internal Server Error"),
    ],
)
def test_fetch_movie_reviews_says_why_it_failed(server, tmp_path, action, reason):
    server.script[:] = [action] * 2
    with pytest.raises(
        OSError,
        match=f"^fetch_movie_reviews found no file at {tmp_path}/reviews.tar.gz. All 2 "
        rf"downloads failed \({server.url}: {reason}\): check the network, or place "
        f"{server.url} there by hand; its sha256 must be {server.sha256}.$",
    ) as info:
        fetch_movie_reviews(data_home=tmp_path, n_retries=1, delay=0)
    assert info.value.__cause__ is not None
    assert server.actions == [action] * 2
    assert list(tmp_path.iterdir()) == []


def test_fetch_movie_reviews_waits_between_attempts(server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.script[:] = [500, 500, 500]
    fetch_movie_reviews(data_home=tmp_path, n_retries=3, delay=0.25)
    assert waits == [0.25, 0.25, 0.25]


def test_fetch_movie_reviews_tries_the_mirror(server, tmp_path, monkeypatch):
    refused = "http://127.0.0.1:1/reviews.tar.gz"
    remote = movie_reviews._MOVIE_REVIEWS._replace(urls=(refused, server.url))
    monkeypatch.setattr(movie_reviews, "_MOVIE_REVIEWS", remote)
    fetch_movie_reviews(data_home=tmp_path, n_retries=0)
    assert server.actions == ["serve"]


def test_fetch_movie_reviews_offline(server, tmp_path, monkeypatch):
    refused = "http://127.0.0.1:1/reviews.tar.gz"
    remote = movie_reviews._MOVIE_REVIEWS._replace(urls=(refused,))
    monkeypatch.setattr(movie_reviews, "_MOVIE_REVIEWS", remote)
    with pytest.raises(
        OSError,
        match=f"^fetch_movie_reviews found no file at {tmp_path}/reviews.tar.gz. All 1 "
        rf"downloads failed \({refused}: <urlopen error .*refused>\): check the "
        f"network, or place {refused} there by hand; its sha256 must be "
        f"{server.sha256}.$",
    ):
        fetch_movie_reviews(data_home=tmp_path, n_retries=0)


def test_fetch_movie_reviews_without_download(server, tmp_path):
    with pytest.raises(
        OSError,
        match=f"^fetch_movie_reviews found no file at {tmp_path}/reviews.tar.gz. Set "
        f"download_if_missing=True, or place {server.url} there by hand; its sha256 "
        f"must be {server.sha256}.$",
    ):
        fetch_movie_reviews(data_home=tmp_path, download_if_missing=False)
    assert server.actions == []


def test_fetch_movie_reviews_refuses_then_replaces_a_foreign_file(server, tmp_path):
    path = tmp_path / "reviews.tar.gz"
    path.write_bytes(b"foreign")
    found = hashlib.sha256(b"foreign").hexdigest()
    with pytest.raises(
        OSError,
        match=f"^fetch_movie_reviews found a file of sha256 {found} at {path}. Set "
        f"download_if_missing=True, or place {server.url} there by hand; its sha256 "
        f"must be {server.sha256}.$",
    ):
        fetch_movie_reviews(data_home=tmp_path, download_if_missing=False)
    fetch_movie_reviews(data_home=tmp_path)
    assert path.read_bytes() == server.content


def test_fetch_movie_reviews_with_a_full_disk_leaves_no_file(
    server, tmp_path, monkeypatch
):
    def full(file_descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(movie_reviews.os, "fsync", full)
    with pytest.raises(OSError, match="^No space left on device$"):
        fetch_movie_reviews(data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert server.actions == ["serve"]


def test_fetch_movie_reviews_data_home_from_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SKELMO_DATA", str(tmp_path / "data"))
    fetch_movie_reviews()
    monkeypatch.delenv("SKELMO_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    fetch_movie_reviews()
    assert (tmp_path / "data" / "reviews.tar.gz").is_file()
    assert (tmp_path / "skelmo_data" / "reviews.tar.gz").is_file()


@pytest.mark.parametrize(("verbose", "shows"), [(0, False), (1, True)])
def test_fetch_movie_reviews_progress_bar(server, tmp_path, capfd, verbose, shows):
    fetch_movie_reviews(data_home=tmp_path, verbose=verbose)
    out, err = capfd.readouterr()
    assert out == ""
    assert ("100%" in err) == shows


def test_fetch_movie_reviews_refuses_a_negative_number_of_retries():
    with pytest.raises(
        ValueError,
        match="^The 'n_retries' parameter of fetch_movie_reviews must be an int in the "
        r"range \[0, inf\). Got -1 instead.$",
    ):
        fetch_movie_reviews(n_retries=-1)


def test_read_polarity_agrees_with_the_shared_copy():
    shared = Path(os.environ.get("SKELMO_SHARED", ROOT.parent / "shared"))
    path = shared / "data" / "sentiment" / "mr.tsv"
    if not path.is_file():
        pytest.skip(f"needs {path}; set SKELMO_SHARED")
    rows = [row.split("\t") for row in path.read_text("utf-8").split("\n")[1:] if row]
    negative = [text for label, text in rows if label == "0"]
    positive = [text for label, text in rows if label == "1"]
    sides = movie_reviews.read_polarity(make_archive(negative, positive))
    assert [len(side) for side in sides] == [5331, 5331]
    # The shared copy was decoded as Latin-1, which keeps the bytes.
    expected = [text.encode("latin-1").decode("cp1252") for text in negative + positive]
    assert sides[0] + sides[1] == expected
