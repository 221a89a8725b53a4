"""Threads and processes that share one cache directory for as long as it is told.

`python benchmarks/soak.py --minutes 30`: every worker process has threads that draw
parameters of a vectorizer and documents, encode them, and compare every row with what
a process of its own computed before, without a cache. The parent watches the memory.
With `--trim` what a process has freed goes back to the system every few seconds, so
that the memory watched is what it keeps, not what the allocator of glibc holds.
"""

import argparse
import ctypes
import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import torch
from machine import heading, markdown
from strange_texts import real_texts, strange_texts

import skelmo
from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.encoding.caches import cache_of

POOLINGS = ("mean", "max", "min", "last", "std")
LAYERS = ("mean", "top", "concat", 0, 1, 2, -1, [0, 2], [1, -1])
PRECISIONS = ("float32", "bfloat16")
TOLERANCE = {"float32": 1e-5, "bfloat16": 3e-2}
MODELS = {"characters": {}, "words": {"word_embedding_dim": 6}}
MEMORY_BYTES = 8 * 2**20  # of the memory cache, so that it is full soon


def prepare(directory, n_documents, seed):
    """Write models, documents, and the rows of every document computed cold."""
    texts = real_texts(4000)
    documents = strange_texts(seed, range(n_documents), texts)
    (directory / "documents.json").write_text(json.dumps(documents))
    for name, parameters in MODELS.items():
        model = ElmoLanguageModel(
            hidden_size=16, proj_size=8, char_embedding_dim=4, max_epochs=1,
            filters=((1, 4), (2, 4)), random_state=seed, **parameters,
        )  # fmt: skip
        model.fit(texts[:300]).save(directory / name)
    command = [sys.executable, __file__, "--cold", str(directory)]
    subprocess.run(command, check=True)


def cold(directory):
    """Compute all statistics of all layers, one document at a time."""
    warnings.simplefilter("ignore")
    documents = json.loads((directory / "documents.json").read_text())
    for name, precision in itertools.product(MODELS, PRECISIONS):
        vectorizer = ElmoVectorizer(
            language_model=str(directory / name), layers="concat", pooling=POOLINGS,
            precision=precision, cache=None,
        ).fit(documents[:1])  # fmt: skip
        rows = np.concatenate([vectorizer.transform([text]) for text in documents])
        n_layers = 3
        rows = rows.reshape(len(documents), len(POOLINGS), n_layers, -1)
        np.save(directory / f"{name}-{precision}.npy", rows)


def expected_rows(rows, layers, pooling):
    """Return the features that a choice of layers and statistics makes of all."""
    rows = rows[:, [POOLINGS.index(name) for name in pooling]]
    if layers == "mean":
        rows = rows.mean(axis=2)
    elif layers != "concat":
        chosen = [-1] if layers == "top" else layers
        rows = rows[:, :, [chosen] if isinstance(chosen, int) else chosen]
    return rows.reshape(len(rows), -1)


def step(rng, directory, documents, references):
    """Encode some documents with some parameters; return rows and wrong rows."""
    name, precision = rng.choice([*MODELS]), rng.choice(PRECISIONS)
    pooling = rng.sample(POOLINGS, rng.randint(1, len(POOLINGS)))
    layers = rng.choice(LAYERS)
    cache = rng.choice([directory / "cache"] * 6 + ["memory", None])
    vectorizer = ElmoVectorizer(
        language_model=str(directory / name), layers=layers, pooling=pooling,
        precision=precision, max_batch_tokens=rng.choice((16, 200, 8192)), cache=cache,
    )  # fmt: skip
    numbers = rng.choices(range(len(documents)), k=rng.choice((1, 8, 40)))
    X = [documents[k] for k in numbers]
    rows = vectorizer.fit_transform(X) if rng.random() < 0.5 else None
    if rows is None:
        rows = vectorizer.fit(X[:1]).transform(X)
    expected = expected_rows(references[name, precision][numbers], layers, pooling)
    distance = np.abs(rows - expected).max(axis=1, initial=0.0)
    wrong = ~(distance <= TOLERANCE[precision])  # nan is wrong, too
    if rng.random() < 0.002:
        skelmo.clear_cache()
    if rng.random() < 0.01:
        skelmo.cache_info(directory / "cache")
    found = [(numbers[k], float(distance[k])) for k in np.flatnonzero(wrong)]
    return len(rows), found and [name, precision, layers, pooling, str(cache), found]


