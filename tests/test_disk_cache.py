"""Pooled activations kept in a directory: what is asked for, or nothing."""

import copy
import functools
import importlib
import inspect
import json
import os
import pickle
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import skelmo
from skelmo.encoding import disk_cache
from skelmo.encoding.activation_cache import CacheInfo
from skelmo.encoding.disk_cache import FILE_NAME, DiskCache

fcntl = None if os.name == "nt" else importlib.import_module("fcntl")

# A child process has the module and numpy alone: the package would import torch.
CHILD = """
import json, os, random, signal, sys, threading, time, types, warnings
root, arguments = sys.argv[1], json.loads(sys.argv[2])
for name, path in (("skelmo", root), ("skelmo.encoding", root + "/encoding")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [path]
import numpy as np
from skelmo.encoding.disk_cache import DiskCache
"""


def key_of(k):
    return k.to_bytes(16, "big")


def value_of(k):
    rows, columns = 1 + k % 3, 1 + k * 37 % 300
    value = np.arange(rows * columns, dtype=np.float32) / 7 + k
    return value.reshape(rows, 1, columns)


def put(cache, numbers):
    cache.put([key_of(k) for k in numbers], [value_of(k) for k in numbers])


def got(cache, numbers):
    found = cache.get([key_of(k) for k in numbers])
    kept = [k for k, value in zip(numbers, found, strict=True) if value is not None]
    for k, value in zip(numbers, found, strict=True):
        if value is not None:
            assert value.dtype == np.float32
            assert value.shape == value_of(k).shape
            assert (value == value_of(k)).all()
    return kept


COMMON = "\n".join(map(inspect.getsource, (key_of, value_of, put, got)))


