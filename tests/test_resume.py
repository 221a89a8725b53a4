"""A run that was killed and taken up again ends as one that was not."""

import logging
import random
import re
import time
from pathlib import Path

import numpy as np
import pytest
from forked import forked
from sklearn.model_selection import GridSearchCV
from tiny_runs import (
    PLAN,
    Interrupted,
    Watcher,
    assert_same_weights,
    differ,
    documents_of,
    run,
    weights_of,
)

from skelmo import ElmoLanguageModel
from skelmo.nn.bilm import BiLMConfig

WITH_WORDS = BiLMConfig(
    filters=((1, 4),), char_embedding_dim=4, hidden_size=8, proj_size=8,
    word_embedding_dim=8,
)  # fmt: skip


def fit(texts, parameters, out):
    """Train, and write the weights."""
    model = ElmoLanguageModel(**parameters).fit(texts)
    np.savez(out, **weights_of(model.network_))


def files_of(root):
    return sorted(Path(root).glob("*/*.checkpoint"))


def interrupt(at, root, **parameters):
    """Start a run that breaks off after so many steps."""
    watcher = Watcher(raise_at=at)
    with pytest.raises(Interrupted, match="^the run was interrupted$"):
        run(observer=watcher, **with_root(root, parameters))


def with_root(root, parameters):
    changes = {**parameters.pop("changes", {}), "checkpoint": str(root)}
    return {"checkpoint_every": 1, **parameters, "changes": changes}


@pytest.mark.slow
def test_a_killed_process_taken_up_ends_with_the_same_weights(texts, tiny, tmp_path):
    parameters = {
        **tiny, "batch_tokens": 64, "max_epochs": 6, "dropout": 0.2, "n_samples": 20,
        "learning_rate_init": 0.01, "word_embedding_dim": 3,
    }  # fmt: skip
    expected = ElmoLanguageModel(**parameters).fit(texts)
    out = tmp_path / "weights.npz"
    parameters |= {"checkpoint": str(tmp_path / "runs"), "checkpoint_every": 1}
    for target in (random.randrange(2, 25), random.randrange(45, 70)):
        child = forked(fit, texts, parameters, out)
        deadline = time.monotonic() + 120
        while not any(
            int(path.stem[5:]) >= target for path in files_of(tmp_path / "runs")
        ):
            assert child.is_alive(), "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(random.random() * 0.02)
        child.kill()
        child.join()
        assert child.exitcode != 0
        assert not out.exists()
    child = forked(fit, texts, parameters, out)
    child.join(timeout=120)
    assert child.exitcode == 0
    got = np.load(out)
    for name, array in weights_of(expected.network_).items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)
    # Whatever was being written when the process died is no checkpoint.
    assert len(files_of(tmp_path / "runs")) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"solver": "sgd"},
        {"solver": "sgd", "momentum": 0.0},
        {"solver": "rmsprop"},
        {"solver": "adagrad"},
        {"learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 9},
        {"softmax": "sampled", "n_samples": 9, "checkpoint_every": 2},
        {"early_stopping": False, "alpha": 0.1, "l1": 0.01},
        {"changes": {"config": WITH_WORDS, "tie_weights": True}, "word_dropout": 0.3},
    ],
    ids=[
        "adam",
        "sgd",
        "sgd-plain",
        "rmsprop",
        "adagrad",
        "adaptive",
        "sampled",
        "penalties",
        "tied",
    ],
)
def test_a_run_that_broke_off_twice_ends_with_the_same_weights(parameters, tmp_path):
    expected = run(**parameters)
    assert expected.state.n_steps >= 15
    interrupt(4, tmp_path, **parameters)
    interrupt(7, tmp_path, **parameters)
    got = run(**with_root(tmp_path, parameters))
    assert_same_weights(got.model, expected.model)
    assert got.state.n_tokens == expected.state.n_tokens
    for mine, yours in zip(got.state.history, expected.state.history, strict=True):
        np.testing.assert_equal(mine._replace(seconds=0), yours._replace(seconds=0))


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2, 6, 7, 8, 20])
def test_a_run_may_break_off_at_any_step(at, tmp_path):
    expected = run()
    interrupt(at, tmp_path)
    watcher = Watcher()
    got = run(observer=watcher, **with_root(tmp_path, {}))
    assert_same_weights(got.model, expected.model)
    # The step that broke off was not written, so it is the first to be taken again.
    assert len(watcher.steps) == expected.state.n_steps - (at - 1)
    assert watcher.taken_up == ([] if at == 1 else watcher.taken_up)
    if at > 1:
        assert watcher.taken_up[0][2] == at - 1


