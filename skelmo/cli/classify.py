"""`skelmo classify`: a classifier from a table of labelled texts, tested and used."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from skelmo.cli.class_report import ClassReport, class_report
from skelmo.cli.messages import Interrupted, UsageError, is_watched, say, tell
from skelmo.cli.model_parameters import CLASSIFIER_ELSEWHERE, parameters_of
from skelmo.cli.options import ClassifyOptions
from skelmo.cli.outputs import (
    STDOUT,
    CsvOutput,
    Output,
    ParquetOutput,
    check_absent,
    check_distinct,
    kept_types,
)
from skelmo.cli.skipped_rows import SkippedRows, check_no_list
from skelmo.cli.table_files import (
    STDIN,
    Rows,
    Table,
    documents_in,
    import_pyarrow,
    rows_of,
    table_of,
)
from skelmo.cli.threads import limited_threads
from skelmo.estimators.classifier import ElmoClassifier
from skelmo.files import naming, replace_file

BATCH = 4096  # rows
_PREDICTED, _PROBABILITY = "predicted", "probability"


class _Tables(NamedTuple):
    """What is read; None is not asked for."""

    train: Table
    test: Table | None
    predict: Table | None
    unlabeled: Table | None


def run(options: ClassifyOptions) -> None:
    """Train a classifier, report on it and predict.

    Parameters
    ----------
    options : ClassifyOptions
    """
    known = ElmoClassifier._get_param_names()
    parameters = parameters_of(
        options.parameters, options.set, known, CLASSIFIER_ELSEWHERE
    )
    _check_together(options, parameters)
    skipped = SkippedRows()
    tables = _tables(options, skipped)
    classifier = ElmoClassifier(
        language_model=options.model,
        **parameters,
        missing=options.missing,
        max_time=None if options.max_time is None else 60.0 * options.max_time,
        checkpoint=options.checkpoint,
        random_state=options.seed,
        verbose=int(is_watched()),
    )
    # What programs read stands alone on stdout.
    note = say if options.json or _to_stdout(options) else tell
    with limited_threads(options.threads):
        try:
            note(_fit(classifier, tables, options))
            if tables.test is not None:
                report = _report(classifier, tables.test, options)
                _tell_report(report, tables.test, options)
            if tables.predict is not None and options.out is not None:
                n_rows = _predict(classifier, tables.predict, options, skipped)
                where = "stdout" if _to_stdout(options) else options.out
                note(f"{where}: {n_rows:,} rows predicted\n")
        except KeyboardInterrupt:
            raise Interrupted(_what_is_kept(options)) from None
        except OSError as error:
            error.add_note(_what_is_kept(options))
            raise
    is_file = options.out is not None and not _to_stdout(options)
    skipped.report(options.out if is_file else None)


def _to_stdout(options: ClassifyOptions) -> bool:
    return str(options.out) == STDOUT


def _check_together(options: ClassifyOptions, parameters: dict[str, Any]) -> None:
    """Raise if options contradict one another, or an output is there."""
    if options.test is None and options.predict is None:
        raise UsageError("Nothing would be made of it. Give --test, --predict or both.")
    if options.predict is not None and options.out is None:
        raise UsageError("--predict needs a file to write. Give --out.")
    if options.predict is None:
        for name in ("out", "keep", "probabilities"):
            if getattr(options, name):
                raise UsageError(f"--{name} is for --predict. Give that, too.")
    if options.test is None and options.json:
        raise UsageError("--json is for the report. Give --test, too.")
    if options.test is not None and _to_stdout(options):
        raise UsageError(
            "The report and the predictions cannot both go to stdout. Give a file as "
            "--out."
        )
    if options.unlabeled is not None and not parameters.get("adapt_epochs"):
        raise UsageError(
            "--unlabeled is read in the passes of --adapt-epochs. Give that, too."
        )
    if options.out is not None and not _to_stdout(options):
        _check_file(options.out, options.force)


def _check_file(out: Path, force: bool) -> None:
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError(
            f"{out}: predictions are written to .csv or .parquet. Give a name that "
            f"ends so."
        )
    check_absent(out, force)
    check_no_list(out, force)


def _tables(options: ClassifyOptions, skipped: SkippedRows) -> _Tables:
    paths = options.input, options.test, options.predict, options.unlabeled
    if paths.count(STDIN) > 1:
        raise UsageError("stdin can be read once. Name it once.")

    def table(path: str | None) -> Table | None:
        return None if path is None else table_of(path, options, skipped)

    train = table_of(options.input, options, skipped)
    return _Tables(train, *map(table, paths[1:]))


def _fit(classifier: ElmoClassifier, tables: _Tables, options: ClassifyOptions) -> str:
    """Train; return a sentence on it."""
    began = time.perf_counter()
    texts: list[Any] = []
    labels: list[str] = []
    for rows in _labelled(tables.train, options):
        texts += rows.values[0]
        labels += map(str, rows.values[1])
    unlabeled = None
    if tables.unlabeled is not None:
        column = _text_column(tables.unlabeled, options)
        found = documents_in(tables.unlabeled, column, "empty")
        unlabeled = (text for text in found if text is not None)
    classifier.fit(texts, np.array(labels), unlabeled=unlabeled)
    seconds, n_epochs = time.perf_counter() - began, classifier.n_iter_
    said = (
        f"{tables.train.shown}: {len(texts):,} rows, {len(classifier.classes_)} "
        f"classes; {n_epochs} epoch{'s' * (n_epochs != 1)}, {seconds:.1f} s"
    )
    score = classifier.best_validation_score_
    return f"{said}, validation accuracy {score:.3f}\n" if score else f"{said}\n"


def _text_column(table: Table, options: ClassifyOptions) -> str | None:
    """Return the column of texts without labels; a line of a text file is one."""
    return None if table.format == "txt" else options.text


def _labelled(table: Table, options: ClassifyOptions) -> Iterator[Rows]:
    return rows_of(
        table, [options.text, options.label], BATCH, options.missing, complete=True
    )


def _report(
    classifier: ElmoClassifier, table: Table, options: ClassifyOptions
) -> ClassReport:
    truth: list[str] = []
    predicted: list[str] = []
    for rows in _labelled(table, options):
        if rows.values[0]:
            truth += map(str, rows.values[1])
            predicted += classifier.predict(rows.values[0]).tolist()
    if not truth:
        raise ValueError(f"{table.shown} holds no row. Give a file with texts.")
    return class_report(truth, predicted)


def _tell_report(report: ClassReport, table: Table, options: ClassifyOptions) -> None:
    if options.json:
        tell(json.dumps(report.to_dict()) + "\n")
    else:
        n_rows = int(report.confusion.sum())
        tell(f"{table.shown}: {n_rows:,} rows\n{report}")


def _predict(
    classifier: ElmoClassifier,
    table: Table,
    options: ClassifyOptions,
    skipped: SkippedRows,
) -> int:
    """Write the predictions of a table; return the number of its rows."""
    out = options.out
    if out is None or _to_stdout(options):
        with naming("stdout"):
            n_rows, _ = _write(classifier, table, options, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return n_rows
    n_rows = 0

    def write(path: Path) -> None:
        nonlocal n_rows
        with path.open("wb") as file:
            n_rows, output = _write(classifier, table, options, file)
        whole = output.finish(path, n_rows)
        if whole != path:
            whole.replace(path)
        skipped.save(out)

    replace_file(out, write)
    return n_rows


def _write(
    classifier: ElmoClassifier, table: Table, options: ClassifyOptions, file: BinaryIO
) -> tuple[int, Output]:
    """Write block by block; return the number of rows, and how they were written."""
    output: Output | None = None
    n_rows = 0
    classes = classifier.classes_
    wanted = [_text_column(table, options), *options.keep]
    for rows in rows_of(table, wanted, BATCH, options.missing):
        if output is None:
            output = _output(table, rows.names[1:], classes.tolist(), options)
            file.write(output.head())
        texts, *kept = rows.values
        if not texts:
            continue
        shares = classifier.predict_proba(texts)
        best = shares.argmax(axis=1)
        numbers = shares.max(axis=1, keepdims=True)
        if options.probabilities:
            numbers = np.hstack([numbers, shares])
        block = output.block(
            numbers.astype(np.float32), [*kept, classes[best].tolist()]
        )
        file.write(block)
        n_rows += len(texts)
    if output is None:  # of no rows at all
        output = _output(table, options.keep, classes.tolist(), options)
        file.write(output.head())
    return n_rows, output


def _output(
    table: Table, kept: list[str], classes: list[str], options: ClassifyOptions
) -> Output:
    """Return the format of predictions."""
    columns, names = [*kept, _PREDICTED], [_PROBABILITY]
    if options.probabilities:
        names += [f"{_PROBABILITY}_{name}" for name in classes]
    check_distinct(table, [*columns, *names])
    if options.out is None or options.out.suffix.lower() != ".parquet":
        return CsvOutput(columns, names)
    pa = import_pyarrow(options.out)
    return ParquetOutput(columns, [*kept_types(table, kept, pa), pa.string()], names)


def _what_is_kept(options: ClassifyOptions) -> str:
    if options.checkpoint is None:
        return "Without --checkpoint nothing is kept."
    return f"The same command goes on from the last checkpoint in {options.checkpoint}."
