"""What a fork must not break: locks that other threads hold, and torch's threads."""

from __future__ import annotations

import functools
import os
import sys
import threading
import weakref
from _thread import RLock

_locks: weakref.WeakValueDictionary[int, Lock] = weakref.WeakValueDictionary()
_held: list[Lock] = []  # by the fork that is going on, which is one at a time


class Lock(RLock):  # type: ignore[misc]  # final in stubs, but not in CPython
    """A lock that a fork waits for, so that what it guards is whole in the child.

    Re-entrant, as it may be held by the thread that forks. It is taken and let go by no
    code in Python, where an interrupt could come between and leave it held for ever.

    Parameters
    ----------
    level : int, default=0
        Greater than that of any lock that is taken while it is held: a fork takes all
        locks, those of a higher level first, and so cannot end in a deadlock.
    """

    def __new__(cls, level: int = 0) -> Lock:
        """Make a lock that nobody holds."""
        return super().__new__(cls)

    def __init__(self, level: int = 0) -> None:
        self.level = level
        _locks[id(self)] = self
        _take_care_in_forks()


def _all() -> list[Lock]:
    """Return all locks there are, whatever other threads make of them meanwhile."""
    found = [reference() for reference in _locks.valuerefs()]
    return [lock for lock in found if lock is not None]


@functools.cache
def _take_care_in_forks() -> None:
    if hasattr(os, "register_at_fork"):  # but on Windows, which does not fork
        os.register_at_fork(
            before=_hold, after_in_parent=_release, after_in_child=_begin_in_child
        )


def _hold() -> None:
    # Asked for anew at each level: what is held can keep others from being made.
    for level in sorted({each.level for each in _all()}, reverse=True):
        for each in _all():
            if each.level == level:
                each.acquire()
                _held.append(each)


def _release() -> None:
    while _held:
        _held.pop().release()


def _begin_in_child() -> None:
    _release()
    # The threads that torch computes with are not there: it would wait for them.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "tqdm" in sys.modules:
        sys.modules["tqdm"].tqdm.set_lock(threading.RLock())