def start(code, *arguments):
    """Start a child process."""
    command = [sys.executable, "-c", CHILD + COMMON + code]
    command += [str(Path(skelmo.__file__).parent), json.dumps(arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(*children):
    """Wait for child processes, and return what they wrote."""
    results = [child.communicate(timeout=60) for child in children]
    for child, (_, errors) in zip(children, results, strict=True):
        assert child.returncode == 0, errors.decode()
        assert errors == b""
    return [output.decode() for output, _ in results]


def run_threads(work, n):
    """Let threads work; raise what one of them raised."""
    errors = []

    def guarded(number):
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(k,)) for k in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def integrity(path):
    connection = sqlite3.connect(path)
    (found,) = connection.execute("PRAGMA integrity_check").fetchall()
    entries = connection.execute("SELECT count(*), sum(n_bytes) FROM activations")
    found += (entries.fetchone(),)
    connection.close()
    return found


def change(path, statement, *values):
    """Change the database behind the cache's back."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


@functools.cache
def entry_bytes():
    """Return what an entry counts beside its value."""
    with tempfile.TemporaryDirectory() as directory:
        cache = DiskCache(directory)
        cache.put([key_of(0)], [np.zeros(0, np.float32)])
        return cache.info().bytes


def size_of(k):
    return value_of(k).nbytes + entry_bytes()


def anew(cache, reason, n=1):
    """The sentences that say that a file was set aside."""
    return (
        rf"^DiskCache found {re.escape(str(cache.path))} damaged \({reason}\)\. It is "
        rf"now {re.escape(FILE_NAME)}\.damaged-{n}, and the cache starts anew\. Delete "
        rf"that file if nobody needs it\.$"
    )


@pytest.fixture
def cache(tmp_path):
    return DiskCache(tmp_path / "made" / "later")


def test_it_answers_as_a_dictionary_does(cache):
    rng, oracle, hits, misses = random.Random(0), {}, 0, 0
    other = DiskCache(cache.directory)
    for _ in range(110):
        one = rng.choice([cache, other])
        numbers = [rng.randrange(120) for _ in range(rng.randrange(12))]
        if rng.random() < 0.03:
            one.clear()
            oracle, hits, misses = {}, 0, 0
        if rng.random() < 0.5:
            put(one, numbers)
            misses += len(numbers)
            oracle.update((k, size_of(k)) for k in numbers)
        expected = [k for k in numbers[::-1] if k in oracle]
        assert got(one, numbers[::-1]) == expected
        hits += len(expected)
        counts = CacheInfo(hits, misses, len(oracle), sum(oracle.values()))
        assert cache.info() == other.info() == counts
    assert len(oracle) > 40
    assert integrity(cache.path) == ("ok", (len(oracle), sum(oracle.values())))


def test_nothing_is_made_before_it_is_needed(cache):
    assert cache.info() == CacheInfo(0, 0, 0, 0)
    cache.clear()
    assert not cache.directory.parent.exists()
    assert got(cache, [1, 2]) == []
    assert list(cache.directory.iterdir()) == []
    put(cache, [1])
    assert [path.name for path in cache.directory.iterdir()] == [FILE_NAME]
    assert cache.info() == CacheInfo(0, 1, 1, size_of(1))
    cache.clear()
    assert list(cache.directory.iterdir()) == []


@pytest.mark.parametrize(
    "value",
    [
        np.float32([[1, -0.0, np.nan, np.inf]]),
        np.zeros((4, 0, 3), np.float32),
        np.array(3, np.float32),
        np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1),
        np.arange(24, dtype=">f4")[::2],
    ],
    ids=["special", "empty", "scalar", "transposed", "swapped"],
)
def test_values_come_back_bit_for_bit(cache, value):
    cache.put([b"key"], [value])
    (found,) = cache.get([b"key"])
    assert found.dtype == np.float32
    assert found.shape == value.shape
    assert found.tobytes() == value.astype(np.float32).tobytes()
    assert not found.flags.writeable


def test_the_first_value_stays(cache):
    one, two = np.ones((1, 2), np.float32), np.zeros((3, 1), np.float32)
    cache.put([b"key", b"key"], [one, two])
    cache.put([b"key"], [two])
    np.testing.assert_array_equal(cache.get([b"key"])[0], one)
    assert cache.info() == CacheInfo(1, 3, 1, one.nbytes + entry_bytes())


def test_each_key_needs_a_value(cache):
    with pytest.raises(
        ValueError, match=r"^zip\(\) argument 2 is shorter than argument 1$"
    ):
        cache.put([b"a", b"b"], [np.zeros(1, np.float32)])
    assert not cache.path.exists()


def test_it_can_be_copied(cache, tmp_path, monkeypatch):
    put(cache, [1])
    for other in (pickle.loads(pickle.dumps(cache)), copy.deepcopy(cache)):
        assert (other.directory, other.max_bytes) == (cache.directory, 4 * 2**30)
        assert got(other, [1, 2]) == [1]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for other in (DiskCache("made/later"), DiskCache("~/made/later")):
        monkeypatch.chdir("/")
        assert got(other, [1, 2]) == [1]
        monkeypatch.chdir(tmp_path)
    odd = DiskCache(tmp_path / "a?mode=ro#%41 é")
    put(odd, [1])
    assert got(odd, [1]) == [1]
    assert odd.path.exists()


def test_it_keeps_no_more_than_it_may(tmp_path):
    bound = 60_000
    cache, rng = DiskCache(tmp_path, bound), random.Random(1)
    for _ in range(40):
        numbers = rng.sample(range(1000), 20)
        put(cache, numbers)
        info = cache.info()
        assert info.bytes <= bound
    assert info.bytes > bound - 4000  # the largest entry
    kept = got(cache, range(1000))
    assert info[2:] == (len(kept), sum(map(size_of, kept)))
    assert integrity(cache.path)[0] == "ok"
    # Pages are used again: 40 times 20 entries would take more than 1 MB.
    assert (
        sum(path.stat().st_size for path in tmp_path.iterdir()) < 4 * bound
    )  # with the log
    put(DiskCache(tmp_path, bound // 3), [2000])
    assert cache.info().bytes <= bound // 3
    assert got(cache, [2000]) == [2000]


@pytest.mark.parametrize("rest", [None, 0, 1])
def test_what_is_larger_than_the_bound_is_not_kept(tmp_path, rest):
    bound = 0 if rest is None else size_of(2) - rest
    cache = DiskCache(tmp_path, bound)
    put(cache, [2])
    kept = rest == 0
    assert cache.info() == CacheInfo(0, 1, kept, kept * size_of(2))


def test_a_data_set_larger_than_the_bound_is_found_in_part(tmp_path):
    value = np.zeros((4, 64), np.float32)
    cache = DiskCache(tmp_path, 100 * (value.nbytes + entry_bytes()))
    keys = [key_of(k) for k in range(150)]
    for _ in range(4):
        for start in range(0, 150, 10):
            part = keys[start : start + 10]
            found = cache.get(part)
            part = [k for k, v in zip(part, found, strict=True) if v is None]
            cache.put(part, [value] * len(part))
    info = cache.info()
    assert info.hits + info.misses == 4 * 150
    assert info.hits >= 0.2 * 3 * 150
    assert info.entries == 100


def test_what_is_new_takes_the_place_of_what_is_old(tmp_path):
    value = np.zeros(4, np.float32)
    cache = DiskCache(tmp_path, 500 * (value.nbytes + entry_bytes()))
    keys = [key_of(k) for k in range(3500)]
    cache.put(keys[:3000], [value] * 3000)
    cache.put(keys[3000:], [value] * 500)
    # SQLite's chance has no seed: 261 of them stay on average, with a deviation of 10.
    assert sum(found is not None for found in cache.get(keys[3000:])) > 200


def test_a_read_that_finds_nothing_does_not_write(cache, monkeypatch):
    put(cache, range(20))
    modes, connect = [], sqlite3.connect

    def noting(name, *args, **kwargs):
        modes.append(name.partition("?mode=")[2])
        return connect(name, *args, **kwargs)

    monkeypatch.setattr(sqlite3, "connect", noting)
    assert got(cache, range(100, 120)) == []
    cache.info()
    assert modes == ["ro", "ro"]
    assert got(cache, [1]) == [1]
    assert modes[2:] == ["ro", "rw"]


def test_counting_hits_does_not_wait_for_the_disk(cache):
    put(cache, range(20))
    log = Path(f"{cache.path}-wal")
    largest = grown = 0
    for _ in range(300):
        got(cache, range(20))
        size = log.stat().st_size if log.exists() else 0
        grown += size > 0
        largest = max(largest, size)
    # The log is copied back now and then, lest it grow.
    assert grown > 250
    assert largest < 300_000
    assert cache.info().hits == 6000


def test_threads_share_it(tmp_path):
    cache = DiskCache(tmp_path, 40_000)

    def work(seed):
        rng = random.Random(seed)
        for _ in range(15):
            put(cache, rng.sample(range(100), 5))
            got(cache, rng.sample(range(100), 20))

    run_threads(work, 4)
    assert cache.info().misses == 4 * 15 * 5
    assert cache.info().bytes <= 40_000
    assert integrity(cache.path) == ("ok", tuple(cache.info()[2:]))


WORK = """
directory, seed, bound, n_clears = arguments
rng, cache = random.Random(seed), DiskCache(directory, bound)
hits = misses = 0
for turn in range(45):
    numbers = rng.sample(range(200), 8)
    kept = got(cache, numbers)
    rest = [k for k in numbers if k not in kept]
    put(cache, rest)
    hits, misses = hits + len(kept), misses + len(rest)
    if turn < n_clears:
        cache.clear()
print(hits, misses)
"""


@pytest.mark.parametrize("n_clears", [0, 25])
def test_processes_share_it(tmp_path, n_clears):
    # All begin at once, with no file.
    children = [start(WORK, str(tmp_path), k, 60_000, n_clears) for k in range(4)]
    counts = [map(int, output.split()) for output in finish(*children)]
    cache = DiskCache(tmp_path, 60_000)
    info = cache.info()
    if not n_clears:
        assert info[:2] == tuple(map(sum, zip(*counts, strict=True)))
        assert info.hits > 50
    assert info.entries > 20
    assert info.bytes <= 60_000
    assert integrity(cache.path) == ("ok", info[2:])
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


BEGIN = """
def work(directory, at):
    cache = DiskCache(directory)
    while time.time() < at:
        pass
    for start in range(0, 9, 3):
        numbers = range(start, start + 3)
        if not got(cache, numbers):
            put(cache, numbers)

for turn in range(25):
    directory, at = f"{arguments[0]}/{turn}", time.time() + 0.01
    children = []
    for _ in range(3):
        children.append(os.fork())
        if not children[-1]:
            work(directory, at)
            os._exit(0)
    for child in children:
        assert not os.waitpid(child, 0)[1]
    info = DiskCache(directory).info()
    if info.entries != 9 or info.hits + info.misses != 27:
        print(info)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_processes_begin_a_file_at_once(tmp_path):
    assert finish(start(BEGIN, str(tmp_path))) == [""]


FORK = """
cache, stop = DiskCache(arguments[0]), threading.Event()

def work(seed):
    rng = random.Random(seed)
    while not stop.is_set():
        put(cache, rng.sample(range(1000), 3))
        got(cache, rng.sample(range(1000), 9))

warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
for thread in threads:
    thread.start()
for turn in range(12):
    child = os.fork()
    if not child:
        signal.alarm(20)
        put(cache, range(2000 + turn, 2003 + turn))
        os._exit(len(got(cache, range(2000 + turn, 2003 + turn))))
    time.sleep(0.01)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 3:
        print(status)
stop.set()
for thread in threads:
    thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_does_not_inherit_an_open_database(tmp_path):
    assert finish(start(FORK, str(tmp_path))) == [""]
    cache = DiskCache(tmp_path)
    assert len(got(cache, range(2000, 2014))) == 14
    assert integrity(cache.path) == ("ok", tuple(cache.info()[2:]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_no_fork_happens_while_a_database_is_open(cache, monkeypatch):
    inside, go_on, order = threading.Event(), threading.Event(), []
    connect = sqlite3.connect

    class Slow(sqlite3.Connection):
        def close(self):
            inside.set()
            go_on.wait(10)
            super().close()
            order.append("closed")

    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **kw: connect(*args, **kw, factory=Slow)
    )
    thread = threading.Thread(target=put, args=(cache, [1]))
    thread.start()
    inside.wait(10)
    timer = threading.Timer(0.2, go_on.set)
    timer.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os._exit(len(order))
    thread.join()
    timer.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


KILL = """
directory, bound = arguments
rng = random.Random(3)
for turn in range(50):
    heard, tell = os.pipe()
    child = os.fork()
    if not child:
        cache = DiskCache(directory, bound)
        if turn % 10 == 0:
            cache.clear()
        while True:
            os.write(tell, b".")
            put(cache, rng.sample(range(300), 12))
            got(cache, rng.sample(range(300), 12))
    for _ in range(rng.randrange(1, 4)):
        os.read(heard, 1)
    time.sleep(rng.random() * 0.01)
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    os.close(heard)
    os.close(tell)
    if turn % 10 in (1, 9):
        print(len(got(DiskCache(directory, bound), range(300))))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_killed_process_leaves_nothing_wrong(tmp_path):
    (output,) = finish(start(KILL, str(tmp_path), 100_000))
    assert max(map(int, output.split())) > 30  # it was killed while it was at work
    cache = DiskCache(tmp_path, 100_000)
    assert got(cache, range(300))
    info = cache.info()
    assert 0 < info.bytes <= 100_000
    assert integrity(cache.path) == ("ok", info[2:])
    assert not list(tmp_path.glob("*damaged*"))


@pytest.mark.parametrize("content", [b"", None], ids=["no-byte", "no-table"])
def test_a_file_that_was_only_begun_is_gone_on_with(cache, content):
    cache.directory.mkdir(parents=True)
    cache.path.write_bytes(b"")
    if content is None:
        change(cache.path, "PRAGMA journal_mode = WAL")
    assert got(cache, [1]) == []
    assert cache.info() == CacheInfo(0, 0, 0, 0)
    put(cache, [1])
    assert got(cache, [1]) == [1]
    cache.clear()


def test_a_flipped_bit_is_never_served(cache):
    put(cache, range(30))
    content, rng = cache.path.read_bytes(), random.Random(0)
    n_found = n_aside = 0
    for turn in range(40):
        flipped = bytearray(content)
        # Half of them in the first two pages, which have the header and the schema.
        place = rng.randrange(8192 if turn % 2 else len(content))
        flipped[place] ^= 1 << rng.randrange(8)
        cache.path.write_bytes(flipped)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            n_found += len(got(cache, range(30)))
            put(cache, range(30))
            cache.info()
            assert got(cache, range(30)) == list(range(30))
        cache.clear()
        for warning in caught:
            n_aside += 1
            assert re.match(anew(cache, ".*", n_aside), str(warning.message))
        names = [path.name for path in cache.directory.glob("*damaged-*[0-9]")]
        assert len(names) == n_aside
    # Where what is depends on chance.
    assert 300 < n_found < 1190
    assert 0 < n_aside < 40


@pytest.mark.parametrize("column", ["data", "shape", "checksum", "key"])
def test_an_entry_that_is_not_what_was_written_is_forgotten(cache, column):
    one = np.arange(12, dtype=np.float32)
    for shape in ((3, 4), (4, 3)):
        cache.put([b"%d" % shape[0]], [one.reshape(shape)])
    # What else is right comes from the other entry.
    other = f"(SELECT {column} FROM activations WHERE key = ?)"
    if column in ("data", "checksum"):
        other = "x'00'"
    if column == "key":
        change(cache.path, "UPDATE activations SET key = x'01' WHERE key = ?", b"4")
        change(cache.path, "UPDATE activations SET key = ? WHERE key = ?", b"4", b"3")
        change(cache.path, "UPDATE activations SET key = ? WHERE key = x'01'", b"3")
    elif column == "shape":
        change(
            cache.path,
            f"UPDATE activations SET shape = {other} WHERE key = ?", b"4", b"3",
        )  # fmt: skip
    else:
        change(
            cache.path, f"UPDATE activations SET {column} = {other} WHERE key = ?", b"3"
        )
    assert cache.get([b"3"]) == [None]
    assert cache.info().entries == 1
    assert cache.info().bytes == one.nbytes + entry_bytes()
    cache.put([b"3"], [one.reshape(3, 4)])
    np.testing.assert_array_equal(cache.get([b"3"])[0], one.reshape(3, 4))


def test_bytes_marked_as_text_are_still_bytes(cache):
    put(cache, range(20))
    change(cache.path, "UPDATE activations SET data = CAST(data AS TEXT)")
    assert got(cache, range(20)) == list(range(20))


MESSAGES = {
    "text": "file is not a database",
    "cut": "database disk image is malformed",
    "version": "file is of another version or program",
    "application": "file is of another version or program",
    "foreign": "file is of another version or program",
    "table": "no such table: activations",
    "counts": "counts are wrong",
}


def damage(path, how):
    changes = {
        "version": "PRAGMA user_version = 2",
        "application": "PRAGMA application_id = 0",
        "table": "DROP TABLE activations",
        "counts": "UPDATE counts SET bytes = -1",
        "foreign": "CREATE TABLE theirs (a)",
    }
    if how == "text":
        path.write_bytes(b"What is this? " * 1000)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:9000])
    else:
        if how == "foreign":
            path.unlink()
        change(path, changes[how])


