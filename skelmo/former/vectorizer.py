"""Former place of `skelmo.ElmoVectorizer`, which pickles name."""

from skelmo.estimators.vectorizer import ElmoVectorizer

__all__ = ["ElmoVectorizer"]
