"""How fast training goes, beside others, and how far from what the machine can do.

    python benchmarks/train.py
    python benchmarks/train.py --precision float32 bfloat16 --softmax sampled full
    python benchmarks/train.py --elmoformanylangs DIR
    python benchmarks/train.py --scaling

Contenders take turns for several rounds, each in a process of its own that trains for
`--seconds` after `--warm-up` seconds; only training steps are timed. Columns:

- tokens/s: predictions in one direction (tokens, and the end of each sequence);
- x: tokens/s over those of the straightforward torch trainer in the same round;
- of peak: needed operations per second (`operations.py`) over the rate of a matrix
  product of 2048 x 2048 in the same precision, measured at the begin of each round;
- peak MiB: largest resident memory over that after the imports, data included.

All are medians of the rounds, ratios being taken within a round. Contenders: skelmo's
trainer; the trainer that most people would write (`straightforward.py`: full softmax);
ELMoForManyLangs' (`many_langs.py`), when `--elmoformanylangs` says where it is, on
fewer lines: it prepares them slowly, and its tensors take 400 bytes a token.

`--scaling` instead runs whole fits of skelmo, one epoch cut at `--seconds` of training,
on a stream of the large corpora: how preparation, training and memory grow with the
text, and training with the vocabulary. Preparation is all but the training steps, from
reading the compressed text on.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import time

from machine import heading, markdown, memory_mib, paragraphs, wikitext2

FEWEST_STEPS = 10  # timed, however slow


def main():
    options = parse()
    if options.child:
        print(json.dumps(CHILDREN[options.child[0]](options, *options.child[1:])))
        return
    print(heading())
    if options.scaling:
        scaling(options)
    else:
        comparison(options)


def comparison(options):
    """Print the table of contenders."""
    contenders = [
        ("skelmo", precision, softmax)
        for softmax in options.softmax
        for precision in options.precision
    ]
    contenders.append(("straightforward", "float32", "full"))
    if options.elmoformanylangs:
        contenders.append(("elmoformanylangs", "float32", "sampled"))
    needed = run_child(options, "needed")
    rounds = []
    for k in range(options.rounds):
        peak = run_child(options, "peak", *dict.fromkeys(c[1] for c in contenders))
        results = {c: run_child(options, *c) for c in contenders}
        slowest = results["straightforward", "float32", "full"]["rate"]
        for (_, precision, softmax), result in results.items():
            flops = result["rate"] * needed[softmax]
            result |= {"x": result["rate"] / slowest, "peak": flops / peak[precision]}
        rounds.append((peak, results))
        print(f"round {k + 1}: {peak} {results}", file=sys.stderr, flush=True)

    def median(contender, field):
        return statistics.median(results[contender][field] for _, results in rounds)

    print(
        f"{needed['sequences']} sequences, {needed['tokens'] / 1e6:.2f} million tokens,"
        f" {needed['words']} words, {options.batch_tokens} tokens a batch,"
        f" {options.hidden}/{options.proj}; {options.rounds} rounds of"
        f" {options.seconds:g} s. Needed, million operations a token:"
        f" {needed['sampled'] / 1e6:.0f} sampled, {needed['full'] / 1e6:.0f} full."
        " Matrix products, GFLOP/s:",
        end="",
    )
    for precision in rounds[0][0]:
        gflops = [peak[precision] / 1e9 for peak, _ in rounds]
        print(f" {statistics.median(gflops):.0f} in {precision}", end="")
    print(".\n")
    rows = [
        [
            " ".join(c[:1] if c[0] != "skelmo" else c[:2]),
            c[2],
            f"{median(c, 'rate'):.0f}",
            f"{median(c, 'x'):.2f}",
            f"{median(c, 'peak'):.0%}",
            f"{median(c, 'mib'):.0f}",
        ]
        for c in contenders
    ]
    columns = ["trainer", "softmax", "tokens/s", "x", "of peak", "peak MiB"]
    print(markdown(columns, rows))


def scaling(options):
    """Print how costs grow with the text, and with the vocabulary."""
    columns = ["million tokens", "words", "preparation, s/M", "training, s/M", "MiB"]
    rows = []
    for millions in options.scaling_tokens:
        result = run_child(options, "fit", millions, 30_000, options.softmax[0])
        preparation = result["preparation"] / result["tokens"] * 1e6
        rows.append(
            [f"{result['tokens'] / 1e6:.1f}", result["words"], f"{preparation:.1f}",
             f"{1e6 / result['rate']:.1f}", f"{result['mib']:.0f}"]
        )  # fmt: skip
    print(markdown(columns, rows), "\n")
    columns = ["words", "softmax", "tokens/s", "MiB"]
    rows = []
    for n_words in options.scaling_words:
        for softmax in ("sampled", "full"):
            millions = options.scaling_tokens[0]
            result = run_child(options, "fit", millions, n_words, softmax)
            rows.append(
                [result["words"], softmax, f"{result['rate']:.0f}",
                 f"{result['mib']:.0f}"]
            )  # fmt: skip
    print(markdown(columns, rows))


def run_child(options, *task):
    """Run a task in a process of its own; return what it prints."""
    command = [sys.executable, *sys.argv, "--child", *map(str, task)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


class Clock:
    """Takes the times of steps, tells when it is enough, and gives the rate."""

    def __init__(self, options):
        self.options, self.steps, self.first = options, [], None
        self.before = memory_mib("VmRSS")

    def step(self, now, n_predictions):
        """Note a step; return whether there were enough."""
        self.first = self.first or now
        if now - self.first >= self.options.warm_up:
            self.steps.append((now, n_predictions))
        if len(self.steps) < FEWEST_STEPS:
            return False
        return now - self.steps[0][0] >= self.options.seconds

    def result(self):
        """Return tokens/s after the warm-up, and memory."""
        if len(self.steps) < FEWEST_STEPS:
            raise SystemExit("the text is too short for so many --seconds")
        n_predictions = sum(n for _, n in self.steps[1:])
        rate = n_predictions / (self.steps[-1][0] - self.steps[0][0])
        return {"rate": rate, "mib": memory_mib("VmHWM") - self.before}


def estimator(options, precision, softmax, **parameters):
    """Return skelmo's language model of the given sizes."""
    from skelmo import ElmoLanguageModel

    model = ElmoLanguageModel(
        hidden_size=options.hidden, proj_size=options.proj, softmax=softmax,
        batch_tokens=options.batch_tokens, n_samples=options.n_samples, min_count=1,
        word_embedding_dim=options.proj if options.tied else 0,
        tie_weights=options.tied, sequence="document", early_stopping=False,
        random_state=0, **parameters,
    )  # fmt: skip
    if "precision" in model.get_params():
        return model.set_params(precision=precision)
    if precision not in ("float32", "auto"):
        raise SystemExit("this version of skelmo has no parameter precision")
    return model


