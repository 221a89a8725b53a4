"""The trainer of ELMoForManyLangs 0.0.4.post2, timed as it stands.

    pip install --no-deps --target DIR elmoformanylangs==0.0.4.post2 overrides==3.1.0

Its `train_model` runs unmodified but for one thing: it reads the loss by ``.data[0]``,
which torch refuses for a tensor without dimensions, so the criterion here returns one
of length 1. It cuts the text into stretches of 20 tokens, carries the LSTM state from
batch to batch, reads all 50 characters of every token, and makes the tensors of all
batches before it begins; sampled softmax over `n_samples` words.
"""

import logging
import random
import sys
import tempfile
import time
from argparse import Namespace

import torch
from torch.nn.functional import cross_entropy

STRETCH = 20  # its own default


class SummedLoss(torch.nn.Module):
    """The criterion, its result of length 1."""

    def forward(self, scores, targets):
        return cross_entropy(scores, targets, reduction="sum").view(1)


class Enough(Exception):
    """Raised to leave a training loop that has no other way out."""


def load(directory):
    """Import its training module."""
    sys.path.insert(0, directory)
    from elmoformanylangs import biLM

    logging.getLogger("elmoformanylangs").setLevel(logging.WARNING)
    return biLM


def train(biLM, documents, vocabulary, config, batch_tokens, n_samples, on_step):
    """Train for one epoch, or until `on_step` raises `Enough`.

    `on_step` gets, after every step, the time and the step's predictions.
    """
    random.seed(0)
    stream = []
    for document in documents:
        stream += ["<bos>", *(word[:48] for word in document), "<eos>"]
    settings = settings_of(config, n_samples)
    words = ["<oov>", "<bos>", "<eos>", "<pad>", *vocabulary]
    word_ids = {word: row for row, word in enumerate(words)}
    special = ["<bos>", "<eos>", "<oov>", "<pad>", "<bow>", "<eow>"]
    characters = [*special, *sorted({c for word in set(stream) for c in word})]
    char_ids = {character: row for row, character in enumerate(characters)}
    batch_size = batch_tokens // STRETCH
    batches = biLM.create_batches(
        biLM.break_sentence(stream, STRETCH), batch_size, word_ids, char_ids, settings
    )
    embedding = biLM.EmbeddingLayer(
        settings["token_embedder"]["char_dim"], char_ids, fix_emb=False
    )
    model = biLM.Model(settings, None, embedding, len(word_ids))
    model.classify_layer.criterion = SummedLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    sizes = []
    model.classify_layer.register_forward_pre_hook(
        lambda _, inputs: sizes.append(len(inputs[1]))
    )
    optimizer.register_step_post_hook(
        lambda *_: on_step(time.perf_counter(), sizes[-1])
    )
    with tempfile.TemporaryDirectory() as scratch:
        options = Namespace(
            clip_grad=5, batch_size=batch_size, eval_steps=10**9, model=scratch,
            save_classify_layer=False,
        )  # fmt: skip
        biLM.train_model(
            0, options, model, optimizer, batches, None, None, 1e8, 1e8, 1e8
        )


def settings_of(config, n_samples):
    """Return its configuration for the sizes of skelmo's."""
    return {
        "encoder": {
            "name": "elmo",
            "projection_dim": config.proj_size,
            "cell_clip": 3,
            "proj_clip": 3,
            "dim": config.hidden_size,
            "n_layers": config.num_layers,
        },
        "token_embedder": {
            "name": "cnn",
            "activation": "relu",
            "filters": [list(filter) for filter in config.filters],
            "n_highway": config.n_highway,
            "word_dim": 0,
            "char_dim": config.char_embedding_dim,
            "max_characters_per_token": 50,
        },
        "classifier": {"name": "sampled_softmax", "n_samples": n_samples},
        "dropout": 0.1,
    }
