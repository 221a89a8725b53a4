"""The network: layers built from numbers alone, with torch and nothing else."""
