"""
Text beside numbers
===================

A review has a text, a price and stars. Of what kind of goods is it? `ColumnTransformer`
gives each column its own transformer and puts the results side by side. What does each
column add? The 400 reviews of 8 kinds of goods were made up for examples.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler

from skelmo import ElmoVectorizer
from skelmo.datasets import load_reviews
from skelmo.display.looks import COLORS, GREY, PALE

frame = load_reviews(as_frame=True).frame
print(frame[["text", "price", "stars", "category"]].head(3))

# %%
# A transformer for each column
# -----------------------------
#
# ``"text"`` without brackets hands the vectorizer a column, ``["price"]`` hands the
# next one a table. Prices are cut into ranges, as a linear model could not tell a kind
# of goods in the middle from those on either side. The text has 3,072 features and a
# price 12: what the scaler makes of the text is weighted down to the size of the rest.

TRANSFORMERS = {
    "text": (make_pipeline(ElmoVectorizer(), StandardScaler()), "text"),
    "price": (
        KBinsDiscretizer(12, quantile_method="averaged_inverted_cdf"), ["price"]
    ),
    "stars": (OneHotEncoder(), ["stars"]),
}  # fmt: skip


def make_model(columns):
    """Return a classifier that sees some of the columns."""
    parts = [(name, *TRANSFORMERS[name]) for name in columns]
    features = ColumnTransformer(parts, transformer_weights={"text": 0.05})
    return make_pipeline(features, LogisticRegression(max_iter=2000))


# %%
# Predicted kinds
# ---------------
#
# Each review is judged by a model that has not seen it. Its text is encoded once for
# all models.

COLUMNS = [["stars"], ["price"], ["text"], ["text", "price"], list(TRANSFORMERS)]
folds = StratifiedKFold(5, shuffle=True, random_state=0)
y = frame["category"]
predicted = {
    " + ".join(columns): cross_val_predict(make_model(columns), frame, y, cv=folds)
    for columns in COLUMNS
}
accuracies = {name: np.mean(kinds == y) for name, kinds in predicted.items()}
kinds = sorted(set(y))
recalls = {
    name: recall_score(y, predicted[name], labels=kinds, average=None)
    for name in ("text", "text + price")
}

# %%
# Draw
# ----

figure, (left, right) = plt.subplots(
    ncols=2, figsize=(8, 4.5), dpi=100, layout="constrained"
)
colors = [COLORS[0] if "text" in name else GREY for name in accuracies]
bars = left.barh(list(accuracies), list(accuracies.values()), color=colors)
label = {"facecolor": "white", "edgecolor": "none", "pad": 1}
left.bar_label(bars, fmt="%.2f", padding=3, bbox=label, zorder=3)
left.axvline(1 / len(kinds), color=GREY, linestyle=":", zorder=0)
left.text(1 / len(kinds) + 0.02, -0.42, "chance", color=GREY, va="top")
left.set(title="Columns seen", xlabel="accuracy (5 folds)", xlim=(0, 0.8))
left.set_ylim(-0.8, len(accuracies) - 0.5)

order = np.argsort(recalls["text"])
rows = np.arange(len(kinds))
before, after = (recalls[name][order] for name in recalls)
right.hlines(rows, before, after, color=PALE, linewidth=4, zorder=1)
right.plot(before, rows, "o", color=COLORS[0], label="text")
right.plot(after, rows, "D", color=COLORS[1], label="text + price")
right.set_yticks(rows, [kinds[k] for k in order])
right.set(title="By kind of goods", xlabel="recall: share of the kind found")
right.grid(axis="x", color=PALE)
figure.legend(frameon=False, loc="outside lower right", ncols=2)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The text and the price say about as much each, and together more: the price helps
# where goods of a kind cost about the same. The stars tell nothing of what was bought,
# and a column that is no use costs a little.
#
# To try next: another weight of the text in ``transformer_weights``, by a grid search.
