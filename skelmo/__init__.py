"""ELMo features behind scikit-learn's fit and transform."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skelmo.version import __version__

if TYPE_CHECKING:
    from skelmo.comparison import Comparison, compare
    from skelmo.encoding.caches import cache_info, clear_cache
    from skelmo.estimators.classifier import ElmoClassifier
    from skelmo.estimators.language_model import ElmoLanguageModel
    from skelmo.estimators.regressor import ElmoRegressor
    from skelmo.estimators.vectorizer import ElmoVectorizer
    from skelmo.explanation import explain_linear
    from skelmo.inspection import TextReport, inspect_text
    from skelmo.neighbors import Neighbors, nearest, similarity
    from skelmo.text.tokenization import split_sentences, tokenize

# Where modules of earlier versions are looked for, which pickles may name.
__path__ = [*__path__, f"{__path__[0]}/former"]

__all__ = [
    "Comparison",
    "ElmoClassifier",
    "ElmoLanguageModel",
    "ElmoRegressor",
    "ElmoVectorizer",
    "Neighbors",
    "TextReport",
    "__version__",
    "cache_info",
    "clear_cache",
    "compare",
    "explain_linear",
    "inspect_text",
    "nearest",
    "similarity",
    "split_sentences",
    "tokenize",
]

_MODULE_OF = {
    "Comparison": "comparison",
    "ElmoClassifier": "estimators.classifier",
    "ElmoLanguageModel": "estimators.language_model",
    "ElmoRegressor": "estimators.regressor",
    "ElmoVectorizer": "estimators.vectorizer",
    "Neighbors": "neighbors",
    "TextReport": "inspection",
    "cache_info": "encoding.caches",
    "clear_cache": "encoding.caches",
    "compare": "comparison",
    "explain_linear": "explanation",
    "inspect_text": "inspection",
    "nearest": "neighbors",
    "similarity": "neighbors",
    "split_sentences": "text.tokenization",
    "tokenize": "text.tokenization",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: torch takes seconds, and help needs none of it."""
    if name in _MODULE_OF:
        value = getattr(import_module(f"skelmo.{_MODULE_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what is imported late, too."""
    return sorted({*globals(), *__all__})
