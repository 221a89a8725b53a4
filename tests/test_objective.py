"""What is no language model trains in the loop all the same."""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from tiny_runs import Interrupted, Watcher, assert_same_weights, differ, make_loop

from skelmo.nn.randomness import DrawnFrom, Dropout, torch_generator
from skelmo.training.checkpoint import Checkpointer
from skelmo.training.objective import Evaluation
from skelmo.training.progress import ProgressBar
from skelmo.training.state import TrainingOptions

OPTIONS = TrainingOptions(
    max_epochs=6, learning_rate_init=0.05, tol=0.0, n_iter_no_change=9,
    checkpoint_every=1,
)  # fmt: skip


class Row(NamedTuple):
    epoch: int
    n_rows: int
    rate: float
    squared_error: float

    @property
    def summary(self):
        return f"squared error {self.squared_error:.2f}"


class Regression:
    """Least squares with dropout of the inputs and noise on the targets."""

    record_type = Row
    worst_loss = 1e6

    def __init__(self, options, *, prescribed=None):
        rng = np.random.default_rng(options.seed)
        self.options, self.prescribed = options, prescribed
        x = rng.normal(size=(60, 3))
        self.x = torch.tensor(x, dtype=torch.float32)
        self.y = self.x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 1.0
        with DrawnFrom(torch.Generator().manual_seed(options.seed)):
            self.module = torch.nn.Sequential(Dropout(0.1), torch.nn.Linear(3, 1))
        self.units_per_epoch = 50
        self.modes, self.limits = [], []

    def batches(self, epoch):
        rng = np.random.default_rng([self.options.seed, epoch])
        return np.split(rng.permutation(50), [7, 20, 33])

    def n_units(self, batch):
        return len(batch)

    def loss(self, batch, rng):
        dropout, linear = self.module
        x = dropout(self.x[batch], torch_generator(rng))
        noise = torch.tensor(0.01 * rng.normal(size=(len(batch), 1))).float()
        return ((linear(x) - self.y[batch] - noise) ** 2).mean()

    def evaluate(self, max_units=None):
        self.modes.append(self.module.training)
        self.limits.append(max_units)
        if self.prescribed is not None:
            error = self.prescribed.pop(0)
        else:
            with torch.no_grad():
                error = ((self.module(self.x[50:]) - self.y[50:]) ** 2).mean().item()
        return Evaluation(error, error)

    def record(self, end, evaluation):
        return Row(end.epoch, end.n_tokens, end.learning_rate, evaluation.quality)


