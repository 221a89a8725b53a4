"""Kill `skelmo encode` at random, and check what it leaves and what it ends with.

A run is killed by SIGKILL at a moment drawn from the seed, taken up by the same
command, killed again, and so on to its end. Each is a process of its own, forked off so
that it need not import torch anew. After each kill the rows that the part says
it holds are compared with those of a run that nobody killed; at the end the file is,
byte for byte.

    python benchmarks/encode_kills.py --kills 50 --seed 0
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from skelmo import ElmoLanguageModel
from skelmo.cli import encode, main  # noqa: F401

FORMATS = ("csv", "npy", "npz", "parquet")
WORDS = ("the", "a", "river", "doctor", "paints", "sees", "letter", "moon", "because")
N_ROWS, BATCH = 24_000, 400


def kill_at_random() -> int:
    """Kill, check, report; the exit code is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        make_input(root)
        wholes = {suffix: encode_whole(root, suffix) for suffix in FORMATS}
        n_kills = n_in_rows = n_runs = 0
        wrong: list[str] = []
        while n_kills < arguments.kills:
            suffix = FORMATS[n_runs % len(FORMATS)]
            n_runs += 1
            found, n, n_within = run_killed(root, suffix, wholes[suffix], rng)
            n_kills, n_in_rows = n_kills + n, n_in_rows + n_within
            wrong += found
            sys.stdout.write(
                f"run {n_runs} ({suffix}): {n} kills, {n_within} between rows, "
                f"{len(found)} faults\n"
            )
            sys.stdout.flush()
    sys.stdout.write(
        f"{n_kills} kills in {n_runs} runs, {n_in_rows} of them with rows kept: "
        f"{len(wrong)} faults\n"
    )
    sys.stdout.writelines(f"{line}\n" for line in wrong)
    return int(bool(wrong))


def make_input(root: Path) -> None:
    """Write a small model, and rows of which some cannot be read."""
    rng = random.Random(0)
    texts = [
        " ".join(rng.choices(WORDS, k=rng.randrange(3, 12))) for _ in range(N_ROWS)
    ]
    ElmoLanguageModel(
        hidden_size=16, proj_size=8, max_epochs=1, batch_tokens=4096, random_state=0
    ).fit(texts[:300]).save(root / "model")
    lines = [f"{k},{text}" for k, text in enumerate(texts)]
    for k in range(0, N_ROWS, 997):
        lines[k] = f"{k},{texts[k]},one field too many"
    (root / "in.csv").write_text("\n".join(["id,text", *lines]) + "\n")


def command(root: Path, name: str) -> list[str]:
    """Return the command that writes a file."""
    keep = ["--keep", "id"] if name.endswith((".csv", ".parquet")) else []
    return [
        "encode", str(root / "in.csv"),
        str(root / name), "--model", str(root / "model"), "--column", "text",
        "--batch", str(BATCH), "--threads", "1", "--on-error", "skip", *keep,
    ]  # fmt: skip


def started(root: Path, name: str) -> int:
    """Start the command; return the id of its process."""
    pid = os.fork()
    if pid:
        return pid
    log = os.open(root / "log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os._exit(main(command(root, name)))


def ended(pid: int, root: Path) -> tuple[int, str]:
    """Wait for a process; return its code, or minus its signal, and what it said."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, (root / "log").read_text()


def encode_whole(root: Path, suffix: str) -> tuple[bytes, bytes, float]:
    """Return the file and the list of a run that nobody kills, and its seconds."""
    began = time.monotonic()
    code, said = ended(started(root, f"whole.{suffix}"), root)
    if code:
        raise RuntimeError(said)
    whole = root / f"whole.{suffix}"
    listed = root / f"whole.{suffix}.skipped.csv"
    return whole.read_bytes(), listed.read_bytes(), time.monotonic() - began


def run_killed(
    root: Path, suffix: str, whole: tuple[bytes, bytes, float], rng: random.Random
) -> tuple[list[str], int, int]:
    """Kill one file's run until it ends; return faults, kills, and those with rows."""
    name = f"out.{suffix}"
    wrong: list[str] = []
    n_kills = n_within = n_rows = 0
    while not (root / name).exists():
        child = started(root, name)
        time.sleep(rng.uniform(0.05, 0.6) * whole[2])
        os.kill(child, signal.SIGKILL)
        code, said = ended(child, root)
        if code not in (0, -9):
            wrong.append(f"{name}: it failed: {said}")
            break
        if n_rows and "starts anew" in said:
            wrong.append(f"{name}: {n_rows} rows were kept and not used: {said}")
        if code == -9:
            n_kills += 1
            found, n_rows = check_part(root, suffix, n_rows, whole[0])
            n_within += bool(n_rows)
            wrong += found
    wrong += check_file(root, name, whole)
    for pattern in (f"{name}*", f".{name}*"):
        for path in root.glob(pattern):
            path.unlink()
    return wrong, n_kills, n_within


def check_part(
    root: Path, suffix: str, n_before: int, whole: bytes
) -> tuple[list[str], int]:
    """Return what is wrong after a kill, and how many rows are kept."""
    name = f"out.{suffix}"
    record = root / f"{name}.part.json"
    if (root / name).exists():
        return [], n_before  # killed behind its last step
    if not record.exists():
        return [f"{name}: {n_before} rows were lost"] * bool(n_before), 0
    done = json.loads(record.read_text())
    held = (root / f"{name}.part").read_bytes()[: done["bytes"]]
    wrong = []
    if done["rows"] < n_before or len(held) < done["bytes"]:
        wrong.append(f"{name}: of {n_before} rows kept there are {done['rows']}")
    # Of parquet the part is a stream that its end turns into the file.
    if suffix != "parquet" and not same_rows(suffix, held, whole):
        wrong.append(f"{name}: the {done['rows']} rows kept are others")
    return wrong, done["rows"]


def check_file(root: Path, name: str, whole: tuple[bytes, bytes, float]) -> list[str]:
    """Return what is wrong with a file that is complete, and with its list."""
    out, listed = root / name, root / f"{name}.skipped.csv"
    if not out.exists() or out.read_bytes() != whole[0]:
        return [f"{name}: it is not that of a run that was not killed"]
    if not listed.exists() or listed.read_bytes() != whole[1]:
        return [f"{name}: its list of skipped rows is another"]
    return []


def same_rows(suffix: str, held: bytes, whole: bytes) -> bool:
    """Tell whether a part begins as the whole file does, but for numpy's header."""
    if suffix == "csv":
        return whole.startswith(held)
    # The part has no rows in its header yet; in the archive the array lies behind
    # its own.
    return held[128:] in whole


if __name__ == "__main__":
    sys.exit(kill_at_random())
