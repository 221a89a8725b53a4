"""How fast texts become features, beside other ELMos, and how far from the limit.

    python benchmarks/encode.py --peers DIR
    python benchmarks/encode.py --shape original --rounds 3
    python benchmarks/encode.py --sweep batch
    python benchmarks/encode.py --sweep threads
    python benchmarks/encode.py --sweep documents
    python benchmarks/encode.py --sweep text
    python benchmarks/encode.py --sweep import
    python benchmarks/encode.py --figure FILE

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
- peak MiB: largest resident memory over that of the loaded model (of AllenNLP over that
  after one sentence);
- one: milliseconds for one sentence of 21 tokens with a warm model, median and 95th
  percentile of 200.

All but "one" are medians of the rounds. Below the table stand the largest difference of
a token's mean of layers to AllenNLP's, and the smallest cosine of a sentence's vector
in bfloat16 to the one in float32.

`--sweep` takes skelmo alone: how the rate changes with `max_batch_tokens` and with
threads; time and memory with the number and the length of documents, given as a list
and as a generator; sentences of MR and reviews of IMDB as plain text, to be tokenized
too; what an import costs over those of torch and scikit-learn.
`--figure` draws what the comparisons and `--sweep documents` have left in `--scratch`.
"""

import argparse
import json
import lzma
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from machine import SHARED, heading, loaded_mib, markdown, memory_mib

SHAPES = {"small": (1024, 128, 1), "original": (4096, 512, 2)}
BATCHES = (32, 64, 128)
PRECISIONS = ("float32", "bfloat16")
DOCUMENTS = ((1000, 20), (4000, 20), (16000, 20), (16, 1250), (1, 20000), (1, 100000))
STREAMED = ((1000, 20), (16000, 20), (1_000_000, 4))


def main():
    options = parse()
    if options.child:
        if options.threads:
            import torch

            torch.set_num_threads(options.threads)
        print(json.dumps(CHILDREN[options.child](options)))
        return
    if options.figure:
        figure(options)
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
        rounds.append(one_round(options))
        print(f"round {k + 1}: {rounds[-1]}", file=sys.stderr, flush=True)
    rows, rates = [], {}
    for name in rounds[0]:

        def median(field, name=name):
            values = [results[name].get(field) for results in rounds]
            known = [value for value in values if value is not None]
            return statistics.median(known) if known else float("nan")

        precision = name.removeprefix("skelmo ") if "skelmo" in name else "float32"
        share = median("rate") * limits["needed"] / limits[precision]
        one = [median("one_ms"), median("one_ms_95")]
        rates[name] = median("rate")
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
    save(options, options.shape, {"rates": rates, "limits": limits})
    if options.peers:
        agreement(options)


def one_round(options):
    """Return what each contender reaches in turn."""
    results = {
        f"skelmo {p}": run_self(options, "skelmo", "--precision", p) for p in PRECISIONS
    }
    if options.peers:
        peer, script = "allennlp", "encode_allennlp.py"
        loaded = run_peer(options, peer, script, 1, 1)["peak_mib"]
        for batch in options.batches:
            result = run_peer(options, peer, script, batch)
            result["peak_mib"] -= loaded
            results[f"AllenNLP, batch {batch}"] = result
        peer, script = "simple-elmo", "encode_simple_elmo.py"
        for batch in options.batches:
            result = run_peer(options, peer, script, batch)
            results[f"simple_elmo, batch {batch}"] = result
    base = max(
        (r["rate"] for name, r in results.items() if name.startswith("AllenNLP")),
        default=float("nan"),
    )
    for result in results.values():
        result["x"] = result["rate"] / base
    return results


def agreement(options):
    """Print how far skelmo's vectors are from AllenNLP's, and bfloat16's from them."""
    theirs = options.scratch / "allennlp.npz"
    run_peer(options, "allennlp", "encode_allennlp.py", 64, None, theirs)
    print()
    for precision in PRECISIONS:
        found = run_self(options, "agreement", "--precision", precision)
        print(
            f"{precision}: at most {found['difference']:.1e} from AllenNLP; cosine to"
            f" float32 at least {found['cosine']:.6f}."
        )


def agreement_child(options):
    """Compare with AllenNLP's vectors, and with skelmo's in float32."""
    documents = sentences(options)
    vectorizer = load(options).fit(documents[:1])
    with np.load(options.scratch / "allennlp.npz") as file:
        theirs = [file[f"s{k}"] for k in range(len(documents))]
    ours = vectorizer.transform_tokens(documents)
    pairs = zip(ours, theirs, strict=True)
    low = vectorizer.transform(documents)
    high = vectorizer.set_params(precision="float32").fit_transform(documents)
    norms = np.linalg.norm(low, axis=1) * np.linalg.norm(high, axis=1)
    return {
        "difference": float(max(np.abs(a - b).max() for a, b in pairs)),
        "cosine": float(((low * high).sum(axis=1) / norms).min()),
    }


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
    loaded = loaded_mib()
    vectorizer.transform(documents[:32])
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


