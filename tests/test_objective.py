"""What is no language model trains in the loop all the same."""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from tiny_runs import Interrupted, Watcher, assert_same_weights, differ, make_loop

from skelmo.training.checkpoint import Checkpointer
from skelmo.training.objective import Evaluation
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
        with torch.random.fork_rng():
            torch.manual_seed(options.seed)
            self.module = torch.nn.Sequential(
                torch.nn.Dropout(0.1), torch.nn.Linear(3, 1)
            )
        self.units_per_epoch = 50
        self.modes = []

    def batches(self, epoch):
        rng = np.random.default_rng([self.options.seed, epoch])
        return np.split(rng.permutation(50), [7, 20, 33])

    def n_units(self, batch):
        return len(batch)

    def loss(self, batch, rng):
        noise = torch.tensor(0.01 * rng.normal(size=(len(batch), 1))).float()
        return ((self.module(self.x[batch]) - self.y[batch] - noise) ** 2).mean()

    def evaluate(self):
        self.modes.append(self.module.training)
        if self.prescribed is not None:
            error = self.prescribed.pop(0)
        else:
            with torch.no_grad():
                error = ((self.module(self.x[50:]) - self.y[50:]) ** 2).mean().item()
        return Evaluation(error, error)

    def record(self, end, evaluation):
        return Row(end.epoch, end.n_tokens, end.learning_rate, evaluation.quality)


def trained(*, prescribed=None, observer=None, root=None, **options):
    """Return the loop and what it gave."""
    objective = Regression(replace(OPTIONS, **options), prescribed=prescribed)
    checkpointer = None if root is None else Checkpointer(root, "regression")
    loop = make_loop(objective, observer=observer, checkpointer=checkpointer)
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
