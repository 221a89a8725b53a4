"""Perplexity on WikiText-2, beside n-gram models with Kneser-Ney smoothing.

    python benchmarks/wikitext2.py --minutes 60 --checkpoint DIR
    python benchmarks/wikitext2.py --only ngrams

Each line of the data is a sequence of its own, read from a fresh state, its tokens
those between spaces; the softmax is over every word of the training text, `<unk>` among
them as the ordinary token that it is there. Blank lines hold no token and are passed
over. The end of a line is predicted and counted, as `</S>` to the right and `<S>` to
the left, so a line of n tokens has n + 1 predictions in each direction. The n-gram
models (`kneser_ney.py`) see the same tokens under the same boundaries, once left to
right and once on reversed lines.

Published perplexities carry the state over from line to line and predict the end of
blank lines too: they are not comparable.
"""

import argparse
import math
import time

import numpy as np
from kneser_ney import ngram_perplexities
from machine import heading, markdown, memory_mib, wikitext2
from sklearn.metrics import roc_auc_score

from skelmo import ElmoLanguageModel


def main():
    options = parse()
    train, valid, test = (wikitext2(split) for split in ("train", "valid", "test"))
    if options.lines:
        train = train[: options.lines]
    rows = []
    print(heading())
    if options.only != "ngrams":
        rows.append(train_and_evaluate(options, train, valid, test))
    if options.only != "model":
        rows += ngrams(train, valid, test)
    columns = ["model", "minutes", "peak MiB"]
    for split in ("validation", "test"):
        columns += [f"{split}: forward", "backward", "mean"]
    print(markdown(columns, rows))


def train_and_evaluate(options, train, valid, test):
    """Train as the options say; return a row of the table."""
    model = language_model(options)
    begin, before = time.perf_counter(), memory_mib("VmRSS")
    model.fit(train, X_val=valid)
    minutes, peak = (time.perf_counter() - begin) / 60, memory_mib("VmHWM") - before
    if options.save:
        model.save(options.save)
    print(history(model), "\n")
    n_weights = sum(p.numel() for p in model.network_.parameters())
    print(
        f"{len(model.vocabulary_)} words, {n_weights / 1e6:.1f} million weights, "
        f"{model.unknown_share_:.2%} of the tokens outside the vocabulary.\n"
    )
    print(f"Real lines above shuffled ones: AUC {shuffled_auc(model, valid):.3f}.\n")
    row = [f"skelmo {model.hidden_size}/{model.proj_size}"]
    row += [f"{minutes:.1f}", f"{peak:.0f}"]
    for text in (valid, test):
        row += [f"{value:.1f}" for value in model.perplexity(text)]
    return row


def shuffled_auc(model, lines, n_lines=500):
    """Return how well scores tell lines from the same words in another order."""
    real = [line for line in lines if len(line.split()) > 5][:n_lines]
    rng = np.random.default_rng(0)
    shuffled = [" ".join(rng.permutation(line.split())) for line in real]
    scores = model.score_samples([*real, *shuffled])
    return roc_auc_score([1] * len(real) + [0] * len(shuffled), scores)


def language_model(options):
    """Return the estimator that the options describe."""
    names = ElmoLanguageModel().get_params()
    given = {name: value for name, value in vars(options).items() if name in names}
    if options.precision and "precision" not in names:
        raise SystemExit("this version of skelmo has no parameter precision")
    if not options.precision:
        given.pop("precision", None)
    return ElmoLanguageModel(
        **given,
        tokenizer=str.split,
        sentence_splitter="lines",
        sequence="document",
        min_count=1,
        max_vocabulary=None,
        max_time=60 * options.minutes if options.minutes else None,
    )


def history(model):
    """Return the epochs as a table."""
    columns = ["epoch", "million tokens", "minutes", "learning rate", "training"]
    columns += ["validation: forward", "backward", "mean"]
    rows = [
        [
            record.epoch,
            f"{record.n_tokens / 1e6:.2f}",
            f"{record.seconds / 60:.1f}",
            f"{record.learning_rate:.2g}",
            f"{math.exp(min(record.train_loss, 700.0)):.1f}",
            f"{record.validation_perplexity_forward:.1f}",
            f"{record.validation_perplexity_backward:.1f}",
            f"{record.validation_perplexity:.1f}",
        ]
        for record in model.history_
    ]
    return markdown(columns, rows)


def ngrams(train, valid, test):
    """Return a row of the table for each n-gram model."""
    begin = time.perf_counter()
    held_out = {"validation": words_of(valid), "test": words_of(test)}
    found = ngram_perplexities(words_of(train), held_out)
    # The time is that of all of them; memory's peak may be that of the network before.
    minutes = (time.perf_counter() - begin) / 60
    rows = []
    for name in dict.fromkeys(name for name, _ in found):
        row = [name, f"{minutes:.1f} for all", "-"]
        for split in held_out:
            forward, backward = found[name, split]
            # A line has as many predictions each way.
            values = forward, backward, math.sqrt(forward * backward)
            row += [f"{value:.1f}" for value in values]
        rows.append(row)
    return rows


def words_of(lines):
    return [line.split() for line in lines]


def parse():
    """Read the command line; names of estimator parameters are theirs."""
    defaults = ElmoLanguageModel()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--minutes", type=float, help="of training; default: no limit")
    add("--only", choices=["model", "ngrams"])
    add("--lines", type=int, help="of the training text; default: all")
    add("--save", help="directory for the trained model")
    add("--checkpoint", help="directory; a killed run goes on from it")
    add("--checkpoint-every", type=float, default=5.0, help="minutes")
    add("--precision", choices=["auto", "float32", "bfloat16"])
    add("--epochs", type=int, default=defaults.max_epochs, dest="max_epochs")
    add("--hidden", type=int, default=defaults.hidden_size, dest="hidden_size")
    add("--proj", type=int, default=defaults.proj_size, dest="proj_size")
    add("--layers", type=int, default=defaults.num_layers, dest="num_layers")
    add("--learning-rate", choices=["cosine", "constant", "decay", "adaptive"],
        default=defaults.learning_rate)  # fmt: skip
    add("--softmax", choices=["sampled", "full"], default=defaults.softmax)
    add("--solver", choices=["adam", "sgd", "rmsprop", "adagrad"],
        default=defaults.solver)  # fmt: skip
    add("--tie-weights", action="store_true")
    add("--random-state", type=int, default=0)
    add("--verbose", type=int, default=0)
    for name in (
        "word_embedding_dim", "n_highway", "batch_tokens", "n_samples",
        "learning_rate_init", "warmup", "dropout", "word_dropout", "alpha",
        "max_grad_norm", "n_iter_no_change",
    ):  # fmt: skip
        value = getattr(defaults, name)
        add(f"--{name.replace('_', '-')}", type=type(value), default=value)
    return parser.parse_args()


if __name__ == "__main__":
    main()
