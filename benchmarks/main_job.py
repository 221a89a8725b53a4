"""The main job on real text: language model trained on the training texts only.

    python benchmarks/main_job.py SHARED_DATA [NAME ...]

SHARED_DATA holds ``sentiment/mr.tsv`` (Pang and Lee 2005) and
``zh/chnsenticorp_htl.csv`` (ChnSentiCorp hotel reviews). Prints one table a data set.
"""

import sys
import time
import warnings
from pathlib import Path

import pandas as pd
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from skelmo import ElmoLanguageModel, ElmoVectorizer

HEADS = {
    "LogisticRegression": LogisticRegression(max_iter=1000),
    "LogisticRegression(C=0.01)": LogisticRegression(C=0.01, max_iter=1000),
    "LinearSVC(C=0.001)": LinearSVC(C=0.001),
    "SVC(rbf)": SVC(kernel="rbf"),
}


def movie_reviews(root):
    frame = pd.read_csv(root / "sentiment/mr.tsv", sep="\t", quoting=3)
    return frame.sample(3000, random_state=0), "text", 2000, {}


def hotel_reviews(root):
    frame = pd.read_csv(root / "zh/chnsenticorp_htl.csv")
    # Long documents of one-character tokens: fewer of them, and fewer epochs.
    return frame.sample(2000, random_state=0), "review", 1000, {"max_epochs": 3}


def report(name, frame, column, n_train, parameters):
    train, test = frame[:n_train], frame[n_train:]
    rows = []

    def measure(label, model):
        start = time.perf_counter()
        model.fit(train[column], train["label"])
        accuracy = model.score(test[column], test["label"])
        rows.append((label, round(accuracy, 3), round(time.perf_counter() - start, 1)))
        print(*rows[-1], flush=True)

    elmo = ElmoVectorizer(
        language_model=ElmoLanguageModel(random_state=0, **parameters), missing="empty",
        layers="mean", pooling="mean",
    )  # fmt: skip
    whole = make_pipeline(elmo, StandardScaler(), LogisticRegression(max_iter=1000))
    measure("ELMo mean, LogisticRegression, with pre-training", whole)
    lm = FrozenEstimator(whole[0].language_model_)
    elmo = ElmoVectorizer(language_model=lm, pooling="mean", missing="empty")
    for layers in ("mean", "concat"):
        for head, classifier in HEADS.items():
            vectorizer = clone(elmo).set_params(layers=layers)
            pipeline = make_pipeline(vectorizer, StandardScaler(), clone(classifier))
            measure(f"ELMo {layers}, {head}", pipeline)
    search = GridSearchCV(
        make_pipeline(clone(elmo), StandardScaler(), LogisticRegression(max_iter=1000)),
        {
            "elmovectorizer__layers": ["mean", "top", "concat"],
            "logisticregression__C": [0.001, 0.01, 0.1],
        },
        cv=3,
    )
    measure("ELMo, GridSearchCV over 3 layers x 3 C", search)
    tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    if name == "hotel reviews":
        tfidf.set_params(analyzer="char")
    filled = frame.assign(**{column: frame[column].fillna("")})
    train, test = filled[:n_train], filled[n_train:]
    measure(
        "TF-IDF 1-2-grams, LogisticRegression(C=10)",
        make_pipeline(tfidf, LogisticRegression(C=10, max_iter=1000)),
    )
    measure("most frequent class", DummyClassifier())
    print(f"\n{name}: {n_train} training and {len(frame) - n_train} test texts")
    quality = lm.estimator.history_[-1].validation_perplexity
    print(f"validation perplexity {quality:.1f}, search chose {search.best_params_}")
    print(pd.DataFrame(rows, columns=["model", "accuracy", "seconds"]).to_string())


if __name__ == "__main__":
    warnings.simplefilter("error")  # a clean run warns of nothing
    root = Path(sys.argv[1])
    for name, data in (
        ("movie reviews", movie_reviews),
        ("hotel reviews", hotel_reviews),
    ):
        if not sys.argv[2:] or name in sys.argv[2:]:
            report(name, *data(root))