def thread_sweep(options):
    """Print the rate by numbers of threads."""
    rows = []
    for threads in (1, 2):
        rates = [
            run_self(options, "skelmo", "--threads", threads, "--precision", p)["rate"]
            for p in PRECISIONS
        ]
        rows.append([threads, *(f"{rate:,.0f}" for rate in rates)])
    print(markdown(["threads", "float32, tokens/s", "bfloat16, tokens/s"], rows))


def document_sweep(options):
    """Print time and memory for more, and for longer, documents."""
    rows, seconds = [], []
    cases = [(n, length, ()) for n, length in DOCUMENTS]
    cases += [(n, length, ("--stream",)) for n, length in STREAMED]
    for n, length, how in cases:
        result = run_self(options, "random", "--random", n, length, *how)
        given = "generator" if how else "list"
        seconds.append([n, length, given, result["seconds"]])
        rows.append([
            f"{n:,}", f"{length:,}", given,
            f"{result['seconds']:.1f}", f"{n * length / result['seconds']:,.0f}",
            f"{result['peak_mib']:,.0f}", f"{result['output_mib']:,.0f}",
        ])  # fmt: skip
    columns = ["documents", "tokens each", "given as", "seconds", "tokens/s"]
    print(markdown([*columns, "peak MiB", "of it output"], rows))
    save(options, "documents", seconds)


def text_sweep(options):
    """Print the rate from plain text."""
    rows = []
    for name, n in (("mr", 1000), ("imdb", 10_000)):
        result = run_self(options, "text", "--text", name, "--sentences", n)
        rows.append([
            name, f"{n:,}", f"{result['tokens']:,}", f"{result['seconds']:.1f}",
            f"{result['tokens'] / result['seconds']:,.0f}",
            f"{result['tokenizing']:.2f}", f"{result['peak_mib']:,.0f}",
            f"{result['output_mib']:,.0f}",
        ])  # fmt: skip
    columns = ["texts", "documents", "tokens", "seconds", "tokens/s"]
    columns += ["of it tokenizing", "peak MiB", "of it output"]
    print(markdown(columns, rows))


def import_sweep(options):
    """Print how long imports take."""
    both = "import torch, sklearn.pipeline"
    codes = {
        "torch, sklearn.pipeline": both,
        "and skelmo's estimators": f"{both}\nfrom skelmo import ElmoVectorizer",
    }
    times = {name: [] for name in codes}
    for _ in range(15):
        for name, code in codes.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times[name].append(time.perf_counter() - begin)
    rows = [
        [name, f"{statistics.median(values):.3f}", f"{min(values):.3f}"]
        for name, values in times.items()
    ]
    print(markdown(["import", "seconds, median", "least"], rows))


def random_child(options):
    """Time documents of words drawn from MR's, each a sentence."""
    n, length = options.random
    words = np.array([word for document in sentences(options) for word in document])
    rng = np.random.default_rng(0)

    def drawn():
        for _ in range(n):
            yield rng.choice(words, length).tolist()

    documents = list(drawn()) if not options.stream else drawn()
    some = [words[:100].tolist()] * 32
    vectorizer = load(options).fit(some)
    loaded = loaded_mib()
    vectorizer.transform(some)
    begin = time.perf_counter()
    features = vectorizer.transform(documents)
    seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "peak_mib": memory_mib("VmHWM") - loaded,
        "output_mib": features.nbytes / 2**20,
    }


def text_child(options):
    """Time plain text."""
    if options.text == "mr":
        documents = [" ".join(tokens) for tokens in sentences(options)]
    else:
        path = SHARED / "data/sentiment/imdb.train.tsv.xz"
        with lzma.open(path, "rt", encoding="utf-8") as file:
            lines = [next(file) for _ in range(options.sentences)]
        documents = [line.rstrip("\n").split("\t")[-1] for line in lines]
    vectorizer = load(options).set_params(input="text").fit(documents[:1])
    begin = time.perf_counter()
    tokens = sum(map(len, vectorizer.tokenize(documents)))
    tokenizing = time.perf_counter() - begin
    loaded = loaded_mib()
    begin = time.perf_counter()
    features = vectorizer.transform(documents)
    return {
        "tokens": tokens,
        "seconds": time.perf_counter() - begin,
        "tokenizing": tokenizing,
        "peak_mib": memory_mib("VmHWM") - loaded,
        "output_mib": features.nbytes / 2**20,
    }


