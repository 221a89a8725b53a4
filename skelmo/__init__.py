"""ELMo features behind scikit-learn's fit and transform."""

from skelmo.caches import cache_info, clear_cache
from skelmo.inspection import TextReport, inspect_text
from skelmo.language_model import ElmoLanguageModel
from skelmo.text.tokenization import split_sentences, tokenize
from skelmo.vectorizer import ElmoVectorizer
from skelmo.version import __version__

__all__ = [
    "ElmoLanguageModel",
    "ElmoVectorizer",
    "TextReport",
    "__version__",
    "cache_info",
    "clear_cache",
    "inspect_text",
    "split_sentences",
    "tokenize",
]
