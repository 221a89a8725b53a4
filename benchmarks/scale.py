"""Rates on engines for large tables, and what they let one expect of many cores.

    python benchmarks/scale.py measure SHARED_DATA/sentiment/mr.tsv --documents 5000
    python benchmarks/scale.py simulate partitions.json

`measure` encodes film reviews, repeated with changes so that no two are alike, by two
independent processes and by two workers of each engine, on one thread each, compares
the rows with those of `transform`, and writes the seconds of each partition. `simulate`
draws the seconds of as many partitions as wanted from these, and lets workers take one
after the other: with uneven partitions, stragglers, and a start of each worker. Nothing
is shuffled between machines, so that they meet nowhere but in the queue.
"""

import argparse
import heapq
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from machine import description, markdown

ENGINES = ("processes", "spark", "dask", "ray")
DOCUMENTS = (10**6, 10**8, 10**9)
CORES = (1, 16, 1000)
PER_CORE_S = 50e6  # bytes a second that storage takes from each core, if not told
ATOL = 1e-5


def documents(path, n):
    """Return n texts, no two alike: the reviews again and again, each with a number."""
    texts = pd.read_csv(path, sep="\t", quoting=3)["text"].drop_duplicates().tolist()
    return [f"{texts[k % len(texts)]} {k // len(texts)}" for k in range(n)]


def vectorizer(model):
    from skelmo import ElmoVectorizer

    return ElmoVectorizer(model, cache=None).fit(["a film"])


def work(model, path, n, k, n_parts):
    """Encode every second part as a process of its own; print seconds of each."""
    texts = documents(path, n)
    elmo = vectorizer(model)
    elmo.transform(["a first text loads what is loaded late"])
    # Of this process alone, whatever else a machine does; imports are in it.
    start, seconds = time.process_time(), []
    parts = np.array_split(np.arange(n), n_parts)
    for part in parts[k::2]:
        begin = time.process_time()
        elmo.transform([texts[row] for row in part])
        seconds.append(time.process_time() - begin)
    print(json.dumps({"start": start, "seconds": seconds}))


def processes(options, texts):
    """Return the seconds of two processes that know nothing of each other."""
    command = [sys.executable, __file__, "work", options.path, "--model", options.model]
    command += ["--documents", str(len(texts)), "--partitions", str(options.partitions)]
    running = [
        subprocess.Popen([*command, "--worker", str(k)], stdout=subprocess.PIPE)
        for k in range(2)
    ]
    told = [json.loads(process.communicate()[0]) for process in running]
    return max(sum(each["seconds"]) for each in told), None, told


def timed(encode, warm, texts):
    """Time an engine whose workers have started and loaded the model."""
    encode(warm)
    begin = time.perf_counter()
    ids, rows = encode(texts)
    seconds = time.perf_counter() - begin
    return seconds, np.stack(rows)[np.argsort(ids)], None


def spark(options, texts):
    from pyspark.sql import SparkSession

    import skelmo.spark

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", False)
    session = builder.config("spark.driver.memory", "4g").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    elmo = vectorizer(options.model)

    def encode(texts):
        rdd = session.sparkContext.parallelize(enumerate(texts), options.partitions)
        df = session.createDataFrame(rdd, "id long, text string")
        df = skelmo.spark.transform(df, elmo, "text", dtype=options.dtype)
        table = df.select("id", "features").toArrow()
        rows = table["features"].to_numpy()
        if options.dtype == "float16":
            rows = [np.frombuffer(row, "<f2") for row in rows]
        return table["id"].to_numpy(), rows

    found = timed(encode, texts[: 2 * options.partitions], texts)
    session.stop()
    return found


