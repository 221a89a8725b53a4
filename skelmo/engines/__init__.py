"""What engines for large tables have in common: what travels, and what it does."""
