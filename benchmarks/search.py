"""What a search costs with and without the cache, and what a learned mix gives.

    python benchmarks/search.py --model DIR
    python benchmarks/search.py --model DIR --mix

A grid of 3 layers x 2 poolings x 4 C over 5 folds and a refit, on the first sentences
of MR (Pang and Lee 2005): documents that went through the network, seconds that took,
and seconds of the whole. `--mix` compares choices of layers over the same 5 folds of
all of MR, with logistic regression whose C is chosen within the training folds;
"on training" is the accuracy on the training folds themselves.
"""

import argparse
import statistics
import tempfile
import time

import numpy as np
from machine import SHARED, heading, markdown
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import skelmo
from skelmo import ElmoVectorizer
from skelmo.encoding.encoder import Encoder


def main():
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, help="directory of a language model")
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--mix", action="store_true")
    options = parser.parse_args()
    print(heading())
    X, y = reviews()
    if options.mix:
        mix(options.model, X, y)
    else:
        grid(options.model, X[: options.documents], y[: options.documents])


def reviews():
    """Return sentences and labels of MR, shuffled."""
    lines = (SHARED / "data/sentiment/mr.tsv").read_text(encoding="utf-8").split("\n")
    rows = [line.split("\t") for line in lines[1:] if line]
    order = np.random.default_rng(0).permutation(len(rows))
    texts = np.array([row[1] for row in rows], dtype=object)[order]
    return texts, np.array([int(row[0]) for row in rows])[order]


def vectorizer_of(model, **settings):
    """Return a vectorizer that cuts at spaces, as MR is written."""
    settings = {"tokenizer": str.split, "pooling": "mean", **settings}
    return ElmoVectorizer(language_model=model, **settings)


class Watch:
    """Count the documents and the seconds that encoders take in this process."""

    def __init__(self):
        self.documents, self.seconds = 0, 0.0
        self.pool = Encoder.pool

    def __enter__(self):
        watch = self

        def pool(encoder, sequences, pooling, which=None):
            parts = watch.pool(encoder, sequences, pooling, which)
            while True:
                begin = time.perf_counter()
                part = next(parts, None)
                watch.seconds += time.perf_counter() - begin
                if part is None:
                    return
                watch.documents += len(part[0])
                yield part

        Encoder.pool = pool
        return self

    def __exit__(self, *_):
        Encoder.pool = self.pool


def grid(model, X, y):
    """Print the search with no cache, in memory, and on disk with two workers."""
    parameters = {
        "elmo__layers": ["mean", "top", "concat"],
        "elmo__pooling": ["mean", "max"],
        "classify__C": [0.01, 0.1, 1.0, 10.0],
    }
    rows, base = [], None
    with tempfile.TemporaryDirectory() as directory:
        for name, cache, n_jobs in (
            ("None", None, 1), ("memory", "memory", 1), ("directory", directory, 1),
            ("directory, 2 workers", directory, 2),
        ):  # fmt: skip
            skelmo.clear_cache()
            if cache == directory:
                skelmo.clear_cache(directory)
            steps = [
                ("elmo", vectorizer_of(model, cache=cache)),
                ("scale", StandardScaler()),
                ("classify", LogisticRegression(max_iter=3000)),
            ]
            search = GridSearchCV(Pipeline(steps), parameters, cv=5, n_jobs=n_jobs)
            begin = time.perf_counter()
            with Watch() as watch:
                search.fit(X, y)
            seconds = time.perf_counter() - begin
            documents, encoding = watch.documents, f"{watch.seconds:.1f}"
            if n_jobs > 1:  # the workers' own
                documents, encoding = skelmo.cache_info(directory).misses, "-"
            base = base or (watch.seconds, seconds)
            less = "-" if n_jobs > 1 else f"{base[0] / watch.seconds:.0f}"
            rows.append([
                name, f"{documents:,}", encoding, less, f"{seconds:.1f}",
                f"{search.best_score_:.3f}",
            ])  # fmt: skip
    print(f"{len(X)} sentences, {len(set(X))} distinct.\n")
    columns = ["cache", "documents encoded", "seconds of it", "times less"]
    print(markdown([*columns, "seconds in all", "best accuracy"], rows))


def mix(model, X, y):
    """Print accuracies of choices of layers."""
    rows = []
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    for layers in ("mean", "top", "concat", 0, 1, 2, "learned"):
        test, train, weights = [], [], []
        for inside, outside in folds:
            vectorizer = vectorizer_of(model, layers=layers)
            classifier = LogisticRegressionCV(
                Cs=np.logspace(-4, -1, 4), cv=3, l1_ratios=(0.0,), scoring="accuracy",
                max_iter=1000, use_legacy_attributes=False,
            )  # fmt: skip
            pipeline = make_pipeline(vectorizer, StandardScaler(), classifier)
            pipeline.fit(X[inside], y[inside])
            test.append(pipeline.score(X[outside], y[outside]))
            train.append(pipeline.score(X[inside], y[inside]))
            if layers == "learned":
                weights.append(vectorizer.layer_weights_)
        rows.append([
            layers, f"{np.mean(test):.4f}", f"{statistics.stdev(test):.4f}",
            f"{np.mean(train):.4f}",
        ])  # fmt: skip
        if weights:
            print("learned weights:", np.round(np.mean(weights, axis=0), 3), "\n")
    print(markdown(["layers", "accuracy", "deviation of folds", "on training"], rows))


if __name__ == "__main__":
    main()
