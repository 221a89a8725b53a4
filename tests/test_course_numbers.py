"""Numbers of the Chinese course are those that were measured for it.

As in test_numbers.py, a function for each page yields what it says and the numbers of
the record, here mostly docs/zh/measured.json.
"""

import math

import numpy as np
import pytest
from records import cell, measured, numbers_that_differ, span
from test_numbers import CLASSIFIERS, PACKAGE, ZH, accuracy, head


def of_seeds(experiment, label, value=lambda row: row["perplexity"]):
    """Return a value for each seed with which a setting was tried."""
    rows = [row for row in measured()[experiment]["rows"] if row["label"] == label]
    return [value(row) for row in rows]


def validation(experiment, label, choose):
    """Return for each seed the best, or the last, perplexity of the epochs."""
    return of_seeds(
        experiment, label, lambda row: choose([epoch[2] for epoch in row["history"]])
    )


def last(values):
    return values[-1]


def draws(experiment, label, n_labels, key="accuracy"):
    """Return a score for each draw of the labelled texts."""
    rows = measured()[experiment]["rows"]["scores"]
    return [row[key] for row in rows if (row["label"], row["n"]) == (label, n_labels)]


def summary(values):
    """Return mean and standard deviation of a sample."""
    return [np.mean(values), np.std(values, ddof=1)]


def gains(experiment, sides, n_labels):
    """Return by how many points, in each draw, the sides are above TF-IDF."""
    base = draws(experiment, "tfidf", n_labels)
    gain = [np.subtract(draws(experiment, side, n_labels), base) for side in sides]
    return span(100 * np.concatenate(gain))


def applications():
    yield "它的参数只有 {} 万", [ZH.n_weights / 1e4]


def installation():
    yield "包本身约 {} MB", [PACKAGE]


def prediction():
    yield "在留出的评论上是 {}（", [ZH.perplexity("reviews-zh")]


def loss():
    known = ZH.perplexity("reviews-zh")
    yield "| 在 {} 个词里瞎猜 | {} | {} |", [5000, math.log(5000), 5000]
    yield "| 每个字都完全猜中 | {} | {} |", [0, 1]
    yield (
        '| `"zh"`，留出的评论（[模型卡](../model_card_zh.md)） | {} | {} |',
        [math.log(known), known],
    )
    (n_words,) = set(of_seeds("softmax", "full", lambda row: row["n_vocabulary"]))
    yield "词表 {} 个字，三个随机种子", [n_words]
    for label in ("16", "64", "256"):
        yield f"| {label} | {{}}–{{}} |", span(of_seeds("softmax", label))
    yield "| 全部 {} | {}–{} |", [n_words, *span(of_seeds("softmax", "full"))]
    seconds = [
        np.mean(of_seeds("softmax", label, lambda row: row["seconds"]))
        for label in ("full", "256")
    ]
    yield "全部取，平均 {} 秒处理器时间；取 256 个，{} 秒。", seconds


def tuning():
    (sst2, _), (frozen, _) = map(
        head, ("ELMo tuned, attention", "ELMo frozen, attention")
    )
    yield (
        "默认设置微调后准确率 {} ± {}，冻结模型加注意力头 {}，冻结特征加逻辑回归 {}，"
        "TF-IDF {}，占用一个核约 {} 分钟。",
        [*sst2[:2], frozen[0], accuracy("ELMo")[0], accuracy("TF-IDF")[0], sst2[2]],
    )
    few = [
        cell(CLASSIFIERS, name, "SST-2, 100")[:2]
        for name in ("ELMo tuned, attention", "ELMo pooled, LR")
    ]
    yield "微调 {} ± {}，逻辑回归 {} ± {}。", [*few[0], *few[1]]


def elmo():
    names = {"只读字符": "characters", "只读单词": "words", "两样都要": "both"}
    for name, label in names.items():
        found = span(of_seeds("words", label))
        yield f"| {name} | {{}}–{{}} |", found
        yield f"{name} {{}} 到 {{}}", found


def solvers():
    adam, larger = (span(of_seeds("solver", f"adam {rate}")) for rate in (0.01, 0.03))
    yield '| `"adam"` | 0.01 | {}–{} | {}–{} |', [*adam, *larger]
    found = [span(of_seeds("solver", f"rmsprop {rate}")) for rate in (0.0003, 0.001)]
    yield '| `"rmsprop"` | 0.0003 | {}–{} | {}–{} |', [*found[0], *found[1]]
    sgd, one = span(of_seeds("solver", "sgd 0.3")), of_seeds("solver", "sgd 1")
    yield '| `"sgd"` | 0.3 | {}–{} | {} |', [*sgd, np.mean(one)]
    others = [
        min(row["perplexity"] for row in measured()["solver"]["rows"]
            if row["label"].startswith(name))
        for name in ("rmsprop", "sgd")
    ]  # fmt: skip
    yield "它最差的种子（{}）好过另两种最好的种子（{}、{}）", [adam[1], *others]
    yield "在 0.03 时有一个种子 {}，", larger[:1]
    guess = of_seeds("unigram", "unigram")
    yield "比只按字频猜（{}）好不了多少", guess
    yield "虚线标出只按字频猜的 {}。", guess


