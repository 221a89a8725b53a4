"""Put a trained model where the package reads it, and its record beside the card.

    python tools/bundle_model.py MODEL skelmo/pretrained/models/en docs

`MODEL` is what ``train_bundled.py`` wrote. The weights are stored in float16. The
record and the figure of the card, ``docs/model_card.md``, go to ``docs/model_card/``.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np

from skelmo.display.looks import COLORS
from skelmo.pretrained.safetensors_format import read_model, write_model

# Of the run and the machine, not of the model.
_OF_THE_RUN = {
    "checkpoint_every", "device", "max_time", "precision", "random_state", "verbose",
}  # fmt: skip
_PRIVATE = {"corpora", "work", "init", "minutes", "paragraphs"}
SMOOTHED = 101  # steps


def main():
    """Bundle one model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("docs", type=Path)
    options = parser.parse_args()
    model = read_model(options.model)
    write_model(without_run(model), options.target, dtype="float16")
    for file in sorted(options.target.iterdir()):
        print(f"{file}: {file.stat().st_size:,} bytes")
    card = options.docs / "model_card"
    card.mkdir(exist_ok=True)
    record = json.loads((options.model / "record.json").read_text())
    record["options"] = {
        name: value for name, value in record["options"].items() if name not in _PRIVATE
    }
    content = json.dumps(record, indent=1) + "\n"
    (card / "record.json").write_text(content, encoding="utf-8")
    draw(options.model / "curve.csv", record, card / "learning_curve.png")


def without_run(model):
    """Leave out parameters that say how the training was run."""
    parameters = {
        name: value
        for name, value in model.settings["parameters"].items()
        if name not in _OF_THE_RUN
    }
    settings = {**model.settings, "parameters": parameters}
    return dataclasses.replace(model, settings=settings)


def draw(curve, record, path):
    """Draw the perplexity on the text about to be learned from, step by step."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    # A run that was killed and went on wrote the steps since its checkpoint twice.
    lines = list(dict.fromkeys(curve.read_text().split()))
    rows = np.array([[float(value) for value in line.split(",")] for line in lines])
    tokens, loss = np.cumsum(rows[:, 0]) / 1e6, rows[:, 1]
    smooth = np.convolve(loss, np.full(SMOOTHED, 1 / SMOOTHED), mode="valid")
    middle = tokens[SMOOTHED // 2 : -(SMOOTHED // 2)]
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    axes.plot(middle, np.exp(smooth), color=COLORS[0], label="text being read")
    held_out = record["perplexity"]
    axes.plot(tokens[-1], held_out[2], "o", color=COLORS[1], label="held-out text")
    axes.annotate(
        f"{held_out[2]:.1f}", (tokens[-1], held_out[2]), (0, -16),
        textcoords="offset points", ha="center",
    )  # fmt: skip
    ticks = [50, 100, 200, 500, 1000, 2000, 5000]
    axes.set(xlabel="tokens read, in millions", ylabel="perplexity", yscale="log")
    axes.set_ylim(40, 5000)
    axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
