"""Draw the architecture of ELMo: ``python docs/figures/draw_architecture.py``."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
ENGLISH = {
    "characters": "characters of one token",
    "ids": ("‹", "c", "a", "t", "s", "›"),
    "bytes": "UTF-8 bytes between word markers",
    "width": "width {}",
    "maximum": "maximum over\npositions",
    "stages": ("joined features of all widths", "highway layer", "projection"),
    "vector": "token vector  $x_k$",
    "same": "the same in every sentence",
    "sentence": "a sentence, in two directions",
    "tokens": ("<S>", "the", "cats", "sat", "</S>"),
    "layer": "layer {}",
    "mix": r"mix of the three layers:  $\gamma\,\sum_j\; s_j\; h_{k,j}$",
    "left": "reads from the left",
    "right": "reads from the right",
    "weight": "bold",
}
CHINESE = {
    "characters": "一个词元的字符",
    "ids": ("‹", "E5", "87", "80", "›"),  # the bytes of 净
    "bytes": "“净”的三个 UTF-8 字节，前后是词边界标记",
    "width": "宽 {}",
    "maximum": "各位置的\n最大值",
    "stages": ("所有宽度的特征连在一起", "highway 层", "投影"),
    "vector": "词元向量  xₖ",
    "same": "在任何句子里都一样",
    "sentence": "一个句子，两个方向",
    "tokens": ("<S>", "很", "干", "净", "</S>"),
    "layer": "第 {} 层",
    # A formula of mathtext would have no Chinese beside it.
    "mix": "三层的混合：  γ Σⱼ sⱼ hₖ,ⱼ",
    "left": "从左往右读",
    "right": "从右往左读",
    "weight": "normal",  # the font has no other
}
UNSAID = ("Creator", "Date", "Format", "Type")  # in the file


def box(axes, x, y, text, *, width=1.0, height=0.5, color=GREY, size=10):
    """Draw a rounded box around its centre, with a text in it."""
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height,
            boxstyle="round,pad=0,rounding_size=0.08",
            edgecolor=color, facecolor=mpl.colors.to_rgba(color, 0.12), linewidth=1.2,
        )
    )  # fmt: skip
    axes.text(x, y, text, ha="center", va="center", size=size)


def arrow(axes, start, end, *, color=GREY):
    """Draw an arrow from point to point."""
    properties = {
        "arrowstyle": "-|>", "color": color, "linewidth": 1.1, "shrinkA": 0,
        "shrinkB": 0,
    }  # fmt: skip
    axes.annotate("", end, start, arrowprops=properties)


def draw_token_encoder(axes, words):
    """Draw how the characters of a token become its vector, from the bottom up."""
    x = 2.0
    axes.text(x, 8.2, words["characters"], ha="center", size=12, weight=words["weight"])
    ids = words["ids"]
    columns = [x + 0.5 * (k - (len(ids) - 1) / 2) for k in range(len(ids))]
    for column, character in zip(columns, ids, strict=True):
        box(axes, column, 0.9, character, width=0.42, height=0.42)
    axes.text(x, 0.35, words["bytes"], ha="center", size=9.5)
    for k, (width, left) in enumerate(((1, 0), (2, 1), (3, len(ids) - 3))):
        middle = sum(columns[left : left + width]) / width
        top = x + 1.3 * (k - 1)
        for column in columns[left : left + width]:
            arrow(axes, (column, 1.15), (top + 0.4 * (column - middle), 1.95))
        box(axes, top, 2.2, words["width"].format(width), width=1.15)
        arrow(axes, (top, 2.45), (x + 0.6 * (k - 1), 3.15))
    axes.text(x + 2.1, 2.2, "…", ha="center", va="center", size=12)
    axes.text(x + 1.2, 2.86, words["maximum"], va="center", size=9.5)
    for k, stage in enumerate(words["stages"]):
        box(axes, x, 3.4 + 1.1 * k, stage, width=3.2)
        arrow(axes, (x, 3.65 + 1.1 * k), (x, 4.25 + 1.1 * k))
    box(axes, x, 6.75, words["vector"], width=3.2, color=GREEN, size=11)
    axes.text(x, 7.3, words["same"], ha="center", size=9.5)


def draw_language_model(axes, words):
    """Draw both directions over a sentence, and the mix of one token's layers."""
    columns = [6.1 + 1.45 * k for k in range(len(words["tokens"]))]
    axes.text(
        columns[2], 8.2, words["sentence"],
        ha="center", size=12, weight=words["weight"],
    )  # fmt: skip
    rows = (1.7, 3.5, 5.3)
    for column, token in zip(columns, words["tokens"], strict=True):
        axes.text(column, 0.9, token, ha="center", va="center", size=11)
        box(axes, column, rows[0], "$x_k$", width=0.7, color=GREEN)
        arrow(axes, (column, 1.12), (column, rows[0] - 0.25))
        for layer in (1, 2):
            low, high = rows[layer - 1], rows[layer]
            below = 0.25 if layer == 1 else 0.62
            for side, color in ((-0.3, BLUE), (0.3, ORANGE)):
                start = low + (0.25 if layer == 1 else below - (side > 0) * 0.74)
                shift = 0.36 if side < 0 else -0.36
                arrow(
                    axes, (column + side, start),
                    (column + side, high + shift - 0.26), color=color,
                )  # fmt: skip
    for layer in (1, 2):
        for k, column in enumerate(columns):
            ahead, back = rows[layer] + 0.36, rows[layer] - 0.36
            box(axes, column - 0.12, ahead, "LSTM", width=0.78, color=BLUE, size=9.5)
            box(axes, column + 0.12, back, "LSTM", width=0.78, color=ORANGE, size=9.5)
            if k:
                before = columns[k - 1]
                arrow(axes, (before + 0.27, ahead), (column - 0.51, ahead), color=BLUE)
                arrow(axes, (column - 0.27, back), (before + 0.51, back), color=ORANGE)
    for layer, row in enumerate(rows):
        name = words["layer"].format(layer)
        axes.text(columns[-1] + 0.75, row, name, va="center", size=10)
    chosen = columns[2]
    axes.add_patch(
        FancyBboxPatch(
            (chosen - 0.66, rows[0] - 0.42), 1.32, rows[2] - rows[0] + 1.2,
            boxstyle="round,pad=0,rounding_size=0.12",
            edgecolor=GREEN, facecolor="none", linewidth=1.6, linestyle="--",
        )
    )  # fmt: skip
    arrow(axes, (chosen, rows[2] + 0.78), (chosen, 6.84), color=GREEN)
    box(
        axes, chosen, 7.15,
        words["mix"], width=5.2, height=0.62, color=GREEN, size=12,
    )  # fmt: skip
    axes.text(columns[0] - 0.45, 6.3, words["left"], color=BLUE, size=10, ha="left")
    axes.text(
        columns[-1] + 0.45, 6.3, words["right"], color=ORANGE, size=10,
        ha="right",
    )  # fmt: skip


def draw(figure, words=ENGLISH):
    """Draw both parts side by side, in the language of the words."""
    axes = figure.subplots()
    axes.set(xlim=(0, 13.5), ylim=(0.2, 8.6))
    axes.axis("off")
    draw_token_encoder(axes, words)
    draw_language_model(axes, words)


def main():
    """Write the figure beside this script, the same bytes every time."""
    settings = {"svg.hashsalt": "skelmo", "svg.fonttype": "path"}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(10, 6.4), layout="constrained")
        draw(figure)
        path = Path(__file__).with_name("architecture.svg")
        figure.savefig(path, metadata=dict.fromkeys(UNSAID))


if __name__ == "__main__":
    main()
