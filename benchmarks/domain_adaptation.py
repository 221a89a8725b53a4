"""Does a language model that knows general text learn your texts sooner?

A model is pre-trained on general text. It then goes on, with the same vocabulary, on
texts of a domain (`partial_fit`), and is asked after each portion how well it predicts
texts of either kind that it has not seen. Last, a model that starts from the general
one (`init=`) is compared with one that starts from nothing, on the same domain texts::

    python benchmarks/domain_adaptation.py                 # docstrings; of scikit-learn
    python benchmarks/domain_adaptation.py wiki.txt.xz reviews.tsv.xz --field 3

A file holds a text on each line, and may be packed (.gz, .bz2, .xz); `--field` takes a
field of each line, between tabs. Prints perplexities, draws a figure if matplotlib is
there.
"""

import argparse
import bz2
import gzip
import itertools
import lzma
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from skelmo import ElmoLanguageModel
from skelmo.datasets import load_docstrings

OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
N_HELD_OUT = 200
N_PORTIONS = 6


def load(args):
    """Return general and domain texts, shuffled, without empty ones."""
    if args.general:
        general = read_lines(args.general, 0, args.n_general)
        domain = read_lines(args.domain, args.field, args.n_domain)
    else:
        docstrings = load_docstrings()
        names = np.array(docstrings.target_names)[docstrings.target]
        texts = np.array(docstrings.data, dtype=object)
        general = texts[names != "scikit-learn"].tolist()
        domain = texts[names == "scikit-learn"].tolist()
    for texts, name in ((general, "general"), (domain, "domain")):
        np.random.default_rng(args.seed).shuffle(texts)
        if len(texts) < 3 * N_HELD_OUT:
            raise ValueError(f"{len(texts)} {name} texts are too few to hold some out")
    return general[: args.n_general], domain[: args.n_domain]


def read_lines(path, field, n_lines):
    """Return texts from the first lines of a file."""
    with OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8") as file:
        lines = (line.rstrip("\n") for line in file)
        if field:
            lines = (line.split("\t")[field - 1] for line in lines)
        return list(itertools.islice((text for text in lines if text), n_lines))


def make_model(seed, **parameters):
    """Return a small model, quick to train."""
    return ElmoLanguageModel(
        hidden_size=256, proj_size=64, batch_tokens=1024, tol=0, random_state=seed,
        **parameters,
    )  # fmt: skip


def draw(curve, path):
    """Draw how perplexity on both kinds of text changes with the domain texts read."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no figure: it needs matplotlib")
        return
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    for column, colour in (("domain", "#D55E00"), ("general", "#0072B2")):
        axes.plot(curve.index, curve[column], "o-", color=colour, label=column)
    axes.set(
        xlabel="domain texts read after the general ones",
        ylabel="perplexity of held-out texts",
        title="What is learnt of the domain, and forgotten of the rest",
    )
    axes.set_ylim(bottom=0)
    axes.legend(title="held-out texts")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    print(f"figure: {path}")


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("general", nargs="?", type=Path, help="a text on each line")
    parser.add_argument("domain", nargs="?", type=Path, help="a text on each line")
    parser.add_argument("--field", type=int, default=0, help="of domain lines, from 1")
    parser.add_argument("--n-general", type=int, default=10_000, metavar="N")
    parser.add_argument("--n-domain", type=int, default=2_000, metavar="N")
    parser.add_argument("--out", type=Path, default="domain_adaptation.png")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    args = parser.parse_args()
    if args.general and not args.domain:
        parser.error("give two files, of general and of domain texts, or none")
    return args


def main():
    """Go on from general to domain texts; return the exit code."""
    start = time.perf_counter()
    args = parse_arguments()
    try:
        general, domain = load(args)
    except (OSError, ValueError, IndexError) as error:
        print(f"domain_adaptation: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    held_out = {"domain": domain[:N_HELD_OUT], "general": general[:N_HELD_OUT]}
    general, domain = general[N_HELD_OUT:], domain[N_HELD_OUT:]
    print(f"{len(general)} general texts, {len(domain)} domain texts")

    model = make_model(args.seed, max_epochs=3, learning_rate_init=0.004).fit(general)
    with tempfile.TemporaryDirectory() as directory:
        model.save(f"{directory}/general")
        later = {"max_epochs": 2, "learning_rate_init": 0.002}
        scratch = make_model(args.seed, **later).fit(domain)
        adapted = make_model(args.seed, init=f"{directory}/general", **later)
        adapted.fit(domain)
    shown = {0: {k: model.perplexity(v).mean for k, v in held_out.items()}}
    model.set_params(learning_rate_init=0.001)
    for portion in np.array_split(np.array(domain, dtype=object), N_PORTIONS):
        model.partial_fit(portion)
        done = list(shown)[-1] + len(portion)
        shown[done] = {k: model.perplexity(v).mean for k, v in held_out.items()}

    curve = pd.DataFrame.from_dict(shown, "index").rename_axis("domain texts read")
    print("\nperplexity of held-out texts, one vocabulary, that of the general texts")
    print(f"{curve.to_string(float_format='%.1f')}\n")
    print("perplexity of held-out domain texts, vocabulary of the domain texts")
    print(f"from nothing           {scratch.perplexity(held_out['domain']).mean:8.1f}")
    print(f"from the general model {adapted.perplexity(held_out['domain']).mean:8.1f}")
    draw(curve, args.out)
    print(f"{time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
