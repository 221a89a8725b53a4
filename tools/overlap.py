"""What texts have in common with the evaluation sets.

Words are compared in lower case, by letters and digits alone. A sentence is in an
evaluation set if it is one of its texts, or if `N_WORDS` of its words in a row are in
one: by then chance is rare, though now and then a set phrase goes with them.
"""

import lzma
import re

import numpy as np

from skelmo import split_sentences, tokenize

EVALUATION = {
    "MR": "sentiment/mr.tsv",
    "SST-2": "sentiment/sst2.*.tsv",
    "SST-5": "sentiment/sst5.*.tsv",
    "TREC": "topic/trec.*.tsv",
    "IMDB test": "sentiment/imdb.test.tsv.xz",
    "ChnSentiCorp": "zh/chnsenticorp_htl.csv",
}
N_WORDS = 8
_HASH_BITS = 27
_SHIFT = np.uint64(64 - _HASH_BITS)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_NO_LETTER = re.compile(r"[\W_]+")


class Words:
    """Numbers of words."""

    def __init__(self):
        self.of_token, self.of_word = {}, {"": 0}

    def numbers(self, tokens):
        """Return the numbers of those tokens that have a letter or a digit."""
        found, known = [], self.of_token
        for token in tokens:
            number = known.get(token)
            if number is None:
                word = _NO_LETTER.sub("", token.lower())
                number = self.of_word.setdefault(word, len(self.of_word))
                known[token] = number
            if number:
                found.append(number)
        return found


class Overlap:
    """Find sentences that are in an evaluation set.

    Parameters
    ----------
    evaluation : dict of str to iterable of str
        Texts of each evaluation set.
    """

    def __init__(self, evaluation):
        self.words, self.sets_of_text, self.runs = Words(), {}, {}
        # Whether a hash may be in one of the sets, by its first bits.
        self.maybe = np.zeros(2**_HASH_BITS, dtype=bool)
        for name, texts in evaluation.items():
            numbered = [self.words.numbers(tokens_of(text)) for text in texts]
            for words in filter(None, numbered):
                self.sets_of_text.setdefault(tuple(words), set()).add(name)
            self.runs[name] = np.unique(hashed_runs(numbered)[0])
            self.maybe[self.runs[name] >> _SHIFT] = True

    def find(self, documents):
        """Return, for each evaluation set, which sentences of documents are in it.

        Parameters
        ----------
        documents : list of list of list of str
            Tokens of the sentences of each document.

        Returns
        -------
        same, shared : dict of str to set of (int, int)
            Document and sentence of those that are a text of the evaluation set, and of
            those that share words in a row with one.
        """
        numbered, places = [], []
        same = {name: set() for name in self.runs}
        for d, sentences in enumerate(documents):
            numbered.append([])
            for s, tokens in enumerate(sentences):
                words = self.words.numbers(tokens)
                for name in self.sets_of_text.get(tuple(words), ()):
                    same[name].add((d, s))
                numbered[-1] += words
                places += [(d, s)] * len(words)
        hashes, starts = hashed_runs(numbered)
        near = np.flatnonzero(self.maybe[hashes >> _SHIFT])
        return same, {
            name: {
                places[place]
                for start in starts[near[is_in(hashes[near], known)]]
                for place in range(start, start + N_WORDS)
            }
            for name, known in self.runs.items()
        }


def is_in(values, ascending):
    """Return which values are among others."""
    if not len(ascending):
        return np.zeros(len(values), dtype=bool)
    at = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return ascending[at] == values


def hashed_runs(documents):
    """Hash each `N_WORDS` words in a row of each document.

    Parameters
    ----------
    documents : list of list of int

    Returns
    -------
    hashes : ndarray of uint64
    starts : ndarray of int64
        Where they begin among the words of all documents.
    """
    lengths = [len(words) for words in documents]
    n_runs = sum(lengths) - N_WORDS + 1
    if n_runs < 1:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    flat = np.fromiter((w for words in documents for w in words), np.uint64)
    owner = np.repeat(np.arange(len(documents)), lengths)
    hashes = np.zeros(n_runs, dtype=np.uint64)
    for k in range(N_WORDS):
        hashes = (hashes ^ flat[k : k + n_runs]) * _FACTOR
        hashes ^= hashes >> np.uint64(29)
    hashes *= _FACTOR
    starts = np.flatnonzero(owner[:n_runs] == owner[N_WORDS - 1 :])
    return hashes[starts], starts


def tokens_of(text):
    """Return the tokens of all sentences of a text in a row."""
    return [token for s in split_sentences(text) for token in tokenize(s)]


def evaluation_sets(shared):
    """Return the texts of `EVALUATION`, of training parts and of others.

    Parameters
    ----------
    shared : pathlib.Path
        Directory of ``data/``.

    Returns
    -------
    dict of str to list of str
    """
    return {
        name: [
            text
            for path in sorted((shared / "data").glob(pattern))
            for text in texts_of(path)
        ]
        for name, pattern in EVALUATION.items()
    }


def texts_of(path):
    """Return the texts of a file of labelled texts, without the labels."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as file:
        lines = [line for line in file.read().split("\n") if line]
    if path.suffix == ".xz":
        return [plain(line.split("\t")[2]) for line in lines]
    if path.suffix == ".csv":
        return [line.partition(",")[2] for line in lines[1:]]
    return [line.split("\t")[1] for line in lines[1:]]


def plain(text):
    """Return a review without the tags of its line breaks."""
    return re.sub(r"<br\s*/?>", " ", text)
