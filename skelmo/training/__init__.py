"""A loop that trains, and what it trains: language models."""
