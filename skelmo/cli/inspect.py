"""`skelmo inspect`: what may be wrong with texts."""

from __future__ import annotations

from skelmo.cli.flag_names import in_flags
from skelmo.cli.messages import tell
from skelmo.cli.options import InspectOptions
from skelmo.cli.skipped_rows import SkippedRows
from skelmo.cli.table_files import documents_in, table_of
from skelmo.inspection import inspect_text


def run(options: InspectOptions) -> None:
    """Print a report on a file.

    Parameters
    ----------
    options : InspectOptions
    """
    skipped = SkippedRows()
    table = table_of(options.input, options, skipped)
    documents = documents_in(table, options.column, missing="empty")
    report = inspect_text(documents, options.model)
    skipped.report()
    tell(in_flags(f"{report}\n", "inspect"))
