"""Documents and damaged files without end: nothing may crash, hang or be wrong.

`python benchmarks/fuzz.py --seed 0` runs all parts; `--part` and `--count` choose. Each
case is a function of the seed, the part and its number. Cases run in a process of their
own, which reports each: one that dies or hangs is noted, and another goes on behind it.
"""

import argparse
import collections
import faulthandler
import os
import queue
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import fuzz_documents
import fuzz_files
from fuzz_files import Wrong
from machine import heading, markdown

# Each makes, from a directory and a seed, a function from a case's number to a verdict.
PARTS = {**fuzz_documents.PARTS, **fuzz_files.PARTS}


def faults(directory, seed):
    """Return a check that fails in every way, to see that each is noted."""

    def check(number):
        if number == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        if number == 2:
            time.sleep(3600)
        if number == 3:
            raise Wrong("as it should be")
        if number == 4:
            raise ValueError("no sentence")
        if number == 5:
            raise KeyError(number)
        return "fine"

    return check


SERVED = {**PARTS, "faults": faults}
PATIENCE = 60.0  # seconds for one case
MEMORY = 6 * 2**30  # bytes that a process may ask for
COUNTS = {
    "tokenizer": 1_000_000 // fuzz_documents.BATCH,
    "encoder": 1_000_000 // fuzz_documents.ENCODED,
    "drawn": 100_000 // fuzz_documents.ENCODED,
}
FILES = 10_000  # of each format


def verdict_of(check, number):
    """Return what a case comes to; what starts with an exclamation mark is wrong."""
    try:
        return check(number)
    except Wrong as error:
        return f"!wrong: {error}"
    except (ValueError, OSError, TypeError) as error:
        message = str(error)
        if re.search(r"\S\. .*\S\.$|\S\.$", message, re.DOTALL) and len(message) > 20:
            return "refused"
        return f"!without a sentence: {type(error).__name__}: {message}"
    except BaseException as error:
        return f"!{type(error).__name__}: {error}"


def serve(part, seed, first, last):
    """Work through cases; write the number and the verdict of each to stdout."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        check = SERVED[part](Path(directory), seed)
        print("ready", flush=True)
        for number in range(first, last):
            verdict = verdict_of(check, number).encode("ascii", "backslashreplace")
            line = verdict.decode().replace("\n", " ")[:500]
            print(number, line, flush=True)


class Worker:
    """A process that serves, and the lines that it writes."""

    def __init__(self, part, seed, first, last):
        command = [sys.executable, __file__, "--serve", part, "--seed", str(seed)]
        command += ["--first", str(first), "--count", str(last - first)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines, self.errors = queue.Queue(), collections.deque(maxlen=8)
        self.threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._listen, self._note)
        ]
        for thread in self.threads:
            thread.start()

    def _listen(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def _note(self):
        self.errors.extend(self.process.stderr)

    def end(self):
        """Return how it ended, after killing it if it has not."""
        self.process.kill()
        for thread in self.threads:
            thread.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return self.process.wait()


def fuzz(part, count, seed, patience=PATIENCE, first=0):
    """Run the cases of a part; return counts of verdicts and what was wrong."""
    verdicts, problems = collections.Counter(), []
    last = first + count
    while first < last and len(problems) < 200:
        worker = Worker(part, seed, first, last)
        try:
            if worker.lines.get(timeout=10 * patience) != "ready":
                raise RuntimeError(f"{part} did not begin: {''.join(worker.errors)}")
            while first < last:
                line = worker.lines.get(timeout=patience)
                if line is None:
                    break
                first = int(line.partition(" ")[0]) + 1
                verdict = line.partition(" ")[2]
                verdicts[verdict.partition(":")[0]] += 1
                if verdict.startswith("!"):
                    problems.append((first - 1, verdict))
        except queue.Empty:
            problems.append((first, "!hang"))
            verdicts["!hang"] += 1
            first += 1
            worker.end()
            continue
        code = worker.end()
        if first < last:
            problems.append((first, f"!died by {code}: {''.join(worker.errors)}"))
            verdicts["!died"] += 1
            first += 1
    return verdicts, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--count", type=int, help="cases; by default those of the page")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", choices=SERVED, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        last = given.first + given.count
        return serve(given.serve, given.seed, given.first, last)
    rows, n_problems = [], 0
    print(heading(), flush=True)
    for part in given.part or PARTS:
        count = given.count or COUNTS.get(part, FILES)
        start = time.monotonic()
        verdicts, problems = fuzz(part, count, given.seed, first=given.first)
        n_problems += len(problems)
        shown = ", ".join(f"{n:,} {name}" for name, n in sorted(verdicts.items()))
        rows.append([part, f"{count:,}", shown, round(time.monotonic() - start)])
        print(*rows[-1], flush=True)
        for number, problem in problems[:10]:
            print(f"  case {number}: {problem}", flush=True)
    print(markdown(["part", "cases", "verdicts", "seconds"], rows))
    return 1 if n_problems else 0


if __name__ == "__main__":
    sys.exit(main())
