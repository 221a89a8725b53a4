"""Which representation of text is worth its cost on given data."""

from skelmo.comparison.experiment import compare
from skelmo.comparison.result import Comparison

__all__ = ["Comparison", "compare"]