@pytest.mark.parametrize("how", MESSAGES)
@pytest.mark.parametrize("first", ["get", "put", "info"])
def test_a_damaged_file_is_set_aside(cache, how, first):
    actions = {
        "get": lambda: got(cache, [1]),
        "put": lambda: put(cache, [3]),
        "info": lambda: cache.info(),
    }
    if (how, first) in (("counts", "get"), ("table", "info"), ("counts", "put")):
        actions[first] = lambda: (put(cache, [3]), got(cache, [1]), cache.info())
    for n in (1, 2):
        put(cache, range(20))
        damage(cache.path, how)
        content = cache.path.read_bytes()
        with pytest.warns(UserWarning, match=anew(cache, MESSAGES[how], n)) as caught:
            actions[first]()
        assert len(caught) == 1
        assert Path(caught[0].filename) == Path(__file__)
        aside = cache.directory / f"{FILE_NAME}.damaged-{n}"
        if how == "text":
            assert aside.read_bytes() == content
        put(cache, [1, 2])
        assert got(cache, [1, 2, 5]) == [1, 2]
        cache.clear()
        assert aside.exists()


def test_its_log_goes_with_it(cache):
    put(cache, [1])
    log = Path(f"{cache.path}-wal")
    log.write_bytes(b"x" * 5000)
    cache.path.write_bytes(b"x" * 5000)
    with pytest.warns(UserWarning, match=anew(cache, "file is not a database")):
        assert got(cache, [1]) == []
    aside = cache.directory / f"{FILE_NAME}.damaged-1-wal"
    assert aside.read_bytes() == b"x" * 5000
    assert not log.exists()


