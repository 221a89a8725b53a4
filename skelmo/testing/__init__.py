"""Checks of transformers and classifiers that take documents, for anybody's.

scikit-learn's `check_estimator` runs one check on a transformer of one-dimensional
input. Here are its other checks as well, and checks of documents.
"""

from skelmo.testing.contract import (
    CheckResult,
    KnownFailure,
    check_text_classifier,
    check_text_transformer,
    text_classifier_checks,
    text_transformer_checks,
)

__all__ = [
    "CheckResult",
    "KnownFailure",
    "check_text_classifier",
    "check_text_transformer",
    "text_classifier_checks",
    "text_transformer_checks",
]
