"""Files and directories written whole or not at all."""

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from skelmo.files import (
    make_directory,
    remove_directory,
    remove_leftovers,
    replace_directory,
    replace_file,
    staged,
)

CONTENT = "new" * 50_000
NAMES = [f"file-{k}" for k in range(20)]


def names_in(directory):
    return sorted(path.name for path in directory.iterdir())


def write_file(path):
    replace_file(path, lambda temporary: temporary.write_text(CONTENT))


def fill(directory, content=CONTENT):
    for name in NAMES:
        (directory / name).write_text(content)


def write_directory(path, **options):
    replace_directory(path, fill, **options)


@pytest.fixture(params=["file", "directory"])
def kind(request, tmp_path):
    """Return a path, one function that writes there and one that reads."""
    path = tmp_path / "place" / "target"
    path.parent.mkdir()
    if request.param == "file":
        return path, replace_file, lambda: path.read_text()
    return path, replace_directory, lambda: (path / "a").read_text()


def put(content):
    def write(path):
        target = path / "a" if path.is_dir() else path
        target.write_text(content)

    return write


def test_what_is_written_takes_the_place_of_the_old(kind):
    path, replace, read = kind
    for content in ("first", "second"):
        replace(path, put(content))
        assert read() == content
        assert names_in(path.parent) == ["target"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_failing_writer_leaves_what_was_there(kind, is_there, error):
    path, replace, read = kind
    if is_there:
        replace(path, put("old"))

    def write(temporary):
        put("half")(temporary)
        raise error("the disk is full")

    with pytest.raises(error, match="^the disk is full$"):
        replace(path, write)
    assert names_in(path.parent) == ["target"] * is_there
    if is_there:
        assert read() == "old"


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("ENOSPC", ["Free space on the disk, or give another path."]),
        ("EROFS", ["Change the permissions, or give another path."]),
        ("EIO", []),
    ],
)
def test_errors_of_the_disk_say_what_to_do(kind, name, notes):
    path, replace, _ = kind
    number = getattr(errno, name)

    def fail(target):
        raise OSError(number, "said by the system", os.fspath(target))

    said = "\n".join([f"[Errno {number}] {os.strerror(number)}: '{path}'", *notes])
    with pytest.raises(OSError, match=f"^{re.escape(said)}$"):  # notes are matched too
        replace(path, fail)
    assert list(path.parent.iterdir()) == []


