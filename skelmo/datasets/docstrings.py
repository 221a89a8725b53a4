"""The docstrings of installed libraries as a data set."""

import importlib
import inspect
import re
import warnings
from collections import Counter

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from skelmo.datasets._output import OUTPUT_CONSTRAINTS, convert

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


@validate_params(OUTPUT_CONSTRAINTS, prefer_skip_nested_validation=True)
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
    return convert(bunch, return_X_y, as_frame)


def _summaries(library):
    """Return a dict from each distinct clean summary to the best name for it."""
    candidates = dict(_public_objects(library))
    names: dict[str, str] = {}
    for name in sorted(candidates, key=lambda name: (name.count("."), len(name), name)):
        names.setdefault(_docstring(candidates[name]), name)
    texts: dict[str, str] = {}
    for docstring, name in names.items():
        text = summary_of(docstring)
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


def summary_of(docstring):
    """Return the first paragraph of a docstring as prose, in one line.

    Parameters
    ----------
    docstring : str

    Returns
    -------
    summary : str
    """
    return _clean(_first_paragraph(docstring))


def _first_paragraph(docstring):
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