class Clock:
    """A clock that takes a second whenever it is looked at: a step lasts so long."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


def trained(*, prescribed=None, observer=None, root=None, clock=None, **options):
    """Return the loop and what it gave."""
    objective = Regression(replace(OPTIONS, **options), prescribed=prescribed)
    checkpointer = None if root is None else Checkpointer(root, "regression")
    loop = make_loop(
        objective,
        observer=observer,
        checkpointer=checkpointer,
        clock=clock or Clock(),
    )
    return loop, loop.run()


def test_a_regression_is_learnt():
    watcher = Watcher()
    loop, state = trained(observer=watcher, max_epochs=60)
    assert state.history[-1].squared_error < 0.1 * state.history[0].squared_error
    weight = loop.module[1].weight.detach().numpy()
    np.testing.assert_allclose(weight, [[1.0, -2.0, 0.5]], atol=0.3)
    assert watcher.epochs == state.history
    assert [row.n_rows for row in state.history[:3]] == [50, 100, 150]
    assert [n for _, n, _ in watcher.steps[:4]] == [7, 13, 13, 17]
    assert loop.objective.modes == [False] * len(state.history)


def test_the_progress_bar_shows_what_the_record_tells(capsys):
    bar = ProgressBar(2, 1, shows_perplexity=False)
    trained(observer=bar, prescribed=[3.0, 1.25], max_epochs=2)
    shown = capsys.readouterr().err
    assert "epoch 2/2: 100%" in shown
    assert ", squared error 1.25" in shown
    assert "perplexity" not in shown


@pytest.mark.parametrize("at", [2, 4, 5, 11])
def test_a_killed_run_taken_up_ends_with_the_same_bits(at, tmp_path):
    expected, state = trained()
    with pytest.raises(Interrupted, match="^the run was interrupted$"):
        trained(observer=Watcher(raise_at=at), root=tmp_path)
    watcher = Watcher()
    loop, again = trained(observer=watcher, root=tmp_path)
    assert len(watcher.steps) == state.n_steps - (at - 1)
    assert_same_weights(loop.module, expected.module)
    assert again.history == state.history
    assert all(isinstance(row, Row) for row in again.history)


def test_the_best_epoch_is_restored_when_training_stops_early():
    loop, state = trained(
        prescribed=[3.0, 1.0, 2.0, 4.0, 0.0], n_iter_no_change=2,
        learning_rate="constant", warmup=0.0,
    )  # fmt: skip
    assert [row.squared_error for row in state.history] == [3.0, 1.0, 2.0, 4.0]
    assert state.best_epoch == 2
    assert state.best_loss == 1.0
    options = {"learning_rate": "constant", "warmup": 0.0}
    assert_same_weights(loop.module, trained(max_epochs=2, **options)[0].module)
    assert differ(loop.module, trained(max_epochs=4, **options)[0].module)


def test_a_loss_beyond_the_worst_is_divergence():
    options = {"solver": "sgd", "learning_rate_init": 10.0, "warmup": 0.0}
    loop, state = trained(max_grad_norm=None, **options)
    assert state.diverged
    assert not state.last_loss < Regression.worst_loss
    assert all(math.isfinite(p.sum().item()) for p in loop.module.parameters())


@pytest.mark.parametrize("max_epochs", [5, 1000])
def test_a_run_that_time_ends_has_followed_its_schedule_to_the_end(max_epochs):
    watcher = Watcher()
    _, state = trained(
        observer=watcher, clock=Clock(), max_epochs=max_epochs, max_time=14.0,
        warmup=0.3, n_iter_no_change=1000,
    )  # fmt: skip
    rates = [rate for _, _, rate in watcher.steps]
    # A second for each step, and one for the validation of each epoch of four.
    assert len(rates) == 12
    top = int(np.argmax(rates))
    assert 1 <= top <= 6
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert max(rates) > 0.9 * OPTIONS.learning_rate_init
    assert rates[-1] < 0.2 * OPTIONS.learning_rate_init
    assert len(state.history) == 3


def test_an_epoch_that_time_cuts_short_ends_at_the_lowest_rate():
    _, state = trained(clock=Clock(), max_time=3.0, max_epochs=100)
    assert state.n_steps == 3
    (row,) = state.history
    assert row.rate == pytest.approx(0.01 * OPTIONS.learning_rate_init)


def test_time_that_is_no_bound_changes_nothing():
    expected, _ = trained()
    loop, state = trained(clock=Clock(), max_time=1e6)
    assert_same_weights(loop.module, expected.module)
    assert state.finished


def test_the_time_of_earlier_tries_counts(tmp_path):
    watcher = Watcher()
    options = {"max_time": 7.0, "max_epochs": 100}
    with pytest.raises(Interrupted, match="^the run was interrupted$"):
        trained(observer=Watcher(raise_at=4), root=tmp_path, **options)
    _, state = trained(observer=watcher, root=tmp_path, **options)
    # Three steps were kept, then come the fourth, a validation, and what is left.
    assert len(watcher.steps) == 3
    assert state.seconds == pytest.approx(8.0)
    whole = Watcher()
    trained(observer=whole, **options)
    assert [step[2] for step in watcher.steps] == [step[2] for step in whole.steps[3:]]


def test_the_time_of_validation_counts_when_a_run_goes_on_with_more(tmp_path):
    options = {"learning_rate": "constant", "warmup": 0.0}
    expected, _ = trained(**options)
    _, state = trained(root=tmp_path, max_time=6.0, **options)
    # Four steps, a validation and a step, and that validation besides.
    assert (state.n_steps, state.seconds) == (5, 7.0)
    taken_up = []
    watcher = Watcher()
    watcher.take_up = lambda state: taken_up.append((state.step, state.seconds))
    loop, state = trained(observer=watcher, root=tmp_path, **options)
    assert taken_up == [(1, 7.0)]
    assert state.seconds == 24 + 6 + 1
    assert_same_weights(loop.module, expected.module)


@pytest.mark.parametrize(
    ("max_time", "max_epochs", "limit"),
    [(40.0, 4, 12), (400.0, 4, 125), (40.0, 1, 50), (8.0, 99, 5), (3.0, 99, 3)],
)
def test_validations_share_a_tenth_of_the_time(max_time, max_epochs, limit):
    # As many epochs as are planned or have time. The first has 50 units in four
    # seconds, or is cut at 33 units in three.
    loop, _ = trained(max_time=max_time, max_epochs=max_epochs)
    assert set(loop.objective.limits) == {limit}
    unlimited, _ = trained(max_epochs=max_epochs)
    assert set(unlimited.objective.limits) == {None}


def test_the_sample_of_the_first_validation_is_kept(tmp_path):
    with pytest.raises(Interrupted, match="^the run was interrupted$"):
        trained(observer=Watcher(raise_at=7), root=tmp_path, max_time=20.0)
    for limit in (400.0, None):
        loop, state = trained(root=tmp_path, max_time=limit)
        assert set(loop.objective.limits) <= {5}
    assert state.max_validation == 5
