"""Rates on engines for large tables, and what they let one expect of many cores.

    python benchmarks/scale.py measure SHARED_DATA/sentiment/mr.tsv --documents 5000
    python benchmarks/scale.py simulate partitions.json

`measure` encodes film reviews, repeated with changes so that no two are alike, by two
independent processes and by two workers of each engine, on one thread each. All of them
write their rows, Spark and Ray as Parquet, the others as arrays. It counts these,
compares 2,000 with those of `transform`, and writes the seconds of each partition of
the processes. `simulate` draws the seconds of as many partitions as wanted from these,
and lets workers take one after the other: with uneven partitions, stragglers, and a
start of each worker. Nothing is shuffled between machines, so that they meet nowhere
but in the queue.
"""

import argparse
import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from machine import description, markdown

ENGINES = ("processes", "spark", "dask", "ray")
# Dask lets its workers give all memory back at once, which takes a fifth of the time.
KEEP_MEMORY = {
    f"distributed.nanny.pre-spawn-environ.MALLOC_{name}_THRESHOLD_": n_bytes
    for name, n_bytes in (("TRIM", 2**27), ("MMAP", 2**25))
}
DOCUMENTS = (10**6, 10**8, 10**9)
CORES = (1, 16, 1000)
PER_CORE_S = 50e6  # bytes a second that storage takes from each core, if not told


def documents(path, n):
    """Return n texts, no two alike: the reviews again and again, each with a number."""
    texts = pd.read_csv(path, sep="\t", quoting=3)["text"].drop_duplicates().tolist()
    return [f"{texts[k % len(texts)]} {k // len(texts)}" for k in range(n)]


def vectorizer(model):
    from skelmo import ElmoVectorizer

    return ElmoVectorizer(model, cache=None).fit(["a film"])


def work(model, path, n, k, n_parts, out):
    """Encode every second part as a process of its own; print seconds of each."""
    texts = documents(path, n)
    elmo = vectorizer(model)
    elmo.transform(["a first text loads what is loaded late"])
    # Of this process alone, whatever else a machine does; imports are in it.
    start, seconds = time.process_time(), []
    begin_all = time.perf_counter()
    parts = np.array_split(np.arange(n), n_parts)
    for number, part in list(enumerate(parts))[k::2]:
        begin = time.process_time()
        np.save(out / f"{number:05}.npy", elmo.transform([texts[row] for row in part]))
        seconds.append(time.process_time() - begin)
    wall = time.perf_counter() - begin_all
    print(json.dumps({"start": start, "seconds": seconds, "wall": wall}))


def processes(options, texts, out):
    """Return the seconds of two processes that know nothing of each other."""
    command = [sys.executable, __file__, "work", options.path, "--model", options.model]
    command += ["--documents", str(len(texts)), "--partitions", str(options.partitions)]
    command += ["--results", str(out)]
    out.mkdir()
    running = [
        subprocess.Popen([*command, "--worker", str(k)], stdout=subprocess.PIPE)
        for k in range(2)
    ]
    told = [json.loads(process.communicate()[0]) for process in running]
    ids, rows = saved(out)
    write_partitions(options, told, len(rows), rows[0].nbytes)
    return max(each["wall"] for each in told), ids, rows


def timed(encode, texts, options, out):
    """Time an engine whose workers have started and loaded the model."""
    encode(texts[: 2 * options.partitions], out / "warm")
    begin = time.perf_counter()
    encode(texts, out / "all")
    return time.perf_counter() - begin


def spark(options, texts, out):
    from pyspark.sql import SparkSession

    import skelmo.spark

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", False)
    session = builder.config("spark.driver.memory", "4g").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    elmo = vectorizer(options.model)

    def encode(texts, out):
        rdd = session.sparkContext.parallelize(enumerate(texts), options.partitions)
        df = session.createDataFrame(rdd, "id long, text string")
        df = skelmo.spark.transform(df, elmo, "text", dtype=options.dtype)
        df.select("id", "features").write.parquet(str(out))

    seconds = timed(encode, texts, options, out)
    session.stop()
    ids, rows = read(out / "all", lambda table: table["features"].to_numpy())
    if options.dtype == "float16":
        rows = [np.frombuffer(row, "<f2") for row in rows]
    return seconds, ids, rows


