"""`skelmo convert`: a model from one format of files to another."""

from __future__ import annotations

from skelmo.cli.messages import UsageError, say, tell
from skelmo.cli.model_directories import check_no_model, size_of
from skelmo.cli.options import ConvertOptions
from skelmo.pretrained import many_langs_format, registry
from skelmo.pretrained.bilm_format import write_bilm
from skelmo.pretrained.safetensors_format import write_model
from skelmo.pretrained.saved_model import SavedModel


def run(options: ConvertOptions) -> None:
    """Read a model and write it.

    Parameters
    ----------
    options : ConvertOptions
    """
    target = options.target
    to_skelmo = options.to == "skelmo"
    if not to_skelmo and options.dtype != "float32":
        raise UsageError(
            f"--to {options.to} holds float32. Leave out --dtype {options.dtype}."
        )
    check_no_model(target, options.force)
    model = registry.load(options.source)
    if to_skelmo:
        write_model(model, target, dtype=options.dtype)
    else:
        if options.to == "elmoformanylangs":
            many_langs_format.write(model, target)
        else:
            write_bilm(model, target)
            _tell_what_is_left_out(model, options)
    size = f"{size_of(target) / 1e6:,.1f} MB"
    tell(f"{target}: {options.to}, {options.dtype}, {size}\n")


def _tell_what_is_left_out(model: SavedModel, options: ConvertOptions) -> None:
    if model.vocabulary is not None or model.settings:
        say(
            f"the {options.to} format has no place for softmax, vocabulary and "
            f"settings: {options.target} gives features, but no perplexity."
        )
