"""
Which words does a classifier go by?
====================================

A head is trained on the tokens of product reviews; then each token of a review that it
has not seen gets the colour of what it contributes. Beside it stands the same review as
a logistic regression on the mean of the tokens reads it, which can be told exactly.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skelmo import ElmoClassifier, ElmoVectorizer, explain_linear
from skelmo.datasets import load_reviews
from skelmo.display import TokenContributionsDisplay

reviews = load_reviews(as_frame=True).frame
names = np.array(["negative", "positive"])
train, test = train_test_split(reviews, stratify=reviews["label"], random_state=0)
classifier = ElmoClassifier(tune="none", max_iter=10, random_state=0)
classifier.fit(train["text"], names[train["label"]])
print(f"accuracy {classifier.score(test['text'], names[test['label']]):.3f}")

# %%
# Reviews it has not seen
# -----------------------
#
# The colours of all three have one scale, `vmax`. Blue speaks for "positive" and
# vermilion against it.

TEXTS = [
    "A lovely lamp, and the light is warm. My mother wants one too.",
    "It looked nice for a week. Then it broke, and nobody answered my letters.",
    "Not bad at all for the price, but I would not buy it again.",
]
explained = classifier.explain(TEXTS)
vmax = max(np.abs(found.contributions).max() for found in explained)
fig, axes = plt.subplots(3, figsize=(7.5, 3.0), layout="constrained")
for ax, found in zip(axes, explained, strict=True):
    TokenContributionsDisplay.from_contributions(
        found, target="positive", vmax=vmax, colorbar=ax is axes[-1], ax=ax
    )
plt.show()

# %%
# The head, and a mean of tokens
# ------------------------------
#
# Of a logistic regression on the mean of the tokens the contributions sum to its
# decision value, less the intercept. Those of the head are gradients: what a small
# change of a token's vector would do.

pooled = make_pipeline(
    ElmoVectorizer(pooling="mean"), LogisticRegression(C=0.1, max_iter=1000)
)
pooled.fit(train["text"], names[train["label"]])
model = pooled[-1]
(exact,) = explain_linear(pooled[0], model.coef_, TEXTS[1:2], classes=model.classes_)
fig, axes = plt.subplots(2, figsize=(7.5, 1.8), layout="constrained")
TokenContributionsDisplay.from_contributions(
    explained[1], target="positive", ax=axes[0], colorbar=False
)
TokenContributionsDisplay.from_contributions(exact, ax=axes[1], colorbar=False)
axes[0].set_title(f"Attention head. {axes[0].get_title()}")
axes[1].set_title(f"Mean of the tokens. {axes[1].get_title()}")
plt.show()

# %%
# Where attention lies
# --------------------
#
# Each attention head gives weights to the tokens, of sum 1. They tell what is looked
# at, and not for which class it speaks.

found = explained[1]
fig, ax = plt.subplots(figsize=(7.5, 3), layout="constrained")
image = ax.imshow(found.attention.T, cmap="Blues", aspect="auto", vmin=0)
ax.set_xticks(range(len(found.tokens)), found.tokens, rotation=45, ha="right")
ax.set_yticks(range(4), [f"head {k + 1}" for k in range(4)])
fig.colorbar(image, label="weight of the token")
plt.show()
