"""Data sets for the examples: one that needs no download, one that fetches."""

import hashlib
import http.client
import importlib
import inspect
import io
import os
import re
import secrets
import tarfile
import time
import urllib.request
import warnings
from collections import Counter
from numbers import Integral, Real
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params
from tqdm import tqdm

__all__ = ["fetch_movie_reviews", "load_docstrings"]

# Public only where somebody imported what enables them.
_EXPERIMENTAL = {"HalvingGridSearchCV", "HalvingRandomSearchCV", "IterativeImputer"}
# Each package, then its submodules. A blind walk would import slow or failing ones.
_NAMESPACES = {
    "numpy": """numpy char ctypeslib exceptions fft lib lib.npyio lib.recfunctions
        lib.scimath linalg ma ma.mrecords polynomial polynomial.chebyshev
        polynomial.hermite polynomial.hermite_e polynomial.laguerre polynomial.legendre
        polynomial.polynomial random rec strings testing""",
    "pandas": """pandas api.extensions api.interchange api.types api.typing arrays
        errors io.formats.style plotting testing tseries.holiday tseries.offsets""",
    "scikit-learn": """sklearn base calibration cluster compose covariance
        cross_decomposition datasets decomposition discriminant_analysis dummy ensemble
        exceptions feature_extraction feature_extraction.image feature_extraction.text
        feature_selection frozen gaussian_process gaussian_process.kernels impute
        inspection isotonic kernel_approximation kernel_ridge linear_model manifold
        metrics metrics.cluster metrics.pairwise mixture model_selection multiclass
        multioutput naive_bayes neighbors neural_network pipeline preprocessing
        random_projection semi_supervised svm tree utils utils.extmath utils.multiclass
        utils.sparsefuncs utils.validation""",
    "torch": """torch amp autograd autograd.functional autograd.graph
        autograd.profiler backends.cuda compiler cpu cuda distributions
        distributions.constraints fft func futures fx hub jit library linalg masked mps
        multiprocessing nested nn nn.functional nn.init nn.parallel nn.utils
        nn.utils.parametrize nn.utils.prune nn.utils.rnn optim optim.lr_scheduler
        optim.swa_utils overrides package profiler quasirandom serialization
        signal.windows sparse special testing utils.checkpoint utils.data""",
}

_MIN_WORDS = 5
_LIBRARY_NAMES = re.compile(
    r"numpy|pandas|scikit[-_. ]?learn|sklearn|(?:lib|py)?torch"
    r"|(?<![a-z])(?:np|pd|scikit)(?![a-z])",  # the np of "input" stays
    re.IGNORECASE,
)
_ARGUMENTS = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
_SIGNATURES = re.compile(rf"\A(?:[\w.]+{_ARGUMENTS}[ \t]*(?:->[^\n]*)?(?:\n|\Z))+")
_HEADING = (
    r"(?:[^\n]*\n\s*[-=~]{3,}|\s*(?:Args?|Arguments|Attributes|Examples?|Keyword \w+"
    r"|Kwargs|Notes?|Parameters|Raises|Returns?|Shape|Warning|Yields)\s*:+)\s*(?:\n|\Z)"
)
_PROSE_END = re.compile(rf"\n(?:{_HEADING}|\s*(?:\.\. |>>> |Returns?: |Args: ))")
_MARKUP = (
    (re.compile(r":[a-zA-Z][\w:.+-]*:`"), "`"),  # :class:`x` -> `x`
    (re.compile(r"`+([^`<]+?)\s*<[^`>]*>`+_*"), r"\1"),  # `x <target>`_ -> x
    (re.compile(r"`+[~!]?(?:(?<=~)[\w.]*\.)?([^`]*)`+_*"), r"\1"),  # `~a.b` -> b
    (re.compile(r"\s*\[\w+\]_|(?<=\w)\s*::\s*$|\s*Example::\s*$"), ""),
    (re.compile(r"(?<![\w*])(\*{1,2})([^\s*][^*\n]*)\1(?![\w*])"), r"\2"),  # *x*
)
_OUTPUT_CONSTRAINTS = {"return_X_y": ["boolean"], "as_frame": ["boolean"]}


