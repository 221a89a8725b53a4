"""Parts of `fuzz.py`: documents through the tokenizer, the encoder and the caches."""

import time
import warnings
from functools import cache

import numpy as np
import regex
import torch
from fuzz_files import Wrong
from strange_texts import drawn_texts, real_texts, strange_texts

from skelmo import ElmoLanguageModel, ElmoVectorizer, clear_cache
from skelmo.text.tokenization import split_sentences, tokenize

BATCH = 50  # documents of a case of the tokenizer
ENCODED = 400  # of the encoder: the more at once, the less each costs
ALONE = 100  # of how many documents of a case one is also encoded alone
SLOW = 2.0  # seconds of the processor for one document
TOLERANCE = 1e-5
BREAK = regex.compile(r"<br\s*/?>", regex.IGNORECASE)


@cache
def texts():
    return real_texts()


def documents_of(seed, number, size=BATCH):
    return strange_texts(seed, range(number * size, (number + 1) * size), texts())


def without_spaces(text):
    return "".join(text.split())


def check_tokens(document):
    """Raise unless nothing is lost, added or moved, in linear time."""
    start = time.process_time()
    sentences = split_sentences(document)
    kept = without_spaces(BREAK.sub(" ", document))
    if without_spaces("".join(sentences)) != kept:
        raise Wrong(f"sentences of {document!a}")
    for sentence in sentences:
        tokens = tokenize(sentence)
        if "".join(tokens) != without_spaces(sentence):
            raise Wrong(f"tokens of {sentence!a}")
        if not all(token.split() == [token] for token in tokens):
            raise Wrong(f"space in tokens of {sentence!a}")
        again = tokenize(" ".join(tokens))
        if again != tokens:
            raise Wrong(f"tokens of tokens of {sentence!a}: {tokens!a} {again!a}")
    if time.process_time() - start > SLOW:
        raise Wrong(f"slow: {document!a}")


def tokenizer(directory, seed):
    """Return a check of a batch of documents."""

    def check(number):
        for document in documents_of(seed, number):
            check_tokens(document)
        return "fine"

    return check


def same(found, expected, what, documents, tolerance=0.0):
    """Raise unless rows are finite and as expected."""
    distance = np.abs(found - expected).max(axis=1, initial=0.0)
    for k in np.flatnonzero(~(distance <= tolerance)):
        raise Wrong(f"{what} differs by {distance[k]} for {documents[k]!a}")


def rows_of(directory):
    """Return a check: alone, in a batch, in another order and from caches, one row."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    model = ElmoLanguageModel(
        hidden_size=8, proj_size=4, char_embedding_dim=4, filters=((1, 4), (2, 4)),
        max_epochs=1, random_state=0, word_embedding_dim=4,
    )  # fmt: skip
    model.fit(texts()[:300]).save(directory / "model")

    def vectorizer(kept):
        made = ElmoVectorizer(language_model=str(directory / "model"), cache=kept)
        return made.fit(["one text"])

    plain, memory = vectorizer(None), vectorizer("memory")
    disk = vectorizer(directory / "cache")

    def check(documents, number):
        rows = plain.transform(documents)
        if not np.isfinite(rows).all():
            raise Wrong(f"not finite in case {number}")
        order = np.random.default_rng(number).permutation(len(documents))
        turned = plain.transform([documents[k] for k in order])
        same(turned, rows[order], "another order", documents)
        for k in range(number % ALONE, len(documents), ALONE):
            alone = plain.transform(documents[k : k + 1])
            same(alone, rows[k : k + 1], "alone", documents[k:], TOLERANCE)
        for name, each in (("memory", memory), ("directory", disk)):
            first = each.transform(documents)
            same(first, rows, f"{name}, first", documents, TOLERANCE)
            same(each.transform(documents), first, f"{name}, again", documents)
        if number % 25 == 24:
            clear_cache(directory / "cache")

    return check


def encoder(directory, seed):
    """Return a check of a batch of documents."""
    check_rows = rows_of(directory)

    def check(number):
        check_rows(documents_of(seed, number, ENCODED), number)
        return "fine"

    return check


def drawn(directory, seed):
    """Return a check of documents that hypothesis draws, by tokenizer and encoder."""
    check_rows = rows_of(directory)

    def check(number):
        documents = drawn_texts(f"{seed}-{number}", ENCODED)
        for document in documents:
            check_tokens(document)
        check_rows(documents, number)
        return "fine"

    return check


PARTS = {"tokenizer": tokenizer, "encoder": encoder, "drawn": drawn}