def test_the_best_epoch_is_known_after_an_interruption(tmp_path):
    parameters = {
        "documents": documents_of(24), "changes": {"validation_fraction": 0.3},
        "learning_rate": "constant", "learning_rate_init": 0.05, "warmup": 0.0,
        "max_epochs": 40, "n_iter_no_change": 2, "tol": 0.0,
    }  # fmt: skip
    expected = run(**parameters)
    assert expected.state.best_epoch == len(expected.state.history) - 2
    interrupt(expected.state.n_steps - 1, tmp_path, **parameters)
    got = run(**with_root(tmp_path, parameters))
    assert_same_weights(got.model, expected.model)
    assert got.state.best_epoch == expected.state.best_epoch


def test_an_interrupted_end_of_an_epoch_is_made_good(tmp_path):
    class Breaking(Watcher):
        def end_epoch(self, record):
            raise Interrupted("the run was interrupted")

    with pytest.raises(Interrupted, match="^the run was interrupted$"):
        run(observer=Breaking(), **with_root(tmp_path, {}))
    assert_same_weights(run(**with_root(tmp_path, {})).model, run().model)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-7])


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def flip_digest(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES = [truncate, halve, empty, flip, flip_digest]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(damage, tmp_path, caplog):
    interrupt(8, tmp_path)
    older, newest = files_of(tmp_path)
    damage(newest)
    watcher = Watcher()
    with caplog.at_level(logging.INFO, logger="skelmo"):
        got = run(observer=watcher, **with_root(tmp_path, {}))
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", f"{newest} is damaged; the checkpoint before it is used"),
        ("INFO", f"training goes on from {older}"),
    ]
    assert watcher.taken_up[0][2] == 6
    assert_same_weights(got.model, run().model)


@pytest.mark.parametrize("damage", DAMAGES)
def test_without_a_whole_checkpoint_a_run_starts_anew(damage, tmp_path):
    interrupt(8, tmp_path)
    for path in files_of(tmp_path):
        damage(path)
    watcher = Watcher()
    got = run(observer=watcher, **with_root(tmp_path, {}))
    assert watcher.taken_up == []
    assert len(watcher.steps) == got.state.n_steps
    assert_same_weights(got.model, run().model)


def test_a_run_started_anew_can_be_taken_up_before_it_passes_the_damaged(tmp_path):
    interrupt(12, tmp_path)
    for path in files_of(tmp_path):
        truncate(path)
    interrupt(5, tmp_path)
    watcher = Watcher()
    got = run(observer=watcher, **with_root(tmp_path, {}))
    assert watcher.taken_up[0][2] == 4
    assert_same_weights(got.model, run().model)


def test_leftovers_of_a_killed_write_do_no_harm(tmp_path):
    interrupt(6, tmp_path)
    directory = files_of(tmp_path)[0].parent
    (directory / ".writing-abc").write_bytes(b"half")
    (directory / "step-notes.txt").write_text("mine")
    got = run(**with_root(tmp_path, {}))
    assert_same_weights(got.model, run().model)
    assert (directory / "step-notes.txt").read_text() == "mine"


def test_two_checkpoints_are_kept(tmp_path):
    interrupt(2, tmp_path)
    assert [path.name for path in files_of(tmp_path)] == ["step-0000000001.checkpoint"]
    got = run(**with_root(tmp_path, {"checkpoint_every": 2}))
    last = got.state.n_steps
    names = [path.name for path in files_of(tmp_path)]
    assert len(names) == 2
    assert names[1] == f"step-{last:010d}.checkpoint"