RACE = """
cache = DiskCache(arguments[0])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    while time.time() < arguments[1]:
        pass
    got(cache, range(20))
    put(cache, range(arguments[2], arguments[2] + 5))
print(len(caught))
"""


def test_one_of_those_who_find_the_damage_at_once_sets_it_aside(cache):
    put(cache, [1])
    damage(cache.path, "text")
    at = time.time() + 0.8
    children = [start(RACE, str(cache.directory), at, 100 * k) for k in range(4)]
    assert sorted(finish(*children)) == ["0\n"] * 3 + ["1\n"]
    assert len(list(cache.directory.glob("*damaged-*[0-9]"))) == 1
    for k in range(4):
        numbers = list(range(100 * k, 100 * k + 5))
        assert got(cache, numbers) == numbers


@pytest.mark.skipif(os.name == "nt", reason="needs locks of POSIX")
def test_a_fresh_file_is_not_set_aside_for_the_damage_of_the_last(cache, monkeypatch):
    put(cache, [1])
    damage(cache.path, "text")
    flock = fcntl.flock

    def late(handle, how):
        """Let another process be faster, which then sets about its own file."""
        if how & fcntl.LOCK_EX:
            monkeypatch.setattr(fcntl, "flock", flock)
            cache.path.rename(f"{cache.path}.damaged-1")
            finish(start("put(DiskCache(arguments[0]), [2])", str(cache.directory)))
        return flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert got(cache, [1, 2]) == [2]
    assert len(list(cache.directory.glob("*damaged-*[0-9]"))) == 1


