"""Processes killed at random while they write: the old stays, or the new is whole.

`python benchmarks/kills.py` kills 20 times in training, 100 times among four processes
that write to one cache, and 20 times each in the writers of models, of word vectors and
of exported models; then it lets each writer meet a full disk.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from fuzz_files import is_same, random_model
from machine import heading, markdown
from strange_texts import real_texts

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.baselines.vector_files import read_vectors, write_vectors
from skelmo.pretrained.bilm_format import read_bilm, write_bilm
from skelmo.pretrained.safetensors_format import read_model, write_model

FORK = multiprocessing.get_context("fork")
TINY = {
    "hidden_size": 16, "proj_size": 8, "char_embedding_dim": 4, "batch_tokens": 128,
    "filters": ((1, 4), (2, 4)), "random_state": 0, "dropout": 0.2, "max_epochs": 2,
}  # fmt: skip


def started(work, *arguments):
    """Start a process that imports nothing more, and never returns here."""

    def run():
        torch.set_num_threads(1)
        warnings.simplefilter("ignore")
        work(*arguments)

    process = FORK.Process(target=run)
    process.start()
    return process


def finished(work, *arguments):
    process = started(work, *arguments)
    process.join()
    if process.exitcode:
        raise AssertionError(f"{work.__name__} ended by {process.exitcode}")


def kill(process):
    """Kill a process; tell whether it was still at work."""
    process.kill()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise AssertionError(f"a process ended by {process.exitcode} by itself")
    return process.exitcode == -signal.SIGKILL


# Training.


def train(texts, checkpoint, out):
    parameters = {**TINY, "checkpoint": checkpoint, "checkpoint_every": 1}
    model = ElmoLanguageModel(**parameters).fit(texts)
    weights = {k: v.numpy() for k, v in model.network_.state_dict().items()}
    np.savez(out, **weights)


def weights_in(path):
    with np.load(path) as file:
        return {name: file[name].tobytes() for name in file}


def in_training(directory, n_kills, rng):
    """Kill runs until so many kills; each run ends with the same bits."""
    texts = real_texts(60)
    begin = time.monotonic()
    finished(train, texts, directory / "whole", directory / "whole.npz")
    seconds, n_done, n_runs = time.monotonic() - begin, 0, 0
    expected = weights_in(directory / "whole.npz")
    while n_done < n_kills:
        root, out = directory / f"run-{n_runs}", directory / f"run-{n_runs}.npz"
        while not out.exists():
            process = started(train, texts, root, out)
            process.join(rng.uniform(0.2, 0.7) * seconds)
            n_done += kill(process)
            if n_done >= n_kills:
                finished(train, texts, root, out)
        if weights_in(out) != expected:
            raise AssertionError(f"run {n_runs} ends with other weights")
        if len([*root.glob("*/*.checkpoint")]) > 2:
            raise AssertionError(f"run {n_runs} keeps more than two checkpoints")
        n_runs += 1
    return n_done, f"{n_runs} runs ended with the bits of the unbroken one"


# The cache.


def encode(path, texts, expected, cache, seed, tell):
    """Encode for ever with a cache that others write to, too; end by 3 if wrong."""
    rng = random.Random(seed)
    vectorizer = ElmoVectorizer(language_model=str(path), cache=cache).fit(texts[:1])
    for _ in range(10**9):
        numbers = rng.sample(range(len(texts)), 10)
        rows = vectorizer.transform([texts[k] for k in numbers])
        if not np.abs(rows - expected[numbers]).max() <= 1e-5:
            os._exit(3)
        with contextlib.suppress(BlockingIOError):
            os.write(tell, b".")


def reference(path, texts, out):
    ElmoLanguageModel(**TINY).fit(texts).save(path)
    vectorizer = ElmoVectorizer(language_model=str(path), cache=None).fit(texts[:1])
    np.save(out, vectorizer.transform(texts))


def in_cache_writes(directory, n_kills, rng):
    """Kill one of four processes again and again; every row stays right."""
    texts, cache = real_texts(300), directory / "cache"
    finished(reference, directory / "model", texts, directory / "rows.npy")
    expected = np.load(directory / "rows.npy")

    def another():
        heard, tell = os.pipe()
        os.set_blocking(tell, False)
        common = directory / "model", texts, expected, cache
        process = started(encode, *common, rng.random(), tell)
        os.close(tell)
        return process, heard

    def end(process, heard):
        os.read(heard, 1)  # it is at work; or has ended
        time.sleep(rng.uniform(0.0, 0.1))
        if not kill(process):
            raise AssertionError("a process ended by itself")
        os.close(heard)

    working, n_done = [another() for _ in range(4)], 0
    try:
        while n_done < n_kills:
            k = rng.randrange(4)
            end(*working[k])
            n_done += 1
            working[k] = another()
    finally:
        for process, _ in working:
            kill(process)
    finished(check_cache, directory / "model", texts, expected, cache)
    names = sorted(path.name for path in cache.iterdir())
    if any("damaged" in name for name in names):
        raise AssertionError(f"a database was damaged: {names}")
    return n_done, "4 processes at a time; all rows right, the database sound"


def check_cache(path, texts, expected, cache):
    import sqlite3

    from skelmo import cache_info

    vectorizer = ElmoVectorizer(language_model=str(path), cache=cache).fit(texts[:1])
    before = cache_info(cache).hits
    rows = vectorizer.transform(texts)
    known = cache_info(cache).hits > before
    with contextlib.closing(sqlite3.connect(cache / "activations.sqlite3")) as opened:
        sound = opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    right = np.abs(rows - expected).max() <= 1e-5
    if not (known and sound and right):
        raise AssertionError(f"known {known}, sound {sound}, right {right}")


# What is saved over and over.


def model_pair():
    """Return two models of the same shapes."""
    first, second = random_model(), random_model()
    for array in second.arrays.values():
        array *= 2
    return first, second


def save_models(path, times=10**9):
    for k in range(times):
        write_model(model_pair()[k % 2], path)


def model_at(path):
    found = read_model(path)
    return next(k for k, each in enumerate(model_pair()) if is_same(found, each))


def bilm_pair():
    first, second = random_model(softmax=False), random_model(softmax=False)
    for array in second.arrays.values():
        array *= 2
    return first, second


def save_bilms(path, times=10**9):
    for k in range(times):
        write_bilm(bilm_pair()[k % 2], path)


def bilm_at(path):
    found = read_bilm(path).arrays
    for k, each in enumerate(bilm_pair()):
        if all(found[name].tobytes() == x.tobytes() for name, x in each.arrays.items()):
            return k
    raise AssertionError(f"{path} holds neither model")


def vector_pair():
    words = [f"word{k}" for k in range(500)]
    numbers = np.random.default_rng(0).standard_normal((500, 20)).astype(np.float32)
    return [(words, numbers), (words, 2 * numbers)]


def save_vectors(path, times=10**9):
    for k in range(times):
        write_vectors(path, *vector_pair()[k % 2], "Kills")


def vectors_at(path):
    words, numbers = read_vectors(path, None)
    for k, (names, expected) in enumerate(vector_pair()):
        if words == names and numbers.tobytes() == expected.tobytes():
            return k
    raise AssertionError(f"{path} holds neither vectors")


SAVERS = {
    "saving a model": ("model", save_models, model_at),
    "exporting a model": ("bilm", save_bilms, bilm_at),
    "saving vectors": ("vectors.bin", save_vectors, vectors_at),
}


def in_saving(directory, n_kills, rng, saver):
    """Kill who saves one of two things in turn; one of them is there, whole."""
    name, save, found_at = saver
    path, found, n_done = directory / name, set(), 0
    finished(save, path, 1)
    while n_done < n_kills:
        process = started(save, path)
        process.join(rng.uniform(0.05, 0.4))
        n_done += kill(process)
        found.add(found_at(path))
    finished(save, path, 2)
    if found_at(path) != 1:
        raise AssertionError(f"{path} cannot be written after the kills")
    return n_done, f"the old or the new, whole; of both kinds: {len(found) == 2}"


# Full disks.


@contextlib.contextmanager
def small_disk(directory, n_bytes=2**20):
    """Mount a small disk; where that is not allowed, bound the size of files."""
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "skelmo", directory]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes // 4, n_bytes // 4))
        yield "a limit of the size of files"
        return
    try:
        yield "a disk of 1 MiB"
    finally:
        subprocess.run(["umount", directory], check=True)


def fill(directory):
    """Leave no room on a small disk."""
    with contextlib.suppress(OSError), (directory / "filler").open("wb") as file:
        for _ in range(2**12):
            file.write(bytes(2**10))
            file.flush()


def refused(write, path, read):
    """Raise unless a write is refused with the path, and the old is still there."""
    try:
        write()
    except OSError as error:
        if str(path) not in str(error):
            raise AssertionError(f"an error without {path}: {error!r}") from error
        if ".tmp" in str(error):
            raise AssertionError(f"an error of a temporary name: {error}") from error
    else:
        raise AssertionError(f"{path} was written to a full disk")
    if read(path) != 0:
        raise AssertionError(f"{path} is another one")
    leftovers = [p for p in path.parent.rglob("*") if ".tmp" in p.name]
    if leftovers:
        raise AssertionError(f"{leftovers} were left")


def on_a_full_disk(directory, texts):
    """Let each writer meet a full disk; be a process, which may have its limits."""
    with small_disk(directory) as kind:
        write_model(model_pair()[0], directory / "model")
        write_bilm(bilm_pair()[0], directory / "bilm")
        write_vectors(directory / "vectors.bin", *vector_pair()[0], "Kills")
        fill(directory)
        large = np.ones((500, 2000), np.float32)
        words = vector_pair()[0][0]
        for name, write, read in (
            ("model", lambda path: write_model(model_pair()[1], path), model_at),
            ("bilm", lambda path: write_bilm(bilm_pair()[1], path), bilm_at),
            (
                "vectors.bin",
                lambda path: write_vectors(path, words, large, "Kills"),
                vectors_at,
            ),
        ):
            path = directory / name
            refused(lambda write=write, path=path: write(path), path, read)
        expected = ElmoLanguageModel(**TINY).fit(texts)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            parameters = {**TINY, "checkpoint": directory / "runs"}
            got = ElmoLanguageModel(**parameters, checkpoint_every=1).fit(texts)
        check_warned(caught, "could not be written", directory / "runs")
        for name, tensor in got.network_.state_dict().items():
            if not torch.equal(tensor, expected.network_.state_dict()[name]):
                raise AssertionError("a full disk changes what is trained")
        rows = ElmoVectorizer(language_model=frozen(got), cache=None).fit_transform(
            texts
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cached = ElmoVectorizer(
                language_model=frozen(got), cache=directory / "cache"
            ).fit_transform(texts)
        check_warned(caught, "cannot keep activations", directory / "cache")
        if not np.abs(rows - cached).max() <= 1e-5:
            raise AssertionError("a full disk changes features")
    return kind


def without_permission(directory, texts):
    """Let each writer meet a directory that it may read alone; be a process."""
    write_model(model_pair()[0], directory / "model")
    write_bilm(bilm_pair()[0], directory / "bilm")
    write_vectors(directory / "vectors.bin", *vector_pair()[0], "Kills")
    # What is imported late may lie where only root may read.
    ElmoLanguageModel(**TINY, checkpoint=directory / "runs").fit(texts)
    model = str(directory / "model")
    ElmoVectorizer(language_model=model, cache=directory / "rows").fit_transform(texts)
    for path in (directory, directory / "model", directory / "bilm"):
        path.chmod(0o555)
    if not os.geteuid():  # who may write everywhere
        os.setuid(65534)
    for name, write, read in (
        ("model", lambda path: write_model(model_pair()[1], path), model_at),
        ("bilm", lambda path: write_bilm(bilm_pair()[1], path), bilm_at),
        (
            "vectors.bin",
            lambda path: write_vectors(path, *vector_pair()[1], "Kills"),
            vectors_at,
        ),
    ):
        path = directory / name
        refused(lambda write=write, path=path: write(path), path, read)
    for parameter in ("checkpoint", "cache"):
        path = directory / parameter
        try:
            if parameter == "checkpoint":
                ElmoLanguageModel(**TINY, checkpoint=path).fit(texts)
            else:
                ElmoVectorizer(language_model=model, cache=path).fit_transform(texts)
        except OSError as error:
            if "Permission denied). Choose another directory" not in str(error):
                raise AssertionError(f"{parameter}: {error}") from error
        else:
            raise AssertionError(f"{parameter} was made")


def permissions(directory, n_kills, rng):
    directory.chmod(0o755)  # others may look into it
    (directory / "place").mkdir()
    finished(without_permission, directory / "place", real_texts(60))
    (directory / "place").chmod(0o755)
    return 1, "each writer is refused by path, the old is there"


def frozen(model):
    from sklearn.frozen import FrozenEstimator

    return FrozenEstimator(model)


def check_warned(caught, sentence, path):
    texts = [str(each.message) for each in caught if sentence in str(each.message)]
    if len(texts) != 1 or str(path) not in texts[0]:
        raise AssertionError(f"warned {[str(each.message) for each in caught]}")


def full_disks(directory, n_kills, rng):
    finished(on_a_full_disk, directory / "disk", real_texts(60))
    return 1, "each writer is refused by path, the old is there, training goes on"


SCENES = {
    "training": (in_training, 20),
    "cache writes": (in_cache_writes, 100),
    **{
        name: (lambda d, n, r, saver=saver: in_saving(d, n, r, saver), 20)
        for name, saver in SAVERS.items()
    },
    "full disk": (full_disks, 1),
    "permission denied": (permissions, 1),
}


def run_scene(name, n_kills=None, seed=0):
    """Run one scene; return how often was killed, and what was seen."""
    scene, usual = SCENES[name]
    with tempfile.TemporaryDirectory(prefix="kills-") as directory:
        rng = random.Random(f"{name}-{seed}")
        return scene(Path(directory), n_kills or usual, rng)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scene", action="append", choices=SCENES)
    parser.add_argument("--kills", type=int, help="by default those of the page")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(heading(), flush=True)
    rows, wrong = [], 0
    for name in given.scene or SCENES:
        start = time.monotonic()
        try:
            n_done, seen = run_scene(name, given.kills, given.seed)
        except AssertionError as error:
            n_done, seen, wrong = 0, f"WRONG: {error}", wrong + 1
        rows.append([name, n_done, seen, round(time.monotonic() - start)])
        print(*rows[-1], flush=True)
    print(markdown(["killed in", "times", "seen", "seconds"], rows))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