def test_a_finished_run_returns_at_once(tmp_path):
    first = run(**with_root(tmp_path, {}))
    watcher = Watcher()
    again = run(observer=watcher, **with_root(tmp_path, {}))
    assert watcher.steps == watcher.begun == watcher.epochs == []
    assert_same_weights(again.model, first.model)
    assert again.state == first.state
    assert not again.model.training


@pytest.mark.parametrize(
    "parameters",
    [
        {"seed": 1},
        {"solver": "sgd"},
        {"learning_rate_init": 0.021},
        {"max_epochs": 4},
        {"batch_tokens": 65},
        {"early_stopping": False},
        {"changes": {"dropout": 0.2}},
        {"changes": {"min_count": 2}},
        {"changes": {"validation_fraction": 0.2}},
        {"documents": documents_of(41)},
        {"documents": documents_of(seed=5)},
        {"documents": documents_of()[::-1]},
        {"documents": [[[t for s in d for t in s]] for d in documents_of()]},
        {"documents": documents_of(), "n_train": 30},
        {"documents": documents_of(), "n_train": 31},
    ],
    ids=lambda p: " ".join(p),
)
def test_another_run_has_a_directory_of_its_own(parameters, tmp_path):
    for given in ({}, parameters):
        with pytest.raises(Interrupted, match="^the run was interrupted$"):
            run(observer=Watcher(raise_at=2), **with_root(tmp_path, dict(given)))
    assert len(list(tmp_path.iterdir())) == 2


def test_another_split_is_another_run(tmp_path):
    documents = documents_of(1) * 20  # of one vocabulary, wherever they are split
    for n_train in (10, 11):
        changes = {"checkpoint": str(tmp_path)}
        run(documents, n_train=n_train, changes=changes, max_epochs=1)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_does_not_matter_leaves_the_directory(tmp_path, tiny, texts):
    common = {**tiny, "checkpoint": tmp_path, "batch_tokens": 256}
    ElmoLanguageModel(**common).fit(texts)
    (directory,) = tmp_path.iterdir()
    for other in (
        {"verbose": 1},
        {"device": "cpu"},
        {"max_time": 1e6},
        {"checkpoint_every": 3},
        {"checkpoint_every": 0.5},
        {"checkpoint": str(tmp_path)},
    ):
        ElmoLanguageModel(**{**common, **other}).fit(texts)
        assert list(tmp_path.iterdir()) == [directory], other


def test_more_time_goes_on_to_the_same_end(tmp_path):
    expected = run()
    short = run(**with_root(tmp_path, {"max_time": 1e-9}))
    assert short.state.n_steps == 1
    assert not short.state.finished
    watcher = Watcher()
    got = run(observer=watcher, **with_root(tmp_path, {"max_time": 1e6}))
    assert watcher.taken_up == [(0, 1, 1)]
    assert_same_weights(got.model, expected.model)
    assert [r.train_loss for r in got.state.history] == [
        r.train_loss for r in expected.state.history
    ]


def test_an_observer_that_stops_can_be_followed_by_another(tmp_path):
    expected = run()
    n_steps = expected.state.n_steps // 3
    for stop_at in (n_steps, 2, 3):  # the first at the very end of an epoch
        run(observer=Watcher(stop_at=stop_at), **with_root(tmp_path, {}))
    got = run(**with_root(tmp_path, {}))
    assert_same_weights(got.model, expected.model)


class Blocking(Watcher):
    """Put a file in the place of the run's directory for some steps."""

    def __init__(self, root, first, last):
        super().__init__()
        self.root, self.first, self.last = root, first, last

    def end_step(self, *args):
        step = len(self.steps) + 1
        if step == self.first:
            (self.place,) = self.root.iterdir()
            self.kept = self.place.rename(self.root.with_name("kept"))
            self.place.touch()
        if step == self.last:
            self.place.unlink()
            self.kept.rename(self.place)
        return super().end_step(*args)


