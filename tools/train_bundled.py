"""Train a bundled model, from the texts on.

    python tools/train_bundled.py --shared DIR --glove FILE --work WORK --init MODEL
    python tools/train_bundled.py --language zh --shared DIR --work WORK

The first is English, the second Chinese, whose tokens are characters; the options' own
defaults are those of the language.
What is there in `--work` is not made again. First come the texts, cut into tokens and
without what evaluation sets hold (`pretraining_texts`), then word vectors of them,
joined with GloVe (`word_vectors`). With `--init` these are turned into the space of a
model (`starting_model`), which goes on from there; without, a new one starts from them.
With `--keep-words` too no vectors are made: words keep the vectors they have, and those
that are now among the most frequent and were not before begin as any weight does.
Of the texts, documents are drawn until `--tokens` are reached, reviews and others in
the proportion of `--reviews`, and mixed. The language model writes checkpoints: called
again with the same options it goes on where it was, until the text is read. What the
training cost and reached is written to ``record.json`` beside the model, with the loss
of each step in ``curve.csv``.
"""

import argparse
import json
import math
import platform
import time
from pathlib import Path

import numpy as np
import torch
from gensim.models import KeyedVectors
from pretraining_texts import (
    CHINESE_GENERAL,
    CHINESE_REVIEWS,
    GENERAL,
    NAMES,
    REVIEWS,
    add_options,
    write_texts,
)
from starting_model import with_vectors
from word_vectors import joint, read_glove, skip_gram

from skelmo import ElmoLanguageModel
from skelmo.pretrained import registry
from skelmo.pretrained.safetensors_format import write_model
from skelmo.training.progress import ProgressBar
from skelmo.version import __version__

HELD_OUT_TOKENS = 15_000  # of each text
TEXTS = {"en": (REVIEWS, GENERAL), "zh": (CHINESE_REVIEWS, CHINESE_GENERAL)}
DEFAULTS = {
    "en": {
        "filters": ((1, 16), (2, 32), (3, 64), (4, 128), (5, 128)),
        "tokens": 120.0,
        "reviews": 0.65,
        "vocabulary": 50_000,
        "misspelling": 0.15,
        "word_dropout": 0.1,
        "batch_tokens": 4096,
        "n_samples": 2048,
        "learning_rate_init": 0.0015,
        "word_epochs": 3,
    },
    # A character has three bytes, so that what the filters can tell is less.
    "zh": {
        "filters": ((1, 16), (2, 32), (3, 64), (4, 64)),
        "tokens": 9.0,
        "reviews": 0.6,
        "vocabulary": 10_000,
        "misspelling": 0.0,
        "word_dropout": 0.03,
        "batch_tokens": 2048,
        "n_samples": 1024,
        "learning_rate_init": 0.0025,
        "word_epochs": 2,
    },
}


def main():
    """Make what is not there: texts, vectors, a start, the model."""
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    texts = options.work / "texts"
    if not (texts / "overlap.json").exists():
        write_texts(names(options), options.shared, options.ninths, texts)
    if options.keep_words:
        train(options, texts, None, options.init)
        return
    vectors = options.vectors or made_vectors(options, texts)
    start = options.work / f"start-{options.name}"
    if options.init is not None and not (start / "config.json").exists():
        turned = with_vectors(registry.load(options.init), read_vectors(vectors))
        write_model(turned, start)
    train(options, texts, vectors, None if options.init is None else start)


def made_vectors(options, texts):
    """Return the file of word vectors of the texts, made if need be."""
    path = options.work / ("vectors.bin" if options.glove is None else "joint.bin")
    if path.exists():
        return path
    own = options.work / "vectors.bin"
    if not own.exists():
        paths = [texts / f"{name}.tokens" for name in sorted(names(options))]
        made = skip_gram(
            paths,
            options.work / "sentences.txt",
            options.proj_size,
            options.word_epochs,
            options.workers,
        )
        write_vectors(made, own)
    if options.glove is not None:
        write_vectors(joint(read_vectors(own), *read_glove(options.glove)), path)
    return path


def read_vectors(path):
    """Read a binary file of word vectors."""
    return KeyedVectors.load_word2vec_format(str(path), binary=True)


def write_vectors(vectors, path):
    """Write a binary file of word vectors, whole or not at all."""
    part = path.with_suffix(".part")
    vectors.save_word2vec_format(str(part), binary=True)
    part.rename(path)


