"""The data sets of the evaluation: texts, classes, and what to train and test on."""

import lzma
import re
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

TITLES = {
    "mr": "MR",
    "sst2": "SST-2",
    "sst5": "SST-5",
    "trec": "TREC",
    "imdb": "IMDB",
    "chinese": "ChnSentiCorp",
}
N_IMDB = 2500  # training texts, and as many to test
_SPLITS = ("train", "test")
QUICK = 400  # training texts, and half as many to test


class Task(NamedTuple):
    """Texts of known classes, and the rows to train and to test on in turn."""

    name: str
    texts: np.ndarray  # of str
    labels: np.ndarray
    splits: list  # of (train, test)

    @property
    def first(self):
        """Return the same task with one split."""
        return self._replace(splits=self.splits[:1])


def load(name, shared, quick=False):
    """Return one of `TITLES`; of a quick one a part that says little."""
    data = shared / "data"
    if name == "mr":
        task = _folds(_rows(data / "sentiment/mr.tsv"), 10)
    elif name == "chinese":
        frame = pd.read_csv(data / "zh/chnsenticorp_htl.csv").dropna()
        rows = list(zip(frame["label"], frame["review"], strict=True))
        task = _folds(rows, 5).first
    elif name == "imdb":
        task = _parts(*(_imdb(data / f"sentiment/imdb.{s}.tsv.xz") for s in _SPLITS))
    else:
        folder = "topic" if name == "trec" else "sentiment"
        task = _parts(*(_rows(data / f"{folder}/{name}.{s}.tsv") for s in _SPLITS))
    task = Task(name, *task[1:])
    return _quick(task) if quick else task


def _rows(path):
    lines = path.read_text(encoding="utf-8").split("\n")[1:]
    return [tuple(line.split("\t")) for line in lines if line]


def _imdb(path):
    """Return a random part of the reviews, of each class alike."""
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    rows = [(label, re.sub(r"<br\s*/?>", " ", text)) for label, _, text in rows]
    labels = [label for label, _ in rows]
    return [rows[k] for k in draws(labels, N_IMDB, 1)[0]]


def _task(rows):
    labels = np.array([int(label) for label, _ in rows])
    return np.array([text for _, text in rows], dtype=object), labels


def _folds(rows, n_folds):
    texts, labels = _task(rows)
    return Task("", texts, labels, folds_of(labels, n_folds))


def _parts(train, test):
    texts, labels = _task([*train, *test])
    cut = len(train)
    return Task("", texts, labels, [(np.arange(cut), np.arange(cut, len(texts)))])


def _quick(task):
    def few(rows, n):
        if len(rows) <= n:
            return rows
        return rows[draws(task.labels[rows], n, 1)[0]]

    splits = [(few(a, QUICK), few(b, QUICK // 2)) for a, b in task.splits[:2]]
    kept = np.unique(np.concatenate([rows for split in splits for rows in split]))
    place = np.full(len(task.texts), -1)
    place[kept] = np.arange(len(kept))
    splits = [(place[a], place[b]) for a, b in splits]
    return Task(task.name, task.texts[kept], task.labels[kept], splits)


def draws(labels, n, n_draws):
    """Return rows of `n_draws` stratified samples of `n`, the same at each call."""
    splitter = StratifiedShuffleSplit(n_draws, train_size=n, random_state=0)
    return [rows for rows, _ in splitter.split(np.zeros(len(labels)), labels)]


def folds_of(labels, n_folds):
    """Return stratified folds, the same at each call."""
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return list(folds.split(np.zeros(len(labels)), labels))


class Senses(NamedTuple):
    """Sentences that hold one word, its place and its sense in each."""

    sentences: list  # of lists of tokens
    targets: np.ndarray
    senses: np.ndarray


def load_senses(shared, most):
    """Return `Senses` by word, a random sample of at most `most` of each."""
    lines = (shared / "data/senses/senseval.tsv").read_text("utf-8").split("\n")[1:]
    by_word = {}
    for line in filter(None, lines):
        word, sense, target, text = line.split("\t")
        by_word.setdefault(word, []).append((sense, int(target), text.split()))
    rng = np.random.default_rng(0)
    found = {}
    for word, rows in by_word.items():
        chosen = sorted(rng.permutation(len(rows))[:most].tolist())
        senses, targets, sentences = zip(*(rows[k] for k in chosen), strict=True)
        found[word] = Senses(list(sentences), np.array(targets), np.array(senses))
    return found


class Tagged(NamedTuple):
    """Sentences, and the tags of all their tokens in a row."""

    sentences: list  # of lists of tokens
    tags: np.ndarray

    @property
    def tokens(self):
        """Return the tokens in a row."""
        return [token for sentence in self.sentences for token in sentence]


def load_tags(shared, split, n_tokens=None):
    """Return sentences of EWT; if `n_tokens` is given, random ones of about as many."""
    blocks = (shared / f"data/pos/ewt.{split}.tsv").read_text("utf-8").split("\n\n")
    rows = [[line.split("\t") for line in b.split("\n") if line] for b in blocks]
    rows = [sentence for sentence in rows if sentence]
    if n_tokens is not None:
        order = np.random.default_rng(0).permutation(len(rows))
        ends = np.cumsum([len(rows[k]) for k in order])
        n = int(np.searchsorted(ends, n_tokens)) + 1
        rows = [rows[k] for k in order[:n]]
    tags = np.array([fields[1] for sentence in rows for fields in sentence])
    return Tagged([[fields[0] for fields in sentence] for sentence in rows], tags)
