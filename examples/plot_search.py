"""
Search the language model and the classifier at once
====================================================

In one pipeline, parameters of the language model, of the vectorizer and of the
classifier are all searched by the same `GridSearchCV`. How much of the work is done
twice? None: a language model is trained once for each fold, and encodes a document
once.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skelmo
from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.datasets import load_docstrings

X, y = load_docstrings(return_X_y=True)
X, y = X[::7], y[::7]

# %%
# The pipeline and the grid
# -------------------------
# An unfitted language model is trained inside `fit`, on the training fold alone. With
# an int as `random_state`, candidates that differ elsewhere share that training.
lm = ElmoLanguageModel(
    filters=((1, 16), (2, 16), (3, 32), (4, 64)),
    hidden_size=64,
    proj_size=32,
    batch_tokens=256,
    random_state=0,
)
elmo = ElmoVectorizer(language_model=lm)
model = make_pipeline(elmo, StandardScaler(), LogisticRegression(max_iter=1000))
layers = [0, 1, 2, "concat"]
grid = {
    "elmovectorizer__language_model__max_epochs": [1, 5],
    "elmovectorizer__layers": layers,
    "logisticregression__C": [0.1, 1.0, 10.0],
}
folds = StratifiedKFold(3, shuffle=True, random_state=0)
skelmo.clear_cache()
start = time.perf_counter()
search = GridSearchCV(model, grid, cv=folds).fit(X, y)
took = time.perf_counter() - start
print({name.split("__", 1)[1]: v for name, v in search.best_params_.items()})

# %%
# What the cache saved
# --------------------
# `misses` are documents that went through a network, `hits` those that did not have
# to. An epoch and a pass over the documents, timed, say what the rest would have cost.
info = skelmo.cache_info()
n_fits = len(search.cv_results_["params"]) * folds.get_n_splits()
n_trained = 2 * folds.get_n_splits()
best = search.best_estimator_["elmovectorizer"]
start = time.perf_counter()
best.set_params(cache=None).transform(X)
per_document = (time.perf_counter() - start) / len(X)
per_epoch = best.language_model_.history_[0].seconds
n_epochs = np.mean(grid["elmovectorizer__language_model__max_epochs"])
saved = info.hits * per_document + (n_fits - n_trained) * n_epochs * per_epoch
print(f"documents encoded {info.misses:,}, taken from the cache {info.hits:,}")
print(f"language models trained {n_trained} for {n_fits} fits, and one for the refit")
print(f"the search took {took:.0f} s and would have taken about {took + saved:.0f} s")

# %%
# The figure
# ----------
results = pd.DataFrame(search.cv_results_)
scores = results.pivot_table(
    "mean_test_score",
    ["param_" + name for name in list(grid)[:2]],
    "param_" + list(grid)[2],
    sort=False,
)
fig, axes = plt.subplots(1, 2, figsize=(8, 3.8), sharey=True, layout="constrained")
low, high = scores.min().min(), scores.max().max()
for ax, n in zip(axes, grid["elmovectorizer__language_model__max_epochs"], strict=True):
    table = scores.loc[n].loc[layers]
    image = ax.imshow(table, vmin=low, vmax=high, cmap="viridis", aspect="auto")
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        shade = "black" if value > (low + high) / 2 else "white"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=shade)
    ax.set_xticks(range(table.shape[1]), [f"{c:g}" for c in table.columns])
    ax.set_yticks(range(len(layers)), layers)
    ax.set(xlabel="C of the classifier")
    ax.set_title(f"Language model of {n} epoch{'s' * (n > 1)}")
axes[0].set_ylabel("layers of the vectorizer")
fig.colorbar(image, ax=axes, label="mean accuracy, 3 folds", shrink=0.9)
plt.show()

# %%
# The best cells are all layers side by side, of the longer training. That training pays
# there and for layer 0, and not for an LSTM layer alone; `C` matters less than the
# layers. No candidate but the first of each language model and fold had to train or to
# encode. The folds are small: neighbours that differ by a hundredth or two do not
# differ.
#
# To try next: other parameters of the language model, such as `hidden_size`; or a
# directory as `cache`, for a search with `n_jobs` or one that goes on tomorrow.