def work(directory, number, n_threads, seconds, seed, trim):
    """Be one of the processes; print one line of JSON at the end."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    cache_of("memory").max_bytes = MEMORY_BYTES
    documents = json.loads((directory / "documents.json").read_text())
    references = {
        key: np.load(directory / f"{key[0]}-{key[1]}.npy")
        for key in itertools.product(MODELS, PRECISIONS)
    }
    counts, problems = np.zeros((n_threads, 2), int), []
    end = time.monotonic() + seconds

    def run(thread):
        rng = random.Random(f"{seed}-{number}-{thread}")
        while time.monotonic() < end and len(problems) < 20:
            try:
                n_rows, wrong = step(rng, directory, documents, references)
                counts[thread] += 1, n_rows
                if wrong:
                    problems.append(wrong)
            except Exception:
                problems.append(traceback.format_exc())

    threads = [threading.Thread(target=run, args=(k,)) for k in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(between(seconds) / 5)
            if trim:
                ctypes.CDLL("libc.so.6").malloc_trim(0)
    n_steps, n_rows = counts.sum(axis=0).tolist()
    print(json.dumps({"steps": n_steps, "rows": n_rows, "problems": problems}))


def between(seconds):
    """Return the seconds from one look at the memory to the next."""
    return min(10.0, seconds / 50)


def resident_mib(pid):
    """Return the memory of a process, or None if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return None


def watch(children, seconds):
    """Return seconds and memory of each child until the first has ended."""
    start, samples = time.monotonic(), []
    while all(child.poll() is None for child in children):
        sizes = [resident_mib(child.pid) for child in children]
        if None not in sizes:
            samples.append((time.monotonic() - start, sizes))
        time.sleep(between(seconds))
    return samples


def growth(samples, number):
    """Return the median memory of the second and of the last fifth of the time."""
    sizes = [sizes[number] for _, sizes in samples]
    fifth = max(1, len(sizes) // 5)
    second = sizes[fifth : 2 * fifth] or sizes
    return statistics.median(second), statistics.median(sizes[-fifth:])


def soak(seconds, n_processes, n_threads, seed, n_documents, trim):
    """Run all; return a dictionary of what was seen."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        prepare(directory, n_documents, seed)
        common = [sys.executable, __file__, "--work", name, "--seed", str(seed)]
        common += ["--threads", str(n_threads), "--minutes", str(seconds / 60)]
        common += ["--trim"] * trim
        children = [
            subprocess.Popen([*common, "--number", str(k)], stdout=subprocess.PIPE)
            for k in range(n_processes)
        ]
        try:
            samples = watch(children, seconds)
            outputs = [child.communicate(timeout=seconds + 60) for child in children]
        finally:
            for child in children:
                child.kill()
        reports = [json.loads(output) for output, _ in outputs if output]
        problems = [each for report in reports for each in report["problems"]]
        problems += [f"a process ended by {c.returncode}" for c in children if c.wait()]
        cache = directory / "cache"
        problems += [path.name for path in cache.glob("*damaged*")]
        return {
            "steps": sum(report["steps"] for report in reports),
            "rows": sum(report["rows"] for report in reports),
            "problems": problems,
            "memory": [growth(samples, k) for k in range(n_processes)],
            "peak": max((max(sizes) for _, sizes in samples), default=0.0),
            "cache": skelmo.cache_info(cache),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=8, help="of each process")
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trim", action="store_true", help="give freed memory back")
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cold", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    seconds = given.minutes * 60
    if given.cold:
        return cold(given.cold)
    if given.work:
        return work(
            given.work, given.number, given.threads, seconds, given.seed, given.trim
        )
    found = soak(
        seconds, given.processes, given.threads, given.seed, given.documents, given.trim
    )
    print(heading())
    print(f"{found['steps']:,} calls, {found['rows']:,} rows compared")
    print(f"{len(found['problems'])} problems; cache at the end: {found['cache']}")
    rows = [
        [k, round(early), round(late)]
        for k, (early, late) in enumerate(found["memory"])
    ]
    print(markdown(["process", "MiB, second fifth", "MiB, last fifth"], rows))
    for problem in found["problems"][:20]:
        print(problem)
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
