"""Is ELMo worth its cost on your texts?

Texts become features of the English language model that comes with skelmo; logistic
regression classifies them. The same texts are given to TF-IDF, to both together, and
to a guess that always names the most frequent class::

    python examples/quickstart.py               # 400 reviews: are they positive?
    python examples/quickstart.py reviews.csv --text review --label stars
    python examples/quickstart.py hotels.csv --epochs 10   # in another language

Of the 400 short reviews that come with skelmo 100 train and the others test, ten times:
with few labels it counts what a language model has read before. Of a file, three
quarters train, once, unless `--labels` and `--draws` say otherwise. With `--epochs`, a
language model of your own learns from the training texts alone, without labels or
download, and takes the place of the English one.

The reviews were made up for examples, in which half of the writers say it by irony or a
little story: the scores show how a comparison is made, and say nothing of real reviews.

Prints accuracy, macro recall and macro F1 on held-out texts, the confusion matrix,
perplexity, seconds and peak memory; draws a figure if matplotlib is there.
"""

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, precision_recall_fscore_support
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import Normalizer, StandardScaler

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.datasets import load_reviews

TEXT_NAMES = ("text", "review", "sentence", "document", "content", "message")
LABEL_NAMES = ("label", "class", "category", "target", "topic", "sentiment")


def make_models(epochs, seed, verbose):
    """Return the pipelines to compare; the third reuses what the first has learnt."""
    model = "en"
    if epochs:
        model = ElmoLanguageModel(max_epochs=epochs, random_state=seed)
    elmo = make_pipeline(
        ElmoVectorizer(language_model=model, verbose=verbose),
        StandardScaler(),
        Normalizer(),  # rows of length 1, as those of TF-IDF
        LogisticRegression(C=30, max_iter=1000),
    )
    tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    both = make_union(FrozenEstimator(elmo[:-1]), tfidf)
    return {
        "ELMo": elmo,
        "TF-IDF": make_pipeline(tfidf, LogisticRegression(C=30, max_iter=1000)),
        "ELMo + TF-IDF": make_pipeline(both, LogisticRegression(C=30, max_iter=1000)),
        "most frequent": DummyClassifier(),
    }


def evaluate(models, train, test):
    """Fit the models; return a row of scores for each, and what they predict."""
    rows, predictions = {}, {}
    for name, model in models.items():
        start = time.perf_counter()
        predicted = model.fit(*train).predict(test[0])
        seconds = time.perf_counter() - start
        _, recall, f1, _ = precision_recall_fscore_support(
            test[1], predicted, average="macro", zero_division=0
        )
        rows[name] = [np.mean(predicted == test[1]), recall, f1, seconds]
        predictions[name] = predicted
    columns = ["accuracy", "macro recall", "macro F1", "seconds"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns), predictions


def summarize(tables):
    """Return the means of scores over draws, their spread, and the sum of seconds."""
    groups = pd.concat(tables).groupby(level=0, sort=False)
    table = groups.mean()
    if len(tables) > 1:
        table.insert(1, "±", groups["accuracy"].std())
    return table.assign(seconds=groups["seconds"].sum().map("{:.1f}".format))


def draw(tables, true, predicted, path):
    """Draw the accuracy of each draw, and which class is taken for which."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        print("no figure: it needs matplotlib")
        return
    figure, (left, right) = plt.subplots(
        ncols=2, figsize=(8, 3.6), layout="constrained"
    )
    accuracy = pd.concat([table["accuracy"] for table in tables], axis=1)[::-1]
    means = accuracy.mean(axis=1)
    means.plot.barh(ax=left, color="#56B4E9", title="Features compared")
    for k, points in enumerate(accuracy.to_numpy()):
        left.plot(
            points, np.full(len(points), k), "o", color="#222222", ms=3, alpha=0.5
        )
        left.annotate(f"{means.iloc[k]:.3f}", (1.03, k), va="center")
    left.set(xlim=(0, 1.3), xlabel="accuracy on test texts (points: draws)")
    left.set_xticks([0, 0.5, 1])
    left.spines[["top", "right"]].set_visible(False)
    style = {"cmap": "cividis", "im_kw": {"vmin": 0, "vmax": 1}, "normalize": "true"}
    style |= {"values_format": ".2f", "include_values": true.nunique() <= 8}
    matrix = ConfusionMatrixDisplay.from_predictions(true, predicted, ax=right, **style)
    matrix.im_.colorbar.set_label("share of the true class")
    right.set_xticklabels(right.get_xticklabels(), rotation=30, ha="right")
    right.set(xlabel="predicted class", ylabel="true class", title="ELMo's confusions")
    figure.savefig(path, dpi=150)
    print(f"figure: {path}")


def load(args):
    """Return texts and labels: of the user's file, or the reviews."""
    if args.file:
        texts, labels = read_columns(args.file, args.text, args.label)
    else:
        reviews = load_reviews()
        names = np.array(reviews.target_names)
        texts, labels = pd.Series(reviews.data), pd.Series(names[reviews.target])
    texts = texts.sample(min(args.max_documents, len(texts)), random_state=args.seed)
    labels = labels[texts.index]
    counts = labels.value_counts()
    if len(counts) < 2:
        raise ValueError(f"needs at least 2 classes, found {len(counts)}")
    if counts.min() < 2:
        raise ValueError(
            f"class {counts.index[-1]!r} needs at least 2 documents, has 1"
        )
    return texts, labels


