"""`skelmo encode`: texts to a file of features, in bounded memory, block by block."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from skelmo.cli.arguments import DEFAULT_POOLING
from skelmo.cli.messages import Interrupted, UsageError, is_watched, say, tell
from skelmo.cli.options import EncodeOptions
from skelmo.cli.outputs import (
    STDOUT,
    Output,
    check_absent,
    output_format,
    output_of,
)
from skelmo.cli.parts import PartFile, StdoutPart, is_begun
from skelmo.cli.row_bar import row_bar
from skelmo.cli.skipped_rows import SkippedRows, check_no_list
from skelmo.cli.table_files import (
    LINE,
    STDIN,
    Rows,
    Table,
    n_rows_of,
    rows_of,
    table_of,
)
from skelmo.cli.threads import limited_threads
from skelmo.encoding import token_cache
from skelmo.estimators.vectorizer import ElmoVectorizer
from skelmo.files import naming
from skelmo.version import __version__

BATCH, TOKENS_BATCH = 4096, 128  # rows
_FORMAT = 1  # of the part
ROWS_LOOKED_AT = 100  # to warn of texts that the model cannot read


class _Position(NamedTuple):
    """Where in the input the part ends."""

    rest: Iterator[Rows]  # from the first row that is not done
    content: Any  # hash of the rows before


class _Wanted(NamedTuple):
    """What is made of a table."""

    columns: list[str | None]  # texts, then what is kept
    format: str
    batch: int
    names: list[str]  # of the features


def run(options: EncodeOptions) -> None:
    """Encode a file.

    Parameters
    ----------
    options : EncodeOptions
    """
    out = options.out
    to = output_format(out, options.to, bool(options.keep), options.tokens)
    check_absent(out, options.force)
    if options.tokens and tuple(options.pooling) != DEFAULT_POOLING:
        raise UsageError("--tokens does not pool. Leave out --pooling.")
    skipped = SkippedRows()
    table = table_of(options.input, options, skipped)
    if str(out) != STDOUT:
        check_no_list(out, options.force or is_begun(out))
        tell(_encode_file(options, table, to, out))
        skipped.report(out)
        return
    if to == "csv":
        said = _encode_file(options, table, to, None)
    else:  # made of the rows when all are there
        with TemporaryDirectory() as directory:
            whole = Path(directory, "features")
            said = _encode_file(options, table, to, whole)
            with whole.open("rb") as file, naming("stdout"):
                shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.buffer.flush()
        said = said.replace(str(whole), "stdout", 1)
    say(said)
    skipped.report()


def _encode_file(
    options: EncodeOptions, table: Table, to: str, out: Path | None
) -> str:
    """Write a file, or stdout; return the sentence on it."""
    began = time.perf_counter()
    with limited_threads(options.threads):
        vectorizer = _vectorizer(options)
        batch = options.batch or (TOKENS_BATCH if options.tokens else BATCH)
        names = vectorizer.get_feature_names_out().tolist()
        if options.tokens:
            names = [name.replace("elmo_mean_", "elmo_", 1) for name in names]
        wanted = _Wanted([options.column, *options.keep], to, batch, names)
        made_by = _made_by(options, vectorizer, wanted)
        with StdoutPart() if out is None else PartFile(out, made_by) as part:
            position = _take_up(table, part, wanted, options.missing)
            if part.n_rows:
                say(f"going on after row {part.n_rows:,}, from {part.path}.")
            n_before = part.n_rows
            try:
                _encode(vectorizer, table, part, position, wanted, options)
            except KeyboardInterrupt:
                raise Interrupted(_what_is_kept(part, table)) from None
            except Exception as error:
                if part.n_rows or isinstance(error, OSError):
                    error.add_note(_what_is_kept(part, table))
                raise
    size = "" if out is None else f", {out.stat().st_size / 1e6:,.1f} MB"
    features = f"{len(names):,} features{' of each token' * options.tokens}"
    return (
        f"{out or 'stdout'}: {part.n_rows:,} rows, {features}{size}; "
        f"{part.n_rows - n_before:,} rows in {time.perf_counter() - began:.1f} s\n"
    )


def _vectorizer(options: EncodeOptions) -> ElmoVectorizer:
    vectorizer = ElmoVectorizer(
        language_model=options.model,
        layers=options.layers,
        pooling="mean" if options.tokens else options.pooling,
        missing=options.missing,
        precision=options.precision,
        device=options.device,
        cache=None,  # what is encoded once need not be remembered
    )
    return vectorizer.fit(["a"])  # which reads the model, and learns nothing


def _made_by(
    options: EncodeOptions, vectorizer: ElmoVectorizer, wanted: _Wanted
) -> str:
    """Hash all that the bytes of the file depend on, besides the input."""
    model, features = vectorizer.language_model_, vectorizer.features_
    given = {
        name: getattr(options, name)
        for name in (
            "column", "keep", "missing", "threads", "format", "no_header", "separator",
            "on_error", "tokens",
        )
    }  # fmt: skip
    settings = [
        _FORMAT, __version__, torch.__version__, wanted.format, wanted.names,
        features.settings.fingerprint(features.model).hex(), given, wanted.batch,
        str(next(model.network_.parameters()).device), model.sequence,
        str(model.sentence_splitter),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()


def _take_up(
    table: Table, part: PartFile | StdoutPart, wanted: _Wanted, missing: str
) -> _Position:
    """Find the first row that is not done; if need be, that is the first."""
    position = None
    if part.n_rows and table.path == STDIN:
        say(f"what comes from stdin cannot be taken up: {part.path} starts anew.")
    elif part.n_rows:
        position = _skip(table, part, wanted, missing)
        if position is None:
            say(f"{table.shown} has changed: {part.path} starts anew.")
    elif part.is_foreign:
        say(f"model or options have changed: {part.path} starts anew.")
    if position is not None:
        return position
    part.forget()
    if table.skipped is not None:
        table.skipped.forget()
    return _Position(
        rows_of(table, wanted.columns, wanted.batch, missing), hashlib.sha256()
    )


def _skip(
    table: Table, part: PartFile | StdoutPart, wanted: _Wanted, missing: str
) -> _Position | None:
    """Read over the rows that are done; None if they are others by now."""
    rest = rows_of(table, wanted.columns, wanted.batch, missing)
    content, n_rows = hashlib.sha256(), 0
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
    if rows.values[0]:
        # Escapes keep lone surrogates; dates and the like go by their text.
        text = json.dumps([rows.names, rows.values], default=str)
        content.update(text.encode())


def _encode(
    vectorizer: ElmoVectorizer,
    table: Table,
    part: PartFile | StdoutPart,
    position: _Position,
    wanted: _Wanted,
    options: EncodeOptions,
) -> None:
    """Encode the rows that are left, and finish the file."""
    output: Output | None = None
    watched, is_looked_at = is_watched(), False
    total = n_rows_of(table) if watched else None
    with row_bar("encode", part.n_rows, total, watched) as bar:
        for rows in position.rest:
            output = output or _begun(part, table, rows.names, wanted, options)
            if not rows.values[0]:
                continue
            if not is_looked_at:
                vectorizer.fit(rows.values[0][:ROWS_LOOKED_AT])
                is_looked_at = True
            # Vectors left by earlier blocks would make the last bit of the next ones
            # depend on where the process began.
            token_cache.clear_all()
            if options.tokens:
                features, kept = _of_tokens(vectorizer, rows, part.n_rows)
            else:
                features, kept = vectorizer.transform(rows.values[0]), rows.values[1:]
            _update(position.content, rows)
            block = output.block(features, kept)
            n_rows = len(rows.values[0])
            part.append(block, n_rows, position.content.hexdigest())
            bar.update(n_rows)
    if output is None:
        columns = [name or LINE for name in wanted.columns]  # of no rows at all
        output = _begun(part, table, columns, wanted, options)
    if isinstance(part, PartFile):
        (table.skipped or SkippedRows()).save(part.target)
    part.finish(output)


def _of_tokens(
    vectorizer: ElmoVectorizer, rows: Rows, n_before: int
) -> tuple[NDArray[np.float32], list[list[Any]]]:
    """Return a vector for each token, and what stands beside it."""
    texts, *kept = rows.values
    vectors = vectorizer.transform_tokens(texts)
    tokens = vectorizer.tokenize(texts)
    places = [(d, k) for d, found in enumerate(tokens) for k in range(len(found))]
    columns = [[column[d] for d, _ in places] for column in kept]
    columns += [[n_before + d for d, _ in places], [k for _, k in places]]
    columns.append([token for found in tokens for token in found])
    return np.concatenate(vectors), columns


def _begun(
    part: PartFile | StdoutPart,
    table: Table,
    columns: Sequence[str],
    wanted: _Wanted,
    options: EncodeOptions,
) -> Output:
    """Return the output; a part without rows gets its head."""
    output = output_of(wanted.format, table, columns[1:], wanted.names, options.tokens)
    if not part.n_rows:
        part.begin(output.head())
    return output


def _what_is_kept(part: PartFile | StdoutPart, table: Table) -> str:
    if table.path == STDIN and part.n_rows and isinstance(part, PartFile):
        return "What comes from stdin cannot be taken up."
    return part.kept()
