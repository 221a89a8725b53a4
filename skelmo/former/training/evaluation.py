"""Former place of what `ElmoLanguageModel.perplexity` returns."""

from skelmo.scoring.likelihood import Perplexity

__all__ = ["Perplexity"]
