"""Random misspellings."""

import numpy as np

LETTERS = "abcdefghijklmnopqrstuvwxyz"
EDITS = ("swap", "delete", "insert", "substitute")


def misspell(texts, rate, seed):
    """Misspell a share of the words of all texts together.

    Parameters
    ----------
    texts : sequence of str
        Tokens between spaces; words are those of two letters or more and nothing else.
    rate : float
        Share of the words to change, exact but for rounding.
    seed : int

    Returns
    -------
    texts : ndarray of object
        With one edit in each word that was drawn.
    """
    rng = np.random.default_rng(seed)
    documents = [text.split(" ") for text in texts]
    places = [
        (row, k)
        for row, tokens in enumerate(documents)
        for k, token in enumerate(tokens)
        if len(token) > 1 and token.isalpha()
    ]
    n_changed = round(rate * len(places))
    for place in rng.choice(len(places), n_changed, replace=False).tolist():
        row, k = places[place]
        documents[row][k] = edit(documents[row][k], rng)
    return np.array([" ".join(tokens) for tokens in documents], dtype=object)


def edit(word, rng):
    """Return a word that differs by one random edit."""
    while True:
        kind = EDITS[rng.integers(len(EDITS))]
        letter = LETTERS[rng.integers(len(LETTERS))]
        k = int(rng.integers(len(word)))
        if kind == "swap":
            k = min(k, len(word) - 2)
            changed = word[:k] + word[k + 1] + word[k] + word[k + 2 :]
        elif kind == "delete":
            changed = word[:k] + word[k + 1 :]
        elif kind == "insert":
            changed = word[:k] + letter + word[k:]
        else:
            changed = word[:k] + letter + word[k + 1 :]
        if changed.lower() != word.lower():  # two letters that are alike
            return changed
