"""Processes of one run, started as torchrun starts them."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

CHILD = """
import pickle, sys
import torch
torch.set_num_threads(1)
with open(sys.argv[1], "rb") as file:
    function, given = pickle.load(file)
try:
    result = function(*given)
except Exception as error:
    result = error
with open(sys.argv[2], "wb") as file:
    pickle.dump(result, file)
"""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def environment(rank, size, port):
    """Return what torchrun would set."""
    paths = [str(Path(__file__).parent), *sys.path]
    return {
        **os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }  # fmt: skip


class Processes:
    """Some processes that call the same function of a test module.

    What it returns, or raises, is pickled; its arguments are, too.
    """

    def __init__(self, root, function, *given, size=2):
        job, port = Path(root) / "job", free_port()
        job.write_bytes(pickle.dumps((function, given)))
        self.results = [Path(root) / f"result-{rank}" for rank in range(size)]
        for path in self.results:
            path.unlink(missing_ok=True)
        self.children = [
            subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", CHILD, str(job), str(path)],
                env=environment(rank, size, port), stderr=subprocess.PIPE,
            )
            for rank, path in enumerate(self.results)
        ]  # fmt: skip

    def outcomes(self):
        """Wait for all; return the results, None of those that were killed."""
        for child in self.children:
            _, said = child.communicate(timeout=300)
            assert child.returncode <= 0, said.decode()
        found = [p.read_bytes() if p.exists() else b"N." for p in self.results]
        return [pickle.loads(content) for content in found]


def together(root, function, *given, size=2):
    """Return what a function gives, or raises, in each of several processes."""
    return Processes(root, function, *given, size=size).outcomes()
