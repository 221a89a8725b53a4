"""
Does a language model help when labels are few?
===============================================

Unlabelled text is easy to come by and labels are not. The bundled English model has
read general text already; a bag of words knows only the words of its labelled texts.
Here both, and the two together, learn from 20 labels up to 300, in two tasks: whether a
review is positive, which is said in many ways, and which library a docstring is from,
which single words give away.
"""

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import Normalizer, StandardScaler

from skelmo import ElmoVectorizer
from skelmo.datasets import load_docstrings, load_reviews
from skelmo.display.looks import look_of

docstrings, libraries = load_docstrings(return_X_y=True)
TASKS = {
    "positive or negative review?": load_reviews(return_X_y=True),
    "docstring of which library?": (docstrings[::4], libraries[::4]),
}

# %%
# Features
# --------
#
# `Normalizer` gives the rows of ELMo the length of TF-IDF's, 1, so that neither rules
# where they are together. All get the same classifier.

elmo = make_pipeline(ElmoVectorizer(), StandardScaler(), Normalizer())
tfidf = TfidfVectorizer(sublinear_tf=True)
FEATURES = {"TF-IDF": tfidf, "ELMo": elmo, "both": make_union(elmo, tfidf)}
N_LABELS = [20, 50, 100, 300]

# %%
# Learning from few labels
# ------------------------
#
# Each number of labels is drawn ten times, for it matters which texts are labelled; all
# others test. A text is encoded once, however often it is drawn.

rows = []
for task, (X, y) in TASKS.items():
    for n_labels in N_LABELS:
        draws = StratifiedShuffleSplit(10, train_size=n_labels, random_state=0)
        for name, features in FEATURES.items():
            model = make_pipeline(features, LogisticRegression(C=10, max_iter=1000))
            for accuracy in cross_val_score(model, X, y, cv=draws):
                rows.append((task, n_labels, name, accuracy))
scores = pd.DataFrame(rows, columns=["task", "labels", "features", "accuracy"])
groups = scores.groupby(["task", "labels", "features"], sort=False)["accuracy"]
mean, spread = groups.mean().unstack("features"), groups.std().unstack("features")
print(mean.round(3).to_string())

# %%
# Accuracy against labels
# -----------------------

fig, axes = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
for ax, task in zip(axes, TASKS, strict=True):
    for k, name in enumerate(FEATURES):
        color, marker = look_of(k)
        line, error = mean.loc[task][name], spread.loc[task][name]
        ax.plot(line.index, line, color=color, marker=marker, label=name)
        ax.fill_between(
            line.index, line - error, line + error, color=color, alpha=0.12, lw=0
        )
    ax.set_xscale("log")
    ax.set_xticks(N_LABELS, N_LABELS)
    ax.minorticks_off()
    ax.set(xlabel="labelled texts (log scale)", title=task)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("accuracy on the other texts")
axes[0].legend(loc="upper left", frameon=False)
plt.show()

# %%
# Lines are means and bands the standard deviation of the draws. What a review says of
# its product is put in ever other words: there the language model is ahead of the bag
# of words. Words such as "tensor" or "estimator" give a library away: there it is
# behind. From 50 labels on both together are at least as good as either. The reviews
# were made up for examples; for real data sets see the evaluation.
#
# To try next: texts and labels of your own, or more labels.
