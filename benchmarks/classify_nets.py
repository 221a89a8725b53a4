"""Networks that learn their word vectors from the labelled texts alone."""

import copy
import zlib

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

PAD, UNKNOWN = 0, 1
N_EPOCHS = 25
PATIENCE = 5  # epochs without a better one
DEVELOPMENT = 0.1  # of the training texts, to choose the epoch by
N_BUCKETS = 2**17  # of pairs of words


class KimCNN(nn.Module):
    """Convolutions over word vectors and the maximum over the places.

    After Kim (2014), Convolutional neural networks for sentence classification, of
    random word vectors.

    Parameters
    ----------
    n_words : int
    n_classes : int
    dim, n_filters : int
    kernel_sizes : sequence of int
    dropout : float
    """

    batch_size = 50

    def __init__(
        self, n_words, n_classes, dim=300, n_filters=100, kernel_sizes=(3, 4, 5),
        dropout=0.5,
    ):  # fmt: skip
        super().__init__()
        self.embedding = nn.Embedding(n_words, dim, padding_idx=PAD)
        nn.init.uniform_(self.embedding.weight, -0.25, 0.25)
        with torch.no_grad():
            self.embedding.weight[PAD] = 0
        self.convolutions = nn.ModuleList(
            nn.Conv1d(dim, n_filters, size) for size in kernel_sizes
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(n_filters * len(kernel_sizes), n_classes)
        self.least = max(kernel_sizes)

    def forward(self, rows):
        """Return logits of lists of word ids."""
        longest = max(self.least, *map(len, rows))
        ids = torch.zeros(len(rows), longest, dtype=torch.int64)
        for k, row in enumerate(rows):
            ids[k, : len(row)] = torch.tensor(row, dtype=torch.int64)
        words = self.embedding(ids).transpose(1, 2)
        pooled = [F.relu(layer(words)).amax(dim=2) for layer in self.convolutions]
        return self.output(self.dropout(torch.cat(pooled, dim=1)))

    def optimizers(self):
        """Return the paper's optimiser."""
        return [torch.optim.Adadelta(self.parameters(), rho=0.95)]

    def constrain(self):
        """Rescale the rows of the last weights whose norm is above the paper's 3."""
        with torch.no_grad():
            self.output.weight.renorm_(2, 0, 3.0)


class MeanOfVectors(nn.Module):
    """The mean of the vectors of words and pairs of words, and a linear layer.

    After Joulin et al. (2016), Bag of tricks for efficient text classification; pairs
    share the rows of a table by their hash.

    Parameters
    ----------
    n_words : int
    n_classes : int
    dim : int
    """

    batch_size = 16

    def __init__(self, n_words, n_classes, dim=100):
        super().__init__()
        self.n_words = n_words
        self.embedding = nn.EmbeddingBag(n_words + N_BUCKETS, dim, sparse=True)
        nn.init.uniform_(self.embedding.weight, -1 / dim, 1 / dim)
        self.output = nn.Linear(dim, n_classes)
        nn.init.zeros_(self.output.weight)

    def forward(self, rows):
        """Return logits of lists of word ids."""
        rows = [row + self._pairs(row) for row in rows]
        starts = np.cumsum([0, *map(len, rows)])[:-1]
        ids = torch.tensor([k for row in rows for k in row], dtype=torch.int64)
        return self.output(self.embedding(ids, torch.from_numpy(starts)))

    def _pairs(self, row):
        return [
            self.n_words + zlib.crc32(f"{a} {b}".encode()) % N_BUCKETS
            for a, b in zip(row, row[1:], strict=False)
        ]

    def optimizers(self):
        """Return one for the rows that are met, and one for the rest."""
        return [
            torch.optim.SparseAdam(self.embedding.parameters(), lr=0.005),
            torch.optim.Adam(self.output.parameters(), lr=0.005),
        ]

    def constrain(self):
        """Leave the weights as they are."""


class NetworkModel:
    """A network on lower-cased words, its epoch chosen by a part of the texts.

    Parameters
    ----------
    name : str
    network : class
        Of the networks of this module.
    """

    def __init__(self, name, network):
        self.name, self.network = name, network
        self.key = [network.__name__, N_EPOCHS, PATIENCE, DEVELOPMENT, N_BUCKETS]

    def fit(self, texts, y, unlabeled, seed):
        """Fit; return what predicts."""
        classes, codes = np.unique(y, return_inverse=True)
        words = sorted({word for text in texts for word in text.lower().split()})
        numbers = {word: k for k, word in enumerate(words, UNKNOWN + 1)}

        def ids(some):
            found = [[numbers.get(w, UNKNOWN) for w in t.lower().split()] for t in some]
            return [row or [UNKNOWN] for row in found]

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = self.network(len(numbers) + UNKNOWN + 1, len(classes))
            train(network, ids(texts), codes, seed)
        return lambda new: classes[predict(network, ids(new))]


def train(network, rows, codes, seed):
    """Train, and keep the weights of the epoch that is best on a part of the texts."""
    every = np.arange(len(rows))
    stratify = codes if np.bincount(codes).min() > 1 else None
    n_kept = max(round(DEVELOPMENT * len(rows)), codes.max() + 1)
    inside, kept = train_test_split(
        every, test_size=n_kept, stratify=stratify, random_state=seed
    )
    optimizers, rng = network.optimizers(), np.random.default_rng(seed)
    best, weights, n_worse = -1.0, None, 0
    for _ in range(N_EPOCHS):
        if n_worse == PATIENCE:
            break
        network.train()
        order = rng.permutation(inside)
        for start in range(0, len(order), network.batch_size):
            chosen = order[start : start + network.batch_size]
            logits = network([rows[k] for k in chosen])
            loss = F.cross_entropy(logits, torch.from_numpy(codes[chosen]))
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            network.constrain()
        found = predict(network, [rows[k] for k in kept])
        accuracy = np.mean(found == codes[kept])
        n_worse = 0 if accuracy > best else n_worse + 1
        if accuracy >= best:  # of equally good ones the last, which has read most
            best, weights = accuracy, copy.deepcopy(network.state_dict())
    network.load_state_dict(weights)


def predict(network, rows, at_once=256):
    """Return the numbers of the classes."""
    network.eval()
    with torch.no_grad():
        parts = [
            network(rows[start : start + at_once]).argmax(dim=1).numpy()
            for start in range(0, len(rows), at_once)
        ]
    return np.concatenate(parts)
