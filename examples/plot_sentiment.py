"""
Sentiment of reviews, and where it goes wrong
=============================================

A pipeline from a pandas frame to cross-validated scores, and then to the reviews that
it misjudges: scores say how often a classifier errs, its errors say why. The 400
reviews were made up for examples, so the scores say nothing of real ones.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skelmo import ElmoVectorizer
from skelmo.datasets import load_reviews
from skelmo.display.looks import COLORS

frame = load_reviews(as_frame=True).frame
print(frame[["text", "label"]].head())

# %%
# Cross-validated scores
# ----------------------
#
# `ElmoVectorizer` takes a column of text as it is. A label of 1 is positive. Recall is
# the share of positive reviews that are found.

model = make_pipeline(
    ElmoVectorizer(), StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)
)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
scores = cross_validate(
    model, frame["text"], frame["label"], cv=folds, scoring=["accuracy", "recall", "f1"]
)
table = pd.DataFrame(scores).filter(like="test_").agg(["mean", "std"])
print(table.round(3))

# %%
# A probability for each review
# -----------------------------
#
# Each comes from a model that has not seen the review. The texts are encoded already,
# so this takes no time.

frame["probability"] = cross_val_predict(
    model, frame["text"], frame["label"], cv=folds, method="predict_proba"
)[:, 1]
frame["is_wrong"] = (frame["probability"] > 0.5) != (frame["label"] == 1)
print(frame.groupby("label")["is_wrong"].agg(["sum", "size"]))

# %%
# The errors
# ----------
#
# The five worst of either kind are those with the least probability for what they are.

frame["right"] = np.where(
    frame["label"] == 1, frame["probability"], 1 - frame["probability"]
)
for label, name in ((1, "positive"), (0, "negative")):
    print(f"{name}, but taken for the other:")
    worst = frame[frame["label"] == label].nsmallest(5, "right")
    for right, text in zip(worst["right"], worst["text"], strict=True):
        print(f"  {right:.2f}  {text}")

# %%
# How sure it is
# --------------
#
# What lies on the wrong side of the dotted line is misjudged.

fig, axes = plt.subplots(
    2, sharex=True, sharey=True, figsize=(8, 3.6), layout="constrained"
)
for ax, label, name in zip(axes, (1, 0), ("positive", "negative"), strict=True):
    probability = frame.loc[frame["label"] == label, "probability"]
    ax.hist(probability, bins=np.linspace(0, 1, 21), color=COLORS[label])
    ax.axvline(0.5, color="black", linestyle=":")
    ax.set_ylabel(f"{name} reviews")
    ax.spines[["top", "right"]].set_visible(False)
ax.set_xlabel("predicted probability of positive (held-out folds)")
plt.show()

# %%
# Some of the worst errors praise in words of complaint, or tell a story that leaves the
# judgement to the reader. Others are plain sentences, which more labelled reviews may
# put right.
# Errors near to 0 and 1 are sure of themselves, and no other threshold would mend them.
#
# To try next: a frame of your own, or ``pooling=["mean", "max"]``.