def test_a_writer_that_writes_nothing_leaves_what_was_there(tmp_path):
    write_file(tmp_path / "a")
    with pytest.raises(
        FileNotFoundError, match=r"^\[Errno 2\] No such file or directory: '.*'$"
    ):
        replace_file(tmp_path / "a", lambda temporary: None)
    assert names_in(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == CONTENT


def test_a_staged_file_that_nobody_moves_is_removed(tmp_path):
    with staged(tmp_path / "a", put("new")) as temporary:
        assert temporary.read_text() == "new"
        assert not (tmp_path / "a").exists()
    assert names_in(tmp_path) == []


KILLED = """
import sys, time
from pathlib import Path
from skelmo import files

def write(path):
    target = path / "a" if path.is_dir() else path
    with target.open("w") as file:
        file.write("half")
        file.flush()
        print("writing", flush=True)
        time.sleep(600)

getattr(files, sys.argv[1])(Path(sys.argv[2]), write)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("is_there", [False, True])
def test_a_killed_writer_leaves_what_was_there(kind, is_there):
    path, replace, read = kind
    if is_there:
        replace(path, put("old"))
    command = [sys.executable, "-c", KILLED, replace.__name__, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "writing\n"
        child.send_signal(signal.SIGKILL)
    assert path.exists() == is_there
    assert not is_there or read() == "old"
    (rubbish,) = [each for each in path.parent.iterdir() if each != path]
    assert rubbish.name.startswith(".target.")

    replace(path, put("new"))  # what may still be written is left alone
    assert read() == "new"
    assert rubbish.exists()
    os.utime(rubbish, (time.time() - 48 * 3600,) * 2)
    other = path.with_name("target.txt")
    replace(other, put("new"))  # of another name
    assert rubbish.exists()
    replace(path, put("newer"))
    assert names_in(path.parent) == ["target", "target.txt"]


def test_what_killed_processes_left_is_removed(tmp_path):
    path, temporary = tmp_path / "a.txt", f".a.txt.{'0f' * 8}.tmp"
    own = ["a.txt", ".a.txt.tmp", f".b.txt.{'0f' * 8}.tmp", f"{temporary}2"]
    for name in (*own, temporary):
        (tmp_path / name).touch()
    remove_leftovers(path, age=60)
    assert names_in(tmp_path) == sorted([*own, temporary])
    remove_leftovers(path)
    assert names_in(tmp_path) == sorted(own)


@pytest.mark.skipif(os.name == "nt", reason="needs permissions of POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_permissions_are_those_of_ordinary_files(tmp_path, mask):
    old = os.umask(mask)
    try:
        write_file(tmp_path / "a")
        write_directory(tmp_path / "b")
    finally:
        os.umask(old)

    def mode(path):
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(tmp_path / "a") == mode(tmp_path / "b" / NAMES[0]) == 0o666 & ~mask
    assert mode(tmp_path / "b") == 0o777 & ~mask


WRITER = """
import sys
from pathlib import Path
from skelmo.files import replace_directory

def write(path):
    for k in range(20):
        (path / f"file-{k}").write_text("new" * 50_000)

for k in range(20):
    path = Path(sys.argv[1]) / f"model-{k}"
    replace_directory(path, write, *[lambda path: True] * (sys.argv[2] == "stays"))
"""


@pytest.mark.parametrize("what", ["stays", "goes"])
def test_processes_that_make_the_same_directories(tmp_path, what):
    command = [sys.executable, "-W", "error", "-c", WRITER, str(tmp_path), what]
    children = [
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    n_read, wrong, place = 0, [], 0
    while any(child.poll() is None for child in children):
        place = (place + 1) % 20
        path = tmp_path / f"model-{place}"
        if not path.is_dir():
            continue
        try:
            found = sorted(os.listdir(path))  # noqa: PTH208
            texts = {(path / name).read_text() for name in found}
        except FileNotFoundError:  # replaced just now
            if what == "stays":
                raise
            continue
        n_read += 1
        if what == "stays" and (found != sorted(NAMES) or texts != {CONTENT}):
            wrong.append(found)
        if what == "goes" and not texts <= {CONTENT}:
            wrong.append(found)
    for child in children:
        assert child.communicate()[1] == ""
        assert child.returncode == 0
    assert wrong == []
    assert n_read > 20
    assert names_in(tmp_path) == sorted(f"model-{k}" for k in range(20))
    for path in tmp_path.iterdir():
        assert names_in(path) == sorted(NAMES)


def test_threads_that_write_the_same_file(tmp_path):
    path, wrong, is_over = tmp_path / "a", [], threading.Event()
    contents = [str(k) * 200_000 for k in range(4)]
    replace_file(path, put(contents[0]))

    def write(content):
        try:
            for _ in range(25):
                replace_file(path, put(content))
        except OSError as error:
            wrong.append(error)

    def read():
        while not is_over.is_set():
            if path.read_text() not in contents:
                wrong.append("a mixture")

    threads = [threading.Thread(target=write, args=(each,)) for each in contents]
    reader = threading.Thread(target=read)
    reader.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    is_over.set()
    reader.join()
    assert wrong == []
    assert names_in(tmp_path) == ["a"]


def test_a_directory_that_is_as_good_stays(tmp_path):
    path, asked = tmp_path / "a", []

    def stays(there):
        asked.append(there)
        return (there / "a").read_text() == "good"

    replace_directory(path, put("bad"), stays)
    assert asked == []
    inode = path.stat().st_ino
    replace_directory(path, put("good"), stays)
    assert path.stat().st_ino != inode
    inode = path.stat().st_ino
    replace_directory(path, put("better"), stays)
    assert path.stat().st_ino == inode
    assert asked == [path, path]
    assert names_in(tmp_path) == ["a"]


def test_an_empty_directory_is_filled(tmp_path):
    (tmp_path / "a").mkdir()
    write_directory(tmp_path / "a", stays=lambda path: True)
    assert names_in(tmp_path / "a") == sorted(NAMES)


def test_a_file_is_not_replaced_by_a_directory(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(
        NotADirectoryError, match=r"^\[Errno 20\] Not a directory: '.*'$"
    ):
        write_directory(tmp_path / "a")
    assert names_in(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_directory_is_removed_at_once(tmp_path, monkeypatch):
    path, seen = tmp_path / "a", []
    write_directory(path)
    unlink = os.unlink

    def looking(*arguments, **options):
        seen.append(path.exists())
        return unlink(*arguments, **options)

    monkeypatch.setattr(os, "unlink", looking)
    remove_directory(path)
    assert seen == [False] * len(NAMES)
    assert names_in(tmp_path) == []
    remove_directory(path)  # which is gone


def test_everything_is_on_the_disk_before_it_has_its_name(kind, monkeypatch):
    path, replace, read = kind
    steps, fsync, rename = [], os.fsync, os.rename

    def note(descriptor):
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        steps.append(re.sub(r"\.[0-9a-f]{16}\.tmp", "", name))
        return fsync(descriptor)

    def moved(function):
        def move(source, target):
            steps.append("rename")
            return function(source, target)

        return move

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", moved(os.replace))
    monkeypatch.setattr(os, "rename", moved(rename))
    replace(path, put("new"))
    inside = ["a"] if path.is_dir() else []
    assert steps == [*inside, ".target", "rename", "place"]
    assert read() == "new"


def test_a_directory_to_write_to_is_made(tmp_path):
    assert make_directory(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"
    assert make_directory(tmp_path / "a") == tmp_path / "a"
    (tmp_path / "c").touch()
    message = (
        f"{tmp_path / 'c'}: must be a directory to save to, found a file. Give "
        "another path."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make_directory(tmp_path / "c")
