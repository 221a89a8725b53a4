"""A health report of texts that are about to be encoded or trained on."""

from skelmo.inspection.examination import inspect_text
from skelmo.inspection.report import TextReport

__all__ = ["TextReport", "inspect_text"]
