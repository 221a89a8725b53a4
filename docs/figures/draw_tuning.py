"""Draw what each training parameter does: ``python docs/figures/draw_tuning.py``.

About fifty small language models are trained on docstrings, each with one parameter
changed. That takes some seven minutes on one core; the numbers are printed as a table.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from skelmo import ElmoLanguageModel
from skelmo.datasets import load_docstrings
from skelmo.display.looks import COLORS, PALE

N_HELDOUT, N_TRAINING, SEEDS = 500, 1200, (0, 1, 2)
BASE = {
    "hidden_size": 64,
    "proj_size": 32,
    "filters": ((1, 16), (2, 16), (3, 32), (4, 64)),
    "max_epochs": 4,
    "early_stopping": False,  # all see the same number of tokens
}
# Word dropout acts on the word-level embedding alone.
WORDS = {"word_embedding_dim": 32}
BLUE, ORANGE = COLORS[:2]
FLOOR, CEILING = 68, 600  # what is above is drawn at the ceiling, with its number
TICKS = (75, 100, 150, 200, 300, 500)
KINDS = {"learning_rate", "solver"}  # without an order, and so without a line

# Title, then (label, what is changed), in the order of the axis; {} is the default.
PANELS = {
    "learning_rate_init": [
        ("5e-4", {"learning_rate_init": 0.0005}),
        ("1e-3", {"learning_rate_init": 0.001}),
        ("2e-3", {}),
        ("4e-3", {"learning_rate_init": 0.004}),
        ("8e-3", {"learning_rate_init": 0.008}),
        ("2e-2", {"learning_rate_init": 0.02}),
    ],
    "learning_rate": [
        ("cosine", {}),
        *((name, {"learning_rate": name}) for name in ("decay", "constant")),
    ],
    "batch_tokens": [
        *((str(size), {"batch_tokens": size}) for size in (128, 256)),
        ("512", {}),
        *((str(size), {"batch_tokens": size}) for size in (1024, 2048)),
    ],
    "solver": [
        ("adam", {}),
        *((name, {"solver": name}) for name in ("rmsprop", "adagrad", "sgd")),
    ],
    "alpha (L2)": [
        ("0", {}),
        *((f"{alpha:g}", {"alpha": alpha}) for alpha in (0.01, 0.1, 1.0)),
    ],
    "l1": [
        ("0", {}),
        *((f"{l1:g}", {"l1": l1}) for l1 in (0.0001, 0.001, 0.01)),
    ],
    "dropout": [
        ("0", {"dropout": 0.0}),
        ("0.1", {}),
        *((f"{share:g}", {"dropout": share}) for share in (0.3, 0.5)),
    ],
    "word_dropout": [
        (f"{share:g}", {**WORDS, "word_dropout": share}) for share in (0, 0.1, 0.3, 0.5)
    ],
    "max_grad_norm": [
        *((f"{norm:g}", {"max_grad_norm": norm}) for norm in (0.1, 0.3)),
        ("1", {}),
        ("3", {"max_grad_norm": 3.0}),
        ("None", {"max_grad_norm": None}),
    ],
    "n_samples": [
        *((str(n), {"n_samples": n}) for n in (32, 128, 512)),
        ("all", {}),
    ],
    "hidden_size": [
        ("32", {"hidden_size": 32}),
        ("64", {}),
        *((str(size), {"hidden_size": size}) for size in (128, 256)),
    ],
    "proj_size": [
        *((str(size), {"proj_size": size}) for size in (8, 16)),
        ("32", {}),
        ("64", {"proj_size": 64}),
    ],
}
# No solver is at its best with the rate of another.
TUNED = {"adagrad": 0.02, "sgd": 0.5}


def split():
    """Return documents to train on, and others."""
    texts = load_docstrings().data
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = [texts[k] for k in order]
    return shuffled[N_HELDOUT : N_HELDOUT + N_TRAINING], shuffled[:N_HELDOUT]


def measure():
    """Train all models.

    Returns
    -------
    table : pandas.DataFrame
        The columns panel, label, rate (nan if it is the default), perplexity.
    spread : list of float
        Perplexities of the default with several seeds.
    """
    train, heldout = split()

    def perplexity(changed, seed=0):
        parameters = {**BASE, **changed, "random_state": seed}
        return ElmoLanguageModel(**parameters).fit(train).perplexity(heldout).mean

    spread = [perplexity({}, seed) for seed in SEEDS]
    rows = []
    for panel, points in PANELS.items():
        for label, changed in points:
            found = perplexity(changed) if changed else spread[0]
            rows.append((panel, label, np.nan, found))
    for solver, rate in TUNED.items():
        found = perplexity({"solver": solver, "learning_rate_init": rate})
        rows.append(("solver", solver, rate, found))
    return pd.DataFrame(rows, columns=["panel", "label", "rate", "perplexity"]), spread


def draw(table, spread):
    """Return the figure: a panel for each parameter, all with one axis."""
    figure = Figure(figsize=(10, 8), dpi=100, layout="constrained")
    grid = figure.subplots(3, 4, sharey=True)
    for axes, (panel, points) in zip(grid.flat, PANELS.items(), strict=True):
        found = table[table["panel"] == panel]
        plain = found[found["rate"].isna()].reset_index(drop=True)
        labels = list(plain["label"])
        heights = plain["perplexity"].clip(upper=CEILING)
        axes.axhspan(min(spread), max(spread), color=PALE)
        style = "none" if panel in KINDS else "solid"
        axes.plot(
            heights[heights < CEILING], color=BLUE, linestyle=style, linewidth=1.2,
            marker="o", markersize=6,
        )  # fmt: skip
        for x, value in enumerate(plain["perplexity"]):
            if value > CEILING:
                axes.plot(x, CEILING, marker="^", color=BLUE, markersize=9)
                axes.annotate(
                    f"{value:,.0f}", (x, CEILING), (0, -9), ha="center", va="top",
                    textcoords="offset points", size=8.5,
                )  # fmt: skip
        default = next(
            k
            for k, (_, changed) in enumerate(points)
            if not changed or changed == {**WORDS, "word_dropout": 0.1}
        )
        axes.plot(default, heights[default], marker="D", color=ORANGE, markersize=8)
        for row in found[found["rate"].notna()].itertuples():
            x = labels.index(row.label)
            axes.plot(
                x, row.perplexity, marker="o", color=BLUE, markerfacecolor="white"
            )
            axes.annotate(
                f"rate {row.rate:g}", (x, row.perplexity), (-6, 0), ha="right",
                va="center", textcoords="offset points", size=8.5,
            )  # fmt: skip
        axes.set_yscale("log")
        axes.set_ylim(FLOOR, CEILING * 1.06)
        axes.set_yticks(TICKS, [str(tick) for tick in TICKS])
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="y", which="minor", left=False)
        axes.set_xticks(range(len(labels)), labels, size=9, va="baseline")
        axes.tick_params(axis="x", pad=13)
        axes.set_xlim(-0.4, len(labels) - 0.6)
        axes.set_title(panel, size=11, family="monospace")
        axes.grid(axis="y", color=PALE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("held-out perplexity")
    first = grid[0, 0]
    first.annotate(
        "default", (2, table["perplexity"][2]), (2, 12), size=9.5, color=ORANGE,
        textcoords="offset points", weight="bold",
    )  # fmt: skip
    return figure


def main():
    """Measure, print and draw."""
    table, spread = measure()
    seeds = ", ".join(f"{found:.1f}" for found in spread)
    sys.stdout.write(f"{table.round(1).to_string(index=False)}\n")
    sys.stdout.write(f"default with the seeds {SEEDS}: {seeds}\n")
    draw(table, spread).savefig(
        Path(__file__).with_name("tuning.png"), metadata={"Software": None}
    )


if __name__ == "__main__":
    main()
