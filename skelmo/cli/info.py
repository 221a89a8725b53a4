"""`skelmo info`: what a model is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from skelmo.cli.messages import tell
from skelmo.cli.model_directories import size_of
from skelmo.cli.options import InfoOptions
from skelmo.files import user_path
from skelmo.models.history import EpochRecord
from skelmo.pretrained import registry
from skelmo.pretrained.saved_model import (
    SavedModel,
    config_to_json,
    drop_tied,
    weights_hash,
)


def run(options: InfoOptions) -> None:
    """Print what is known of a model.

    Parameters
    ----------
    options : InfoOptions
    """
    model = registry.load(options.model)
    path = registry.BUNDLED.get(options.model, user_path(options.model))
    found = _found(model, path)
    if options.json:
        tell(json.dumps(found) + "\n")
        return
    rows = _rows(found)
    width = max(len(name) for name, _ in rows) + 2
    tell("".join(f"{name:{width}}{value}\n" for name, value in rows))


def _found(model: SavedModel, path: Path) -> dict[str, Any]:
    settings, arrays = model.settings, model.arrays
    softmax = arrays.get("softmax.bias")
    return {
        "source": str(path),
        "bytes": size_of(path),
        "sha256": weights_hash(model),
        "architecture": config_to_json(model.config),
        "features_per_layer": model.config.n_features,
        "weights": sum(array.size for array in drop_tied(arrays).values()),
        "alphabet": None if model.alphabet is None else len(model.alphabet),
        "vocabulary": None if model.vocabulary is None else len(model.vocabulary),
        "softmax": softmax is not None and bool(len(softmax)),
        "skelmo_version": settings.get("skelmo_version"),
        "parameters": settings.get("parameters", {}),
        "training": settings.get("training", {}),
    }


def _rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    config, training = found["architecture"], found["training"]
    words = found["vocabulary"]
    rows = [
        ("model", found["source"]),
        ("size", f"{found['bytes'] / 1e6:,.1f} MB, {found['weights']:,} weights"),
        ("sha256", found["sha256"]),
        ("characters", _characters(found)),
        ("LSTM", f"{config['num_layers']} layers of {config['hidden_size']}/"
         f"{config['proj_size']} in each direction"),
        ("features", f"{found['features_per_layer']:,} a layer, "
         f"{config['num_layers'] + 1} layers"),
        ("vocabulary", "none" if words is None else f"{words:,} words"),
        ("softmax", "yes" if found["softmax"] else "none: features only"),
    ]  # fmt: skip
    if config["word_embedding_dim"]:
        size = f"{config['n_words']:,} words of {config['word_embedding_dim']}"
        rows.insert(4, ("word embedding", size))
    if "sequence" in found["parameters"]:
        rows.append(("reads", f"a {found['parameters']['sequence']} from fresh state"))
    form = found["parameters"].get("unicode_normalization")
    if form:
        rows.append(("texts", f"put into Unicode's form {form}"))
    if training:
        rows += _training_rows(training)
    if found["skelmo_version"]:
        rows.append(("saved by", f"skelmo {found['skelmo_version']}"))
    return rows


def _characters(found: dict[str, Any]) -> str:
    config = found["architecture"]
    if not config["filters"]:
        return "none: words alone"
    filters = ", ".join(f"{n} of {width}" for width, n in config["filters"])
    text = f"{config['max_characters']} of a token, filters {filters}"
    n_known = found["alphabet"]
    return text if n_known is None else f"{text}; {n_known:,} code points are known"


def _training_rows(training: dict[str, Any]) -> list[tuple[str, str]]:
    n_epochs, n_tokens = training["n_epochs"], training["n_tokens"]
    plural = "s" * (n_epochs != 1)
    rows = [("trained", f"{n_epochs} epoch{plural}, {n_tokens:,} tokens")]
    share = training.get("unknown_share")
    if share is not None:
        rows.append(("unknown", f"{share:.2%} of the tokens"))
    # Rows of earlier versions are shorter: names tell columns, not their places.
    for record in (EpochRecord(*row) for row in training.get("history", [])):
        loss, mean = record.train_loss, record.validation_perplexity
        quality = "" if loss is None else f"training loss {loss:.3f} nats"
        if mean is not None:
            quality += (
                f", validation perplexity {mean:.1f} (forward "
                f"{record.validation_perplexity_forward:.1f}, backward "
                f"{record.validation_perplexity_backward:.1f})"
            )
        rows.append((f"  epoch {record.epoch}", quality))
    return rows
