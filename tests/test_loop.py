"""What each option of a training run does."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from tiny_runs import (
    OPTIONS,
    PLAN,
    Watcher,
    assert_same_weights,
    differ,
    documents_of,
    make_loop,
    make_objective,
    run,
    weights_of,
)

from skelmo.nn.randomness import Dropout
from skelmo.training.optimizer import SOLVERS
from skelmo.training.schedule import SCHEDULES, learning_rate_at

RATES = {"adam": 0.02, "sgd": 1.0, "rmsprop": 0.005, "adagrad": 0.4}


def norm_of(before, after):
    """Return the length of the way from weights to weights."""
    return math.sqrt(sum(float(((after[k] - before[k]) ** 2).sum()) for k in before))


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_learns_under_every_schedule(solver, schedule):
    result = run(
        solver=solver,
        learning_rate=schedule,
        learning_rate_init=RATES[solver],
        batch_tokens=32,
        max_epochs=4,
        changes={"dropout": 0.0},
    )
    losses = [record.train_loss for record in result.state.history]
    assert len(losses) == 4
    # Guessing among the 27 words costs 3.3 nats; the grammar leaves 1.1 of them.
    assert losses[0] < 3.4
    assert losses[-1] < losses[0] - 0.2
    perplexities = [r.validation_perplexity for r in result.state.history]
    assert perplexities[-1] < perplexities[0]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_steps_are_taken_at_the_rate_of_the_schedule(schedule):
    watcher = Watcher()
    run(observer=watcher, learning_rate=schedule, tol=0.0, n_iter_no_change=9)
    done, planned = 0, sum(n for _, n, _ in watcher.steps)
    for _, n_tokens, rate in watcher.steps:
        expected = learning_rate_at(
            (done + n_tokens / 2) / planned, schedule=schedule,
            initial=OPTIONS.learning_rate_init, warmup=OPTIONS.warmup,
        )  # fmt: skip
        assert rate == pytest.approx(expected, rel=1e-12)
        done += n_tokens


def test_a_single_step_learns():
    start = run(max_epochs=1, learning_rate_init=1e-30)
    result = run(max_epochs=1, batch_tokens=10**6)
    assert result.state.n_steps == 1
    assert differ(result.model, start.model)


def test_alpha_shrinks_the_matrices():
    def size(alpha):
        weights = weights_of(run(alpha=alpha, learning_rate="constant").model)
        return sum(float(np.abs(w).sum()) for w in weights.values() if w.ndim > 1)

    assert size(1.0) < 0.9 * size(0.1) < 0.95 * size(0.0)


def test_l1_makes_exact_zeros_of_the_matrices_alone():
    def share(l1):
        weights = weights_of(run(l1=l1).model)
        zeros = {
            k: (w == 0).mean() for k, w in weights.items() if "lstm" in k and w.ndim > 1
        }
        biases = [w for k, w in weights.items() if "lstm" in k and w.ndim == 1]
        assert all((b != 0).any() for b in biases)
        return float(np.mean(list(zeros.values())))

    assert share(0.0) == 0.0
    assert 0.0 < share(0.1) < share(1.0)


def test_dropout_applies_in_training(monkeypatch):
    seen = []
    forward = Dropout.forward

    def spy(self, x, generator=None):
        seen.append((self.rate, self.training))
        return forward(self, x, generator)

    monkeypatch.setattr(Dropout, "forward", spy)
    plan = replace(PLAN, dropout=0.25)
    make_loop(make_objective(validation=(0, 1), plan=plan, max_epochs=2)).run()
    assert {p for p, _ in seen} == {0.25}
    modes = [training for _, training in seen]
    turns = [k for k in range(1, len(modes)) if modes[k] != modes[k - 1]]
    # Steps, evaluation, steps, evaluation.
    assert modes[0]
    assert len(turns) == 3


@pytest.mark.parametrize("bound", [0.01, 1.0])
def test_max_grad_norm_bounds_the_length_of_a_step(bound, monkeypatch):
    norms, clip = [], torch.nn.utils.clip_grad_norm_

    def spy(parameters, max_norm):
        norms.append(float(clip(parameters, max_norm)))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", spy)
    objective = make_objective(
        max_grad_norm=bound, solver="sgd", momentum=0.0, learning_rate="constant",
        warmup=0.0, learning_rate_init=0.1, max_epochs=1,
    )  # fmt: skip
    loop, passed = make_loop(objective), [weights_of(objective.module)]
    loop.observer.end_step = lambda *told: passed.append(weights_of(objective.module))
    loop.run()
    assert len(norms) == len(passed) - 1 > 3
    for norm, (before, after) in zip(norms, pairwise(passed), strict=True):
        expected = 0.1 * min(bound, norm)
        assert norm_of(before, after) == pytest.approx(expected, rel=1e-3)
        assert norm > 0.01


def test_early_stopping_restores_the_best_epoch():
    options = {"learning_rate": "constant", "learning_rate_init": 0.05, "warmup": 0.0}
    documents = documents_of(24)
    changes = {"validation_fraction": 0.3}
    result = run(
        documents,
        changes=changes,
        max_epochs=40,
        n_iter_no_change=2,
        tol=0.0,
        **options,
    )
    perplexities = [r.validation_perplexity for r in result.state.history]
    best = int(np.argmin(perplexities)) + 1
    assert result.state.best_epoch == best
    assert len(perplexities) == best + 2 < 40
    # At a constant rate the plan for more epochs does not change the first ones.
    expected = run(documents, changes=changes, max_epochs=best, **options)
    assert_same_weights(result.model, expected.model)


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_a_gain_below_tol_is_none(patience):
    result = run(max_epochs=9, tol=100.0, n_iter_no_change=patience)
    # The first epoch improves on nothing, whatever the tolerance.
    assert len(result.state.history) == 1 + patience
    assert result.state.finished
    perplexities = [r.validation_perplexity for r in result.state.history]
    assert result.state.best_epoch == int(np.argmin(perplexities)) + 1


def test_without_validation_the_last_epoch_is_kept():
    loop = make_loop(make_objective(learning_rate_init=0.05, max_epochs=2))
    kept = []
    loop.observer.end_epoch = lambda record: kept.append(weights_of(loop.module))
    state = loop.run()
    assert state.best_epoch == 2
    for name, array in weights_of(loop.module).items():
        np.testing.assert_array_equal(array, kept[-1][name])


@pytest.mark.parametrize("max_epochs", [1, 2, 5])
def test_max_epochs_is_the_number_of_passes(max_epochs):
    watcher = Watcher()
    result = run(observer=watcher, max_epochs=max_epochs, n_iter_no_change=9)
    assert [r.epoch for r in result.state.history] == list(range(1, max_epochs + 1))
    assert [epoch for epoch, _, _ in watcher.begun] == list(range(max_epochs))
    per_epoch = result.state.history[0].n_tokens
    assert [r.n_tokens for r in watcher.epochs] == [
        per_epoch * (k + 1) for k in range(max_epochs)
    ]
    assert sum(n for _, n, _ in watcher.steps) == result.state.n_tokens


def slow_loop(**options):
    """Return a loop in which each look at the clock takes a second, and so a step."""
    now = iter(range(10**6))
    return make_loop(
        make_objective(validation=(0, 1), **options), clock=lambda: float(next(now))
    )


def test_max_time_stops_within_an_epoch():
    state = slow_loop(max_time=4.5).run()
    assert state.n_steps == 5
    (record,) = state.history
    assert record.seconds == pytest.approx(6.0)  # the evaluation counts as well
    assert not math.isnan(record.validation_perplexity)


def test_max_time_that_ends_between_epochs_makes_no_epoch():
    n_steps = slow_loop(max_epochs=1).run().n_steps
    state = slow_loop(max_time=n_steps + 1.0).run()  # the steps, and the evaluation
    assert state.n_steps == n_steps
    assert [r.epoch for r in state.history] == [1]
    assert state.history[0].train_loss > 0


def test_adaptive_divides_the_rate_by_five_when_validation_stalls():
    watcher = Watcher()
    run(
        observer=watcher, learning_rate="adaptive", warmup=0.0, tol=100.0,
        n_iter_no_change=3, max_epochs=9,
    )  # fmt: skip
    n = watcher.begun[0][1]
    rates = [watcher.steps[n * k][2] for k in range(4)]
    expected = 0.02 * np.array([1.0, 1.0, 0.2, 0.04])
    np.testing.assert_allclose(rates, expected)
    recorded = [record.learning_rate for record in watcher.epochs]
    np.testing.assert_allclose(recorded, expected)


@pytest.mark.parametrize("rate", [1e4, 1e30])
def test_divergence_keeps_finite_weights(rate):
    message = r"^The loss of pretrain became .*; the weights of .* are kept\. Lower "
    with pytest.warns(ConvergenceWarning, match=message):
        result = run(learning_rate_init=rate, warmup=0.0, max_grad_norm=None)
    assert result.state.diverged
    assert all(np.isfinite(w).all() for w in weights_of(result.model).values())


def test_a_last_step_that_spoils_the_weights_is_divergence(monkeypatch):
    loop = make_loop(make_objective(batch_tokens=10**6, max_epochs=1))
    start = weights_of(loop.module)
    step = loop.optimizer.step

    def spoil():
        step()
        with torch.no_grad():
            loop.module.softmax.bias[0] = math.inf

    monkeypatch.setattr(loop.optimizer, "step", spoil)
    state = loop.run()
    assert state.diverged
    assert math.isnan(state.last_loss)
    for name, array in weights_of(loop.module).items():
        np.testing.assert_array_equal(array, start[name])


def test_the_seed_decides_everything():
    assert_same_weights(run().model, run().model)
    assert differ(run().model, run(seed=1).model)
    first, second = (run(seed=k, max_epochs=1).state.history[0] for k in (0, 1))
    assert first.validation_perplexity != second.validation_perplexity


def test_global_generators_are_left_alone():
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    run(changes={"dropout": 0.3}, n_samples=5, max_epochs=1)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_equal(np.random.get_state(), before[1])  # noqa: NPY002


def test_the_global_generators_do_not_matter():
    torch.manual_seed(1)
    first = run(changes={"dropout": 0.3}, max_epochs=1)
    torch.manual_seed(2)
    assert_same_weights(run(changes={"dropout": 0.3}, max_epochs=1).model, first.model)


def test_steps_and_epochs_are_told_to_the_observer():
    watcher = Watcher()
    result = run(observer=watcher, max_epochs=2)
    assert watcher.taken_up == []
    assert watcher.epochs == result.state.history
    n = result.state.n_steps // 2
    assert watcher.begun == [(0, n, 0), (1, n, 0)]
    for k, record in enumerate(watcher.epochs):
        steps = watcher.steps[n * k : n * (k + 1)]
        losses, tokens, _ = np.array(steps).T
        assert record.train_loss == pytest.approx(
            (losses * tokens).sum() / tokens.sum()
        )


def test_an_observer_may_stop_the_run():
    result = run(observer=Watcher(stop_at=5))
    assert result.state.n_steps == 5
    assert len(result.state.history) == 1