def test_a_checkpoint_that_cannot_be_written_stops_no_training(tmp_path, caplog):
    expected, root = run(), tmp_path / "root"
    watcher = Blocking(root, 4, 9)
    root.mkdir()
    message = (
        rf"^The checkpoint after step 4 could not be written to "
        rf"{re.escape(str(root))}/[0-9a-f]{{16}} \(File exists\)\. Training goes on, "
        r"and the next is tried when it is due\. Free space on the disk, or change "
        r"permissions\.$"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        got = run(observer=watcher, **with_root(root, {}))
    assert len(caught) == 1  # and the log has the others
    logged = {r.getMessage()[:28] for r in caplog.records if r.levelname == "WARNING"}
    assert sorted(logged) == [f"The checkpoint after step {k} " for k in range(5, 9)]
    assert_same_weights(got.model, expected.model)
    assert files_of(root)[-1].name == f"step-{expected.state.n_steps:010d}.checkpoint"


def test_a_place_for_checkpoints_that_cannot_be_made_is_told_at_once(tmp_path):
    (tmp_path / "file").touch()
    root, watcher = tmp_path / "file" / "root", Watcher()
    message = (
        f"checkpoint needs a directory that it can make and write to, got "
        f"{str(root)!r} (Not a directory). Choose another directory, or change its "
        f"permissions."
    )
    with pytest.raises(OSError, match=f"^{re.escape(message)}$"):
        run(observer=watcher, **with_root(root, {}))
    assert watcher.steps == []


def test_checkpoints_do_not_change_the_result(tmp_path):
    assert_same_weights(run(**with_root(tmp_path, {})).model, run().model)
    assert differ(run(seed=1).model, run().model)


def test_a_checkpoint_is_due_by_steps_or_by_minutes(tmp_path):
    def written(root, every, steps):
        interrupt(steps, root, checkpoint_every=every)
        return [int(path.stem[5:]) for path in files_of(root)]

    assert written(tmp_path / "int", 3, 6) == [3]
    assert written(tmp_path / "numpy", np.int64(3), 6) == [3]
    assert written(tmp_path / "often", 1e-9, 6) == [4, 5]
    assert written(tmp_path / "seldom", 10.0, 6) == []


@pytest.mark.slow
def test_a_search_in_two_processes_keeps_its_runs_apart(tmp_path, tiny, texts):
    model = ElmoLanguageModel(**{**tiny, "max_epochs": 2})
    grid = {"learning_rate_init": [0.001, 0.02]}
    X = texts + texts[::-1]
    expected = GridSearchCV(model, grid, cv=2).fit(X)
    model.set_params(checkpoint=tmp_path, checkpoint_every=1)
    got = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X)
    for key in ("split0_test_score", "split1_test_score"):
        np.testing.assert_allclose(
            got.cv_results_[key], expected.cv_results_[key], rtol=1e-6
        )
    assert len(list(tmp_path.iterdir())) == 2 * 2 + 1  # and the winner's, on all texts


def test_the_starting_weights_name_the_run(tmp_path, tiny, texts):
    model = ElmoLanguageModel(**tiny, warm_start=True, checkpoint=tmp_path)
    first = weights_of(model.fit(texts).network_)
    second = weights_of(model.fit(texts).network_)
    assert len(list(tmp_path.iterdir())) == 2
    assert any(not np.array_equal(first[name], second[name]) for name in first)


def test_the_plan_is_not_changed_by_a_run(tmp_path):
    changes = {"checkpoint": str(tmp_path)}
    before = repr(PLAN)
    run(changes=changes, max_epochs=1)
    assert repr(PLAN) == before


def test_checkpoints_that_cannot_be_found_again_are_warned_of(tiny, texts, tmp_path):
    tiny = {**tiny, "random_state": None, "checkpoint": str(tmp_path)}
    message = (
        f"checkpoint={str(tmp_path)!r} of ElmoLanguageModel will not be found again: "
        f"with random_state=None every run is another one. Set random_state to an "
        f"integer."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        ElmoLanguageModel(**tiny).fit(texts)