def dask(options, texts, out):
    import dask
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    import skelmo.dask

    elmo = vectorizer(options.model)

    def encode(texts, out):
        ddf = dd.from_pandas(pd.DataFrame({"text": texts}), options.partitions)
        features = skelmo.dask.encode(ddf, elmo, "text", dtype=options.dtype)
        out.mkdir(parents=True)
        # Parquet of 3,072 columns would take most of what an engine costs.
        parts = features.to_delayed()
        paths = [out / f"{k:05}.npy" for k in range(len(parts))]
        dask.compute(map(dask.delayed(np.save), paths, parts))

    dask.config.set({} if options.trim else KEEP_MEMORY)
    given = {"threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(2, **given) as cluster, Client(cluster):
        seconds = timed(encode, texts, options, out)
    return seconds, *saved(out / "all")


def ray(options, texts, out):
    import ray

    import skelmo.ray

    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    model = skelmo.ray.put(vectorizer(options.model))
    size = len(texts) // options.partitions

    def encode(texts, out):
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
        ds.drop_columns(["text"]).write_parquet(str(out))

    # An actor pool ends with its data set: the start of actors is in the time.
    seconds = timed(encode, texts, options, out)
    ray.shutdown()
    return seconds, *read(out / "all", tensors)


def saved(directory):
    """Return ids and rows of files whose names have the order of documents."""
    rows = [row for path in sorted(directory.iterdir()) for row in np.load(path)]
    return np.arange(len(rows)), rows


def read(directory, rows_of):
    """Return ids and rows of all files of Parquet that an engine has written."""
    ids, rows = [], []
    for path in sorted(directory.glob("*.parquet")):
        table = pq.read_table(path)
        ids.append(table["id"].to_numpy())
        rows.extend(rows_of(table))
    return np.concatenate(ids), rows


def tensors(table):
    """Return the rows of Ray's column of arrays."""
    chunks = table["features"].chunks
    return [row for chunk in chunks for row in chunk.to_numpy_ndarray()]


def measure(options):
    texts = documents(options.path, options.documents)
    some = np.arange(0, len(texts), max(len(texts) // 2000, 1))
    expected = vectorizer(options.model).transform([texts[row] for row in some])
    lines, fastest = [], None
    for name in options.engines:
        run = {"processes": processes, "spark": spark, "dask": dask, "ray": ray}[name]
        with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
            seconds, ids, rows = run(options, texts, Path(scratch) / "out")
        if sorted(ids) != list(range(len(texts))):
            raise SystemExit(f"{name}: rows are lost, or there more than once")
        if name == "processes":
            fastest = seconds
        where = np.argsort(ids)[some]
        differences = np.stack([rows[k] for k in where]) - expected
        share = f"{fastest / seconds:.0%}" if fastest else "-"
        rate, most = len(texts) / seconds, np.abs(differences).max()
        lines.append([name, f"{seconds:.1f}", f"{rate:.0f}", share, f"{most:.1e}"])
        print(lines[-1], flush=True)
        del ids, rows
    print(f"\n{len(texts)} documents, 2 workers of 1 thread, {description()}\n")
    columns = ["engine", "seconds", "documents/s", "of processes' rate"]
    print(markdown([*columns, "largest difference"], lines))


def write_partitions(options, told, n, n_bytes):
    """Write what `simulate` reads."""
    partitions = {
        "documents": n / options.partitions,
        "start": max(each["start"] for each in told),
        "seconds": [s for each in told for s in each["seconds"]],
        "bytes": n_bytes,
    }
    options.out.write_text(json.dumps(partitions))


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
        given.add_argument("--trim", action="store_true", help="as Dask does it")
        given.add_argument("--out", type=Path, default=Path("partitions.json"))
        given.add_argument("--worker", type=int)
        given.add_argument("--results", type=Path)
        given.add_argument("--scratch", type=Path, help="place of files, soon removed")
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
        work(*given, options.worker, options.partitions, options.results)
    else:
        measure(options)


if __name__ == "__main__":
    main()
