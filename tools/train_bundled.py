"""Train the bundled English model.

    python tools/train_bundled.py --corpora DIR --work DIR --part 1/3

Reads ``*.txt.xz`` files, a paragraph a line. Word2Vec vectors (gensim) of the same
text come first; the language model starts from them and learns on, with checkpoints in
`--work`: called again with the same options it goes on where it was, until the text is
read. ``--part 2/3 --init DIR/model-1-3`` goes on from a model of another third. Every
thousandth paragraph is held out. What the training cost and reached is written to
``record.json`` beside the model, with the loss of each step in ``curve.csv``.
"""

import argparse
import itertools
import json
import lzma
import math
import platform
import time
from pathlib import Path

import torch
from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence

from skelmo import ElmoLanguageModel, split_sentences, tokenize
from skelmo.training.progress import ProgressBar
from skelmo.version import __version__

HELD_OUT_EVERY = 1000
MOST_HELD_OUT = 400  # paragraphs


def main():
    """Train, or go on training, and save."""
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    vectors = word_vectors(options)
    held_out = [text for text, is_held_out in paragraphs(options) if is_held_out]
    out = options.work / f"model-{options.part.replace('/', '-of-')}"
    out.mkdir(exist_ok=True)
    write_losses(out / "curve.csv")
    model = ElmoLanguageModel(
        filters=((1, 16), (2, 32), (3, 64), (4, 128), (5, 128)),
        hidden_size=options.hidden_size,
        proj_size=options.proj_size,
        word_embedding_dim=options.proj_size,
        init_word_vectors=vectors,  # beside `init`, for words new to it
        init=options.init,
        tie_weights=True,
        lowercase=True,
        max_vocabulary=options.vocabulary,
        learning_rate_init=options.learning_rate_init,
        batch_tokens=options.batch_tokens,
        dropout=0.0,  # no text comes twice
        word_dropout=0.1,
        misspelling=options.misspelling,
        precision=options.precision,
        max_epochs=options.epochs,
        max_time=60 * options.minutes if options.minutes else None,
        checkpoint=options.work / "checkpoints",
        checkpoint_every=5.0,
        random_state=0,
        verbose=1,
    )
    training = part_of(options)
    begin = time.perf_counter()
    model.fit(training, X_val=held_out[:MOST_HELD_OUT])
    model.save(out)
    perplexity = model.perplexity(held_out[:MOST_HELD_OUT])
    record = {
        "skelmo": __version__,
        "torch": torch.__version__,
        "machine": platform.platform(),
        "options": {name: str(value) for name, value in vars(options).items()},
        "tokens_read": model.n_tokens_,
        "seconds_of_last_run": round(time.perf_counter() - begin),
        "perplexity": [round(value, 2) for value in perplexity],
        "unknown_share": model.unknown_share_,
        "n_weights": sum(p.numel() for p in model.network_.parameters()),
        "history": [
            [None if math.isnan(value) else value for value in row]
            for row in model.history_
        ],
    }
    (out / "record.json").write_text(json.dumps(record, indent=1))
    print(json.dumps(record, indent=1))


def paragraphs(options):
    """Yield paragraphs, and whether they are held out."""
    n = 0
    for name in options.names:
        with lzma.open(options.corpora / name, "rt", encoding="utf-8") as file:
            for line in file:
                text = line.strip()
                is_title = text.startswith("= ") and text.endswith(" =")
                if text and not is_title:
                    n += 1
                    yield text, n % HELD_OUT_EVERY == 0
                if options.paragraphs and n >= options.paragraphs:
                    return


def part_of(options):
    """Yield the paragraphs of one part, which are spread over all of the text."""
    part, n_parts = map(int, options.part.split("/"))
    training = (text for text, is_held_out in paragraphs(options) if not is_held_out)
    return itertools.islice(training, part - 1, None, n_parts)


def write_losses(path):
    """Have each training step write its tokens, loss and rate."""
    show = ProgressBar.end_step

    def end_step(self, loss, n_tokens, learning_rate):
        with path.open("a") as file:
            file.write(f"{n_tokens},{loss:.4f},{learning_rate:.3g}\n")
        return show(self, loss, n_tokens, learning_rate)

    ProgressBar.end_step = end_step


def word_vectors(options):
    """Return the file of Word2Vec vectors of the same text, made if need be."""
    path = options.work / f"word2vec-{options.proj_size}.bin"
    if path.exists():
        return path
    tokens = options.work / "tokens.txt"
    if not tokens.exists():
        part = tokens.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            for text, is_held_out in paragraphs(options):
                if not is_held_out:
                    for sentence in split_sentences(text):
                        file.write(" ".join(tokenize(sentence.lower())) + "\n")
        part.rename(tokens)
    model = Word2Vec(
        LineSentence(str(tokens)),
        vector_size=options.proj_size,
        window=5,
        sg=1,
        negative=5,
        min_count=5,
        sample=1e-4,
        epochs=options.word_epochs,
        workers=options.workers,
        seed=0,
    )
    model.wv.save_word2vec_format(str(path), binary=True)
    return path


def parse():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument(
        "--names", nargs="+",
        default=["wiki-en-1.txt.xz", "books-en.txt.xz", "wiki-en-2.txt.xz"],
    )  # fmt: skip
    parser.add_argument("--paragraphs", type=int, help="read no more than so many")
    parser.add_argument("--hidden-size", type=int, default=384)
    parser.add_argument("--proj-size", type=int, default=256)
    parser.add_argument("--vocabulary", type=int, default=30_000)
    parser.add_argument("--learning-rate-init", type=float, default=0.002)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--misspelling", type=float, default=0.0)
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--part", default="1/1", help="paragraphs k, k + n, ...: k/n")
    parser.add_argument("--init", type=Path, help="model to go on from")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--word-epochs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, help="stop after so many")
    return parser.parse_args()


if __name__ == "__main__":
    main()
