"""Sentences of film reviews, downloaded."""

import hashlib
import http.client
import io
import os
import tarfile
import time
import urllib.request
from numbers import Integral, Real
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params
from tqdm import tqdm

from skelmo.datasets._output import OUTPUT_CONSTRAINTS, convert
from skelmo.files import naming, replace_file, user_path


class _RemoteFile(NamedTuple):
    filename: str
    urls: tuple[str, ...]  # tried in this order
    sha256: str


# sha256 and mirror: huggingface/datasets, datasets/rotten_tomatoes/dataset_infos.json
# (commit 05502986: 487,770 bytes), which left the home page in 2020 (its issue 483).
_MOVIE_REVIEWS = _RemoteFile(
    "rt-polaritydata.tar.gz",
    (
        "https://www.cs.cornell.edu/people/pabo/movie-review-data/rt-polaritydata.tar.gz",
        "https://storage.googleapis.com/seldon-datasets/sentence_polarity_v1/"
        "rt-polaritydata.tar.gz",
    ),
    "a05befe52aafda71d458d188a1c54506a998b1308613ba76bbda2e5029409ce9",
)
_TIMEOUT = 30.0  # seconds without a byte from the server


@validate_params(
    {
        "data_home": [str, os.PathLike, None],
        "download_if_missing": ["boolean"],
        **OUTPUT_CONSTRAINTS,
        "n_retries": [Interval(Integral, 0, None, closed="left")],
        "delay": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def fetch_movie_reviews(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=False,
    n_retries=3,
    delay=1.0,
    verbose=0,
):
    """Load the sentence polarity dataset of Pang and Lee, downloaded if missing.

    10,662 sentences of film reviews, half of them positive, in a file of 0.5 MB.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Directory of the downloaded archive. None means the directory that the
        environment variable ``SKELMO_DATA`` names, else ``~/skelmo_data``.
    download_if_missing : bool, default=True
        If False, raise an OSError when the archive is not in `data_home`.
    return_X_y : bool, default=False
        As for :func:`load_docstrings`.
    as_frame : bool, default=False
        As for :func:`load_docstrings`.
    n_retries : int, default=3
        How often all addresses are tried again after a failure.
    delay : float, default=1.0
        Seconds to wait before each retry.
    verbose : int or bool, default=0
        Whether to show a progress bar.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With `data`, `target` (0 negative, 1 positive), `target_names`, `DESCR` and
        `frame`, as for :func:`load_docstrings`. All negative sentences come first,
        then all positive ones, in the order of their files.

    Raises
    ------
    OSError
        If the archive cannot, or must not, be downloaded. The message says which
        file to place where by hand, and its sha256.

    Notes
    -----
    Only an archive of the known sha256 is kept. If the original address fails, a
    mirror is tried. The labels are the verdicts of whole reviews: see Pang and Lee
    (2005), https://www.cs.cornell.edu/people/pabo/movie-review-data/

    Examples
    --------
    >>> from skelmo.datasets import fetch_movie_reviews
    >>> X, y = fetch_movie_reviews(return_X_y=True)  # doctest: +SKIP
    """
    directory = data_home or os.environ.get("SKELMO_DATA") or "~/skelmo_data"
    path = user_path(directory) / _MOVIE_REVIEWS.filename
    content = path.read_bytes() if path.is_file() else b""
    if _sha256(content) != _MOVIE_REVIEWS.sha256:
        if not download_if_missing:
            raise _missing(_MOVIE_REVIEWS, path, "Set download_if_missing=True")
        with naming(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        content = _download(_MOVIE_REVIEWS, path, n_retries, delay, verbose)
        replace_file(path, lambda staged: staged.write_bytes(content))
    negative, positive = read_polarity(content)
    bunch = Bunch(
        data=negative + positive,
        target=np.repeat(np.arange(2, dtype=np.int64), [len(negative), len(positive)]),
        target_names=["negative", "positive"],
        frame=None,
        DESCR="Sentence polarity dataset v1.0 of Pang and Lee (2005).\n"
        f"Documents: negative: {len(negative)}, positive: {len(positive)}.\n",
    )
    return convert(bunch, return_X_y, as_frame)


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _missing(remote, path, remedy):
    found = f"a file of sha256 {_sha256(path.read_bytes())}" if path.is_file() else None
    return OSError(
        f"fetch_movie_reviews found {found or 'no file'} at {path}. {remedy}, or place "
        f"{remote.urls[0]} there by hand; its sha256 must be {remote.sha256}."
    )


def _download(remote, path, n_retries, delay, verbose):
    """Return the genuine bytes of a remote file from the first good address."""
    failures = {}
    for attempt in range(n_retries + 1):
        if attempt:
            time.sleep(delay)
        for url in remote.urls:
            try:
                return _receive(url, remote.sha256, verbose)
            except (OSError, http.client.HTTPException) as error:
                failures[url] = error
                if isinstance(error, urllib.error.HTTPError):
                    error.close()
    reasons = "; ".join(f"{url}: {error}" for url, error in failures.items())
    remedy = f"All {n_retries + 1} downloads failed ({reasons}): check the network"
    raise _missing(remote, path, remedy) from failures[url]


def _receive(url, sha256, verbose):
    chunks = []
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
        size = response.length  # None if the server does not tell
        with tqdm(total=size, unit="B", unit_scale=True, disable=not verbose) as bar:
            while chunk := response.read(65536):
                chunks.append(chunk)
                bar.update(len(chunk))
    content = b"".join(chunks)
    # http.client ends a sized read quietly when the connection closes early.
    if size is not None and len(content) != size:
        raise OSError(f"expected {size} bytes, got {len(content)}")
    if _sha256(content) != sha256:
        raise OSError(f"expected sha256 {sha256}, got {_sha256(content)}")
    return content


def read_polarity(content):
    """Return the negative and the positive sentences of the archive, in file order."""
    files = {}  # read, not extracted: the members' paths touch no disk
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in filter(tarfile.TarInfo.isfile, archive):
            name = PurePosixPath(member.name).name
            file = archive.extractfile(member)
            files[name] = file.read() if file is not None else b""
    # Split before decoding: str.splitlines would also cut at 0x85, an ellipsis here.
    return tuple(
        [line.decode("cp1252", "replace").strip() for line in lines if line.strip()]
        for lines in (files[f"rt-polarity.{s}"].split(b"\n") for s in ("neg", "pos"))
    )
