"""Processes of one run, with the environment that torchrun gives them."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
from pathlib import Path

from forked import forked


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
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }  # fmt: skip


def call(path, variables, function, given):
    """Write what a function returns, or raises."""
    os.environ.update(variables)
    try:
        result = function(*given)
    except Exception as error:
        result = error
    path.write_bytes(pickle.dumps(result))


class Processes:
    """Some processes that call the same function of a test module.

    What it returns, or raises, is pickled; its arguments are, too.
    """

    def __init__(self, root, function, *given, size=2):
        self.results = [Path(root) / f"result-{rank}" for rank in range(size)]
        self.children, port = [], free_port()
        for rank, path in enumerate(self.results):
            path.unlink(missing_ok=True)
            variables = environment(rank, size, port)
            self.children.append(forked(call, path, variables, function, given))

    def outcomes(self):
        """Wait for all; return the results, None of those that were killed."""
        for child in self.children:
            child.join(timeout=300)
            assert child.exitcode in (0, -signal.SIGKILL)
        found = [p.read_bytes() if p.exists() else b"N." for p in self.results]
        return [pickle.loads(content) for content in found]


def together(root, function, *given, size=2):
    """Return what a function gives, or raises, in each of several processes."""
    return Processes(root, function, *given, size=size).outcomes()
