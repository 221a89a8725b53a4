"""Modules of `skelmo.training` at the import paths that they had."""
