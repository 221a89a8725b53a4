"""`skelmo convert`: a model from one format of files to another."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from skelmo.cli.messages import UsageError, say
from skelmo.cli.models import check_no_model, size_of
from skelmo.pretrained import registry
from skelmo.pretrained.bilm_format import write_bilm
from skelmo.pretrained.safetensors_format import write_model


def run(arguments: argparse.Namespace) -> None:
    """Read a model and write it.

    Parameters
    ----------
    arguments : argparse.Namespace
    """
    target: Path = arguments.target
    to_skelmo = arguments.to == "skelmo"
    if not to_skelmo and arguments.dtype != "float32":
        raise UsageError(
            f"--to {arguments.to} holds float32. Leave out --dtype {arguments.dtype}."
        )
    if not arguments.force:
        check_no_model(target)
    model = registry.load(arguments.source)
    if to_skelmo:
        write_model(model, target, dtype=arguments.dtype)
    else:
        write_bilm(model, target)
        if model.vocabulary is not None or model.settings:
            say(
                f"the {arguments.to} format has no place for softmax, vocabulary and "
                f"settings: {target} gives features, but no perplexity."
            )
    size = f"{size_of(target) / 1e6:,.1f} MB"
    sys.stdout.write(f"{target}: {arguments.to}, {arguments.dtype}, {size}\n")
