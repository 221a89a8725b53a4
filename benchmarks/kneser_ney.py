"""N-gram models with modified Kneser-Ney smoothing: the baseline of `wikitext2.py`.

Interpolated, with three discounts an order estimated from counts of counts (Chen and
Goodman 1998, Section 3); the unigrams are interpolated with the uniform distribution.
The conventions are kenlm's: one begin marker stands before a line, n-grams that start
with it keep their counts in the lower orders, and it is never predicted. Where the
counts of counts give no valid discounts (the words of WikiText-2 are cut at three
occurrences, so nothing occurs once) the discounts are 0.5, 1 and 1.5.

N-grams are integers in the base of the vocabulary, and every look-up is vectorised.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)


class Lines(NamedTuple):
    """Lines of word ids, each between the begin marker and the end marker."""

    ids: np.ndarray  # all lines, one after the other
    place: np.ndarray  # position of each id in its line; the begin marker has 0


class Vocabulary:
    """Words of a training text, the end of a line and the unknown word.

    Ids below `size` can be predicted; `size` itself is the begin marker.
    """

    def __init__(self, lines):
        words = sorted({word for line in lines for word in line})
        self.rows = {word: row for row, word in enumerate(words, start=2)}
        self.end, self.unknown = 0, 1
        self.size = self.begin = len(words) + 2

    def encode(self, lines, *, reverse=False):
        """Lines of words to ids; lines without words are left out."""
        ids, place = [], []
        for line in filter(None, lines):
            words = [self.rows.get(word, self.unknown) for word in line]
            ids += [self.begin, *(words[::-1] if reverse else words), self.end]
            place.append(np.arange(len(line) + 2))
        return Lines(np.array(ids), np.concatenate(place))


class Order(NamedTuple):
    """Interpolated estimates of one order."""

    keys: np.ndarray  # n-grams seen, sorted
    discounted: np.ndarray  # (count - discount) / count of the context
    contexts: np.ndarray  # contexts seen, sorted
    backoff: np.ndarray  # what the discounts leave to the lower order


class KneserNey:
    """Model of up to `order` words, the predicted one included."""

    def __init__(self, lines, vocabulary, order):
        self.size, self.base = vocabulary.size, vocabulary.size + 1
        if self.base**order >= 2**63:
            raise ValueError(f"n-grams of order {order} do not fit 64 bits")
        self.orders, self.discounts = [], []
        higher = None
        for n in range(order, 0, -1):
            keys, counts = self._counts(lines, n, higher, vocabulary.begin)
            self.orders.insert(0, self._estimate(keys, counts))
            higher = keys

    def probability(self, context, words):
        """Return p(word | context), an array of words after an array of contexts.

        `context` has shape (m, order - 1), the nearest word last; -1 stands for no
        word, left of the begin marker.
        """
        p = np.full(len(words), 1.0 / self.size)
        p[words == self.size] = 0.0  # the begin marker
        for n, table in enumerate(self.orders):
            key = np.zeros(len(words), dtype=np.int64)
            absent = np.zeros(len(words), dtype=bool)
            for k in range(n, 0, -1):
                key = key * self.base + context[:, -k]
                absent |= context[:, -k] < 0
            key[absent] = -1
            backoff = _look_up(table.contexts, table.backoff, key, default=1.0)
            key[~absent] = key[~absent] * self.base + words[~absent]
            p = _look_up(table.keys, table.discounted, key, default=0.0) + backoff * p
        return p

    def perplexity(self, lines):
        """Return the perplexity of lines, the end of each counting as a word."""
        words = np.flatnonzero(lines.place)
        p = self.probability(self.contexts(lines, words), lines.ids[words])
        return float(np.exp(-np.log(p).mean()))

    def contexts(self, lines, where):
        """Return the words before some places of the text."""
        back = np.arange(len(self.orders) - 1, 0, -1)
        context = lines.ids[np.maximum(where[:, None] - back, 0)]
        context[lines.place[where][:, None] < back] = -1
        return context

    def check(self, lines, rng, n_contexts=50, tolerance=1e-9):
        """Exit if probabilities after seen or random contexts do not sum to 1."""
        seen = rng.choice(np.flatnonzero(lines.place), n_contexts)
        drawn = rng.integers(self.base, size=(n_contexts, len(self.orders) - 1))
        for context in np.concatenate([self.contexts(lines, seen), drawn]):
            every = np.tile(context, (self.base, 1))
            total = float(self.probability(every, np.arange(self.base)).sum())
            if abs(total - 1.0) > tolerance:
                raise SystemExit(f"after {context} probabilities sum to {total!r}")

    def _counts(self, lines, n, higher, begin):
        """Return n-grams with their counts, or those of their left neighbours."""
        ends = np.flatnonzero(lines.place >= n - 1)
        if n == 1:
            ends = ends[lines.place[ends] > 0]  # the begin marker is no unigram
        if higher is not None and n > 1:
            # Nothing stands left of the begin marker: such n-grams are counted plainly.
            ends = ends[lines.place[ends] == n - 1]
        grams = np.zeros(len(ends), dtype=np.int64)
        for k in range(n - 1, -1, -1):
            grams = grams * self.base + lines.ids[ends - k]
        if higher is None:
            return np.unique(grams, return_counts=True)
        left = np.unique(higher % self.base**n, return_counts=True)
        if n == 1:
            return left
        started = np.unique(grams, return_counts=True)
        keys = np.concatenate([left[0], started[0]])
        order = np.argsort(keys)
        return keys[order], np.concatenate([left[1], started[1]])[order]

    def _estimate(self, keys, counts):
        discounts = discounts_of(counts)
        self.discounts.insert(0, discounts)
        discount = np.array([0.0, *discounts])[np.minimum(counts, 3)]
        contexts, first = np.unique(keys // self.base, return_index=True)
        totals = np.add.reduceat(counts, first)
        backoff = np.add.reduceat(discount, first) / totals
        sizes = np.diff([*first, len(keys)])
        discounted = (counts - discount) / np.repeat(totals, sizes)
        return Order(keys, discounted, contexts, backoff)


def discounts_of(counts):
    """Estimate the discounts of counts of 1, 2 and 3 or more."""
    n1, n2, n3, n4 = (int((counts == k).sum()) for k in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return FALLBACK_DISCOUNTS
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    valid = all(0 <= d <= k for k, d in enumerate(found, start=1))
    return found if valid else FALLBACK_DISCOUNTS


def _look_up(keys, values, wanted, default):
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], default)


def ngram_perplexities(train, held_out, names=("unigram", "bigram", "KN trigram")):
    """Return perplexities of held-out texts, left to right and right to left.

    Parameters
    ----------
    train : list of list of str
        Lines of words.
    held_out : dict of str to list of list of str
    names : sequence of str
        Of the models of order 1, 2 and so on.

    Returns
    -------
    dict
        From (name, split) to (forward, backward).
    """
    vocabulary = Vocabulary(train)
    found = {(name, split): [] for name in names for split in held_out}
    for reverse in (False, True):
        lines = vocabulary.encode(train, reverse=reverse)
        texts = {
            split: vocabulary.encode(text, reverse=reverse)
            for split, text in held_out.items()
        }
        for order, name in enumerate(names, start=1):
            model = KneserNey(lines, vocabulary, order)
            for split, text in texts.items():
                model.check(text, np.random.default_rng(0), n_contexts=20)
                found[name, split].append(model.perplexity(text))
    return found
