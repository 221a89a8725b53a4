"""Former place of `skelmo.ElmoLanguageModel`, which pickles name."""

from skelmo.estimators.language_model import ElmoLanguageModel

__all__ = ["ElmoLanguageModel"]
