"""Accuracy and time of classifiers of texts, with few labels and with all.

    python benchmarks/classify.py --shared DIR --scratch DIR
    python benchmarks/classify.py --shared DIR --scratch DIR --tasks mr --sizes 100 all

Rows are classifiers: of words, of networks that learn from the labels alone, of pooled
ELMo features, and `ElmoClassifier` with its heads, frozen or tuned, with or without a
first reading of the texts. Few labels are drawn from the first split's training texts,
`--seeds` times; the other training texts are given without labels. All labels are tried
on `--folds` splits of MR and on the only one of the others.

Each fit is a JSON file in `--scratch`, made once for the same texts, classifier and
seed, so that a broken run goes on, and a table is printed again at no cost. With
`--development` a fifth of the training texts is tested on instead of the test texts: to
choose by.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from classify_models import NaiveBayesSVMModel, frozen, heads, tfidf
from classify_nets import KimCNN, MeanOfVectors, NetworkModel
from machine import SHARED, heading, markdown
from quality_data import TITLES, draws, load
from quality_learn import accuracy, hits
from quality_store import Store, digest
from sklearn.model_selection import train_test_split

TASKS = ("mr", "sst2", "sst5", "trec", "imdb")
SIZES = ("100", "300", "1000", "all")


def models(language_model):
    """Return all classifiers by name."""
    found = [
        tfidf(),
        NaiveBayesSVMModel(),
        NetworkModel("mean of trained vectors", MeanOfVectors),
        NetworkModel("CNN of trained vectors", KimCNN),
        frozen(language_model),
        *heads(language_model),
    ]
    return {model.name: model for model in found}


def main():
    """Fit what is not there yet, and print a table for each task."""
    options = parse()
    known = models(options.model)
    chosen = [known[name] for name in options.rows or known]
    store = Store(options.scratch / "results", options.tasks)
    print(heading())
    for name in options.tasks:
        task = load(name, options.shared, options.quick)
        if options.development:
            task = development(task)
        rows = [row_of(store, task, model, options) for model in chosen]
        print(f"{TITLES[name]}\n\n{markdown(['', *options.sizes], rows)}\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--shared", type=Path, default=SHARED, help="directory with data/")
    add("--scratch", type=Path, required=True, help="directory for what was measured")
    add("--model", default="en", help="directory or name of a language model")
    add("--tasks", nargs="*", choices=TASKS, default=TASKS)
    add("--sizes", nargs="*", choices=SIZES, default=SIZES, help="numbers of labels")
    add("--rows", nargs="*", help="names of classifiers; else all")
    add("--seeds", type=int, default=5, help="draws of few labels")
    add("--folds", type=int, default=10, help="splits of MR with all labels")
    add("--development", action="store_true", help="leave the test texts alone")
    add("--quick", action="store_true", help="a try with few texts")
    return parser.parse_args()


def development(task):
    """Return a task whose test texts are a fifth of its first training texts."""
    rows, labels = task.splits[0][0], task.labels
    train, test = train_test_split(
        rows, test_size=0.2, stratify=labels[rows], random_state=0
    )
    return task._replace(splits=[(train, test)])


def row_of(store, task, model, options):
    """Return the cells of a classifier: accuracy, its error, and minutes of a fit."""
    return [model.name, *(cell(store, task, model, n, options) for n in options.sizes)]


def cell(store, task, model, size, options):
    parts = list(parts_of(task, size, options))
    if not parts:
        return "-"
    found = [fit(store, task, model, *part) for part in parts]
    mean, deviation = accuracy([each["hits"] for each in found])
    minutes = np.mean([each["fit"] for each in found]) / 60
    return f"{100 * mean:.1f} ± {100 * deviation:.1f}, {minutes:.1f} min"


def parts_of(task, size, options):
    """Yield training rows, those without labels, test rows and a seed."""
    train, test = task.splits[0]
    if size == "all":
        for seed, (rows, others) in enumerate(task.splits[: options.folds]):
            yield rows, rows[:0], others, seed
        return
    n = int(size)
    if 2 * n > len(train):
        return
    for seed, drawn in enumerate(draws(task.labels[train], n, options.seeds)):
        yield train[drawn], np.delete(train, drawn), test, seed


def fit(store, task, model, train, unlabeled, test, seed):
    """Return hits, and seconds of fitting and of predicting."""

    def measure():
        texts, labels = task.texts, task.labels
        begin = time.perf_counter()
        predict = model.fit(texts[train], labels[train], texts[unlabeled], seed)
        fitted = time.perf_counter()
        found = hits(predict(texts[test]), labels[test])
        done = time.perf_counter()
        return {"hits": found, "fit": fitted - begin, "predict": done - fitted}

    data = [list(task.texts[part]) for part in (train, unlabeled, test)]
    data += [task.labels[part].tolist() for part in (train, test)]
    settings = [digest(data), model.key, seed]
    return store.get(task.name, f"{model.name} {len(train)} {seed}", settings, measure)


if __name__ == "__main__":
    main()
