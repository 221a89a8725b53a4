"""Figures of models and features, in scikit-learn's Display convention."""

from skelmo.display.layer_weights import LayerWeightsDisplay
from skelmo.display.learning_curve import PerplexityDisplay
from skelmo.display.senses import SenseDisplay
from skelmo.display.token_contributions import TokenContributionsDisplay
from skelmo.display.token_similarity import TokenSimilarityDisplay

__all__ = [
    "LayerWeightsDisplay",
    "PerplexityDisplay",
    "SenseDisplay",
    "TokenContributionsDisplay",
    "TokenSimilarityDisplay",
]
