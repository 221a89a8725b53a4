"""Measurements as JSON files, each written once, so that a run can be taken up."""

import hashlib
import json
import os
import sys
import time

PROTOCOL = 1  # to be raised when a change makes the files of earlier runs wrong


def digest(value):
    """Return a short hash of what JSON can hold."""
    content = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:12]


def file_digest(path):
    """Return a short hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def write_atomically(path, content):
    """Write bytes that are never seen in part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


class Store:
    """Results of measurements in a directory, by name and settings.

    The settings must tell apart all that changes a result. What is not there is
    measured if its part is in `parts`, and None otherwise.
    """

    def __init__(self, directory, parts):
        self.directory, self.parts = directory, set(parts)
        directory.mkdir(parents=True, exist_ok=True)

    def get(self, part, name, settings, measure):
        """Return what `measure()` returns or returned, and the seconds it took."""
        key = digest([PROTOCOL, part, name, settings])
        path = self.directory / f"{part}.{slug(name)}.{key}.json"
        if path.is_file():
            return json.loads(path.read_bytes())["result"]
        if part not in self.parts:
            return None
        begin = time.perf_counter()
        result = {**measure(), "seconds": 0.0}
        result["seconds"] = round(time.perf_counter() - begin, 1)
        kept = {"part": part, "name": name, "settings": settings, "result": result}
        write_atomically(path, json.dumps(kept, indent=1).encode())
        print(f"{part}: {name}, {result['seconds']} s", file=sys.stderr, flush=True)
        return result


def slug(name):
    """Return a name that files can have."""
    return "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")
