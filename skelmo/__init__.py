"""ELMo features behind scikit-learn's fit and transform."""

from skelmo.encoding.token_cache import clear_cache
from skelmo.language_model import ElmoLanguageModel
from skelmo.text.tokenization import split_sentences, tokenize
from skelmo.vectorizer import ElmoVectorizer
from skelmo.version import __version__

__all__ = [
    "ElmoLanguageModel",
    "ElmoVectorizer",
    "__version__",
    "clear_cache",
    "split_sentences",
    "tokenize",
]
