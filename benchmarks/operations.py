"""Operations that training needs, from the configuration, and what a machine can do.

Multiply-adds of a forward pass, with the letters of `skelmo.nn.bilm`:

- character CNN, once per unique token of a batch: ``D * w * n_w`` for every window of
  each width w. A token of c ids (word markers included) has ``min(C - w + 1, c + 1)``
  windows that differ: those wholly in the padding give one value. Then ``2 F^2`` for
  each highway layer and ``(F + W) P`` for the projection;
- LSTM, for every prediction and direction: ``L * 9 H P`` (gates 4 H from input and
  state of size P, and the projection back to P);
- softmax, for every prediction and direction: ``V P``, or ``(K + 1) P`` when sampled.

The backward pass takes twice as many, and a multiply-add is two operations. Padding,
repeated tokens, element-wise work and the optimiser are not needed operations: what a
trainer spends on them shows as a lower fraction of the peak.
"""

import time

import numpy as np
import torch

from skelmo.nn.bilm import BiLMConfig
from skelmo.nn.packing import cut_by_budget
from skelmo.text.characters import encode_tokens, token_lengths
from skelmo.text.sequences import index_documents
from skelmo.training.language_modeling import BATCHES_PER_POOL, cut_windows


def gemm_peak(dtype, size=2048, seconds=2.0):
    """Return the best rate of a square matrix product, in FLOP/s."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        torch.mm(a, b, out=out)
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best


def needed_per_token(config: BiLMConfig, documents, batch_tokens, n_logits):
    """Return operations per prediction (in one direction) of training.

    Parameters
    ----------
    config : BiLMConfig
    documents : list of list of str
        A sequence each.
    batch_tokens : int
        Sequences of similar length share a batch, as in skelmo's trainer.
    n_logits : int
        V, or K + 1.
    """
    sequences = index_documents([document] for document in documents)
    starts, lengths = cut_windows(
        sequences.offsets, np.arange(len(documents)), batch_tokens
    )
    tokens = encode_tokens(sequences.tokens, config.max_characters)
    per_unique = token_encoder(config, token_lengths(tokens))
    total = n_predictions = 0
    order = np.random.default_rng(0).permutation(len(lengths))
    for pool in cut_by_budget(lengths[order], BATCHES_PER_POOL * batch_tokens):
        members = order[pool][np.argsort(-lengths[order[pool]], kind="stable")]
        for cut in cut_by_budget(lengths[members], batch_tokens):
            rows = [
                sequences.token_ids[starts[m] : starts[m] + lengths[m]]
                for m in members[cut]
            ]
            total += per_unique[np.unique(np.concatenate(rows))].sum()
            n_predictions += sum(map(len, rows)) - len(rows)
    lstm = config.num_layers * 9 * config.hidden_size * config.proj_size
    each_way = lstm + n_logits * config.proj_size
    return 6 * (total / n_predictions + 2 * each_way)


def token_encoder(config, lengths):
    """Return the multiply-adds of the token encoder for tokens of some lengths."""
    n_filters = sum(n for _, n in config.filters)
    macs = n_filters * config.n_highway * 2 * n_filters + np.zeros(len(lengths))
    macs += (n_filters + config.word_embedding_dim) * config.proj_size
    for width, n in config.filters:
        windows = np.minimum(config.max_characters - width + 1, lengths + 1)
        macs += n * width * config.char_embedding_dim * windows
    return macs
