"""Put a trained model where the package reads it, and its record beside the card.

    python tools/bundle_model.py FIRST LAST skelmo/pretrained/models/en docs/model_card

`FIRST`, `LAST` and others between them are what ``train_bundled.py`` wrote, each going
on from the one before. The weights of the last are stored in float16. The records of
all and the figure of the card, ``docs/model_card.md``, go to the directory beside it;
with ``--before RECORD`` after those of the model that the first went on from.
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
    "checkpoint", "checkpoint_every", "device", "init", "init_word_vectors", "max_time",
    "precision", "random_state", "verbose",
}  # fmt: skip
_PRIVATE = {
    "corpora", "shared", "texts", "work", "glove", "vectors", "init", "name", "minutes",
    "paragraphs",
}  # fmt: skip
SMOOTHED = 101  # steps


def main():
    """Bundle one model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("target", type=Path)
    parser.add_argument("card", type=Path, help="directory of the record")
    parser.add_argument("--before", type=Path, help="record.json of an earlier model")
    options = parser.parse_args()
    model = read_model(options.models[-1])
    write_model(without_run(model), options.target, dtype="float16")
    for file in sorted(options.target.iterdir()):
        print(f"{file}: {file.stat().st_size:,} bytes")
    card = options.card
    card.mkdir(exist_ok=True, parents=True)
    runs = [json.loads((path / "record.json").read_text()) for path in options.models]
    for run in runs:
        run["options"] = {
            name: value
            for name, value in run["options"].items()
            if name not in _PRIVATE
        }
    earlier = []
    if options.before is not None:
        earlier = json.loads(options.before.read_text(encoding="utf-8"))["runs"]
    content = json.dumps({"runs": earlier + runs}, indent=1) + "\n"
    (card / "record.json").write_text(content, encoding="utf-8")
    curves = [path / "curve.csv" for path in options.models]
    begin = sum(run["tokens_read"] for run in earlier) / 1e6
    draw(curves, runs, begin, card / "learning_curve.png")


def without_run(model):
    """Leave out parameters that say how the training was run."""
    parameters = {
        name: value
        for name, value in model.settings["parameters"].items()
        if name not in _OF_THE_RUN
    }
    settings = {**model.settings, "parameters": parameters}
    return dataclasses.replace(model, settings=settings)


def draw(curves, runs, begin, path):
    """Draw the perplexity on the text about to be learned from, step by step.

    `begin` is how many million tokens had been read before.
    """
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for curve, run in zip(curves, runs, strict=True):
        # A run that was killed and went on wrote steps after its checkpoint twice.
        lines = list(dict.fromkeys(curve.read_text().split()))
        rows = np.array([[float(value) for value in line.split(",")] for line in lines])
        tokens, loss = begin + np.cumsum(rows[:, 0]) / 1e6, rows[:, 1]
        smooth = np.convolve(loss, np.full(SMOOTHED, 1 / SMOOTHED), mode="valid")
        middle = tokens[SMOOTHED // 2 : -(SMOOTHED // 2)]
        begin, held_out = tokens[-1], run["perplexity"][2]
        shown = [
            *axes.plot(middle, np.exp(smooth), color=COLORS[0]),
            *axes.plot(begin, held_out, "o", color=COLORS[1]),
        ]
        side = 1 if np.log(held_out) > smooth[-1] else -1
        axes.annotate(
            f"{held_out:.1f}", (begin, held_out), (0, 13 * side),
            textcoords="offset points", ha="center", va="center",
        )  # fmt: skip
    highest = axes.dataLim.y1
    ticks = [20, 50, 100, 200, 500, 1000, 2000, 5000]
    ticks = [tick for tick in ticks if tick < 2 * highest]
    axes.set(xlabel="tokens read, in millions", ylabel="perplexity", yscale="log")
    axes.set_ylim(ticks[0], 1.5 * highest)
    axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(shown, ["text being read", "held-out text"], frameon=False)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
