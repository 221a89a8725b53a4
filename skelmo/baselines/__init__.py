"""The static word vectors that ELMo is compared with, behind the same interface."""

from skelmo.baselines.glove import GloveVectorizer
from skelmo.baselines.word2vec import Word2VecVectorizer

__all__ = ["GloveVectorizer", "Word2VecVectorizer"]
