"""Ctrl-C in training: nothing is half done, and no step is lost."""

import os
import signal
import threading

import pytest
from tiny_runs import assert_same_weights, documents_of, run

from skelmo.training.checkpoint import Checkpointer
from skelmo.training.interruption import uninterrupted
from skelmo.training.language_modeling import LanguageModeling
from skelmo.training.loop import Loop

GIVEN = {"max_epochs": 2, "checkpoint_every": 10_000, "learning_rate": "adaptive"}
# Where Ctrl-C comes, how often that is passed before, and the steps that are kept.
PLACES = {
    "in a loss": (LanguageModeling, "loss", 3, 3),
    "while weights change": (Loop, "_step", 3, 4),
    "in a validation": (LanguageModeling, "evaluate", 1, None),
    "while an epoch is noted": (LanguageModeling, "record", 0, None),
    "in the first step": (LanguageModeling, "loss", 0, 0),
}


@pytest.fixture(scope="module")
def expected():
    """Return a run that nothing has broken off."""
    return run(documents_of(30), **GIVEN)


def broken_off(monkeypatch, place, n_before, root, documents):
    """Train until Ctrl-C comes."""
    owner, name = place
    original, calls = getattr(owner, name), []

    def stopping(self, *given):
        result = original(self, *given)
        calls.append(name)
        if len(calls) == n_before + 1:
            signal.raise_signal(signal.SIGINT)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stopping)
        with pytest.raises(KeyboardInterrupt, match="^$"):
            run(documents, changes={"checkpoint": str(root)}, **GIVEN)


@pytest.mark.parametrize("case", PLACES)
def test_no_step_is_lost(case, expected, monkeypatch, tmp_path):
    *place, n_before, n_kept = PLACES[case]
    broken_off(monkeypatch, place, n_before, tmp_path, documents_of(30))
    steps = [int(path.stem[5:]) for path in tmp_path.glob("*/step-*.checkpoint")]
    if n_kept is not None:
        assert max(steps, default=0) == n_kept
    began = []
    read = Checkpointer.read

    def noting(self):
        began.append(read(self))
        return began[-1]

    monkeypatch.setattr(Checkpointer, "read", noting)
    again = run(documents_of(30), changes={"checkpoint": str(tmp_path)}, **GIVEN)
    assert (began[0] is None) == (not steps)
    assert_same_weights(again.model, expected.model)
    assert again.state.n_steps == expected.state.n_steps
    assert [r.epoch for r in again.state.history] == [1, 2]


def test_an_interrupt_that_cannot_wait_leaves_no_half_step(
    expected, monkeypatch, tmp_path
):
    # Somebody else's handler may raise in the middle of a step.
    def raising(*given):
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGINT, raising)
    try:
        broken_off(monkeypatch, (Loop, "_step"), 3, tmp_path, documents_of(30))
    finally:
        signal.signal(signal.SIGINT, usual)
    assert not list(tmp_path.glob("*/step-*.checkpoint"))
    again = run(documents_of(30), changes={"checkpoint": str(tmp_path)}, **GIVEN)
    assert_same_weights(again.model, expected.model)


def test_it_waits_for_the_end_of_the_block():
    done = []

    def block():
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt, match="^$"):
        block()
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_in_the_block_comes_first():
    def block():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("the block")

    with pytest.raises(ValueError, match="^the block$"):
        block()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_have_no_signals():
    found = []

    def work():
        with uninterrupted():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]
