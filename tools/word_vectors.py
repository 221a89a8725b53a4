"""Word vectors that a language model starts from: our own, joined with GloVe.

Our own are learned by skip-gram (gensim) from the files that `pretraining_texts` wrote.
Joined with GloVe, both stand side by side, each row of length 1 and GloVe's weighted,
and are brought back to the same size by their principal axes; what one of the two lacks
is filled by a least-squares map from the other.
"""

import io
import lzma

import numpy as np
from gensim.models import KeyedVectors, Word2Vec

GLOVE_WEIGHT = 0.7
N_BASIS = 50_000  # frequent words that the principal axes are found by
N_OTHERS = 60_000  # frequent words of GloVe that join ours
RIDGE = 1.0


def skip_gram(paths, scratch, dim, epochs, workers):
    """Learn vectors of the words, in lower case, of some texts.

    Parameters
    ----------
    paths : list of pathlib.Path
        Files of tokens.
    scratch : pathlib.Path
        File of sentences, written and removed.
    dim, epochs, workers : int

    Returns
    -------
    gensim.models.KeyedVectors
        The most frequent word first.
    """
    with scratch.open("w", encoding="utf-8") as file:
        for path in paths:
            with path.open(encoding="utf-8", newline="\n") as documents:
                file.writelines(line.lower().replace("\t", "\n") for line in documents)
    model = Word2Vec(
        corpus_file=str(scratch),
        vector_size=dim,
        window=5,
        sg=1,
        negative=5,
        min_count=5,
        sample=1e-4,
        epochs=epochs,
        workers=workers,
        seed=0,
    )
    scratch.unlink()
    return model.wv


def read_glove(path):
    """Return words, frequent ones first, and vectors of a packed file."""
    data = np.load(io.BytesIO(lzma.decompress(path.read_bytes())))
    words = data["words"].tobytes().decode().split("\n")
    return words, data["vectors"].astype(np.float32)


def joint(ours, words, vectors, weight=GLOVE_WEIGHT):
    """Bring our vectors and others, side by side, back to the size of ours.

    Parameters
    ----------
    ours : gensim.models.KeyedVectors
    words : list of str
        Frequent ones first.
    vectors : ndarray of shape (len(words), any), float32
    weight : float, default=GLOVE_WEIGHT
        Length of a row of the others beside one of ours of length 1.

    Returns
    -------
    gensim.models.KeyedVectors
        Our words in their order, then frequent ones of the others. Rows are as long as
        ours in the mean.
    """
    others = [word for word in words[:N_OTHERS] if word not in ours.key_to_index]
    kept = [*ours.index_to_key, *others]
    row_of = {word: row for row, word in enumerate(words)}
    rows = np.array([row_of.get(word, -1) for word in kept])
    mine = np.zeros((len(kept), ours.vector_size), np.float32)
    mine[: len(ours)] = normed(ours.vectors)
    theirs = np.zeros((len(kept), vectors.shape[1]), np.float32)
    theirs[rows >= 0] = normed(vectors - vectors.mean(axis=0))[rows[rows >= 0]]
    in_both = np.flatnonzero(rows[: len(ours)] >= 0)
    there, back = (
        least_squares(A[in_both], B[in_both])
        for A, B in ((mine, theirs), (theirs, mine))
    )
    theirs[rows < 0] = normed(mine[rows < 0] @ there)
    mine[len(ours) :] = normed(theirs[len(ours) :] @ back)
    both = np.hstack([mine, weight * theirs])
    basis = both[:N_BASIS]
    center = basis.mean(axis=0)
    _, _, axes = np.linalg.svd(basis - center, full_matrices=False)
    found = (both - center) @ axes[: ours.vector_size].T
    found *= lengths(ours.vectors).mean() / lengths(found).mean()
    result = KeyedVectors(ours.vector_size)
    result.add_vectors(kept, found)
    return result


def least_squares(A, B):
    """Return the matrix that takes rows of A nearest to those of B."""
    penalty = RIDGE * np.eye(A.shape[1], dtype=A.dtype)
    return np.linalg.solve(A.T @ A + penalty, A.T @ B)


def lengths(rows):
    """Return the length of each row."""
    return np.linalg.norm(rows, axis=1)


def normed(rows):
    """Return rows of length 1."""
    return rows / np.maximum(lengths(rows), 1e-9)[:, None]