def documents(options):
    """Return the first lines of WikiText-2, a list of words each."""
    lines = map(str.split, wikitext2("train"))
    return list(filter(None, lines))[: options.lines]


def train_skelmo(options, precision, softmax):
    """Train with skelmo, a stop-watch in place of its progress bar."""
    from skelmo.training import pretraining

    model = estimator(
        options, precision, softmax,
        input="tokens", max_vocabulary=options.words, max_epochs=1000,
        max_time=60 + 10 * (options.warm_up + options.seconds),
    )  # fmt: skip
    clock = Clock(options)

    class StopWatch(pretraining.ProgressBar):
        def end_step(self, loss, n_tokens, learning_rate):
            return clock.step(time.perf_counter(), n_tokens)

    pretraining.ProgressBar = StopWatch
    model.fit(documents(options))
    return clock.result()


def train_straightforward(options, precision, softmax):
    """Train as most people would."""
    from straightforward import train

    clock = Clock(options)
    text = documents(options)
    words, config = vocabulary(text, options), config_of(options)
    for step in train(text, words, config, options.batch_tokens):
        if clock.step(*step):
            break
    return clock.result()


def train_many_langs(options, precision, softmax):
    """Train with ELMoForManyLangs."""
    from many_langs import Enough, load, train

    module = load(options.elmoformanylangs)
    clock = Clock(options)

    def on_step(*step):
        if clock.step(*step):
            raise Enough

    text = documents(options)
    words = vocabulary(text, options)[3:]
    with contextlib.suppress(Enough):
        train(
            module, text[: options.elmoformanylangs_lines], words, config_of(options),
            options.batch_tokens, options.n_samples, on_step,
        )  # fmt: skip
    return clock.result()


