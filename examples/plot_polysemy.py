"""
Does the vector of a word depend on its meaning?
================================================

A bank is a place for money or the side of a river. A static vector, as that of
word2vec, is one point for both. Here the vectors of two ambiguous words are taken from
sentences that show one meaning or the other, at each layer of the bundled English
model. Layer 0 reads the characters of the word and no context; layers 1 and 2 are LSTMs
that have read the sentence up to the word, from its left and from its right.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import pairwise_distances

from skelmo import ElmoVectorizer
from skelmo.display.looks import PALE, look_of

# %%
# Sentences
# ---------
#
# There are eight for each sense. "The" always stands before the word, for the tokens
# beside a word move its vector as well, whatever its meaning.

SENTENCES = {
    "bank": {
        "money": [
            "She paid the money into the bank on Monday.",
            "He borrowed a large sum from the bank to buy a house.",
            "Investors lost millions when the bank collapsed.",
            "The loan was refused by the bank in London.",
            "The robbers fled from the bank with the cash.",
            "She opened an account at the bank last week.",
            "The credit card was issued by the bank for free.",
            "Interest rates were raised by the bank again.",
        ],
        "river": [
            "We sat on the bank of the river all day.",
            "The boats were tied to the bank with ropes.",
            "Trees cover the bank of the stream.",
            "He pulled the canoe up the bank to dry.",
            "The flood washed away the bank near the bridge.",
            "Ducks nest along the bank of the canal.",
            "She swam across and climbed the bank at last.",
            "Water rose over the bank after the rain.",
        ],
    },
    "bat": {
        "animal": [
            "At dusk the bat flew out of the cave.",
            "Upside down in the tree the bat slept.",
            "The owl caught the bat in the forest.",
            "Insects are eaten by the bat at night.",
            "The wings of the bat are thin.",
            "The mouse and the bat are both mammals.",
            "In total darkness the bat finds its prey.",
            "The virus came from the bat to the horse.",
        ],
        "club": [
            "He hit the ball with the bat very hard.",
            "The player swung the bat and missed.",
            "The pitcher threw, and the bat broke in two.",
            "She held the bat with both hands.",
            "The captain raised the bat to the crowd.",
            "In baseball the bat is made of wood.",
            "The coach gave the boy the bat and a glove.",
            "He scored fifty runs with the bat that day.",
        ],
    },
}

# %%
# Vectors
# -------
#
# `transform_tokens` gives a vector for each token, and `tokenize` tells where the word
# stands. Each sentence is encoded once, whatever the number of layers asked for.


def vectors_of(word, texts, layer):
    """Return the vector of a word in each text, of length 1."""
    elmo = ElmoVectorizer(layers=layer).fit(texts)
    places = [tokens.index(word) for tokens in elmo.tokenize(texts)]
    arrays = elmo.transform_tokens(texts)
    found = np.array([array[k] for array, k in zip(arrays, places, strict=True)])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def n_near_own_sense(vectors, senses):
    """Count the vectors whose nearest other vector has the same sense."""
    distances = pairwise_distances(vectors)
    np.fill_diagonal(distances, np.inf)
    return np.sum(senses[distances.argmin(axis=1)] == senses)


# %%
# Layer by layer
# --------------
#
# Each panel shows the two principal components of one word's vectors. All panels have
# the same scale, so that the one point of layer 0 can be seen as such.

NAMES = ["Layer 0: characters", "Layer 1: LSTM", "Layer 2: LSTM"]
fig, axes = plt.subplots(
    2, 3, figsize=(8, 5.2), sharex=True, sharey=True, layout="constrained"
)
for row, (word, texts_of) in zip(axes, SENTENCES.items(), strict=True):
    texts = [text for sense in texts_of.values() for text in sense]
    senses = np.repeat(list(texts_of), [len(sense) for sense in texts_of.values()])
    for layer, ax in enumerate(row):
        vectors = vectors_of(word, texts, layer)
        centred = vectors - vectors.mean(axis=0)
        points = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
        points *= np.sign(points[senses == senses[-1]].mean(axis=0))  # to the right, up
        for k, sense in enumerate(texts_of):
            color, marker = look_of(k + 2 * (word == "bat"))
            ax.scatter(
                *points[senses == sense].T, s=42, color=color, marker=marker,
                edgecolor="white", linewidth=0.5, label=sense,
            )  # fmt: skip
        same = np.allclose(vectors, vectors[0])
        near = n_near_own_sense(vectors, senses)
        note = f"{near} of {len(texts)}: nearest neighbour\nof the same sense"
        if np.allclose(vectors, vectors[0]):
            note = f"all {len(texts)} are one point"
        ax.text(0.5, 0.98, note, ha="center", va="top", transform=ax.transAxes, size=9)
        ax.grid(color=PALE, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        print(f"{word}, layer {layer}: {' '.join(note.split())}")
    row[0].set_ylabel(f"“{word}”\nsecond component")
    row[0].legend(title="sense", loc="lower left", frameon=False)
for ax, name in zip(axes[0], NAMES, strict=True):
    ax.set_title(name)
for ax in axes[1]:
    ax.set_xlabel("first component")
bottom, top = ax.get_ylim()
ax.set_ylim(bottom, top + 0.3 * (top - bottom))  # room for the notes
plt.show()

# %%
# At layer 0 all occurrences of a word fall on one point, which is what a static vector
# would give. At the layers above they spread, and those of one sense tend to lie
# together. The senses are not cleanly apart: a vector holds the grammar around the word
# as well, and two components show only a part of it.
#
# To try next: a word and sentences of your own, or
# :class:`~skelmo.display.SenseDisplay`, which draws one layer and writes the contexts
# beside the points.
