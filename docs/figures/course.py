"""Figures of the Chinese course, drawn when the pages are built.

Each function draws one, from docs/zh/measured.json, which `benchmarks/course.py`
writes. A page asks for one in a `plot` directive.
"""

import json
from functools import cache
from pathlib import Path

import draw_architecture
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.ticker import NullFormatter

from skelmo.display.looks import GREY, PALE, look_of
from skelmo.training.schedule import learning_rate_at

DOCS = Path(__file__).resolve().parents[1]
FONT = DOCS / "fonts" / "DroidSansFallback.ttf"
RECORD = DOCS / "zh" / "measured.json"
LEGEND = {"frameon": False, "fontsize": 9}


@cache
def font():
    """Return the names of the fonts, Latin letters first, and make them known."""
    font_manager.fontManager.addfont(FONT)
    own = font_manager.FontProperties(fname=FONT).get_name()
    return ["DejaVu Sans", own]


@cache
def record():
    """Return all that was measured."""
    return json.loads(RECORD.read_text("utf-8"))


def rows_of(experiment):
    """Return the rows of one experiment, by label, in the order they were measured."""
    found = {}
    for row in record()[experiment]["rows"]:
        found.setdefault(row["label"], []).append(row)
    return found


def values(rows, key="perplexity"):
    """Return one number of each row."""
    return np.array([row[key] for row in rows])


def panels(n=1, width=6.4, height=3.6, **options):
    """Return a figure and its axes, in the course's font."""
    plt.rcParams["font.family"] = font()
    figure, axes = plt.subplots(
        1, n, figsize=(width, height), layout="constrained", squeeze=False, **options
    )
    for each in axes[0]:
        each.grid(color=PALE, linewidth=0.8)
        each.set_axisbelow(True)
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes[0]


def seeds(axes, x, found, k=0, label=None):
    """Draw the mean of the seeds, and each of them as a dot."""
    color, marker = look_of(k)
    axes.scatter(
        np.repeat(x, [len(each) for each in found]), np.concatenate(found), s=14,
        color=color, alpha=0.4, linewidths=0,
    )  # fmt: skip
    means = [each.mean() for each in found]
    axes.plot(x, means, color=color, marker=marker, markersize=6, label=label)


def kinds(axes, found, names, key="perplexity"):
    """Draw settings without an order: a mean and the seeds of each, side by side."""
    color, marker = look_of(0)
    for k, label in enumerate(names):
        each = values(found[label], key)
        axes.scatter([k] * len(each), each, s=14, color=color, alpha=0.4, linewidths=0)
        axes.plot(k, each.mean(), color=color, marker=marker, markersize=7)
    axes.set_xticks(range(len(names)), list(names.values()), fontsize=9)
    axes.set_xlim(-0.5, len(names) - 0.5)


def by_rate(axes, experiment, names):
    """Draw perplexities against the learning rate, a line for each other setting."""
    found = [(*label.split(), rows) for label, rows in rows_of(experiment).items()]
    for k, (setting, name) in enumerate(names.items()):
        rates = {float(rate): values(rows) for s, rate, rows in found if s == setting}
        seeds(axes, list(rates), list(rates.values()), k, name)


def logarithmic(axes, ticks, axis="y"):
    """Give an axis a logarithmic scale with these ticks alone."""
    getattr(axes, f"set_{axis}scale")("log")
    names = [np.format_float_positional(tick, trim="-") for tick in ticks]
    getattr(axes, f"set_{axis}ticks")(ticks, names)
    own = getattr(axes, f"{axis}axis")
    own.set_minor_formatter(NullFormatter())
    own.set_tick_params(which="minor", size=0)


def architecture():
    """Draw the network, as on the English page."""
    plt.rcParams["font.family"] = font()
    figure = plt.figure(figsize=(10, 6.4), layout="constrained")
    draw_architecture.draw(figure, draw_architecture.CHINESE)


def words():
    """Perplexity of what is read of a token: characters, words, or both."""
    names = {
        "characters": "只读字符",
        "words": "只读单词",
        "both": "两样都要",
    }
    _, (axes,) = panels()
    kinds(axes, rows_of("words"), names)
    axes.set(ylabel="没见过的评论的困惑度", title="字符级与单词级嵌入")


def overfitting():
    """Training and validation along a long training, with and without dropout."""
    found = rows_of("regularization")
    _, axes = panels(2, width=8, sharey=True)
    for each, (label, title) in zip(
        axes, {"none": "没有正则化", "dropout 0.5": "dropout=0.5"}.items(), strict=True
    ):
        for column, (k, name) in enumerate([(0, "训练"), (1, "验证")], start=1):
            color, _ = look_of(k)
            for row in found[label]:
                curve = np.array(row["history"])[:, column]
                (line,) = each.plot(
                    range(1, len(curve) + 1), curve, color=color, lw=1.2
                )
                if column == 2:
                    best = int(curve.argmin())
                    (dot,) = each.plot(best + 1, curve[best], "o", color=color, ms=5)
            line.set_label(name)
        dot.set_label("最好的一轮")
        logarithmic(each, (20, 50, 100, 200, 400))
        each.set(xlabel="轮", title=title)
    axes[0].set_ylabel("困惑度（对数刻度）")
    axes[0].legend(**LEGEND)


