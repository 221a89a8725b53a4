"""Texts to pre-train on, cut into tokens, without what evaluation sets hold.

    python tools/pretraining_texts.py --shared DIR --out DIR

Each text of ``corpora/`` (and the texts, never the labels, of the training part of
IMDB) becomes a file of documents, one a line: sentences stand between tabs, tokens
between spaces. Left out is each sentence that is in an evaluation set, see `overlap`,
and the whole document if that is a third of its sentences or more. ``overlap.json``
counts, for each text and evaluation set, the sentences found. A sample of the documents
of each text is held out, in files that end in ``.held-out.tokens``.
"""

import argparse
import itertools
import json
import lzma
from collections import Counter
from pathlib import Path

from overlap import Overlap, evaluation_sets, plain, texts_of

from skelmo import split_sentences, tokenize

GENERAL = ("wiki-en-1", "books-en", "wiki-en-2")
REVIEWS = ("reviews-film-en", "reviews-open-en", "imdb-train")
CHINESE_GENERAL = ("wiki-zh",)
CHINESE_REVIEWS = ("reviews-zh",)
NAMES = (*REVIEWS, *GENERAL, *CHINESE_REVIEWS, *CHINESE_GENERAL)
MOST_OF_A_DOCUMENT = 1 / 3
DOCUMENTS_AT_ONCE = 2000
HELD_OUT_EVERY = {True: 1000, False: 500}  # of general texts, and of others
NINTHS = 9


def main():
    """Write the texts, and what was left out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="directory of tokens")
    parser.add_argument("--names", nargs="+", choices=NAMES, default=REVIEWS + GENERAL)
    add_options(parser)
    options = parser.parse_args()
    write_texts(options.names, options.shared, options.ninths, options.out)


def add_options(parser):
    """Add what says which texts are read."""
    parser.add_argument(
        "--shared", type=Path, required=True, help="directory of corpora/ and data/"
    )
    parser.add_argument(
        "--ninths", type=int, nargs="+", choices=range(NINTHS), default=range(NINTHS),
        help="read every ninth paragraph of general texts, from each of these on",
    )  # fmt: skip


def write_texts(names, shared, ninths, out):
    """Write files of tokens, and ``overlap.json`` in the end.

    Parameters
    ----------
    names : sequence of str
    shared, out : pathlib.Path
    ninths : sequence of int
    """
    out.mkdir(parents=True, exist_ok=True)
    overlap, counts = Overlap(evaluation_sets(shared)), {}
    # Counted on from one general text to the next.
    numbers = itertools.count(1), itertools.count()
    for name in names:
        counts[name] = Counter()
        rows = chosen(name, shared, ninths, numbers)
        with (
            (out / f"{name}.tokens").open("w", encoding="utf-8") as training,
            (out / f"{name}.held-out.tokens").open("w", encoding="utf-8") as held_out,
        ):
            while some := list(itertools.islice(rows, DOCUMENTS_AT_ONCE)):
                documents = [
                    [tokenize(s) for s in split_sentences(text)] for text, _ in some
                ]
                kept = without_overlap(documents, overlap, counts[name])
                for (_, is_held_out), sentences in zip(some, kept, strict=True):
                    line = "\t".join(" ".join(tokens) for tokens in sentences)
                    if line:
                        (held_out if is_held_out else training).write(line + "\n")
    content = json.dumps(counts, indent=1) + "\n"
    (out / "overlap.json").write_text(content, encoding="utf-8")


def without_overlap(documents, overlap, counts):
    """Return documents without the sentences, or without all, that are left out.

    Parameters
    ----------
    documents : list of list of list of str
    overlap : Overlap
    counts : collections.Counter
        What was read and left out is added to it.

    Returns
    -------
    documents : list of list of list of str
        Empty ones keep their place.
    """
    same, shared = overlap.find(documents)
    found = set().union(*same.values(), *shared.values())
    of_document = Counter(d for d, _ in found)
    kept = []
    for d, sentences in enumerate(documents):
        rest = [s for k, s in enumerate(sentences) if (d, k) not in found]
        if of_document[d] and of_document[d] >= MOST_OF_A_DOCUMENT * len(sentences):
            counts["documents left out"] += 1
            rest = []
        counts["documents"] += 1
        counts["sentences"] += len(sentences)
        counts["sentences left out"] += len(sentences) - len(rest)
        counts["tokens"] += sum(map(len, sentences))
        counts["tokens kept"] += sum(map(len, rest))
        kept.append(rest)
    for what, places in (("is a text of", same), ("shares eight words with", shared)):
        counts.update({f"{what} {name}": len(rows) for name, rows in places.items()})
    return kept


def chosen(name, shared, ninths, numbers):
    """Yield the documents that are read of a text, and whether they are held out."""
    is_general = name in GENERAL + CHINESE_GENERAL
    n_all, n_training = numbers if is_general else (itertools.count(1), None)
    for text in documents_of(name, shared):
        is_held_out = next(n_all) % HELD_OUT_EVERY[is_general] == 0
        others = is_general and not is_held_out
        if not others or next(n_training) % NINTHS in ninths:
            yield text, is_held_out


def documents_of(name, shared):
    """Yield the documents of a text, without titles."""
    if name == "imdb-train":
        yield from texts_of(shared / "data/sentiment/imdb.train.tsv.xz")
        return
    with lzma.open(shared / f"corpora/{name}.txt.xz", "rt", encoding="utf-8") as file:
        for line in file:
            text = line.strip()
            is_title = text.startswith("= ") and text.endswith(" =")
            if text and not is_title:
                yield plain(text)


if __name__ == "__main__":
    main()
