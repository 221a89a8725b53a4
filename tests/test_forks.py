"""What is forked off while others compute can go on by itself."""

import os
import subprocess
import sys
import threading

import pytest

from skelmo.forks import Lock

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="this system does not fork"
)

# In a process of its own: torch is to have threads there, and nothing else is forked.
PROGRAM = """
import multiprocessing, sys, threading
import numpy as np, torch
from skelmo import ElmoVectorizer

path, cache, n_forks, n_threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
torch.set_num_threads(2)
texts = [f"the film number {k} was {w} and dull" for k in range(300) for w in "ab"]
vectorizer = ElmoVectorizer(language_model=path, cache=cache or None).fit(texts[:2])
expected = vectorizer.transform(texts)  # with all of torch's threads
go_on = True


def keep_busy():
    k = 0
    while go_on:
        vectorizer.transform([f"{text} {k}" for text in texts[:40]])
        k += 1


def check(_):
    found = vectorizer.transform(texts[:40])
    np.testing.assert_allclose(found, expected[:40], rtol=1e-4, atol=1e-5)
    vectorizer.transform([f"{text} anew" for text in texts[:5]])
    return torch.get_num_threads()


threads = [threading.Thread(target=keep_busy) for _ in range(n_threads)]
for thread in threads:
    thread.start()
context = multiprocessing.get_context("fork")
for _ in range(n_forks // 2):
    with context.Pool(2) as pool:
        assert pool.map_async(check, range(4)).get(timeout=60) == [1] * 4
go_on = False
for thread in threads:
    thread.join()
assert torch.get_num_threads() == 2
print("all is well")
"""


def run(path, cache, n_forks, n_threads):
    arguments = [str(argument) for argument in (path, cache, n_forks, n_threads)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout == "all is well\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["", "memory", "directory"])
def test_forks_encode_while_threads_are_busy(cache, model_path, tmp_path):
    place = tmp_path / "cache" if cache == "directory" else cache
    run(model_path, place, n_forks=4, n_threads=2)


def test_a_fork_waits_for_locks_of_all_levels_and_releases_them():
    low, high = Lock(), Lock(level=1)
    half_done, begun = [], threading.Event()

    def work():
        with high:
            begun.set()
            # Made, and taken, while a fork already waits for the one above.
            with Lock(), low:
                half_done.append(True)
                threading.Event().wait(0.2)
                half_done.pop()

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    child = os.fork()
    if not child:
        free = []

        def ask():
            free.extend([low.acquire(timeout=1), high.acquire(timeout=1)])

        asking = threading.Thread(target=ask)
        asking.start()
        asking.join()
        os._exit(0 if free == [True, True] and not half_done else 1)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
    with low, high:
        pass
