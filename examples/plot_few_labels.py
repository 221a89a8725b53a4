"""
Does a language model help when labels are few?
===============================================

Unlabelled text is easy to come by and labels are not. The bundled English model has
read general text already; a bag of words knows only the words of its labelled texts.
Here both, and the two together, learn from 20 labels up to 1,000. The texts are
docstrings, the label is the library that they document.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import Normalizer, StandardScaler

from skelmo import ElmoVectorizer
from skelmo.datasets import load_docstrings
from skelmo.display.looks import PALE, look_of

X, y = load_docstrings(return_X_y=True)
pool_X, test_X, pool_y, test_y = train_test_split(
    X, y, test_size=1000, stratify=y, random_state=0
)

# %%
# Features
# --------
#
# `Normalizer` gives the rows of ELMo the length of TF-IDF's, 1, so that neither rules
# where they are together. All get the same classifier.

elmo = make_pipeline(ElmoVectorizer(), StandardScaler(), Normalizer())
tfidf = TfidfVectorizer(sublinear_tf=True)
FEATURES = {"ELMo": elmo, "TF-IDF": tfidf, "both": make_union(elmo, tfidf)}
N_LABELS = [20, 50, 100, 300, 1000]

# %%
# Learning from few labels
# ------------------------
#
# Each number of labels is drawn several times, for it matters which texts are labelled.
# A text is encoded once, however often it is drawn.

rows = []
for n_labels in N_LABELS:
    for seed in range(5):
        train_X, _, train_y, _ = train_test_split(
            pool_X, pool_y, train_size=n_labels, stratify=pool_y, random_state=seed
        )
        for name, features in FEATURES.items():
            model = make_pipeline(features, LogisticRegression(C=10, max_iter=1000))
            accuracy = model.fit(train_X, train_y).score(test_X, test_y)
            rows.append((name, n_labels, accuracy))
scores = pd.DataFrame(rows, columns=["features", "labels", "accuracy"])
groups = scores.groupby(["labels", "features"])["accuracy"]
mean, spread = groups.mean().unstack(), groups.std().unstack()
print(mean[list(FEATURES)].round(3))

# %%
# Accuracy against labels
# -----------------------

fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for k, name in enumerate(FEATURES):
    color, marker = look_of(k)
    ax.plot(mean.index, mean[name], color=color, marker=marker, label=name)
    ax.fill_between(
        mean.index, mean[name] - spread[name], mean[name] + spread[name],
        color=color, alpha=0.15, linewidth=0,
    )  # fmt: skip
chance = np.bincount(test_y).max() / len(test_y)
ax.axhline(chance, color="#555555", linestyle=":", linewidth=1)
ax.annotate(
    "always the largest class", (1000, chance), (0, 4), textcoords="offset points",
    ha="right", size=9, color="#555555",
)  # fmt: skip
ax.set_xscale("log")
ax.set_xticks(N_LABELS, [f"{n:,}" for n in N_LABELS])
ax.minorticks_off()
ax.set(
    xlabel="labelled texts (log scale)",
    ylabel="accuracy on 1,000 test texts\n(mean ± standard deviation of draws)",
    title="Accuracy against the number of labels",
)
ax.legend(loc="lower right", bbox_to_anchor=(1, 0.1), frameon=False)
ax.grid(color=PALE, linewidth=0.8)
ax.set_axisbelow(True)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The bands are the spread over draws of the labelled texts. On these texts single words
# give the library away, and TF-IDF needs fewer labels than ELMo for the same accuracy.
# The two together are close to TF-IDF: what ELMo adds lies within the spread.
#
# To try next: texts and labels of your own, or more labels, up to all of `pool_X`.
