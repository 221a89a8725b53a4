"""ELMoForManyLangs 0.0.4.post2 and skelmo with the same model, timed in turn.

    pip install --no-deps --target DIR elmoformanylangs==0.0.4.post2 overrides==3.1.0
    python benchmarks/many_langs_encode.py DIR --shape sample --rounds 3

Sentences of MR (Pang and Lee 2005), already cut at spaces, through a network of random
weights that reads words and characters; from lists of tokens to the mean of the layers
of each token. Each runs in a process of its own, of one thread, that has loaded the
model before. Rates are tokens per second of its own processor time, so that other work
on the machine does not count; that of the first call, and of a second one on the same
sentences, whose largest difference to the first is told too.
"""

import argparse
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from encode import sentences as sentences_of
from machine import heading, markdown
from many_langs_models import BASE, dictionaries, make, text_of

N_WORDS = 20_000  # of the dictionary; the others are unknown, as in the published ones
FILTERS = [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]
SHAPES = {
    "sample": (
        {"dim": 4096, "projection_dim": 512},
        {"filters": FILTERS, "word_dim": 100, "char_dim": 50},
    ),
    "small": (
        {"dim": 512, "projection_dim": 128},
        {"filters": [[w, n // 8] for w, n in FILTERS], "word_dim": 32, "char_dim": 16},
    ),
}


def main():
    options = parse()
    if options.contender is not None:
        print(json.dumps(measure(options)))
        return
    print(heading())
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model"
        model.mkdir()
        sys.path.insert(0, options.package)
        write_model(model, options)
        rounds = []
        for _ in range(options.rounds):
            rounds.append({})
            for name in ("ELMoForManyLangs", "skelmo"):
                command = [sys.executable, __file__, options.package]
                command += ["--shape", options.shape, "--sentences"]
                command += [str(options.sentences)]
                command += ["--contender", name, "--model", str(model)]
                done = subprocess.run(
                    command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    check=True, text=True,
                )  # fmt: skip
                rounds[-1][name] = json.loads(done.stdout.splitlines()[-1])
                print(name, rounds[-1][name], flush=True)
    report(rounds)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("package", help="directory with elmoformanylangs")
    parser.add_argument("--shape", choices=SHAPES, default="sample")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=500)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    return parser.parse_args()


def write_model(directory, options):
    encoder, embedder = SHAPES[options.shape]
    config = json.loads(json.dumps(BASE))
    config["encoder"].update(encoder)
    config["token_embedder"].update(embedder)
    tokens = sentences_of(options)
    known = [*dict.fromkeys(token for tokens_ in tokens for token in tokens_)][::2]
    known += [f"word{k}" for k in range(N_WORDS - len(known))]
    make(config, *dictionaries(known, text_of(tokens)), directory, seed=0)


def measure(options):
    """Time one contender."""
    torch.set_num_threads(1)
    sentences = sentences_of(options)
    if options.contender == "skelmo":
        from skelmo import ElmoVectorizer

        vectorizer = ElmoVectorizer(
            options.model, input="tokens", layers="mean", unknown_words="characters"
        )
        encode = vectorizer.fit([["."]]).transform_tokens
    else:
        sys.path.insert(0, options.package)
        logging.disable(logging.INFO)
        from elmoformanylangs import Embedder

        encode = Embedder(options.model).sents2elmo
    seconds, found = [], []
    for _ in range(2):
        start = time.process_time()
        found.append(encode(sentences))
        seconds.append(time.process_time() - start)
    n_tokens = sum(map(len, sentences))
    changed = max(float(np.abs(a - b).max()) for a, b in zip(*found, strict=True))
    return {
        "tokens/s": n_tokens / seconds[0], "again": n_tokens / seconds[1],
        "changed": changed,
    }  # fmt: skip


def report(rounds):
    rows = []
    for name in rounds[0]:
        rates = {
            key: statistics.median(each[name][key] for each in rounds)
            for key in ("tokens/s", "again", "changed")
        }
        x = statistics.median(
            each[name]["tokens/s"] / each["ELMoForManyLangs"]["tokens/s"]
            for each in rounds
        )
        rows.append([
            name, f"{rates['tokens/s']:,.0f}", f"{x:.1f}", f"{rates['again']:,.0f}",
            f"{rates['changed']:.2g}",
        ])  # fmt: skip
    print()
    columns = ["", "tokens/s", "x", "second call", "largest change from the first"]
    print(markdown(columns, rows))


if __name__ == "__main__":
    main()
