"""Former place of what pickles of vectorizers refer to models by."""

from skelmo.models.source import ModelReference

__all__ = ["ModelReference"]
