"""A loop that trains, and what it trains: language models."""

# Where modules of earlier versions are looked for, which programs may import.
__path__ = [*__path__, f"{__path__[0]}/../former/training"]
