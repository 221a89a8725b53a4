"""
What do misspelt words cost?
============================

A classifier learns from clean texts and then meets misspelt ones. Which features keep
their accuracy? A bag of words drops a word that it has never seen. The bundled English
model reads words as characters, so that any of them has a vector, though not that of
the word that was meant; by default it also takes the word vector of the nearest word in
spelling. TF-IDF of character n-grams keeps all pieces of a word without the error. The
texts are docstrings, the label is the library that each documents.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skelmo import ElmoVectorizer
from skelmo.datasets import load_docstrings
from skelmo.display.looks import PALE, look_of

X, y = load_docstrings(return_X_y=True)
X, y = X[::2], y[::2]
train_X, test_X, train_y, test_y = train_test_split(
    X, y, test_size=0.2, stratify=y, random_state=0
)

# %%
# Typing errors
# -------------
#
# A share of the words of three letters or more gets one error: two letters swapped, one
# left out, one typed twice, or one replaced by another.


def misspell(word, rng):
    """Return a word with one random error."""
    k = rng.integers(len(word) - 1)
    other = rng.choice(list("abcdefghijklmnopqrstuvwxyz"))
    return rng.choice(
        [
            word[:k] + word[k + 1] + word[k] + word[k + 2 :],
            word[:k] + word[k + 1 :],
            word[:k] + word[k] + word[k:],
            word[:k] + other + word[k + 1 :],
        ]
    )


def misspell_texts(texts, share, seed):
    """Return texts with an error in a share of their words."""
    rng = np.random.default_rng(seed)
    return [
        " ".join(
            str(misspell(word, rng)) if len(word) > 2 and rng.random() < share else word
            for word in text.split()
        )
        for text in texts
    ]


print(misspell_texts(test_X[:1], 0, 0), misspell_texts(test_X[:1], 0.4, 0), sep="\n")

# %%
# Accuracy on misspelt texts
# --------------------------
#
# All models learn from the clean texts only.

MODELS = {
    name: make_pipeline(
        ElmoVectorizer(unknown_words=unknown_words),
        StandardScaler(),
        LogisticRegression(C=0.003, max_iter=1000),
    )
    for name, unknown_words in [
        ("ELMo", "nearest"),
        ("ELMo, characters alone", "characters"),
    ]
} | {
    "TF-IDF of words": make_pipeline(
        TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=30, max_iter=1000)
    ),
    "TF-IDF of characters": make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
        LogisticRegression(C=30, max_iter=1000),
    ),
}
SHARES = [0, 0.05, 0.1, 0.2]
N_DRAWS = 3

for model in MODELS.values():
    model.fit(train_X, train_y)
rows = []
for share in SHARES:
    for seed in range(N_DRAWS if share else 1):
        texts = misspell_texts(test_X, share, seed)
        rows += [
            (name, share, model.score(texts, test_y)) for name, model in MODELS.items()
        ]
scores = pd.DataFrame(rows, columns=["features", "share", "accuracy"])
table = scores.pivot_table("accuracy", index="share", columns="features")
print(table[list(MODELS)].round(3).to_string())

# %%
# What an error costs
# -------------------

fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for k, name in enumerate(MODELS):
    color, marker = look_of(k)
    ax.plot(100 * table.index, table[name], color=color, marker=marker, label=name)
    draws = scores[scores["features"] == name]
    ax.plot(
        100 * draws["share"], draws["accuracy"], marker, color=color, ms=3, alpha=0.5
    )
fig.legend(loc="outside lower center", ncols=4, frameon=False)
ax.set_xticks([100 * share for share in SHARES])
ax.set(
    xlabel="words of 3 letters or more with an error, in the test texts (%)",
    ylabel="accuracy",
    title="Accuracy on misspelt texts",
)
ax.grid(color=PALE, linewidth=0.8)
ax.set_axisbelow(True)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Small points are the draws of errors, lines their means. Character n-grams are best
# throughout and lose least. ELMo loses less than the bag of words, but is not safe from
# errors: one moves the vector of its word and, through the context, those of its
# neighbours. With the vector of the nearest word it is better, with errors and without.
#
# To try next: add misspelt copies of the training texts, with their labels.