def batch_size():
    names = {"小：64": 64, "中：256": 256, "大：1,024": 1024}
    for name, size in names.items():
        (n_tokens,) = {row["n_tokens"] for row in measured()["batch_size"]["rows"]}
        spans = [
            span(of_seeds("batch_size", f"{size} {rate}"))
            for rate in (0.003, 0.01, 0.03)
        ]
        yield f"| {name} | {{}} |{' {}–{} |' * 3}", [n_tokens / size, *np.ravel(spans)]
    times = [
        np.mean([row["seconds"] for row in measured()["batch_size"]["rows"]
                 if row["label"].startswith(f"{size} ")])
        for size in (64, 1024)
    ]  # fmt: skip
    yield "每步 64 个词元用了 {} 秒处理器时间，1,024 个只用 {} 秒", times


def learning_rate():
    for name in ("constant", "adaptive", "decay"):
        best, final = (validation("schedule", name, each) for each in (min, last))
        yield f'| `"{name}"` | {{}}–{{}} | {{}}–{{}} |', [*span(best), *span(final)]
    best, final = (validation("schedule", "cosine", each) for each in (min, last))
    yield '| `"cosine"` | {} | {}–{} |', [np.mean(best), *span(final)]


def regularization():
    names = {"没有": "none"} | {
        f"`{label.replace(' ', '=')}`": label
        for label in (
            "dropout 0.2", "dropout 0.5", "alpha 0.1", "alpha 1", "l1 0.001", "l1 0.01",
        )
    }  # fmt: skip
    for name, label in names.items():
        best, final = (validation("regularization", label, x) for x in (min, last))
        zeros = 100 * np.mean(of_seeds("regularization", label, lambda r: r["zeros"]))
        percent = "%" if "l1" in label else ""
        yield (
            f"| {name} | {{}}–{{}} | {{}}–{{}} | {{}}{percent} |",
            [*span(best), *span(final), zeros],
        )
    best = {
        label: validation("regularization", label, min)
        for label in ("none", "dropout 0.2")
    }
    yield (
        "最差的种子（{}）也好过没有正则化时最好的种子（{}）",
        [max(best["dropout 0.2"]), min(best["none"])],
    )


def splitting():
    none = [validation("regularization", "none", each) for each in (min, last)]
    epochs = validation("regularization", "none", lambda p: p.index(min(p)) + 1)
    yield (
        "验证困惑度在第 {}、{} 轮最低，{} 到 {}，到第 20 轮升回 {} 到 {}。",
        [*span(epochs), *span(none[0]), *span(none[1])],
    )


def static_vectors():
    costs = {row["label"]: row for row in measured()["vectors"]["rows"]["costs"]}
    for name, label in {
        "Word2Vec，100 维": "word2vec",
        "GloVe，100 维": "glove",
        "小 ELMo（128/32）": "elmo",
        '`"zh"`（384/256）': "zh",
    }.items():
        row = costs[label]
        found = [1000 * row["encoding"], row["numbers"], row["features"]]
        training = "附带" if label == "zh" else "{}"
        found = found if label == "zh" else [row["training"], *found]
        percent = "%" if row["unknown"] else ""
        yield (
            f"| {name} | {training} | {{}} | {{}} | {{}} | {{}}{percent} |",
            [*found, 100 * row["unknown"]],
        )
    for name, label in {
        "TF-IDF（单字与双字）": "tfidf",
        "Word2Vec": "word2vec",
        "GloVe": "glove",
        "小 ELMo（同样的 1,500 条文本）": "elmo",
        '`"zh"`': "zh",
    }.items():
        found = [summary(draws("vectors", label, n)) for n in (100, 400)]
        yield f"| {name} | {{}} ± {{}} | {{}} ± {{}} |", [*found[0], *found[1]]
    yield "400 条时领先 {} 到 {} 个百分点", gains("vectors", ["zh"], 400)


def heads():
    names = {"TF-IDF": "tfidf"}
    names |= {f'`"{name}"`': name for name in ("linear", "mlp", "cnn", "attention")}
    for name, label in names.items():
        found = [
            summary(draws("heads", label, 300, key))
            for key in ("accuracy", "recall", "f1")
        ]
        yield f"| {name} |{' {} ± {} |' * 3}", np.ravel(found)
    means = [
        np.mean(draws("heads", label, 300)) for label in names.values()
        if label != "tfidf"
    ]  # fmt: skip
    yield "四种头的平均在 {} 到 {} 之间", span(means)
    yield "次次高于 TF-IDF（{} 到 {} 个百分点）", gains("heads", ["cnn"], 300)
    yield '两者的参数都比 `"zh"` 的 {} 万少得多', [ZH.n_weights / 1e4]


PAGES = {
    "applications": applications,
    "batch_size": batch_size,
    "elmo": elmo,
    "heads": heads,
    "installation": installation,
    "learning_rate": learning_rate,
    "loss": loss,
    "prediction": prediction,
    "regularization": regularization,
    "solvers": solvers,
    "static_vectors": static_vectors,
    "tuning": tuning,
    "validation": splitting,
}


@pytest.mark.parametrize("page", PAGES)
def test_pages_of_the_course_say_what_was_measured(page):
    assert not numbers_that_differ(f"docs/zh/{page}.md", PAGES[page]())
