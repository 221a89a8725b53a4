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
from skelmo.display.looks import COLORS, DARK, GREY, cut

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
# The numbers mark the five worst misjudged reviews of either kind.

rng = np.random.default_rng(0)
height = rng.uniform(-0.1, 0.1, size=len(frame))
fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for label, base, name in ((1, 1, "positive"), (0, 0, "negative")):
    kind = frame["label"] == label
    for wrong, color, size in ((False, COLORS[0], 14), (True, COLORS[1], 26)):
        drawn = kind & (frame["is_wrong"] == wrong)
        ax.scatter(
            frame["probability"][drawn], base + height[drawn],
            s=size, color=color, alpha=0.45, linewidth=0,
        )  # fmt: skip
    ordered = frame[kind & frame["is_wrong"]].sort_values(
        "probability", ascending=label == 1
    )
    worst = ordered.head(5)
    side = 0.0 if label else 0.52
    other = "negative" if label else "positive"
    ax.text(side, 0.76, f"{name}, taken for {other}:", color=COLORS[1], size=9)
    place = base + (0.2 if label else -0.2)
    at = -1.0 if label else 2.0
    for k, (row, review) in enumerate(worst.iterrows()):
        x = review["probability"]
        # Each number stands a little off the last, however near their points are.
        at = max(x, at + 0.03) if label else min(x, at - 0.03)
        ax.plot([x, at], [base + height[row], place], color=GREY, linewidth=0.6)
        ax.text(
            at, place, k + 1, size=9, weight="bold", color=DARK,
            ha="center", va="bottom" if label else "top",
        )  # fmt: skip
        line = f"{k + 1}  {cut(review['text'], 50)}"
        ax.text(side, 0.67 - 0.105 * k, line, size=8, color=DARK)
ax.axvline(0.5, color=GREY, linestyle=":", linewidth=1)
ax.set_yticks([0, 1], ["negative\nreviews", "positive\nreviews"])
ax.tick_params(axis="y", length=0)
ax.set(
    xlim=(-0.02, 1.02),
    ylim=(-0.3, 1.3),
    xlabel="predicted probability of positive (held-out folds)",
    title="Reviews judged rightly (blue) and wrongly (orange)",
)
ax.spines[["top", "right", "left"]].set_visible(False)
plt.show()

# %%
# Some of the worst errors praise in words of complaint, or tell a story that leaves the
# judgement to the reader. Others are plain sentences, which more labelled reviews may
# put right.
# Errors near to 0 and 1 are sure of themselves, and no other threshold would mend them.
#
# To try next: a frame of your own, or ``pooling=["mean", "max"]``.
