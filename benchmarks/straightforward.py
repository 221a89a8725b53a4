"""The trainer that most people would write in torch: what skelmo is compared with.

The sizes are those of skelmo's language model, without its skip connections and
clipping. The character CNN reads all characters of every token of a padded batch; two
`nn.LSTM(proj_size=...)` read the token vectors and their reversal; the softmax is full;
a batch is sequences in the order of the text, as many as `batch_tokens` holds.
"""

import time

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from skelmo.nn.char_cnn import N_CHARACTERS
from skelmo.nn.packing import cut_by_budget
from skelmo.text.characters import encode_tokens
from skelmo.text.sequences import index_documents
from skelmo.text.vocabulary import UNKNOWN
from skelmo.training.language_modeling import cut_windows

IGNORED = -100  # the target of a padded position


class StraightforwardBiLM(nn.Module):
    """Character CNN, an LSTM each way, one softmax."""

    def __init__(self, config, n_words, dropout):
        super().__init__()
        n_filters = sum(n for _, n in config.filters)
        self.characters = nn.Embedding(N_CHARACTERS, config.char_embedding_dim)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.char_embedding_dim, n, width)
            for width, n in config.filters
        )
        self.highways = nn.ModuleList(
            nn.Linear(n_filters, 2 * n_filters) for _ in range(config.n_highway)
        )
        self.projection = nn.Linear(n_filters, config.proj_size)
        self.lstms = nn.ModuleList(
            nn.LSTM(
                config.proj_size, config.hidden_size, config.num_layers,
                batch_first=True, dropout=dropout, proj_size=config.proj_size,
            )
            for _ in range(2)
        )  # fmt: skip
        self.dropout = nn.Dropout(dropout)
        self.softmax = nn.Linear(config.proj_size, n_words)

    def encode(self, char_ids):
        """Map (B, T, C) characters to (B, T, P)."""
        x = self.characters(char_ids.flatten(0, 1)).transpose(1, 2)  # (B T, D, C)
        x = torch.cat([conv(x).amax(dim=2) for conv in self.convolutions], dim=1)
        x = torch.relu(x)
        for highway in self.highways:
            transformed, gate = highway(x).chunk(2, dim=1)
            x = torch.lerp(x, torch.relu(transformed), torch.sigmoid(gate))
        return self.projection(x).unflatten(0, char_ids.shape[:2])

    def forward(self, char_ids, words, lengths):
        """Return the mean of both directions' losses per prediction.

        Shapes: (B, T, C), (B, T) with `IGNORED` behind the end, (B,).
        """
        vectors = self.dropout(self.encode(char_ids))
        row, n_steps = torch.arange(len(lengths))[:, None], words.shape[1]
        # Each sequence backwards, its padding still behind it.
        reversal = (lengths[:, None] - 1 - torch.arange(n_steps)) % n_steps
        ways = (vectors, words), (vectors[row, reversal], words[row, reversal])
        loss = 0
        for lstm, (x, targets) in zip(self.lstms, ways, strict=True):
            hidden, _ = lstm(x[:, :-1])
            logits = self.softmax(self.dropout(hidden))
            targets = targets[:, 1:].flatten()
            loss = loss + cross_entropy(
                logits.flatten(0, 1), targets, ignore_index=IGNORED
            )
        return loss / 2


def train(documents, vocabulary, config, batch_tokens, dropout=0.1, rate=0.002):
    """Train for ever; yield, after every step, the time and the step's predictions."""
    sequences = index_documents([document] for document in documents)
    rows = {word: row for row, word in enumerate(vocabulary)}
    words = torch.tensor([rows.get(token, UNKNOWN) for token in sequences.tokens])
    characters = torch.from_numpy(encode_tokens(sequences.tokens))
    starts, lengths = cut_windows(
        sequences.offsets, np.arange(len(documents)), batch_tokens
    )
    ids = torch.tensor(sequences.token_ids, dtype=torch.long)
    model = StraightforwardBiLM(config, len(vocabulary), dropout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    while True:
        for cut in cut_by_budget(lengths, batch_tokens):
            windows = [
                ids[start : start + length]
                for start, length in zip(starts[cut], lengths[cut], strict=True)
            ]
            char_ids = characters[pad_sequence(windows, batch_first=True)].long()
            targets = pad_sequence(
                [words[w] for w in windows], batch_first=True, padding_value=IGNORED
            )
            optimizer.zero_grad()
            loss = model(char_ids, targets, torch.tensor(lengths[cut]))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            loss.item()
            yield time.perf_counter(), int((lengths[cut] - 1).sum())
