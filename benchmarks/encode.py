"""How fast texts become features, beside other ELMos, and how far from the limit.

    python benchmarks/encode.py --peers DIR
    python benchmarks/encode.py --shape original --rounds 3
    python benchmarks/encode.py --sweep batch
    python benchmarks/encode.py --sweep documents

The first 1,000 sentences of MR (Pang and Lee 2005), already cut at spaces, through
networks of the official shapes with random weights; from a list of tokens to a vector a
sentence, the mean of layers and tokens. Contenders take turns for several rounds, each
in a process of its own. `--peers` names the directory made as `shared/peers/README.md`
says; without it skelmo runs alone. Columns:

- tokens/s: real tokens, first call on these texts, nothing kept from before;
- x: tokens/s over those of AllenNLP's best batch in the same round;
- of limit: needed operations per second over the measured rate of a product of 2048 x
  2048 at that precision. Needed is the token encoder once per distinct token, without
  the windows that lie in the padding, and the LSTM once per token and sentence marker;
- again: the rate of a second call on the same texts over that of the first;
- peak MiB: largest resident memory over that of the loaded model, of the peers all;
- one: milliseconds for one sentence of 21 tokens with a warm model, median and 95th
  percentile of 200.

All but "one" are medians of the rounds. `--sweep` takes skelmo alone: how the rate
changes with `max_batch_tokens`, and time and memory with the number and the length of
documents.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from machine import SHARED, heading, markdown, memory_mib

SHAPES = {"small": (1024, 128, 1), "original": (4096, 512, 2)}
BATCHES = (32, 64, 128)
PRECISIONS = ("float32", "bfloat16")


def main():
    options = parse()
    if options.child:
        print(json.dumps(CHILDREN[options.child](options)))
        return
    print(heading())
    if options.sweep:
        SWEEPS[options.sweep](options)
    else:
        comparison(options)


def comparison(options):
    """Print the table of contenders."""
    limits = run_self(options, "limits")
    rounds = []
    for k in range(options.rounds):
        results = {
            f"skelmo {p}": run_self(options, "skelmo", "--precision", p)
            for p in PRECISIONS
        }
        if options.peers:
            for batch in options.batches:
                results[f"AllenNLP, batch {batch}"] = run_peer(
                    options, "allennlp", "encode_allennlp.py", batch
                )
            if (options.peers / "simple-elmo").is_dir():
                for batch in options.batches:
                    results[f"simple_elmo, batch {batch}"] = run_peer(
                        options, "simple-elmo", "encode_simple_elmo.py", batch
                    )
        base = max(
            (r["rate"] for name, r in results.items() if name.startswith("AllenNLP")),
            default=float("nan"),
        )
        for result in results.values():
            result["x"] = result["rate"] / base
        rounds.append(results)
        print(f"round {k + 1}: {results}", file=sys.stderr, flush=True)
    rows = []
    for name in rounds[0]:

        def median(field, name=name):
            values = [results[name].get(field) for results in rounds]
            known = [value for value in values if value is not None]
            return statistics.median(known) if known else float("nan")

        precision = name.removeprefix("skelmo ") if "skelmo" in name else "float32"
        share = median("rate") * limits["needed"] / limits[precision]
        one = [median("one_ms"), median("one_ms_95")]
        rows.append([
            name, f"{median('rate'):,.0f}", f"{median('x'):.2f}", f"{share:.0%}",
            f"{median('again'):.2f}", f"{median('peak_mib'):,.0f}",
            f"{one[0]:.1f}, {one[1]:.1f}",
        ])  # fmt: skip
    print(
        f"{options.shape} shape, {options.sentences} sentences,"
        f" {limits['tokens']:,} tokens; {limits['needed'] / 1e6:.1f} million"
        f" operations a token; products reach {limits['float32'] / 1e9:,.0f} GFLOP/s in"
        f" float32 and {limits['bfloat16'] / 1e9:,.0f} in bfloat16.\n"
    )
    columns = ["contender", "tokens/s", "x", "of limit", "again", "peak MiB", "one"]
    print(markdown(columns, rows))


def limits(options):
    """Return needed operations per token, and the rates of matrix products."""
    import torch
    from operations import gemm_peak, token_encoder

    from skelmo import ElmoLanguageModel
    from skelmo.text.characters import encode_tokens, token_lengths

    config = ElmoLanguageModel.load(model_directory(options)).config_
    documents = sentences(options)
    unique = sorted({token for document in documents for token in document})
    lengths = token_lengths(encode_tokens(unique, config.max_characters))
    macs = token_encoder(config, lengths).sum()
    n_rows = sum(len(document) + 2 for document in documents)
    size = config.hidden_size * config.proj_size
    macs += n_rows * 2 * config.num_layers * 9 * size
    tokens = sum(map(len, documents))
    rates = {p: gemm_peak(getattr(torch, p)) for p in PRECISIONS}
    return {"tokens": tokens, "needed": 2 * macs / tokens, **rates}


def skelmo_child(options):
    """Time skelmo."""
    import skelmo

    documents = sentences(options)
    vectorizer = load(options).fit(documents[:1])
    vectorizer.transform(documents[:32])
    loaded = memory_mib("VmRSS")
    first, second = [], []
    for _ in range(options.repeats):
        skelmo.clear_cache()
        for times in (first, second):
            begin = time.perf_counter()
            vectorizer.transform(documents)
            times.append(time.perf_counter() - begin)
    peak = memory_mib("VmHWM") - loaded
    one = next(document for document in documents if len(document) == 21)
    alone = []
    for _ in range(200):
        begin = time.perf_counter()
        vectorizer.transform([one])
        alone.append(time.perf_counter() - begin)
    tokens = sum(map(len, documents))
    seconds = statistics.median(first)
    return {
        "rate": tokens / seconds,
        "again": seconds / statistics.median(second),
        "peak_mib": peak,
        "one_ms": 1e3 * np.median(alone),
        "one_ms_95": 1e3 * np.quantile(alone, 0.95),
    }


def batch_sweep(options):
    """Print the rate at several token budgets."""
    rows = []
    for budget in (512, 1024, 2048, 4096, 8192, 16384, 32768):
        result = run_self(options, "skelmo", "--max-batch-tokens", budget)
        rows.append([budget, f"{result['rate']:,.0f}", f"{result['peak_mib']:,.0f}"])
    print(markdown(["max_batch_tokens", "tokens/s", "peak MiB"], rows))


def document_sweep(options):
    """Print time and memory for more, and for longer, documents."""
    rows = []
    for n, length in ((1000, 20), (4000, 20), (16000, 20), (16, 1250), (1, 20000)):
        result = run_self(options, "random", "--random", n, length)
        rows.append([
            f"{n:,}", f"{length:,}", f"{result['seconds']:.1f}",
            f"{n * length / result['seconds']:,.0f}", f"{result['peak_mib']:,.0f}",
            f"{result['output_mib']:,.0f}",
        ])  # fmt: skip
    columns = ["documents", "tokens each", "seconds", "tokens/s", "peak MiB"]
    print(markdown([*columns, "of it output"], rows))


def random_child(options):
    """Time documents of words drawn from MR's, each a sentence."""
    n, length = options.random
    words = [word for document in sentences(options) for word in document]
    rng = np.random.default_rng(0)
    documents = [rng.choice(words, length).tolist() for _ in range(n)]
    vectorizer = load(options).fit(documents[:1])
    vectorizer.transform([document[:100] for document in documents[:32]])
    loaded = memory_mib("VmRSS")
    begin = time.perf_counter()
    features = vectorizer.transform(documents)
    seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "peak_mib": memory_mib("VmHWM") - loaded,
        "output_mib": features.nbytes / 2**20,
    }


