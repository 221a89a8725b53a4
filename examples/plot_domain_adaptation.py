"""
A model of general English goes on with your texts
==================================================

The bundled model "en" has read general English. Docstrings are English of a kind of its
own: what does it gain by reading some, and would a model that has read nothing but them
do as well?
"""

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.datasets import load_docstrings
from skelmo.display.looks import COLORS, LIGHT

# %%
# Texts of the domain. The language models read those to train on, without the labels.
X, y = load_docstrings(return_X_y=True)
X, test_X, y, test_y = train_test_split(
    X, y, train_size=600, test_size=400, stratify=y, random_state=0
)

# %%
# Going on, and starting from nothing
# -----------------------------------
# `init="en"` takes the weights and sizes of the bundled model; the vocabulary is made
# of the new texts, and words that "en" knows keep their weights. One pass is enough to
# see the effect. The model that starts from nothing is smaller, as suits so few texts,
# and gets four passes.
options = {"early_stopping": False, "random_state": 0}
adapted = ElmoLanguageModel(init="en", max_epochs=1, **options).fit(X)
scratch = ElmoLanguageModel(
    hidden_size=256, proj_size=64, lowercase=True, max_epochs=4, **options
).fit(X)

# %%
# Two perplexities compare at one vocabulary only, and that of "en" is another one. So
# the model before the change is `init="en"` again, with time for a single step.
before = ElmoLanguageModel(init="en", max_time=1e-6, **options).fit(X)
assert before.vocabulary_ == adapted.vocabulary_ == scratch.vocabulary_


# %%
# Perplexity and accuracy on texts that none of them has read
# -----------------------------------------------------------
def accuracy(language_model):
    """Return the test accuracy of a classifier on frozen features."""
    elmo = ElmoVectorizer(language_model=language_model)
    head = LogisticRegression(C=0.1, max_iter=1000)
    model = make_pipeline(elmo, StandardScaler(), head)
    return model.fit(X, y).score(test_X, test_y)


models = {
    "“en” as it comes": (before, "en"),
    "“en”, one pass\nover docstrings": (adapted, FrozenEstimator(adapted)),
    "from nothing, four\npasses over them": (scratch, FrozenEstimator(scratch)),
}
measured = pd.DataFrame(
    {
        name: {
            "perplexity": language_model.perplexity(test_X).mean,
            "accuracy": accuracy(features_of),
        }
        for name, (language_model, features_of) in models.items()
    }
).T
print(measured.rename(index=lambda name: name.replace("\n", " ")).round(2).to_string())

# %%
# The figure
# ----------
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
colors = [LIGHT, COLORS[0], COLORS[1]]
for ax, column, form in zip(axes, measured, ("%.0f", "%.2f"), strict=True):
    bars = ax.barh(measured.index, measured[column], color=colors, height=0.6)
    ax.bar_label(bars, fmt=form, padding=3)
    ax.margins(x=0.15)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].invert_yaxis()
axes[0].set(xlabel="perplexity", title="Held-out docstrings: lower is better")
axes[1].set(xlabel="accuracy, 4 libraries", title="Classifier: higher is better")
plt.show()

# %%
# One pass over the docstrings lowers the perplexity to a fraction: the model learns how
# docstrings go on. The classifier gains far less: its features were good before. The
# model from nothing predicts docstrings better than
# "en" as it comes, which knows other texts, yet its features are the worst. So
# perplexity does not rank features of different models; and where features count, see
# first whether "en" as it comes is enough.
#
# To try next: all docstrings, or texts of your own; `partial_fit` on
# `ElmoLanguageModel.load("en")`, which keeps the vocabulary, and the perplexity of
# general texts before and after, which says what is forgotten.
