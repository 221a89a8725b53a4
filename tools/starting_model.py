"""A model to go on from: a trained network with word vectors of another space.

The vectors are turned into the space of the network's word embedding by the rotation
that brings the words of both nearest to one another (orthogonal Procrustes), about the
mean of either side. So the layers above go on with what they have learned, while the
words stand to one another as in the new vectors.
"""

import dataclasses

import numpy as np

from skelmo.pretrained.saved_model import add_tied

N_SPECIAL = 3  # the sentence markers and the unknown word
N_BASIS = 20_000  # frequent words that the rotation is found by
KEPT = 0.5  # power of a row's old length in its new one
EMBEDDING, SOFTMAX, BIAS = (
    "token_encoder.word_embedding.weight", "softmax.weight", "softmax.bias",
)  # fmt: skip


def with_vectors(model, vectors):
    """Return a model with a row for each of the vectors.

    Parameters
    ----------
    model : SavedModel
        Its softmax and word embedding are tied.
    vectors : gensim.models.KeyedVectors
        As large as its word embedding.

    Returns
    -------
    SavedModel
    """
    special = model.vocabulary[:N_SPECIAL]
    words = [word for word in vectors.index_to_key if word not in special]
    row_of = {word: row for row, word in enumerate(model.vocabulary)}
    rows = np.array([row_of.get(word, -1) for word in words])
    known = np.flatnonzero(rows >= 0)
    basis = known[np.argsort(rows[known])][:N_BASIS]
    old, bias = model.arrays[EMBEDDING], model.arrays[BIAS]
    center = old[rows[basis]].mean(axis=0)
    old = old - center
    new = vectors[words]
    new = new - new[basis].mean(axis=0)
    left, _, right = np.linalg.svd(normed(new[basis]).T @ normed(old[rows[basis]]))
    # What the network knows nothing of is taken for one of its rarer words.
    rare = rows[known[rows[known] > len(old) // 2]]
    length = np.full(len(words), np.median(lengths(old[rare])))
    biases = np.full(len(words), np.median(bias[rare]))
    length[known], biases[known] = lengths(old[rows[known]]), bias[rows[known]]
    own = lengths(new) * np.median(length[basis]) / np.median(lengths(new[basis]))
    length = length**KEPT * own ** (1 - KEPT)
    turned = normed(new) @ (left @ right) * length[:, None]
    arrays = {k: array for k, array in model.arrays.items() if k != SOFTMAX}
    arrays[EMBEDDING] = np.float32(np.concatenate([old[:N_SPECIAL], turned]) + center)
    arrays[BIAS] = np.float32(np.concatenate([bias[:N_SPECIAL], biases]))
    vocabulary = [*special, *words]
    return dataclasses.replace(
        model,
        config=dataclasses.replace(model.config, n_words=len(vocabulary)),
        arrays=add_tied(arrays),
        vocabulary=vocabulary,
    )


def lengths(rows):
    """Return the length of each row."""
    return np.linalg.norm(rows, axis=1)


def normed(rows):
    """Return rows of length 1."""
    return rows / np.maximum(lengths(rows), 1e-9)[:, None]
