"""`skelmo train`: texts to a language model, in runs that can be broken off."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from skelmo.cli.messages import (
    INTERRUPTED,
    Interrupted,
    UsageError,
    is_watched,
    say,
    tell,
)
from skelmo.cli.model_directories import check_no_model, size_of, weights_of
from skelmo.cli.model_parameters import ELSEWHERE, parameters_of
from skelmo.cli.options import TrainOptions
from skelmo.cli.skipped_rows import SkippedRows, check_no_list
from skelmo.cli.table_files import STDIN, Table, documents_in, table_of
from skelmo.cli.threads import limited_threads
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.files import make_directory, replace_file
from skelmo.training.ranks import RankLostError, place

_COMMAND = "command.json"  # in the directory of checkpoints


def run(options: TrainOptions) -> None:
    """Train a model and save it.

    Parameters
    ----------
    options : TrainOptions
    """
    known = ElmoLanguageModel._get_param_names()
    parameters = parameters_of(options.parameters, options.set, known, ELSEWHERE)
    out, skipped = options.out, SkippedRows()
    _check_stdin([*options.corpus, options.validation])
    tables = [table_of(path, options, skipped) for path in options.corpus]
    validation = options.validation and table_of(options.validation, options, skipped)
    checkpoints = out.with_name(f"{out.name}.checkpoints")
    command = _digest(options, parameters)
    is_first = place().rank == 0  # of processes that train together: it alone writes
    if is_first:
        is_free = options.force or _is_of(checkpoints, command)
        check_no_model(out, is_free)
        check_no_list(out, is_free)
    model = ElmoLanguageModel(
        **parameters,
        missing=options.missing,
        max_time=None if options.max_time is None else 60.0 * options.max_time,
        checkpoint=checkpoints,
        checkpoint_every=options.checkpoint_every,
        random_state=options.seed,
        verbose=int(is_watched()),
    )
    fit = partial(
        model.fit,
        _documents(tables, options),
        X_val=validation and _documents([validation], options),
    )
    if not is_first:
        _take_part(fit, options)
        return
    _put_command(checkpoints, command)
    with limited_threads(options.threads):
        try:
            fit()
            skipped.save(out)
            model.set_params(checkpoint=None, verbose=0).save(out)
        except KeyboardInterrupt:
            raise Interrupted(_what_is_kept(checkpoints)) from None
        except (OSError, RankLostError) as error:
            error.add_note(_what_is_kept(checkpoints))
            raise
        except BaseException:
            _remove_if_unused(checkpoints)
            raise
    is_done = _is_finished(model)
    if is_done:
        shutil.rmtree(checkpoints, ignore_errors=True)
    tell(_summary(model, out))
    skipped.report(out)
    if not is_done:
        say(
            f"--max-time was up. With more of it the same command goes on, from "
            f"{checkpoints}; delete that directory if this model will do."
        )


def _check_stdin(paths: list[str | None]) -> None:
    """Raise if stdin is to be read more often than it can."""
    if paths.count(STDIN) > 1:
        raise UsageError("stdin can be read once. Name it once.")
    if STDIN in paths and place().size > 1:
        raise UsageError(
            "stdin can be read by one process only, and several train together. Name "
            "a file."
        )


def _take_part(fit: Callable[[], Any], options: TrainOptions) -> None:
    """Train, but leave files and words to the first process."""
    with limited_threads(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fit()
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


def _documents(tables: list[Table], options: TrainOptions) -> Iterator[str | None]:
    return chain.from_iterable(
        documents_in(table, options.column, options.missing) for table in tables
    )


def _digest(options: TrainOptions, parameters: dict[str, Any]) -> str:
    """Hash what tells one command from another; it may be given more time."""
    files = [*options.corpus, options.validation]
    named = [name and os.path.realpath(name) for name in files]
    given = [
        getattr(options, name)
        for name in (
            "column", "format", "no_header", "separator", "on_error", "missing", "seed",
        )
    ]  # fmt: skip
    text = json.dumps([named, given, sorted(parameters.items())], default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_of(checkpoints: Path, command: str) -> bool:
    try:
        content = json.loads((checkpoints / _COMMAND).read_text("utf-8"))
        return content["command"] == command
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _put_command(checkpoints: Path, command: str) -> None:
    make_directory(checkpoints)
    path = checkpoints / _COMMAND
    text = json.dumps({"command": command}) + "\n"
    replace_file(path, lambda staged: staged.write_text(text, "utf-8"))


def _steps(checkpoints: Path) -> list[int]:
    """Return the steps of which there are checkpoints."""
    names = (path.stem for path in checkpoints.glob("*/step-*.checkpoint"))
    return [int(re.sub(r"\D", "", name)) for name in names]


def _remove_if_unused(checkpoints: Path) -> None:
    if not _steps(checkpoints):
        shutil.rmtree(checkpoints, ignore_errors=True)


def _what_is_kept(checkpoints: Path) -> str:
    steps = _steps(checkpoints)
    if not steps:
        _remove_if_unused(checkpoints)
        return "There was no checkpoint yet."
    return (
        f"The checkpoint of step {max(steps):,} is in {checkpoints}; the same command "
        f"goes on from there."
    )


def _is_finished(model: ElmoLanguageModel) -> bool:
    """Tell whether training came to its end, and was not stopped by the clock."""
    spent = model.history_[-1].seconds if model.history_ else 0.0
    return model.max_time is None or spent < model.max_time


def _summary(model: ElmoLanguageModel, out: Path) -> str:
    config = model.config_
    sizes = f"{config.hidden_size}/{config.proj_size}"
    lines = [
        f"{out}: {config.num_layers} layers of {sizes}, {weights_of(model):,} weights, "
        f"{len(model.vocabulary_ or []):,} words, {size_of(out) / 1e6:,.1f} MB"
    ]
    if model.history_:
        last = model.history_[-1]
        speed = last.n_tokens / max(1e-9, last.seconds)
        lines.append(
            f"{last.epoch} epoch{'s' * (last.epoch != 1)}, {last.n_tokens:,} tokens, "
            f"{last.seconds:.1f} s, {speed:,.0f} tokens/s"
        )
        best = min(model.history_, key=lambda record: record.validation_perplexity)
        if not math.isnan(best.validation_perplexity):
            lines.append(
                f"validation perplexity {best.validation_perplexity:.1f} (forward "
                f"{best.validation_perplexity_forward:.1f}, backward "
                f"{best.validation_perplexity_backward:.1f})"
            )
    return "".join(f"{line}\n" for line in lines)
