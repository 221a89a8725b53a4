"""Is ELMo worth its cost on your texts? Encode, classify, compare with TF-IDF.

Texts become features of the English language model that comes with skelmo; logistic
regression classifies them. The same texts are given to TF-IDF, to both together, and
to a guess that always names the most frequent class::

    python examples/quickstart.py               # 5,100 docstrings: of which library?
    python examples/quickstart.py reviews.csv --text review --label stars
    python examples/quickstart.py hotels.csv --epochs 10   # in another language

With `--epochs`, a language model of your own learns from the training texts alone,
without labels or download, and takes the place of the English one.

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
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import Normalizer, StandardScaler

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.datasets import load_docstrings

TEXT_NAMES = ("text", "review", "sentence", "document", "content", "message")
LABEL_NAMES = ("label", "class", "category", "target", "topic", "sentiment")


def make_models(epochs, seed):
    """Return the pipelines to compare; the third reuses what the first has learnt."""
    model = "en"
    if epochs:
        model = ElmoLanguageModel(max_epochs=epochs, random_state=seed)
    elmo = make_pipeline(
        ElmoVectorizer(language_model=model, pooling=["mean", "max"], verbose=1),
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


def evaluate(models, split):
    """Fit the models; return a table of their scores, and what they predict."""
    train_texts, test_texts, train_labels, test_labels = split
    rows, predictions = {}, {}
    for name, model in models.items():
        start = time.perf_counter()
        predicted = model.fit(train_texts, train_labels).predict(test_texts)
        seconds = time.perf_counter() - start
        _, recall, f1, _ = precision_recall_fscore_support(
            test_labels, predicted, average="macro", zero_division=0
        )
        rows[name] = [np.mean(predicted == test_labels), recall, f1, f"{seconds:.1f}"]
        predictions[name] = predicted
    columns = ["accuracy", "macro recall", "macro F1", "seconds"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns), predictions


def draw(scores, true, predicted, path):
    """Draw a bar for each score, and which class is taken for which."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no figure: it needs matplotlib")
        return
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    left, right = figure.subplots(ncols=2)
    scores[::-1].plot.barh(ax=left, color="#0072B2", title="Features compared")
    left.bar_label(left.containers[0], fmt="%.3f", padding=3)
    left.set(xlim=(0, 1.3), xlabel="macro F1 on test texts (best: 1)")
    style = {"cmap": "cividis", "im_kw": {"vmin": 0, "vmax": 1}, "normalize": "true"}
    style |= {"values_format": ".2f", "include_values": true.nunique() <= 8}
    matrix = ConfusionMatrixDisplay.from_predictions(true, predicted, ax=right, **style)
    matrix.im_.colorbar.set_label("share of the true class")
    right.set_xticklabels(right.get_xticklabels(), rotation=30, ha="right")
    right.set(xlabel="predicted class", ylabel="true class", title="ELMo's confusions")
    figure.savefig(path, dpi=150)
    print(f"figure: {path}")


def load(args):
    """Return texts and labels: of the user's file, or the docstrings."""
    if args.file:
        texts, labels = read_columns(args.file, args.text, args.label)
    else:
        docstrings = load_docstrings()
        names = np.array(docstrings.target_names)
        texts, labels = pd.Series(docstrings.data), pd.Series(names[docstrings.target])
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
    except (OSError, ValueError) as error:
        print(f"quickstart: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    n_test = max(labels.nunique(), len(texts) // 4)
    split = train_test_split(
        texts, labels, test_size=n_test, stratify=labels, random_state=args.seed
    )
    print(f"{len(texts) - n_test} training texts, {n_test} test texts")
    models = make_models(args.epochs, args.seed)
    table, predictions = evaluate(models, split)
    print(f"\n{table.to_string(float_format='%.3f')}\n")

    true, predicted = split[3].rename("true"), predictions["ELMo"]
    confusion = pd.crosstab(true, pd.Series(predicted, true.index, name="ELMo says"))
    print(f"{confusion.to_string()}\n")
    forward, backward, _ = models["ELMo"][0].language_model_.perplexity(split[1])
    print(f"perplexity on test texts: forward {forward:.1f}, backward {backward:.1f}")
    draw(table["macro F1"], true, predicted, args.out)
    print(f"{time.perf_counter() - start:.0f} s, peak memory {peak_memory()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