@contextmanager
def in_use(cache):
    """Let another process have the directory's file open."""
    handle = os.open(cache.directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


@pytest.mark.skipif(os.name == "nt", reason="needs locks of POSIX")
def test_nothing_is_renamed_or_deleted_while_it_is_open(cache, monkeypatch):
    put(cache, [1])
    inode = cache.path.stat().st_ino
    monkeypatch.setattr(disk_cache, "PATIENCE", 0.05)
    with in_use(cache):
        cache.clear()  # deletes the entries alone
        assert cache.path.stat().st_ino == inode
        assert cache.info() == CacheInfo(0, 0, 0, 0)
        put(cache, [2])
        assert got(cache, [1, 2]) == [2]
        damage(cache.path, "text")
        with pytest.warns(UserWarning, match=not_kept(cache, "damaged, and in use")):
            put(cache, [3])
        assert cache.path.stat().st_ino == inode
    with pytest.warns(UserWarning, match=anew(cache, "file is not a database")):
        put(cache, [3])
    assert got(cache, [3]) == [3]


def unusable(path, reason):
    return (
        rf"^DiskCache needs a directory that it can make and write to, got "
        rf"{re.escape(repr(str(path)))} \({reason}\)\. Choose another directory, or "
        rf"change its permissions\.$"
    )


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    for name, reason in (("file", "File exists"), ("file/below", "Not a directory")):
        cache = DiskCache(tmp_path / name)
        for use in (lambda c=cache: got(c, [1]), lambda c=cache: put(c, [1])):
            with pytest.raises(OSError, match=unusable(tmp_path / name, reason)):
                use()
        assert cache.info() == CacheInfo(0, 0, 0, 0)


def as_if_read_only(monkeypatch, path):
    """Root may write anywhere: let the system say that it may not."""
    access = os.access
    monkeypatch.setattr(
        os, "access",
        lambda p, mode: Path(p) != path and access(p, mode),
    )  # fmt: skip


@pytest.mark.parametrize("what", ["directory", "path"])
def test_what_may_not_be_written(cache, monkeypatch, what):
    put(cache, [1])
    as_if_read_only(monkeypatch, getattr(cache, what))
    message = unusable(cache.directory, "Permission denied")
    for use in (lambda: got(cache, [1]), lambda: put(cache, [1]), cache.info):
        with pytest.raises(OSError, match=message):
            use()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_read_only_directory(cache):
    put(cache, [1])
    cache.directory.chmod(0o500)
    try:
        with pytest.raises(
            OSError, match=unusable(cache.directory, "Permission denied")
        ):
            got(cache, [1])
    finally:
        cache.directory.chmod(0o700)


def not_kept(cache, reason):
    return (
        rf"^DiskCache cannot keep activations in {re.escape(str(cache.path))} "
        rf"\({reason}\)\. They are computed again when needed\. Free space on the "
        rf"disk, or choose another directory\.$"
    )


def test_a_locked_file_keeps_nothing_and_stops_nobody(cache, monkeypatch):
    monkeypatch.setattr(disk_cache, "PATIENCE", 0.05)
    put(cache, [1])
    other = sqlite3.connect(cache.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.warns(UserWarning, match=not_kept(cache, "database is locked")) as said:
        put(cache, [2])
    assert Path(said[0].filename) == Path(__file__)
    put(cache, [3])  # it has said so once
    assert got(cache, [1, 2, 3]) == [1]  # found, but not counted
    assert cache.info() == CacheInfo(0, 1, 1, size_of(1))
    with in_use(cache):
        message = (
            rf"^DiskCache cannot use {re.escape(str(cache.path))} \(database is "
            rf"locked\)\. Try again, or delete it while no process uses it\.$"
        )
        with pytest.raises(OSError, match=message):
            cache.clear()
    other.execute("ROLLBACK")
    other.close()
    put(cache, [2])
    assert got(cache, [1, 2, 3]) == [1, 2]
    assert not list(cache.directory.glob("*damaged*"))


class Small(sqlite3.Connection):
    """A connection to a file that may not grow."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.execute("PRAGMA max_page_count = 30")


def test_a_full_disk_keeps_nothing_and_stops_nobody(cache, monkeypatch):
    put(cache, [1])
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **kw: connect(*args, **kw, factory=Small)
    )
    message = not_kept(cache, "database or disk is full")
    with pytest.warns(UserWarning, match=message):
        put(cache, range(2, 200))
    put(cache, range(2, 200))
    assert got(cache, range(200)) == [1]
    put(cache, [2])
    assert got(cache, [1, 2]) == [1, 2]
    assert integrity(cache.path) == ("ok", (2, size_of(1) + size_of(2)))


def test_a_directory_is_complained_of_once_in_a_process(cache, monkeypatch):
    connect = sqlite3.connect
    others = [DiskCache(cache.directory.with_name(f"other-{k}")) for k in range(2)]
    for each in (cache, *others):
        put(each, [1])
    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **kw: connect(*args, **kw, factory=Small)
    )
    for each in (cache, *others):
        message = not_kept(each, "database or disk is full")
        with pytest.warns(UserWarning, match=message):
            put(DiskCache(each.directory), range(2, 200))
    for each in (cache, *others):  # where a warning is an error
        put(DiskCache(each.directory), range(2, 200))
        put(pickle.loads(pickle.dumps(each)), range(2, 200))


def test_a_mistake_of_the_caller_is_no_damage(cache):
    put(cache, [1])
    with pytest.raises(
        sqlite3.ProgrammingError,
        match="^Error binding parameter 1: type 'object' is not",
    ):
        cache.get([object()])
    assert got(cache, [1]) == [1]


def test_a_damaged_file_that_cannot_be_renamed_stops_nobody(cache, monkeypatch):
    put(cache, [1])
    damage(cache.path, "text")

    def refuse(self, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    assert got(cache, [1]) == []
    with pytest.warns(UserWarning, match=not_kept(cache, ".*Permission denied")):
        put(cache, [1])
