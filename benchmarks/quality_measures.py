"""Measurements on whole texts: all labels, few labels, misspellings, variants."""

import numpy as np
from quality_data import draws, folds_of
from quality_learn import GRIDS, hits, learn
from quality_misspell import misspell
from quality_sides import scaled, take
from quality_store import digest

FEW = (50, 100, 300, 1000)
N_DRAWS = 10
RATES = (0.05, 0.1, 0.2)
N_MISSPELT = 10
VARIANT_FOLDS = 3


def classify(store, part, task, side):
    """Return hits and what was chosen for each split of a task."""

    def measure():
        rows = side.represent(task.texts)
        found = {"n_train": len(task.splits[0][0]), "hits": [], "chosen": []}
        for train, test in task.splits:
            blocks = side.blocks(take(train, rows), [take(test, rows)])
            (predicted,), chosen = learn(blocks, task.labels[train])
            found["hits"].append(hits(predicted, task.labels[test]))
            found["chosen"].append(chosen)
        return found

    return store.get(part, f"{task.name} {side.name}", _key(task, side), measure)


def few_labels(store, part, task, side, sizes=FEW, n_draws=N_DRAWS):
    """Return hits of each draw of so many labels of the first split."""

    def measure():
        train, test = task.splits[0]
        rows = side.represent(task.texts)
        found = {}
        for n in sizes:
            if 2 * n > len(train):
                continue  # a quick try, or a draw that is about all there is
            found[str(n)] = []
            for drawn in draws(task.labels[train], n, n_draws):
                chosen = train[drawn]
                blocks = side.blocks(take(chosen, rows), [take(test, rows)])
                (predicted,), _ = learn(blocks, task.labels[chosen])
                found[str(n)].append(hits(predicted, task.labels[test]))
        return {"hits": found}

    key = [*_key(task.first, side), sizes, n_draws]
    return store.get(part, f"{task.name} {side.name}", key, measure)


def misspellings(store, part, task, side, rates=RATES, n_draws=N_MISSPELT):
    """Return hits on the test texts of the first split, clean and misspelt.

    At rate 0 once, at the others for each of `n_draws` draws.
    """

    def measure():
        train, test = task.splits[0]
        clean = task.texts[test]
        kinds = [(0.0, 0)] + [(rate, seed) for rate in rates for seed in range(n_draws)]
        tests = [
            side.represent(misspell(clean, rate, seed) if rate else clean)
            for rate, seed in kinds
        ]
        blocks = side.blocks(side.represent(task.texts[train]), tests)
        predicted, chosen = learn(blocks, task.labels[train])
        found = {}
        for (rate, _), classes in zip(kinds, predicted, strict=True):
            good = hits(classes, task.labels[test])
            found.setdefault(str(rate), []).append(good)
        return {"hits": found, "chosen": chosen}

    key = [*_key(task.first, side), rates, n_draws]
    return store.get(part, f"{task.name} {side.name}", key, measure)


def variant(store, part, task, elmo):
    """Return hits of a choice of layers and pooling, by folds of the training texts.

    A test set of its own is not looked at: what is chosen by these figures may then be
    measured on it.
    """

    def measure():
        inside = np.unique(np.concatenate([task.splits[0][0], *_rest(task)]))
        texts, labels = task.texts[inside], task.labels[inside]
        features = None if elmo.layers == "learned" else elmo.features(texts)
        found = []
        for train, test in folds_of(labels, VARIANT_FOLDS):
            if features is None:
                fitted = elmo.fitted(texts[train], labels[train])
                X, Z = fitted.transform(texts[train]), fitted.transform(texts[test])
            else:
                X, Z = features[train], features[test]
            X, tests = scaled(X, [Z])
            (predicted,), _ = learn([(X, tests, elmo.Cs)], labels[train])
            found.append(hits(predicted, labels[test]))
        return {"hits": found, "n_features": X.shape[1]}

    key = [*_key(task, elmo), VARIANT_FOLDS]
    return store.get(part, f"{task.name} {elmo.name}", key, measure)


def _rest(task):
    """Return the test rows too if they are training rows of other splits."""
    return [test for _, test in task.splits] if len(task.splits) > 1 else []


def _key(task, side):
    splits = [[train.tolist(), test.tolist()] for train, test in task.splits]
    data = digest([list(task.texts), task.labels.tolist(), splits])
    return [data, side.key, GRIDS]
