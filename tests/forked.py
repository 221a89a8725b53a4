"""Processes forked off one that has imported the library, which takes seconds."""

import multiprocessing
import warnings

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["skelmo.training.ranks", "torch.distributed"])


def _call(function, given):
    warnings.simplefilter("ignore")
    function(*given)


def forked(function, *given):
    """Return a process that has begun to call a function of a test module."""
    process = CONTEXT.Process(target=_call, args=(function, given))
    process.start()
    return process
