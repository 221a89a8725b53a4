"""How fast several processes train, beside one process with as many threads.

    python benchmarks/ranks.py
    python benchmarks/ranks.py --processes 4 --words 5000 --softmax full

One process of N threads takes turns, for several rounds, with N processes of a thread
each (`skelmo.training.ranks`). Both take the same steps, of `--batch-tokens` in all.
Only training steps are timed, for `--seconds` after `--warm-up` seconds. Columns:

- tokens/s: predictions in one direction (tokens, and the end of each sequence);
- x: tokens/s over those of the one process in the same round;
- MiB: largest resident memory over that after the imports, of all processes together.

All are medians of the rounds, x with its range.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys

from machine import heading, markdown
from train import train_skelmo


def main():
    options = parse()
    if options.child:
        if os.environ["RANK"] != "0":  # a step of more would be missing
            options.warm_up, options.seconds = 0.0, 1e6
        print(json.dumps(train_skelmo(options, "float32", options.softmax)))
        return
    n = options.processes
    contenders = {f"1 process, {n} threads": (1, n), f"{n} processes, 1 thread": (n, 1)}
    rounds = []
    for k in range(options.rounds):
        rounds.append({name: run(options, *c) for name, c in contenders.items()})
        print(f"round {k + 1}: {rounds[-1]}", file=sys.stderr, flush=True)
    print(heading())
    rows = []
    for name in contenders:
        rates, mib = zip(*(found[name] for found in rounds), strict=True)
        ratios = [
            each / next(iter(r.values()))[0]
            for each, r in zip(rates, rounds, strict=True)
        ]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        rows.append(
            [name, f"{statistics.median(rates):.0f}",
             f"{statistics.median(ratios):.2f} ({spread})",
             f"{statistics.median(mib):.0f}"]
        )  # fmt: skip
    print(markdown(["trained by", "tokens/s", "x", "MiB"], rows))


def run(options, n_processes, n_threads):
    """Train in so many processes; return tokens/s and MiB of all of them."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, *sys.argv, "--child", "--batch-tokens"]
    command.append(str(options.batch_tokens // n_processes))
    children = [
        subprocess.Popen(
            command, text=True, stdout=subprocess.PIPE,
            env={
                **os.environ, "OMP_NUM_THREADS": str(n_threads), "RANK": str(rank),
                "WORLD_SIZE": str(n_processes), "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            },
        )
        for rank in range(n_processes)
    ]  # fmt: skip
    said = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        raise SystemExit("a process has ended with an error")
    results = [json.loads(text.splitlines()[-1]) for text in said]
    # Every process counts the tokens of all.
    return results[0]["rate"], sum(result["mib"] for result in results)


def parse():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--processes", type=int, default=2, help="and threads of the one")
    add("--softmax", default="sampled", choices=["sampled", "full"])
    add("--rounds", type=int, default=5)
    add("--seconds", type=float, default=30.0, help="of training, timed")
    add("--warm-up", type=float, default=5.0, help="seconds of training, not timed")
    add("--lines", type=int, help="of WikiText-2 that are not blank; default: all")
    add("--words", type=int, default=30_000)
    add("--n-samples", type=int, default=2048)
    add("--batch-tokens", type=int, default=1024, help="of all processes together")
    add("--hidden", type=int, default=512)
    add("--proj", type=int, default=128)
    add("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
