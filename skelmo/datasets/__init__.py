"""Data sets for the examples: two that need no download, one that fetches."""

from skelmo.datasets.docstrings import load_docstrings
from skelmo.datasets.movie_reviews import fetch_movie_reviews
from skelmo.datasets.reviews import load_reviews

__all__ = ["fetch_movie_reviews", "load_docstrings", "load_reviews"]