def load(options):
    """Return the vectorizer that is timed."""
    from skelmo import ElmoVectorizer

    return ElmoVectorizer(
        language_model=model_directory(options), input="tokens",
        precision=options.precision, max_batch_tokens=options.max_batch_tokens,
    )  # fmt: skip


def model_directory(options):
    """Return the directory of random weights, made if need be."""
    directory = options.scratch / options.shape
    if not (directory / "weights.hdf5").exists():
        script = SHARED / "peers/make_model.py"
        subprocess.run([sys.executable, script, options.shape, directory], check=True)
    return directory


def sentences(options):
    """Return the first sentences of MR, as lists of tokens."""
    lines = (SHARED / "data/sentiment/mr.tsv").read_text(encoding="utf-8").split("\n")
    texts = [line.split("\t")[1].split() for line in lines[1:] if line]
    return [text for text in texts if text][: options.sentences]


def run_self(options, child, *more):
    """Run a contender of this script in a process of its own."""
    given = [
        "--child", child, "--shape", options.shape, "--scratch", options.scratch,
        "--sentences", options.sentences, "--repeats", options.repeats,
        "--max-batch-tokens", options.max_batch_tokens,
        "--precision", options.precision,
    ]  # fmt: skip
    return run([sys.executable, __file__, *given, *more])


def run_peer(options, name, script, batch):
    """Run a peer's script, in its own environment."""
    lines = options.scratch / "sentences.txt"
    lines.write_text("\n".join(map(" ".join, sentences(options))), encoding="utf-8")
    found = run([
        options.peers / name / "bin/python", SHARED / "peers" / script,
        model_directory(options), lines, batch, options.sentences, options.repeats,
    ])  # fmt: skip
    return {"rate": found["tokens_per_s"], "peak_mib": found["rss_mib"]}


def run(command):
    """Return what a process prints on its last line."""
    command = [str(part) for part in command]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(output.stdout.strip().splitlines()[-1])


CHILDREN = {"skelmo": skelmo_child, "limits": limits, "random": random_child}
SWEEPS = {"batch": batch_sweep, "documents": document_sweep}


def parse():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--peers", type=Path, help="directory of their environments")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="calls in a process")
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--scratch", type=Path, default=Path("build/encode"))
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--max-batch-tokens", type=int, default=8192)
    parser.add_argument("--sweep", choices=SWEEPS)
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    parser.add_argument("--random", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.scratch = options.scratch.resolve()
    options.scratch.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
