"""
Which classifier on the same features?
======================================

Four classifiers get the same frozen features of the bundled language model: how far
apart are they in accuracy, and in the time to fit them? The documents go through the
network once, for all classifiers and all folds.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import skelmo
from skelmo import ElmoVectorizer
from skelmo.datasets import load_docstrings
from skelmo.display.looks import COLORS, DARK

# %%
# Of which of four libraries is a docstring? Every fifth one, to keep this short.
X, y = load_docstrings(return_X_y=True)
X, y = X[::5], y[::5]

# %%
# The classifiers
# ---------------
# There are more features than documents, so each is held back: by a small `C`, or by
# the MLP's `alpha`. None of them is tuned.
heads = {
    "logistic regression": LogisticRegression(C=0.01, max_iter=1000),
    "linear SVM": LinearSVC(C=0.0001, random_state=0),
    "RBF SVM": SVC(C=3.0),
    "MLP, 64 units": MLPClassifier((64,), alpha=1.0, max_iter=400, random_state=0),
}

# %%
# The vectorizer is a step of each pipeline, as if there was no cache. It is called once
# before, so that no classifier pays for the first encoding.
elmo = ElmoVectorizer()
n_features = elmo.fit_transform(X).shape[1]
folds = StratifiedKFold(5, shuffle=True, random_state=0)
rows = []
for name, head in heads.items():
    model = make_pipeline(elmo, StandardScaler(), head)
    scores = cross_validate(model, X, y, cv=folds)
    for accuracy, seconds in zip(scores["test_score"], scores["fit_time"], strict=True):
        rows.append({"head": name, "accuracy": accuracy, "seconds": seconds})
measured = pd.DataFrame(rows)
summary = measured.groupby("head", sort=False).agg(["mean", "std"])
print(f"{len(X)} documents, {n_features} features")
print(summary.round(3).to_string())
print(f"documents encoded {skelmo.cache_info().misses}, in {len(rows)} fits")

# %%
# The figure
# ----------
# Each point is a fold, each bar a mean.
fig, (left, right) = plt.subplots(
    1, 2, figsize=(8, 3.6), sharey=True, layout="constrained"
)
# Shifted, so that no point hides another.
shifts = np.linspace(-0.15, 0.15, folds.get_n_splits())
for k, name in enumerate(heads):
    of_head = measured[measured["head"] == name]
    left.plot(of_head["accuracy"], k + shifts, "o", color=COLORS[k], alpha=0.7)
    mean = of_head["accuracy"].mean()
    left.plot([mean, mean], [k - 0.28, k + 0.28], color=DARK, lw=2)
    seconds = of_head["seconds"].mean()
    bar = right.barh(k, seconds, height=0.5, color=COLORS[k])
    right.bar_label(bar, [f"{seconds:.2g} s"], padding=3)
left.set_yticks(range(len(heads)), heads)
left.invert_yaxis()
left.set(xlabel="accuracy, 4 libraries", title="Accuracy: 5 folds and their mean")
right.set(xlabel="seconds, mean of 5 folds", title="Time to fit")
right.margins(x=0.2)
left.grid(axis="x", alpha=0.3)
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The folds of one classifier lie about as far apart as the classifiers do, so one split
# would say little about which is best. Logistic regression is a good start; the kernel
# and the hidden layer can use what is not linear in the features. Once the texts are
# encoded, all of them take seconds.
#
# To try next: a search over `C`, `gamma` or `alpha`; it encodes no document again.