def train(options, texts, vectors, start):
    """Train, or go on training, and save."""
    out = options.work / options.name
    out.mkdir(exist_ok=True)
    write_losses(out / "curve.csv")
    held_out = {name: held_out_documents(texts, name) for name in names(options)}
    model = ElmoLanguageModel(
        input="tokens",
        filters=DEFAULTS[options.language]["filters"],
        hidden_size=options.hidden_size,
        proj_size=options.proj_size,
        word_embedding_dim=options.proj_size,
        init_word_vectors=vectors,  # beside `init`, for words new to it
        init=start,
        tie_weights=True,
        lowercase=True,
        max_vocabulary=options.vocabulary,
        learning_rate_init=options.learning_rate_init,
        warmup=options.warmup,
        batch_tokens=options.batch_tokens,
        n_samples=options.n_samples,
        dropout=0.0,  # hardly a text comes twice
        word_dropout=options.word_dropout,
        misspelling=options.misspelling,
        precision=options.precision,
        max_epochs=1,
        max_time=60 * options.minutes if options.minutes else None,
        checkpoint=options.work / "checkpoints",
        checkpoint_every=5.0,
        random_state=options.seed,
        verbose=1,
    )
    begin = time.perf_counter()
    validation = [document for some in held_out.values() for document in some]
    model.fit(mixture(options, texts), X_val=validation)
    model.save(out)
    ElmoLanguageModel.load(out, input="text").save(out)  # as users give it
    last = model.history_[-1]
    quality = (
        last.validation_perplexity_forward,
        last.validation_perplexity_backward,
        last.validation_perplexity,
    )
    record = {
        "skelmo": __version__,
        "torch": torch.__version__,
        "machine": platform.platform(),
        "options": {name: str(value) for name, value in vars(options).items()},
        "tokens_read": model.n_tokens_,
        "seconds_of_last_run": round(time.perf_counter() - begin),
        "perplexity": rounded(quality),
        "perplexity_by_text": {
            name: rounded(model.perplexity(some)) for name, some in held_out.items()
        },
        "unknown_share": model.unknown_share_,
        "n_weights": sum(p.numel() for p in model.network_.parameters()),
        "history": [
            [None if math.isnan(value) else value for value in row]
            for row in model.history_
        ],
    }
    (out / "record.json").write_text(json.dumps(record, indent=1))
    print(json.dumps(record, indent=1))


def names(options):
    """Return the names of the texts that are read."""
    return [
        name
        for group in TEXTS[options.language]
        for name in group
        if name not in options.without
    ]


def rounded(values):
    """Return numbers with two decimals."""
    return [round(float(value), 2) for value in values]


def documents(path):
    """Return the documents of a file, each a line."""
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def cut(line):
    """Return the sentences of a document, as lists of tokens."""
    return [sentence.split(" ") for sentence in line.split("\t")]


def held_out_documents(texts, name):
    """Return documents of one text that are not trained on, the same at each call."""
    found, n_tokens = [], 0
    for line in documents(texts / f"{name}.held-out.tokens"):
        if n_tokens >= HELD_OUT_TOKENS:
            break
        found.append(cut(line))
        n_tokens += sum(map(len, found[-1]))
    return found


def mixture(options, texts):
    """Yield documents of reviews and of general texts, as many as are asked for."""
    rng = np.random.default_rng(options.seed)
    wanted = 1e6 * options.tokens
    shares = options.reviews, 1 - options.reviews
    for group, share in zip(TEXTS[options.language], shares, strict=True):
        lines = [
            line
            for name in group
            if name not in options.without
            for line in documents(texts / f"{name}.tokens")
        ]
        left = share * wanted
        while lines and left > 0:  # all of them again if they do not suffice
            for k in rng.permutation(len(lines)):
                document = cut(lines[k])
                yield document
                left -= sum(map(len, document))
                if left <= 0:
                    break


def write_losses(path):
    """Have each training step write its tokens, loss and rate."""
    show = ProgressBar.end_step

    def end_step(self, loss, n_tokens, learning_rate):
        with path.open("a") as file:
            file.write(f"{n_tokens},{loss:.4f},{learning_rate:.3g}\n")
        return show(self, loss, n_tokens, learning_rate)

    ProgressBar.end_step = end_step


def parse():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_options(parser)
    add = parser.add_argument
    add("--language", choices=sorted(TEXTS), default="en")
    add("--work", type=Path, required=True, help="for all that is made")
    add("--name", default="model", help="of the model's directory in --work")
    add("--init", help="name or directory of a model to go on from")
    add("--keep-words", action="store_true",
        help="with --init: go on with the word vectors of that model",
    )  # fmt: skip
    add("--glove", type=Path, help="packed GloVe vectors to join with our own")
    add("--vectors", type=Path, help="word vectors to take instead of making them")
    add("--without", nargs="*", default=[], choices=NAMES,
        help="texts not to read; imdb-train is of the source of reviews-film-en",
    )  # fmt: skip
    add("--tokens", type=float, help="to read, in millions")
    add("--reviews", type=float, help="share of reviews among them")
    add("--hidden-size", type=int, default=384)
    add("--proj-size", type=int, default=256)
    add("--vocabulary", type=int)
    add("--learning-rate-init", type=float)
    add("--warmup", type=float, default=0.05)
    add("--batch-tokens", type=int)
    add("--n-samples", type=int, help="words of the sampled softmax")
    add("--misspelling", type=float)
    add("--word-dropout", type=float)
    add("--word-epochs", type=int, help="passes of the word vectors")
    add("--workers", type=int, default=1, help="threads of the word vectors")
    add("--precision", default="bfloat16", help="or float32")
    add("--seed", type=int, default=0)
    add("--minutes", type=float, help="stop after so many, in mid-schedule")
    options = parser.parse_args()
    if options.keep_words and options.init is None:
        parser.error("--keep-words goes on from a model: give its name by --init")
    for name, value in DEFAULTS[options.language].items():
        if getattr(options, name, None) is None:
            setattr(options, name, value)
    return options


if __name__ == "__main__":
    main()
