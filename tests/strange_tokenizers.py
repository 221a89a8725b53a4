"""Tokenizers that engines take to their workers, and that tell what they see there."""

import json
import os
import signal
import sys
import uuid
from pathlib import Path


def write_note(directory, **content):
    """Leave a file, as other processes may at the same time."""
    text = json.dumps({"pid": os.getpid(), **content})
    (Path(directory) / f"{uuid.uuid4()}.json").write_text(text)


def notes(directory):
    """Return what was left there."""
    return [json.loads(path.read_text()) for path in Path(directory).glob("*.json")]


def parent_has_torch():
    try:
        return "libtorch" in Path(f"/proc/{os.getppid()}/maps").read_text()
    except OSError:
        return False


def peak_mib():
    """Return the largest memory so far; 0 where it cannot be told."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


class Witness:
    """Cut at spaces; note each unpickling, and what a process is like."""

    def __init__(self, directory):
        self.directory, self.n_calls = str(directory), 0

    def __call__(self, sentence):
        self.n_calls += 1
        if self.n_calls % 500 == 1:
            write_note(
                self.directory,
                event="work",
                n_threads=sys.modules["torch"].get_num_threads(),
                parent_has_torch=parent_has_torch(),
                peak_mib=peak_mib(),
            )
        return sentence.split()

    def __setstate__(self, state):
        self.__dict__.update(state, n_calls=0)
        write_note(self.directory, event="load")


def parent_of(pid):
    """Return the number of the process that has started another one."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


class Killer:
    """Cut at spaces; at the word "die", kill a process, unless that was done.

    It is this process, or who stands so many generations above it; its command is left
    in the file `flag`.
    """

    def __init__(self, flag, n_above=0):
        self.flag, self.n_above = str(flag), n_above

    def __call__(self, sentence):
        if "die" in sentence.split() and not Path(self.flag).exists():
            pid = os.getpid()
            for _ in range(self.n_above):
                pid = parent_of(pid)
            Path(self.flag).write_bytes(Path(f"/proc/{pid}/cmdline").read_bytes())
            os.kill(pid, signal.SIGKILL)
        return sentence.split()


def fussy(sentence):
    """Cut at spaces, but raise at the word "raise"."""
    if "raise" in sentence.split():
        raise ValueError("the tokenizer does not like this text")
    return sentence.split()
