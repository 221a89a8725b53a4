"""From a command line to an exit code."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module

from skelmo.cli.arguments import make_parser
from skelmo.cli.flag_names import in_flags
from skelmo.cli.messages import (
    FAILED,
    INTERRUPTED,
    MISUSED,
    PIPE_CLOSED,
    UsageError,
    described,
    say,
    short_warnings,
)
from skelmo.cli.options import options_of


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; by default those of the process.

    Returns
    -------
    code : int
        0; 1 for an error; 2 for a wrong command line; 130 after Ctrl-C; 141 if the
        reader of the output has gone.
    """
    debug = "--debug" in (sys.argv[1:] if argv is None else argv)
    words: Callable[[str], str] = str
    try:
        arguments = _parsed(argv)
        if isinstance(arguments, int):
            return arguments
        words = partial(in_flags, command=arguments.command)
        with short_warnings(words):
            # A command is imported when it is called: torch takes seconds.
            command = import_module(f"skelmo.cli.{arguments.command}")
            command.run(options_of(arguments))
        sys.stdout.flush()
        return 0
    except BrokenPipeError:
        _give_up_output()
        return PIPE_CLOSED
    except KeyboardInterrupt as stop:
        say(f"interrupted. {stop}")
        return INTERRUPTED
    except UsageError as error:
        say(f"error: {error}")
        return MISUSED
    except Exception as error:
        if debug:
            sys.stderr.write(traceback.format_exc())
        say(f"error: {words(described(error))}")
        if isinstance(error, OSError) and error.filename == "stdout":
            _give_up_output()
        return FAILED


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace | int:
    """Return what is asked for, or the exit code if that is all."""
    try:
        return make_parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why, or has shown help
        sys.stdout.flush()
        return int(stop.code or 0)


def _give_up_output() -> None:
    """Keep the interpreter from flushing into a closed pipe at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
