"""`skelmo inspect`: what may be wrong with texts."""

from __future__ import annotations

import argparse
import sys

from skelmo.cli.tables import documents_in, table_of
from skelmo.inspection import inspect_text


def run(arguments: argparse.Namespace) -> None:
    """Print a report on a file.

    Parameters
    ----------
    arguments : argparse.Namespace
    """
    table = table_of(arguments.input, arguments.format, not arguments.no_header)
    documents = documents_in(table, arguments.column, missing="empty")
    report = inspect_text(documents, arguments.model)
    sys.stdout.write(f"{report}\n")
