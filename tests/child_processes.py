"""The command line as a process that tests watch, stop and kill."""

import os
import subprocess
import sys
import time

ENVIRONMENT = dict(os.environ)
ENVIRONMENT.pop("PYTHONUNBUFFERED", None)  # a buffer is flushed into the closed pipe


def started(*arguments, **options):
    """Start the command with these arguments."""
    return subprocess.Popen(
        [sys.executable, "-m", "skelmo", *map(str, arguments)], env=ENVIRONMENT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def wait_for(child, condition):
    """Wait until something is so, while the process runs."""
    deadline = time.monotonic() + 120
    while not condition():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
