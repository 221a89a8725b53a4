"""What every benchmark needs: the machine, the shared data, memory, tables."""

import contextlib
import lzma
import os
import shlex
import sys
from pathlib import Path

import torch

SHARED = Path(
    os.environ.get("SKELMO_SHARED", Path(__file__).resolve().parents[2] / "shared")
)
CORPORA = ("wiki-en-1.txt.xz", "wiki-en-2.txt.xz", "books-en.txt.xz")


def description():
    """Return the processor, its cores and the version of torch in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(line.split(":")[1].strip() for line in lines if "model name" in line)
    n_cores = len(os.sched_getaffinity(0))
    threads = torch.get_num_threads()
    return f"{n_cores} cores of {model}, {threads} threads, torch {torch.__version__}"


def command_line():
    """Return the command that runs."""
    return shlex.join(["python", *sys.argv])


def heading():
    """Return the line that stands above a table."""
    return f"`{command_line()}`, {description()}.\n"


def markdown(columns, rows):
    """Return a markdown table; floats as they are given, so round them before."""
    cells = [list(columns), ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in cells)


def memory_mib(field):
    """Return VmRSS, or VmHWM (its peak), of this process.

    Unlike getrusage's, this peak is not inherited from the process that started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def loaded_mib():
    """Return VmRSS, and let the peak begin anew: loading has one of its own."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return memory_mib("VmRSS")


def wikitext2(split):
    """Return the lines of "train", "valid" or "test"; about a third are blank."""
    path = SHARED / f"data/lm/wikitext-2.{split}.txt"
    return path.read_text(encoding="utf-8").split("\n")


def paragraphs(n_tokens):
    """Stream lines of the large corpora until they hold `n_tokens` tokens."""
    left = n_tokens
    for name in CORPORA:
        with lzma.open(SHARED / "corpora" / name, "rt", encoding="utf-8") as file:
            for line in file:
                if left <= 0:
                    return
                left -= len(line.split())
                yield line.rstrip("\n")
    if left > 0:
        raise SystemExit(f"the corpora are {left} tokens short of {n_tokens}")
