"""A loop that trains, and what it trains: language models."""

from pathlib import Path

# Where modules of earlier versions are looked for, which programs may import.
__path__ = [*__path__, str(Path(__file__).parents[1] / "former" / "training")]
