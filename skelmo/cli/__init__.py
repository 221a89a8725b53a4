"""The command `skelmo`: training, encoding and reports without a line of Python."""

from skelmo.cli.program import main

__all__ = ["main"]
