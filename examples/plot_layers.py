"""
Which layers carry the task?
============================

An :class:`~skelmo.ElmoVectorizer` can give one layer of the language model, the mean of
all, a mix learned from the labels, or all side by side. Here each choice gets the same
classifier and the same folds. The texts are docstrings, the label is the library that
they document; the model is the bundled English one.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import StratifiedKFold, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skelmo import ElmoVectorizer
from skelmo.datasets import load_docstrings
from skelmo.display import LayerWeightsDisplay
from skelmo.display.looks import COLORS, PALE

X, y = load_docstrings(return_X_y=True)
X, _, y, _ = train_test_split(X, y, train_size=600, stratify=y, random_state=0)

# %%
# Cross-validation
# ----------------
#
# The classifier chooses its own penalty on each training fold, for vectors of different
# lengths need different ones. The mix of ``layers="learned"`` is also learned on the
# training fold. Each text is encoded once for all of this.

CHOICES = {
    "0: characters": 0,
    "1: LSTM": 1,
    "2: LSTM": 2,
    "“mean” of all": "mean",
    "“learned” mix": "learned",
    "“concat”, all": "concat",
}
folds = StratifiedKFold(5, shuffle=True, random_state=0)
results = {}
for name, layers in CHOICES.items():
    model = make_pipeline(
        ElmoVectorizer(layers=layers, random_state=0),
        StandardScaler(),
        RidgeClassifierCV(alphas=np.logspace(2, 4, 5)),
    )
    results[name] = cross_validate(model, X, y, cv=folds, return_estimator=True)
    scores = results[name]["test_score"]
    n_features = results[name]["estimator"][0][-1].n_features_in_
    print(f"{name:14} {n_features:5} features, accuracy {scores.mean():.3f}")

# %%
# Accuracy and weights
# --------------------

fig, (left, right) = plt.subplots(
    ncols=2, figsize=(8, 4.3), width_ratios=[1.25, 1], layout="constrained"
)
for k, result in enumerate(results.values()):
    scores = result["test_score"]
    left.plot(scores, np.full(len(scores), k), "o", color=COLORS[4], ms=5, zorder=2)
    left.plot(scores.mean(), k, "D", color=COLORS[0], ms=9, zorder=3)
    left.annotate(
        f"{scores.mean():.3f}", (scores.mean(), k), (0, 9), size=9, ha="center",
        textcoords="offset points",
    )  # fmt: skip
left.plot([], [], "o", color=COLORS[4], ms=5, label="one fold")
left.plot([], [], "D", color=COLORS[0], ms=9, label="mean of 5 folds")
left.legend(ncols=2, loc="upper center", frameon=False, fontsize=9)
left.set_yticks(range(len(results)), list(results))
left.set_ylim(len(results) - 0.5, -1.3)
left.set(xlabel="accuracy on the held-out fold", ylabel="layers", title="Accuracy")
left.grid(axis="x", color=PALE, linewidth=0.8)
left.set_axisbelow(True)
left.spines[["top", "right"]].set_visible(False)
learned = [model[0] for model in results["“learned” mix"]["estimator"]]
LayerWeightsDisplay.from_estimators(learned, ax=right)
right.set(title="Learned mix", ylabel="weight (all sum to 1; ± standard deviation)")
right.set_ylim(top=1.1 * right.get_ylim()[1])
right.legend(loc="upper right", frameon=False, fontsize=9)
plt.show()

# %%
# At the left, what each choice is worth. The folds are the same for all, and the points
# show how much accuracy differs between them: small gaps between choices say little.
# All layers side by side have three times as many features as the others. At the right,
# how the learned mix weighs the layers in each fold. A weight multiplies a layer as it
# is, so that a layer of longer vectors needs a smaller one.
#
# To try next: ``layers=[0, 2]``, or ``pooling=["mean", "max"]``.
