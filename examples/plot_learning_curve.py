"""
How long does pre-training pay?
===============================

A language model learns to predict words. What a classifier gets from it is another
thing, and may stop growing earlier or later. Here both are measured after each epoch of
one run: the perplexity of texts that the model has not read, and the accuracy of a
classifier on its features.

The epochs are seen by a callback, which needs scikit-learn 1.9.
"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import EngFormatter
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.datasets import load_docstrings
from skelmo.display import PerplexityDisplay
from skelmo.display.looks import COLORS

# %%
# The texts: of which library is a docstring? The language model reads the training
# texts without their labels.
X, y = load_docstrings(return_X_y=True)
X, test_X, y, test_y = train_test_split(
    X, y, train_size=600, test_size=400, stratify=y, random_state=0
)


# %%
# What is measured after an epoch
# -------------------------------
# scikit-learn gives a callback the estimator as it would be if `fit` stopped now.
# Frozen, it goes into a vectorizer.
class AccuracyByEpoch:
    """Train and test a classifier on the features of each epoch."""

    def __init__(self):
        self.rows = []

    def setup(self, estimator, context):
        """Do nothing before training."""

    def teardown(self, estimator, context):
        """Do nothing after training."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing before an epoch or a step."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        """Measure at the end of an epoch."""
        if context.task_name != "epoch":
            return
        elmo = ElmoVectorizer(language_model=FrozenEstimator(fitted_estimator))
        head = LogisticRegression(C=0.01, max_iter=1000)
        model = make_pipeline(elmo, StandardScaler(), head).fit(X, y)
        self.rows.append(
            {
                "training tokens": fitted_estimator.n_tokens_,
                "perplexity": fitted_estimator.history_[-1].validation_perplexity,
                "accuracy": model.score(test_X, test_y),
            }
        )


# %%
# One run, with the learning rate held, so that each epoch is an end that the run might
# have had, and without an early end. The test texts validate it too: nothing is chosen
# by them.
lm = ElmoLanguageModel(
    filters=((1, 16), (2, 16), (3, 32), (4, 64)),
    hidden_size=128,
    proj_size=64,
    learning_rate="constant",
    learning_rate_init=0.004,
    batch_tokens=256,
    max_epochs=10,
    n_iter_no_change=10,
    random_state=0,
)
callback = AccuracyByEpoch()
lm.set_callbacks(callback).fit(X, X_val=test_X)
measured = pd.DataFrame(callback.rows, index=range(1, len(callback.rows) + 1))
print(measured.rename_axis("epoch").round(2).to_string())

# %%
# The figure
# ----------
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
PerplexityDisplay.from_estimator(lm, ax=left)
left.set_title("Perplexity")
right.plot(measured["training tokens"], measured["accuracy"], "^-", color=COLORS[2])
right.xaxis.set_major_formatter(EngFormatter(sep=" "))
right.set(xlabel="training tokens", ylabel="accuracy on test texts, 4 libraries")
right.set_title("Accuracy of a classifier")
plt.show()

# %%
# The two curves do not go together. Perplexity falls most in the first epochs, in
# which accuracy hardly moves; accuracy rises later, while perplexity falls more slowly.
# So look at the task that the features are for before a run is cut short. The
# perplexity of texts not read says when a run has gone too far; the training curve
# cannot. Single steps of the accuracy curve are within the noise of so few test texts.
#
# To try next: more texts, or `learning_rate="cosine"`, whose rate falls to the end of
# the run: one run then is one length, and each length needs a run of its own.