def dask(options, texts):
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    import skelmo.dask

    elmo = vectorizer(options.model)

    def encode(texts):
        frame = pd.DataFrame({"text": texts})
        ddf = dd.from_pandas(frame, npartitions=options.partitions)
        found = skelmo.dask.encode(ddf, elmo, "text", dtype=options.dtype).compute()
        return found.index.to_numpy(), found.to_numpy()

    given = {"threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(2, **given) as cluster, Client(cluster):
        return timed(encode, texts[: 2 * options.partitions], texts)


def ray(options, texts):
    import ray

    import skelmo.ray

    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    model = skelmo.ray.put(vectorizer(options.model))
    size = len(texts) // options.partitions

    def encode(texts):
        frame = pd.DataFrame({"id": range(len(texts)), "text": texts})
        parts = np.array_split(np.arange(len(texts)), options.partitions)
        ds = ray.data.from_pandas([frame.iloc[part] for part in parts])
        ds = ds.map_batches(
            skelmo.ray.Encoder,
            fn_constructor_args=[model, "text"],
            fn_constructor_kwargs={"dtype": options.dtype},
            compute=ray.data.ActorPoolStrategy(size=2),
            batch_size=size,
        )
        batches = list(ds.iter_batches(batch_size=None))
        ids = np.concatenate([batch["id"] for batch in batches])
        return ids, np.concatenate([batch["features"] for batch in batches])

    # An actor pool ends with its data set: the start of actors is in the time.
    found = timed(encode, texts[: 2 * options.partitions], texts)
    ray.shutdown()
    return found


def measure(options):
    texts = documents(options.path, options.documents)
    expected = vectorizer(options.model).transform(texts[:500])
    rows, partitions = [], {}
    for name in options.engines:
        run = {"processes": processes, "spark": spark, "dask": dask, "ray": ray}[name]
        seconds, found, told = run(options, texts)
        if told is not None:
            n_bytes = 4 * expected.shape[1]
            partitions = {
                "documents": len(texts) / options.partitions,
                "start": max(each["start"] for each in told),
                "seconds": [s for each in told for s in each["seconds"]],
                "bytes": n_bytes,
            }
            options.out.write_text(json.dumps(partitions))
        rate = len(texts) / seconds
        difference = "-"
        if found is not None:
            if len(found) != len(texts):
                raise SystemExit(f"{name}: {len(found)} rows of {len(texts)}")
            difference = f"{np.abs(found[:500] - expected).max():.1e}"
        rows.append([name, f"{seconds:.1f}", f"{rate:.0f}", difference])
        print(rows[-1], flush=True)
    print(f"\n{len(texts)} documents, 2 workers of 1 thread, {description()}\n")
    print(markdown(["engine", "seconds", "documents/s", "largest difference"], rows))


def drawn(measured, n_documents, rng, options):
    """Draw the seconds of partitions: as uneven, and as slow, as measured and asked."""
    size = options.partition_size
    n = int(np.ceil(n_documents / size))
    per_document = np.array(measured["seconds"]) / measured["documents"]
    sizes = rng.lognormal(0, options.skew, n)
    sizes *= n_documents / sizes.sum()
    slow = np.where(rng.random(n) < options.stragglers, options.slowness, 1)
    return sizes * rng.choice(per_document, n) * slow


def makespan(seconds, n_cores, start):
    """Return when the last of the workers, who take what is next, has ended."""
    free = [start] * n_cores
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def simulate(options):
    measured = json.loads(options.path_of_measured.read_text())
    rng = np.random.default_rng(0)
    rows = []
    for n_documents in DOCUMENTS:
        seconds = drawn(measured, n_documents, rng, options)
        n_bytes = n_documents * measured["bytes"] / options.shrink
        for n_cores in CORES:
            hours = makespan(seconds, n_cores, measured["start"]) / 3600
            ideal = seconds.sum() / n_cores / 3600
            write = n_bytes / min(n_cores * PER_CORE_S, options.storage) / 3600
            row = [f"{n_documents:.0e}", n_cores, f"{hours:,.2f}"]
            row += [f"{ideal / hours:.0%}", f"{n_bytes / 1e12:,.3f}", f"{write:,.2f}"]
            rows.append([*row, "output" if write > hours else "compute"])
    columns = ["documents", "cores", "hours", "efficiency", "terabytes"]
    print(markdown([*columns, "hours to write", "limit"], rows))


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("measure", "work"):
        given = commands.add_parser(name)
        given.add_argument("path", help="a table with a column text")
        given.add_argument("--model", default="en")
        given.add_argument("--documents", type=int, default=100_000)
        given.add_argument("--partitions", type=int, default=20)
        given.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
        given.add_argument("--dtype", default="float32")
        given.add_argument("--out", type=Path, default=Path("partitions.json"))
        given.add_argument("--worker", type=int)
    given = commands.add_parser("simulate")
    given.add_argument("path_of_measured", type=Path)
    given.add_argument("--partition-size", type=int, default=10_000)
    given.add_argument("--skew", type=float, default=0.5, help="of log sizes")
    given.add_argument("--stragglers", type=float, default=0.01)
    given.add_argument("--slowness", type=float, default=5.0)
    given.add_argument("--shrink", type=float, default=1.0, help="2 is float16")
    given.add_argument("--storage", type=float, default=10e9, help="bytes a second")
    return parser.parse_args()


def main():
    options = parse()
    # Whatever starts workers hands it on to them.
    os.environ["OMP_NUM_THREADS"] = "1"
    if options.command == "simulate":
        simulate(options)
    elif options.command == "work":
        given = options.model, options.path, options.documents
        work(*given, options.worker, options.partitions)
    else:
        measure(options)


if __name__ == "__main__":
    main()