def make_splits(args, texts, labels):
    """Return the numbers of training and test texts, and their places in each draw."""
    n_classes, n_texts = labels.nunique(), len(texts)
    n_labels = args.labels or (n_texts - max(n_classes, n_texts // 4))
    if args.labels is None and not args.file:
        n_labels = min(n_labels, 100)
    if not n_classes <= n_labels <= n_texts - n_classes:
        raise ValueError(
            f"--labels must be {n_classes} to {n_texts - n_classes}, not {n_labels}: "
            "each class is trained and tested"
        )
    n_draws = args.draws or (1 if args.file else 10)
    splits = StratifiedShuffleSplit(
        n_draws,
        train_size=n_labels,
        test_size=n_texts - n_labels,
        random_state=args.seed,
    )
    return n_labels, n_texts - n_labels, list(splits.split(texts, labels))


def read_columns(path, text, label):
    """Return the columns of text and label, without the rows that lack one."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        file.seek(0)
        delimiter = max("\t,;|", key=header.count)
        # Between tabs a quotation mark is text, and "NA" is a word everywhere.
        quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
        options = {"sep": delimiter, "quoting": quoting, "keep_default_na": False}
        table = pd.read_csv(file, dtype=str, **options).fillna("")
    texts = table[find_column(table, "text", text, TEXT_NAMES)]
    labels = table[find_column(table, "label", label, LABEL_NAMES)]
    complete = (texts.str.strip() != "") & (labels.str.strip() != "")
    print(f"{complete.sum()} of {len(table)} rows have a text and a label")
    return texts[complete], labels[complete]


def find_column(table, role, given, guesses):
    """Return the column asked for, or else the first with a telling name."""
    found = [c for c in table if (c == given if given else c.lower() in guesses)]
    if not found:
        problem = (
            f"no column {given!r}" if given else f"no column looks like the {role}"
        )
        raise ValueError(f"{problem}: give --{role} one of {', '.join(table)}")
    return found[0]


def peak_memory():
    """Return the most memory that this process has held."""
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:  # Windows
        return "n/a"
    peak = getrusage(RUSAGE_SELF).ru_maxrss
    return f"{peak / (2**20 if sys.platform == 'darwin' else 2**10):,.0f} MiB"


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, help="CSV or TSV with a header")
    parser.add_argument("--text", metavar="COLUMN", help="default: guessed by name")
    parser.add_argument("--label", metavar="COLUMN", help="default: guessed by name")
    parser.add_argument("--out", type=Path, default="quickstart.png", metavar="PNG")
    parser.add_argument("--max-documents", type=int, default=10**9, metavar="N")
    parser.add_argument("--labels", type=int, metavar="N", help="texts to train on")
    parser.add_argument("--draws", type=int, metavar="N", help="of the training texts")
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="pre-train on the training texts"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    return parser.parse_args()


def main():
    """Compare the features; return the exit code."""
    start = time.perf_counter()
    args = parse_arguments()
    try:
        if args.out.suffix != ".png" or not args.out.parent.is_dir():
            raise ValueError(f"--out must be a .png in a directory, not {args.out}")
        texts, labels = load(args)
        n_train, n_test, splits = make_splits(args, texts, labels)
    except (OSError, ValueError) as error:
        print(f"quickstart: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    times = f", {len(splits)} times" if len(splits) > 1 else ""
    print(f"{n_train} training texts, {n_test} test texts{times}")
    tables, true, predicted = [], [], []
    for train, test in splits:
        models = make_models(args.epochs, args.seed, bool(args.file))
        train, test = [[texts.iloc[k], labels.iloc[k]] for k in (train, test)]
        table, predictions = evaluate(models, train, test)
        tables.append(table)
        true.append(test[1].rename("true"))
        predicted.append(pd.Series(predictions["ELMo"], name="ELMo says"))
    print(f"\n{summarize(tables).to_string(float_format='%.3f')}\n")

    true, predicted = (pd.concat(each, ignore_index=True) for each in (true, predicted))
    print(f"{pd.crosstab(true, predicted).to_string()}\n")
    forward, backward, _ = models["ELMo"][0].language_model_.perplexity(test[0])
    print(f"perplexity on test texts: forward {forward:.1f}, backward {backward:.1f}")
    draw(tables, true, predicted, args.out)
    print(f"{time.perf_counter() - start:.0f} s, peak memory {peak_memory()}")
    return 0


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
