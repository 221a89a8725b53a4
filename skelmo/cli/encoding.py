"""`skelmo encode`: texts to a file of features, in bounded memory, block by block."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm.auto import tqdm

from skelmo.cli.files import STDIN
from skelmo.cli.messages import Interrupted, is_watched, say
from skelmo.cli.outputs import Output, check_output, output_of
from skelmo.cli.parts import PartFile
from skelmo.cli.readers import LINE, Table
from skelmo.cli.tables import Rows, check_texts, n_rows_of, rows_of, table_of
from skelmo.cli.threads import limited_threads
from skelmo.encoding import token_cache
from skelmo.estimators.vectorizer import ElmoVectorizer
from skelmo.version import __version__

_FORMAT = 1  # of the part


class _Position(NamedTuple):
    """Where in the input the part ends."""

    rest: Iterator[Rows]  # from the first row that is not done
    content: Any  # hash of the rows before


def run(arguments: argparse.Namespace) -> None:
    """Encode a file.

    Parameters
    ----------
    arguments : argparse.Namespace
    """
    out: Path = arguments.out
    check_output(out, bool(arguments.keep))
    table = table_of(arguments.input, arguments.format, not arguments.no_header)
    began = time.perf_counter()
    with limited_threads(arguments.threads):
        vectorizer = _vectorizer(arguments)
        wanted = [arguments.column, *arguments.keep]
        with PartFile(out, _made_by(arguments, vectorizer)) as part:
            position = _take_up(table, part, wanted, arguments.batch)
            if part.n_rows:
                say(f"going on after row {part.n_rows:,}, from {part.path}.")
            n_before = part.n_rows
            try:
                _encode(vectorizer, table, part, position, wanted, arguments)
            except KeyboardInterrupt:
                raise Interrupted(_what_is_kept(part, table)) from None
    n_rows, seconds = part.n_rows, time.perf_counter() - began
    n_features = len(vectorizer.get_feature_names_out())
    sys.stdout.write(
        f"{out}: {n_rows:,} rows, {n_features:,} features, "
        f"{out.stat().st_size / 1e6:,.1f} MB; {n_rows - n_before:,} rows in "
        f"{seconds:.1f} s\n"
    )


def _vectorizer(arguments: argparse.Namespace) -> ElmoVectorizer:
    vectorizer = ElmoVectorizer(
        language_model=arguments.model,
        layers=arguments.layers,
        pooling=arguments.pooling,
        missing=arguments.missing,
        precision=arguments.precision,
        device=arguments.device,
        cache=None,  # what is encoded once need not be remembered
    )
    return vectorizer.fit(["a"])  # which reads the model, and learns nothing


def _made_by(arguments: argparse.Namespace, vectorizer: ElmoVectorizer) -> str:
    """Hash all that the bytes of the file depend on, besides the input."""
    model, features = vectorizer.language_model_, vectorizer.features_
    names = vectorizer.get_feature_names_out().tolist()
    given = {
        name: getattr(arguments, name)
        for name in ("column", "keep", "missing", "batch", "threads", "format")
    }
    settings = [
        _FORMAT, __version__, torch.__version__, arguments.out.suffix.lower(), names,
        features.settings.fingerprint(features.model).hex(), arguments.no_header, given,
        str(next(model.network_.parameters()).device), model.sequence,
        str(model.sentence_splitter),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()


def _take_up(
    table: Table, part: PartFile, wanted: Sequence[str | None], size: int
) -> _Position:
    """Find the first row that is not done; if need be, that is the first."""
    position = None
    if part.n_rows and table.path == STDIN:
        say(f"what comes from stdin cannot be taken up: {part.path} starts anew.")
    elif part.n_rows:
        position = _skip(table, part, wanted, size)
        if position is None:
            say(f"{table.shown} has changed: {part.path} starts anew.")
    elif part.is_foreign:
        say(f"model or options have changed: {part.path} starts anew.")
    if position is not None:
        return position
    part.forget()
    return _Position(rows_of(table, wanted, size), hashlib.sha256())


def _skip(
    table: Table, part: PartFile, wanted: Sequence[str | None], size: int
) -> _Position | None:
    """Read over the rows that are done; None if they are others by now."""
    rest, content, n_rows = rows_of(table, wanted, size), hashlib.sha256(), 0
    while n_rows < part.n_rows:
        rows = next(rest, None)
        if rows is None:
            return None
        _update(content, rows)
        n_rows += len(rows.values[0])
    if n_rows != part.n_rows or content.hexdigest() != part.content:
        return None
    return _Position(rest, content)


def _update(content: Any, rows: Rows) -> None:
    # Escapes keep lone surrogates; dates and the like go by their text.
    text = json.dumps([rows.names, rows.values], default=str)
    content.update(text.encode())


def _encode(
    vectorizer: ElmoVectorizer,
    table: Table,
    part: PartFile,
    position: _Position,
    wanted: Sequence[str | None],
    arguments: argparse.Namespace,
) -> None:
    """Encode the rows that are left, and finish the file."""
    output: Output | None = None
    names = vectorizer.get_feature_names_out().tolist()
    bar = tqdm(
        desc="encode", unit="row", initial=part.n_rows, total=n_rows_of(table),
        disable=not is_watched(),
    )  # fmt: skip
    with bar:
        for rows in position.rest:
            check_texts(table, rows, arguments.missing)
            output = output or _begun(part, arguments.out, table, rows.names, names)
            # Vectors left by earlier blocks would make the last bit of the next ones
            # depend on where the process began.
            token_cache.clear_all()
            features = vectorizer.transform(rows.values[0])
            _update(position.content, rows)
            block = output.block(features, rows.values[1:])
            part.append(block, len(features), position.content.hexdigest())
            bar.update(len(features))
    if output is None:
        columns = [name or LINE for name in wanted]  # of no rows at all
        output = _begun(part, arguments.out, table, columns, names)
    part.finish(output)


def _begun(
    part: PartFile,
    out: Path,
    table: Table,
    columns: Sequence[str],
    names: Sequence[str],
) -> Output:
    """Return the output; a part without rows gets its head."""
    output = output_of(out, table, columns[1:], names)
    if not part.n_rows:
        part.begin(output.head())
    return output


def _what_is_kept(part: PartFile, table: Table) -> str:
    n_rows = part.n_rows_kept()
    if not n_rows:
        return "No row was done."
    if table.path == STDIN:
        return "What comes from stdin cannot be taken up."
    return f"{n_rows:,} rows are in {part.path}; the same command goes on from there."