def solver():
    """Perplexity against the learning rate, for each solver."""
    _, (axes,) = panels()
    by_rate(axes, "solver", {name: name for name in ("adam", "rmsprop", "sgd")})
    logarithmic(axes, (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1), "x")
    (guess,) = values(record()["unigram"]["rows"])
    axes.axhline(guess, color=GREY, ls=":", lw=1.2)
    axes.annotate(
        "只按字频猜", (0.00025, guess), (0, 4), textcoords="offset points", size=9,
        color=GREY,
    )  # fmt: skip
    logarithmic(axes, (200, 220, 240, 260, 280))
    axes.set(
        xlabel="learning_rate_init（对数刻度）", ylabel="没见过的评论的困惑度",
        title="每种优化器要各自的学习率",
    )  # fmt: skip
    axes.legend(**LEGEND)


def batch_size():
    """Perplexity against the learning rate, for each size of a step."""
    _, (axes,) = panels()
    sizes = {"64": "小：每步 64 个词元", "256": "中：256", "1024": "大：1,024"}
    by_rate(axes, "batch_size", sizes)
    logarithmic(axes, (0.003, 0.01, 0.03), "x")
    axes.set(
        xlabel="learning_rate_init（对数刻度）", ylabel="没见过的评论的困惑度",
        title="每种批量各试三个学习率",
    )  # fmt: skip
    axes.legend(**LEGEND)


def softmax():
    """Perplexity by how many words are sampled at each step."""
    _, (axes,) = panels()
    names = {"16": "16", "64": "64", "256": "256", "full": "全部"}
    kinds(axes, rows_of("softmax"), names)
    axes.set(
        xlabel="每一步的候选词", ylabel="没见过的评论的困惑度", title="采样 softmax"
    )


def schedule_shapes():
    """Rate along training, for each schedule."""
    _, (axes,) = panels(height=3)
    progress = np.linspace(0, 1, 400)
    for k, name in enumerate(("constant", "decay", "cosine", "slanted")):
        rates = [
            learning_rate_at(each, schedule=name, initial=0.01, warmup=0.05)
            for each in progress
        ]
        axes.plot(progress, rates, color=look_of(k)[0], label=name)
    axes.set(xlabel="训练的进度", ylabel="学习率", title="预热之后的四种计划")
    axes.legend(**LEGEND)


def schedule():
    """Rate and validation perplexity epoch by epoch, for each schedule."""
    _, (left, right) = panels(2, width=8)
    for k, (name, rows) in enumerate(rows_of("schedule").items()):
        color, _ = look_of(k)
        for n, row in enumerate(rows):
            curve = np.array(row["history"])
            epochs = range(1, len(curve) + 1)
            label = name if n == 0 else None
            left.plot(epochs, curve[:, 0], color=color, lw=1.2, label=label)
            right.plot(epochs, curve[:, 2], color=color, lw=1.2, label=label)
    logarithmic(left, (0.00001, 0.0001, 0.001, 0.01))
    left.set_ylim(bottom=7e-6)  # "adaptive" goes on and on
    left.set(xlabel="轮", ylabel="学习率（对数刻度）", title="学习率")
    right.set(xlabel="轮", ylabel="验证困惑度", title="验证困惑度")
    right.legend(**LEGEND)


def regularization():
    """Best and last validation perplexity of each penalty."""
    found = rows_of("regularization")
    names = {"none": "没有"} | {
        label: label.replace("alpha", "L2").replace("l1", "L1").replace(" ", "\n")
        for label in found
        if label != "none"
    }
    _, (axes,) = panels()
    for k, (name, last) in enumerate({"最好的一轮": False, "最后一轮": True}.items()):
        color, marker = look_of(k)
        for place, label in enumerate(names):
            curves = [np.array(row["history"])[:, 2] for row in found[label]]
            each = np.array([curve[-1] if last else curve.min() for curve in curves])
            axes.scatter([place] * len(each), each, s=14, color=color, alpha=0.4)
            axes.plot(
                place, each.mean(), color=color, marker=marker, ls="none",
                label=name if place == 0 else None,
            )  # fmt: skip
    axes.set_xticks(range(len(names)), list(names.values()), fontsize=9)
    logarithmic(axes, (100, 120, 150, 200, 300))
    axes.set(ylabel="验证困惑度（对数刻度）", title="过拟合的训练里，各种正则化")
    axes.legend(**LEGEND)


def vectors():
    """Accuracy and F1 of each kind of vectors, with few labels and with more."""
    names = {
        "tfidf": "TF-IDF",
        "word2vec": "Word2Vec",
        "glove": "GloVe",
        "elmo": "ELMo（同样的文本）",
        "zh": "ELMo（zh）",
    }
    _, axes = panels(2, width=9.5, sharey=True)
    titles = {"accuracy": "准确率", "f1": "F1（宏平均）"}
    for each, (key, title) in zip(axes, titles.items(), strict=True):
        for k, (label, name) in enumerate(names.items()):
            rows = [
                r for r in record()["vectors"]["rows"]["scores"] if r["label"] == label
            ]
            sizes = sorted({row["n"] for row in rows})
            found = [values([r for r in rows if r["n"] == n], key) for n in sizes]
            seeds(each, sizes, found, k, name)
        logarithmic(each, sizes, "x")
        each.set(xlabel="有标签的评论（对数刻度）", title=title)
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), **LEGEND)


def heads():
    """Scores of each head of a classifier, and of TF-IDF."""
    names = {
        "tfidf": "TF-IDF", "linear": "linear", "mlp": "mlp", "cnn": "cnn",
        "attention": "atten-\ntion",
    }  # fmt: skip
    found = {}
    for row in record()["heads"]["rows"]["scores"]:
        found.setdefault(row["label"], []).append(row)
    _, axes = panels(3, width=9, sharey=True)
    titles = {"accuracy": "准确率", "recall": "召回率（宏平均）", "f1": "F1（宏平均）"}
    for each, (key, title) in zip(axes, titles.items(), strict=True):
        kinds(each, found, names, key)
        each.set_title(title)
