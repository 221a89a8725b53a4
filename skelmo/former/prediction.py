"""Former place of what `ElmoLanguageModel.predict_words` returns."""

from skelmo.scoring.predicted_words import WordPrediction

__all__ = ["WordPrediction"]