def measure_peak(options, *precisions):
    """Return FLOP/s of matrix products."""
    import torch
    from operations import gemm_peak

    return {p: gemm_peak(getattr(torch, p)) for p in precisions}


def count_needed(options):
    """Return the needed operations per token, and the size of the data."""
    from operations import needed_per_token

    text = documents(options)
    words, config = vocabulary(text, options), config_of(options)
    n_logits = {
        "sampled": min(options.n_samples + 1, len(words)), "full": len(words)
    }  # fmt: skip
    needed = {
        softmax: needed_per_token(config, text, options.batch_tokens, n)
        for softmax, n in n_logits.items()
    }
    n_tokens = sum(map(len, text))
    return needed | {"sequences": len(text), "tokens": n_tokens, "words": len(words)}


def fit_whole(options, millions, n_words, softmax):
    """Fit on a stream of text, from the first word read to the end of training."""
    n_tokens = int(float(millions) * 1e6)
    model = estimator(
        options, options.precision[0], softmax, max_vocabulary=int(n_words),
        tokenizer=str.split, sentence_splitter="lines", max_epochs=1,
        max_time=options.seconds,
    )  # fmt: skip
    begin, before = time.perf_counter(), memory_mib("VmRSS")
    model.fit(paragraphs(n_tokens))
    elapsed, record = time.perf_counter() - begin, model.history_[-1]
    return {
        "tokens": n_tokens,
        "words": len(model.vocabulary_),
        "preparation": elapsed - record.seconds,
        "rate": record.n_tokens / record.seconds,
        "mib": memory_mib("VmHWM") - before,
    }


def vocabulary(text, options):
    """Return the softmax words that skelmo would choose."""
    from collections import Counter

    from skelmo.text.vocabulary import build_vocabulary

    counts = Counter(word for line in text for word in line)
    return build_vocabulary(counts, max_vocabulary=options.words)


def config_of(options):
    from skelmo.nn.bilm import BiLMConfig

    return BiLMConfig(hidden_size=options.hidden, proj_size=options.proj)


CHILDREN = {
    "skelmo": train_skelmo,
    "straightforward": train_straightforward,
    "elmoformanylangs": train_many_langs,
    "peak": measure_peak,
    "needed": count_needed,
    "fit": fit_whole,
}


def parse():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--precision", nargs="+", default=["float32"], choices=["float32", "bfloat16"])
    add("--softmax", nargs="+", default=["sampled"], choices=["sampled", "full"])
    add("--elmoformanylangs", metavar="DIR", help="where pip put it")
    add("--elmoformanylangs-lines", type=int, default=2000, help="of its text")
    add("--rounds", type=int, default=5)
    add("--seconds", type=float, default=30.0, help="of training, timed")
    add("--warm-up", type=float, default=5.0, help="seconds of training, not timed")
    add("--lines", type=int, help="of WikiText-2 that are not blank; default: all")
    add("--words", type=int, default=30_000)
    add("--n-samples", type=int, default=2048)
    add("--batch-tokens", type=int, default=512)
    add("--hidden", type=int, default=512)
    add("--proj", type=int, default=128)
    add("--tied", action="store_true",
        help="skelmo reads word vectors too, which are those of the softmax",
    )  # fmt: skip
    add("--scaling", action="store_true")
    add("--scaling-tokens", nargs="+", type=float, default=[1, 4, 16], help="millions")
    add("--scaling-words", nargs="+", type=int, default=[5_000, 20_000, 80_000])
    add("--child", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
