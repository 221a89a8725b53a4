"""`skelmo inspect`: what may be wrong with texts."""

from __future__ import annotations

import sys

from skelmo.cli.options import InspectOptions
from skelmo.cli.table_files import documents_in, table_of
from skelmo.inspection import inspect_text


def run(options: InspectOptions) -> None:
    """Print a report on a file.

    Parameters
    ----------
    options : InspectOptions
    """
    table = table_of(options.input, options.format, not options.no_header)
    documents = documents_in(table, options.column, missing="empty")
    report = inspect_text(documents, options.model)
    sys.stdout.write(f"{report}\n")
