"""Measurements on tokens: senses of words in context, and parts of speech."""

import numpy as np
from quality_data import folds_of, load_senses, load_tags
from quality_learn import classifier, hits, learn, nearest
from quality_sides import scaled

PROBE_CS = (1e-3, 1e-2, 1e-1)
MOST_SENTENCES = 2000  # of a word
WINDOW = 5
SENSE_FOLDS = 5
TAG_TOKENS = 50_000
QUICK_SENTENCES, QUICK_TOKENS = 150, 3000


def by_layer(layers):
    """Return the name and the vectors of each layer, and their mean."""
    named = {f"ELMo layer {k}": layers[:, k] for k in range(layers.shape[1])}
    return {**named, "ELMo mean of layers": layers.mean(1)}


def window(tokens, place, width=WINDOW):
    """Return the tokens around a place, without its own."""
    return tokens[max(place - width, 0) : place] + tokens[place + 1 : place + 1 + width]


def senses(store, part, shared, elmo, static_sides, quick):
    """Return hits by word and representation, of nearest neighbours and of probes."""

    def measure():
        most = QUICK_SENTENCES if quick else MOST_SENTENCES
        found = {}
        for word, data in load_senses(shared, most).items():
            layers = elmo.token_vectors(data.sentences, data.targets)
            around = [window(*pair) for pair in _pairs(data)]
            named = by_layer(layers)
            for side in static_sides:
                named[f"{side.name}, mean of the window"] = side.mean(around)
            found[word] = _senses_of(data.senses, named)
        return {"words": found}

    key = [quick, MOST_SENTENCES, WINDOW, PROBE_CS, elmo.key, _keys(static_sides)]
    return store.get(part, "senses", key, measure)


def _keys(sides):
    return [side.key for side in sides]


def _pairs(data):
    return zip(data.sentences, data.targets.tolist(), strict=True)


def told_by_nearest(X, y):
    """Return hits of the nearest neighbour, by fold of one word's senses."""
    folds = folds_of(y, SENSE_FOLDS)
    return [hits(nearest(X[a], y[a], X[b]), y[b]) for a, b in folds]


def _senses_of(y, named):
    """Return hits of one word's senses."""
    folds = folds_of(y, SENSE_FOLDS)
    _, counts = np.unique(y, return_counts=True)
    # A static vector of the word is the same everywhere: all that is left to guess.
    found = {"n": len(y), "majority": float(counts.max() / len(y))}
    found["nearest"], found["probe"] = {}, {}
    for name, X in named.items():
        probed = []
        for a, b in folds:
            train, tests = scaled(X[a], [X[b]])
            (predicted,), _ = learn([(train, tests, PROBE_CS)], y[a])
            probed.append(hits(predicted, y[b]))
        found["nearest"][name], found["probe"][name] = told_by_nearest(X, y), probed
    return found


def tags(store, part, shared, elmo, static_sides, quick):
    """Return hits of universal tags by representation, on all tokens of the test."""

    def measure():
        limit = QUICK_TOKENS if quick else None
        train = load_tags(shared, "train", limit or TAG_TOKENS)
        dev, test = (load_tags(shared, split, limit) for split in ("dev", "test"))
        parts = (train, dev, test)
        named = [by_layer(elmo.token_vectors(p.sentences)) for p in parts]
        for side in static_sides:
            for found, p in zip(named, parts, strict=True):
                found[f"{side.name} of the word"] = side.token_vectors(p.sentences)
        seen = {token.lower() for token in train.tokens}
        y = [p.tags for p in parts]
        return {
            "n_train": len(train.tags),
            "unseen": "".join("01"[t.lower() not in seen] for t in test.tokens),
            "hits": {
                name: [_probe_tags([found[name] for found in named], y)]
                for name in named[0]
            },
        }

    key = [quick, TAG_TOKENS, PROBE_CS, elmo.key, _keys(static_sides)]
    return store.get(part, "tags", key, measure)


def _probe_tags(X, y):
    """Return the hits on the last part of a probe whose C is best on the second."""
    train, (dev, test) = scaled(X[0], X[1:])
    model, best = classifier(tol=1e-4), None
    for C in PROBE_CS:
        model.set_params(C=C).fit(train, y[0])
        score = model.score(dev, y[1])
        if best is None or score > best[0]:
            best = score, hits(model.predict(test), y[2])
    return best[1]
