"""ELMo features behind scikit-learn's fit and transform."""

from typing import TYPE_CHECKING, Any

from skelmo.caches import cache_info, clear_cache
from skelmo.inspection import TextReport, inspect_text
from skelmo.language_model import ElmoLanguageModel
from skelmo.text.tokenization import split_sentences, tokenize
from skelmo.vectorizer import ElmoVectorizer
from skelmo.version import __version__

if TYPE_CHECKING:
    from skelmo.comparison import Comparison, compare

__all__ = [
    "Comparison",
    "ElmoLanguageModel",
    "ElmoVectorizer",
    "TextReport",
    "__version__",
    "cache_info",
    "clear_cache",
    "compare",
    "inspect_text",
    "split_sentences",
    "tokenize",
]


def __getattr__(name: str) -> Any:
    """Import what few need, and what takes long to import, when it is asked for."""
    if name in ("Comparison", "compare"):
        from skelmo import comparison

        return getattr(comparison, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what is imported late, too."""
    return sorted({*globals(), *__all__})