@validate_params(_OUTPUT_CONSTRAINTS, prefer_skip_nested_validation=True)
def load_docstrings(*, return_X_y=False, as_frame=False):
    """Load the docstring summaries of numpy, pandas, scikit-learn and torch.

    Text classification without a download: which of the installed libraries is a
    sentence about? Their names are masked by the word "library".

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return the data and the target as pandas objects.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With `data` (list of N str, one line each), `target` (int64 ndarray of shape
        (N,)), `target_names`, `names` (of the object that each text documents),
        `DESCR` and `frame` (None; with ``as_frame=True`` the columns "text" and
        "label", which are then `data` and `target` too).
    (data, target) : tuple
        With ``return_X_y=True``.

    Notes
    -----
    A document is the first paragraph of the docstring of a public object, method or
    property, its markup replaced by its content, if it has five words or more. Order:
    by label, then name. A text that a library repeats is kept once, under the name
    with the fewest dots, then the shortest; a text of two libraries is dropped, for it
    has no true label. numpy 2.4 gives 1,081 documents, pandas 3.1 1,231, scikit-learn
    1.9 918 and torch 2.13 1,876; most of the 3 seconds is the import of torch.

    Examples
    --------
    >>> from skelmo.datasets import load_docstrings
    >>> docstrings = load_docstrings()
    >>> docstrings.data[docstrings.names.index("numpy.linalg.qr")]
    'Compute the qr factorization of a matrix.'
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names_of = {library: _summaries(library) for library in _NAMESPACES}
    n_libraries = Counter(text for texts in names_of.values() for text in texts)
    rows = [
        (label, name, text)
        for label, texts in enumerate(names_of.values())
        for text, name in texts.items()
        if n_libraries[text] == 1
    ]
    labels, names, data = map(list, zip(*sorted(rows), strict=True))
    counts = [f"{library}: {labels.count(i)}" for i, library in enumerate(names_of)]
    bunch = Bunch(
        data=data,
        target=np.array(labels, dtype=np.int64),
        target_names=list(names_of),
        names=names,
        frame=None,
        DESCR="Summaries of the public docstrings of four installed libraries, the "
        f"libraries' names masked.\nDocuments: {', '.join(counts)}.\n",
    )
    return _convert(bunch, return_X_y, as_frame)


def _summaries(library):
    """Return a dict from each distinct clean summary to the best name for it."""
    candidates = dict(_public_objects(library))
    names: dict[str, str] = {}
    for name in sorted(candidates, key=lambda name: (name.count("."), len(name), name)):
        names.setdefault(_docstring(candidates[name]), name)
    texts: dict[str, str] = {}
    for docstring, name in names.items():
        text = _clean(_summary(docstring))
        if len(text.split()) >= _MIN_WORDS:
            texts.setdefault(text, name)
    return texts


def _public_objects(library):
    """Yield (qualified name, object) for the members of the public namespaces."""
    package, *submodules = _NAMESPACES[library].split()
    for namespace in [package, *(f"{package}.{name}" for name in submodules)]:
        try:
            members = vars(importlib.import_module(namespace))
        except ImportError:  # another version of the library
            continue
        # Without __all__, what a module imports from elsewhere is not its own.
        home = package if "__all__" in members else namespace
        for name in sorted(set(members.get("__all__", members)) - _EXPERIMENTAL):
            value = members.get(name)
            if not name.startswith("_") and _is_defined_in(value, home, package):
                yield f"{namespace}.{name}", value
                yield from _public_methods(f"{namespace}.{name}", value, package)


def _public_methods(prefix, value, package):
    # `vars` reads descriptors without running them: no getter, no deprecation.
    for base in reversed(getattr(value, "__mro__", ())):
        if base.__module__.split(".")[0] == package:
            for name, member in vars(base).items():
                if not name.startswith("_"):
                    yield f"{prefix}.{name}", member


def _is_defined_in(value, home, package):
    module = getattr(value, "__module__", None) or package
    # Functions written in C belong to a private module, or to none.
    prefix = package if inspect.isbuiltin(value) else home
    return callable(value) and f"{module}.".startswith(f"{prefix}.")


def _docstring(value):
    text = getattr(value, "__doc__", None)
    # A plain instance shows its class's docstring, which is not about it.
    is_own = inspect.isclass(value) or text is not type(value).__doc__
    return text if isinstance(text, str) and is_own else ""


def _summary(docstring):
    """Return the first paragraph of prose, "" if a section comes before it."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(docstring)):
        text = _SIGNATURES.sub("", paragraph)
        if re.match(_HEADING, text) or text.startswith("Alias for field number"):
            return ""
        if text and not text.startswith((" ", ".. ", ">>>")):
            return _PROSE_END.split(text)[0]
    return ""


def _clean(prose):
    """Turn reStructuredText into plain words and mask the libraries' names."""
    for pattern, replacement in _MARKUP:
        prose = pattern.sub(replacement, prose)
    return " ".join(_LIBRARY_NAMES.sub("library", prose).split())


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
        **_OUTPUT_CONSTRAINTS,
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
    return_X_y, as_frame : bool, default=False
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
    path = Path(directory).expanduser() / _MOVIE_REVIEWS.filename
    content = path.read_bytes() if path.is_file() else b""
    if _sha256(content) != _MOVIE_REVIEWS.sha256:
        if not download_if_missing:
            raise _missing(_MOVIE_REVIEWS, path, "Set download_if_missing=True")
        path.parent.mkdir(parents=True, exist_ok=True)
        content = _download(_MOVIE_REVIEWS, path, n_retries, delay, verbose)
        _write_atomically(path, content)
    negative, positive = _read_polarity(content)
    bunch = Bunch(
        data=negative + positive,
        target=np.repeat(np.arange(2, dtype=np.int64), [len(negative), len(positive)]),
        target_names=["negative", "positive"],
        frame=None,
        DESCR="Sentence polarity dataset v1.0 of Pang and Lee (2005).\n"
        f"Documents: negative: {len(negative)}, positive: {len(positive)}.\n",
    )
    return _convert(bunch, return_X_y, as_frame)


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


def _write_atomically(path, content):
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _read_polarity(content):
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


def _convert(bunch, return_X_y, as_frame):
    if as_frame:
        import pandas as pd

        bunch.frame = pd.DataFrame({"text": bunch.data, "label": bunch.target})
        bunch.data, bunch.target = bunch.frame["text"], bunch.frame["label"]
    return (bunch.data, bunch.target) if return_X_y else bunch
