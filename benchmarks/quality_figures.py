"""Figures of the evaluation."""

from io import BytesIO

from quality_claims import ELMO, FOUR, TFIDF, UNION, by_size, lost
from quality_data import TITLES
from quality_learn import accuracy
from quality_store import write_atomically

# Okabe and Ito's colours, which the colour-blind tell apart; markers say it again.
STYLES = {ELMO: ("#0072B2", "o"), UNION: ("#000000", "D"), TFIDF: ("#D55E00", "s")}
OTHERS = [
    ("#009E73", "^"),
    ("#E69F00", "v"),
    ("#CC79A7", "X"),
    ("#56B4E9", "P"),
    ("#7F7F7F", "*"),
]


def draw_few_labels(results, path):
    """Draw accuracies by the number of labels, a panel a data set."""
    few = {task: by_size(results, task) for task in FOUR}
    few = {task: sides for task, sides in few.items() if sides}
    figure, axes = _panels(len(few), "labels", "accuracy, percent")
    for panel, (task, sides) in zip(axes, few.items(), strict=True):
        for name, style in _styled(sides).items():
            hits, sizes = sides[name].values(), list(sides[name])
            means = [100 * accuracy(draws)[0] for draws in hits]
            _line(panel, sizes, means, style, name)
        panel.set_xscale("log")
        panel.set_xticks(sizes, [f"{n:,}" for n in sizes])
        panel.minorticks_off()
        panel.set_title(TITLES[task])
    _save(figure, axes, path)


def draw_misspellings(results, path):
    """Draw losses by the share of misspelt words, a panel a data set."""
    found = {task: sides for task, sides in results["misspellings"].items() if sides}
    figure, axes = _panels(len(found), "misspelt words, percent", "points lost")
    for panel, (task, sides) in zip(axes, found.items(), strict=True):
        for name, style in _styled(sides).items():
            hits = sides[name]["hits"]
            losses = [100 * lost(hits, rate).mean() for rate in hits]
            rates = [100 * float(rate) for rate in hits]
            _line(panel, rates, losses, style, name)
        panel.set_xticks(rates)
        panel.set_title(TITLES[task])
    _save(figure, axes, path)


def _styled(names):
    others = iter(OTHERS)
    return {name: STYLES.get(name) or next(others) for name in names}


def _line(panel, x, y, style, name):
    color, marker = style
    panel.plot(x, y, color=color, marker=marker, ms=5, lw=1.8, label=name)


def _panels(n, x_label, y_label):
    from matplotlib.figure import Figure

    columns = 2 if n == 4 else n
    rows = -(-n // columns)
    figure = Figure(figsize=(8, 3.0 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", alpha=0.3)
    for panel in axes[-1]:
        panel.set_xlabel(x_label)
    for panel in axes[:, 0]:
        panel.set_ylabel(y_label)
    return figure, list(axes.flat)


def _save(figure, axes, path):
    lines, names = axes[0].get_legend_handles_labels()
    ncols = 3 if max(map(len, names)) < 20 else 2
    figure.legend(lines, names, loc="outside lower center", ncols=ncols, frameon=False)
    content = BytesIO()
    figure.savefig(content, format="png", dpi=110)
    write_atomically(path, content.getvalue())
