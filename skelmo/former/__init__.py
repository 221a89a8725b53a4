"""Modules at the import paths that they had in earlier versions.

`skelmo` looks here for what it has no more: pickles name modules.
"""
