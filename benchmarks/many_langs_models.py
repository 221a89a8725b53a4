"""Little models of ELMoForManyLangs 0.0.4.post2, and what it computes with them.

    pip install --no-deps --target DIR elmoformanylangs==0.0.4.post2 overrides==3.1.0
    python benchmarks/many_langs_models.py DIR tests/data/many_langs

Each model has random weights; its `Embedder` runs unmodified over the sentences, once:
from the second batch on it carries state. `tests/test_many_langs_format.py` compares.
"""

import argparse
import json
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

SENTENCES = [
    ["Das", "ist", "ein", "Haus", "."],
    ["straße", "naïve", "тест", "天氣", "好", "नमस्ते", "😀", "👩‍👩‍👧"],
    ["the"],
    ["x" * 47, "x" * 48, "x" * 49, "語" * 60, "the"],
    ["<bos>", "<eos>", "<pad>", "<oov>", "<unk>", "<UNK>", "<bow>", "</s>"],
    ["x\u3000y", "\u3000", "The", "THE", "e\u0301", "é", "\x85", "a\u2028b", "", "\t"],
    ["ist", "ein", "the", "Haus"] * 6,
]
WORDS = ["the", "ist", "ein", "天氣", "straße", "x" * 48, "x" * 10, "\u3000", "</s>"]
UNSEEN = "Tт好"  # characters that no dictionary has

FILTERS = [[1, 4], [2, 3], [3, 5], [5, 4], [7, 6]]
BASE = {
    "encoder": {
        "name": "elmo", "projection_dim": 6, "cell_clip": 3, "proj_clip": 3, "dim": 16,
        "n_layers": 2,
    },
    "token_embedder": {
        "name": "cnn", "activation": "relu", "filters": FILTERS, "n_highway": 2,
        "word_dim": 5, "char_dim": 4, "max_characters_per_token": 50,
    },
    "classifier": {"name": "sampled_softmax", "n_samples": 8},
    "dropout": 0.1,
}  # fmt: skip
# What differs from the base; how the dictionary of words begins; what predicts words.
MODELS = {
    "words-characters": ({}, {}, "first", None),
    "tight-clips": (
        {"cell_clip": 0.2, "proj_clip": 0.1}, {"max_characters_per_token": 12}, "last",
        "sampled_softmax",
    ),
    "characters-tanh": (
        {"cell_clip": 0, "proj_clip": 0, "n_layers": 3},
        {"word_dim": 0, "activation": "tanh", "n_highway": 1}, "first", "softmax",
    ),
    "words": ({"cell_clip": 0}, {"char_dim": 0}, "last", None),
}  # fmt: skip


def dictionaries(words, characters, order="first"):
    """Return the numbers of words and characters, as their trainer gives them."""
    special = ["<oov>", "<bos>", "<eos>", "<pad>"]
    words = [*special, *words] if order == "first" else [*words, *special]
    known = [c for c in dict.fromkeys(characters) if c not in UNSEEN]
    # White space but the ideographic breaks their dictionaries.
    characters = [c for c in known if c == "\u3000" or c.split() == [c]]
    characters += ["<bos>", "<eos>", "<oov>", "<pad>", "<bow>", "<eow>"]
    return [{entry: k for k, entry in enumerate(each)} for each in (words, characters)]


def text_of(sentences):
    return "".join(token for sentence in sentences for token in sentence)


def shake(module, seed):
    """Move every weight a little, biases and the padding too, which begin with 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise, alpha=0.1)


def make(config, words, characters, directory, seed, classifier=None):
    """Write a model of random weights into a directory, as their trainer does."""
    from elmoformanylangs.frontend import Model
    from elmoformanylangs.modules.classify_layer import (
        SampledSoftmaxLayer,
        SoftmaxLayer,
    )
    from elmoformanylangs.modules.embedding_layer import EmbeddingLayer

    torch.manual_seed(seed)

    def embedding(size, numbers):
        return EmbeddingLayer(size, numbers, fix_emb=False) if size else None

    sizes = config["token_embedder"]
    model = Model(
        config, embedding(sizes["word_dim"], words),
        embedding(sizes["char_dim"], characters), False,
    )  # fmt: skip
    shake(model, seed)
    if classifier is not None:
        width = config["encoder"]["projection_dim"]
        layer = (
            SoftmaxLayer(width, len(words))
            if classifier == "softmax"
            else SampledSoftmaxLayer(width, len(words), 8, False)
        )
        save(layer, directory / "classifier.pkl")
    save(model.token_embedder, directory / "token_embedder.pkl")
    save(model.encoder, directory / "encoder.pkl")
    for file, numbers in {"word.dic": words, "char.dic": characters}.items():
        lines = "".join(f"{entry}\t{number}\n" for entry, number in numbers.items())
        (directory / file).write_text(lines, encoding="utf-8", newline="")
    name = directory.name
    paths = {"config_path": f"/home/somebody/configs/{name}.json", "seed": 1}
    (directory / "config.json").write_text(json.dumps(paths))
    (directory / f"{name}.json").write_text(json.dumps(config))


def save(module, path):
    # As the published files are: of a torch from before archives.
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("package", help="directory with elmoformanylangs")
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    sys.path.insert(0, options.package)
    from elmoformanylangs import Embedder

    random.seed(0)
    options.target.mkdir(parents=True, exist_ok=True)
    text = json.dumps(SENTENCES, ensure_ascii=True, indent=1)
    (options.target / "sentences.json").write_text(text + "\n")
    for seed, name in enumerate(MODELS):
        directory = options.target / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        encoder, embedder, order, classifier = MODELS[name]
        config = json.loads(json.dumps(BASE))
        config["encoder"].update(encoder)
        config["token_embedder"].update(embedder)
        numbers = dictionaries(WORDS, text_of(SENTENCES), order)
        make(config, *numbers, directory, seed, classifier)
        found = Embedder(str(directory)).sents2elmo(SENTENCES, output_layer=-2)
        np.savez(directory / "expected.npz", *found)
        print(name, [layers.shape for layers in found][:3])


if __name__ == "__main__":
    main()
