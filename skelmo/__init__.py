"""ELMo features behind scikit-learn's fit and transform."""

from skelmo.language_model import ElmoLanguageModel
from skelmo.text.tokenization import split_sentences, tokenize
from skelmo.vectorizer import ElmoVectorizer
from skelmo.version import __version__

__all__ = [
    "ElmoLanguageModel",
    "ElmoVectorizer",
    "__version__",
    "split_sentences",
    "tokenize",
]