def figure(options):
    """Draw rates beside those of others, and how time grows."""
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    best = {}
    for shape in SHAPES:
        found = json.loads((options.scratch / f"{shape}.json").read_text())
        for name, rate in found["rates"].items():
            name = name.partition(", batch")[0].replace("skelmo ", "skelmo, ")
            rates = best.setdefault(name, {})
            rates[shape] = max(rate, rates.get(shape, 0.0))
    height = 0.8 / len(best)
    colours = plt.get_cmap("cividis")(np.linspace(0.0, 0.85, len(best)))
    for k, ((name, rates), colour) in enumerate(
        zip(best.items(), colours, strict=True)
    ):
        where = [row + (k - (len(best) - 1) / 2) * height for row in range(len(rates))]
        base = [best["AllenNLP"][shape] for shape in rates]
        values = [r / b for r, b in zip(rates.values(), base, strict=True)]
        bars = left.barh(where, values, height, label=name, color=colour)
        left.bar_label(
            bars, [f"{value:.1f}" for value in values], padding=2, fontsize=8
        )
    left.set(
        yticks=range(len(SHAPES)), yticklabels=SHAPES,
        xlabel="tokens per second, AllenNLP's best batch = 1",
        title="1,000 sentences, 2 cores",
    )  # fmt: skip
    left.margins(x=0.15)
    left.invert_yaxis()
    left.legend(fontsize=8, loc="lower right")
    grown = json.loads((options.scratch / "documents.json").read_text())
    # Labels stand below one line and above the other.
    sides = {"list": ((7, -4), "left"), "generator": ((-7, 2), "right")}
    for (given, (offset, align)), colour in zip(
        sides.items(), colours[[0, -1]], strict=True
    ):
        many = [(n, s) for n, length, how, s in grown if (length, how) == (20, given)]
        right.loglog(*zip(*many, strict=True), "o-", color=colour, label=given)
        for n, seconds in many:
            right.annotate(
                f"{seconds:.1f}", (n, seconds), offset, ha=align, fontsize=8,
                textcoords="offset points",
            )  # fmt: skip
    right.set(
        xlabel="documents of 20 tokens", ylabel="seconds",
        title="skelmo, small shape, float32",
        xticks=(1_000, 4_000, 16_000), xticklabels=("1,000", "4,000", "16,000"),
        yticks=(1, 2, 5, 10, 20), yticklabels=("1", "2", "5", "10", "20"),
    )  # fmt: skip
    right.minorticks_off()
    right.margins(x=0.15)
    right.legend(title="given as a", fontsize=8, title_fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    fig.savefig(options.figure, dpi=100)


def save(options, name, found):
    """Keep results for the figure."""
    (options.scratch / f"{name}.json").write_text(json.dumps(found))


def load(options):
    """Return the vectorizer that is timed."""
    from skelmo import ElmoVectorizer

    return ElmoVectorizer(
        language_model=model_directory(options), input="tokens",
        precision=options.precision, max_batch_tokens=options.max_batch_tokens,
        pooling="mean", cache=None,
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


def run_peer(options, name, script, batch, n_sentences=None, *more):
    """Run a peer's script, in its own environment."""
    lines = options.scratch / "sentences.txt"
    lines.write_text("\n".join(map(" ".join, sentences(options))), encoding="utf-8")
    found = run([
        options.peers / name / "bin/python", SHARED / "peers" / script,
        model_directory(options), lines, batch, n_sentences or options.sentences,
        options.repeats, *more,
    ])  # fmt: skip
    return {"rate": found["tokens_per_s"], "peak_mib": found["rss_mib"]}


def run(command):
    """Return what a process prints on its last line."""
    command = [str(part) for part in command]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(output.stdout.strip().splitlines()[-1])


CHILDREN = {
    "skelmo": skelmo_child,
    "limits": limits,
    "random": random_child,
    "text": text_child,
    "agreement": agreement_child,
}
SWEEPS = {
    "batch": batch_sweep,
    "threads": thread_sweep,
    "documents": document_sweep,
    "text": text_sweep,
    "import": import_sweep,
}


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
    parser.add_argument("--threads", type=int)
    parser.add_argument("--sweep", choices=SWEEPS)
    parser.add_argument("--figure", type=Path, help="file to draw to")
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    parser.add_argument("--random", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--text", help=argparse.SUPPRESS)
    parser.add_argument("--stream", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.scratch = options.scratch.resolve()
    options.scratch.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
