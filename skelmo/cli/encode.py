"""`skelmo encode`: texts to a file of features, in bounded memory, block by block."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm.auto import tqdm

from skelmo.cli.messages import Interrupted, is_watched, say
from skelmo.cli.options import EncodeOptions
from skelmo.cli.outputs import Output, check_output, output_of
from skelmo.cli.parts import PartFile
from skelmo.cli.table_files import (
    LINE,
    STDIN,
    Rows,
    Table,
    check_texts,
    n_rows_of,
    rows_of,
    table_of,
)
from skelmo.cli.threads import limited_threads
from skelmo.encoding import token_cache
from skelmo.estimators.vectorizer import ElmoVectorizer
from skelmo.version import __version__

_FORMAT = 1  # of the part


class _Position(NamedTuple):
    """Where in the input the part ends."""

    rest: Iterator[Rows]  # from the first row that is not done
    content: Any  # hash of the rows before


def run(options: EncodeOptions) -> None:
    """Encode a file.

    Parameters
    ----------
    options : EncodeOptions
    """
    out = options.out
    check_output(out, bool(options.keep))
    table = table_of(options.input, options.format, not options.no_header)
    began = time.perf_counter()
    with limited_threads(options.threads):
        vectorizer = _vectorizer(options)
        wanted = [options.column, *options.keep]
        with PartFile(out, _made_by(options, vectorizer)) as part:
            position = _take_up(table, part, wanted, options.batch)
            if part.n_rows:
                say(f"going on after row {part.n_rows:,}, from {part.path}.")
            n_before = part.n_rows
            try:
                _encode(vectorizer, table, part, position, wanted, options)
            except KeyboardInterrupt:
                raise Interrupted(_what_is_kept(part, table)) from None
    n_rows, seconds = part.n_rows, time.perf_counter() - began
    n_features = len(vectorizer.get_feature_names_out())
    sys.stdout.write(
        f"{out}: {n_rows:,} rows, {n_features:,} features, "
        f"{out.stat().st_size / 1e6:,.1f} MB; {n_rows - n_before:,} rows in "
        f"{seconds:.1f} s\n"
    )


def _vectorizer(options: EncodeOptions) -> ElmoVectorizer:
    vectorizer = ElmoVectorizer(
        language_model=options.model,
        layers=options.layers,
        pooling=options.pooling,
        missing=options.missing,
        precision=options.precision,
        device=options.device,
        cache=None,  # what is encoded once need not be remembered
    )
    return vectorizer.fit(["a"])  # which reads the model, and learns nothing


def _made_by(options: EncodeOptions, vectorizer: ElmoVectorizer) -> str:
    """Hash all that the bytes of the file depend on, besides the input."""
    model, features = vectorizer.language_model_, vectorizer.features_
    names = vectorizer.get_feature_names_out().tolist()
    given = {
        name: getattr(options, name)
        for name in ("column", "keep", "missing", "batch", "threads", "format")
    }
    settings = [
        _FORMAT, __version__, torch.__version__, options.out.suffix.lower(), names,
        features.settings.fingerprint(features.model).hex(), options.no_header, given,
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
    options: EncodeOptions,
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
            check_texts(table, rows, options.missing)
            output = output or _begun(part, options.out, table, rows.names, names)
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
        output = _begun(part, options.out, table, columns, names)
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
