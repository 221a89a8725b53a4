import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from skelmo.training.optimizer import (
    SOLVERS,
    is_of_the_same_kind,
    make_optimizer,
    optimizer_tensors,
    restore_optimizer,
    shrink,
)
from skelmo.training.state import TrainingOptions

OPTIONS = TrainingOptions(learning_rate_init=0.1, momentum=0.5)


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(3, 2, generator=generator))
        self.bias = nn.Parameter(torch.randn(3, generator=generator))


def gradient(shape, step):
    return np.random.default_rng([step, *shape]).standard_normal(shape)


def train(model, optimizer, steps):
    for step in steps:
        for parameter in model.parameters():
            parameter.grad = torch.tensor(
                gradient(parameter.shape, step), dtype=torch.float32
            )
        optimizer.step()


def by_hand(solver, w, alpha, n_steps, rate=0.1, momentum=0.5):
    """Take the steps as the papers write them, in float64."""
    w = w.astype(float)
    m, v, s = np.zeros_like(w), np.zeros_like(w), np.full_like(w, 0.1)
    for t in range(1, n_steps + 1):
        g = gradient(w.shape, t)
        if solver == "adam":
            w = w - rate * alpha * w
            m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
            step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
            w = w - rate * step
            continue
        g = g + alpha * w
        if solver == "sgd":
            m = g if t == 1 else momentum * m + g
        elif solver == "rmsprop":
            v = 0.99 * v + 0.01 * g * g
            m = momentum * m + g / (np.sqrt(v) + 1e-8)
        else:
            s = s + g * g
            m = g / (np.sqrt(s) + 1e-10)
        w = w - rate * m
    return w


@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("solver", SOLVERS)
def test_solver_equals_its_formula_and_spares_biases_the_decay(solver, alpha):
    model = Line()
    expected = {
        "weight": by_hand(solver, model.weight.detach().numpy(), alpha, 4),
        "bias": by_hand(solver, model.bias.detach().numpy(), 0.0, 4),
    }
    train(
        model,
        make_optimizer(model, replace(OPTIONS, solver=solver, alpha=alpha)),
        range(1, 5),
    )
    for name, value in model.named_parameters():
        np.testing.assert_allclose(value.detach(), expected[name], rtol=2e-5, atol=1e-6)


def test_momentum_is_an_option():
    ends = []
    for momentum in (0.0, 0.5, 0.9):
        model = Line()
        options = replace(OPTIONS, solver="sgd", momentum=momentum)
        train(model, make_optimizer(model, options), range(1, 5))
        ends.append(model.bias.detach().numpy().copy())
        start = Line().bias.detach().numpy()
        expected = by_hand("sgd", start, 0.0, 4, momentum=momentum)
        np.testing.assert_allclose(ends[-1], expected, rtol=1e-5)
    assert not np.allclose(ends[0], ends[1])


def test_shrink_is_soft_thresholding_of_matrices():
    model = Line()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.5, -0.5], [0.05, -0.05], [0.0, 0.1]]))
    bias = model.bias.detach().clone()
    shrink(model.parameters(), 0.1)
    expected = torch.tensor([[0.4, -0.4], [0.0, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(model.weight.detach(), expected)
    torch.testing.assert_close(model.bias.detach(), bias, rtol=0, atol=0)


def test_shrink_leaves_what_is_not_trained():
    model = Line()
    model.weight.requires_grad_(False)
    before = model.weight.clone()
    shrink(model.parameters(), 0.1)
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_parameter_may_have_a_rate_of_its_own(solver):
    scales, model = {"weight": 0.25, "bias": 1.0}, Line()
    options = replace(OPTIONS, solver=solver, alpha=0.3)
    start = {k: v.detach().numpy() for k, v in Line().named_parameters()}
    expected = {
        "weight": by_hand(solver, start["weight"], 0.3, 4, rate=0.025),
        "bias": by_hand(solver, start["bias"], 0.0, 4, rate=0.1),
    }
    train(model, make_optimizer(model, options, scales), range(1, 5))
    for name, value in model.named_parameters():
        np.testing.assert_allclose(value.detach(), expected[name], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("solver", SOLVERS)
def test_restored_optimizer_goes_on_bit_for_bit(solver, momentum):
    options = replace(OPTIONS, solver=solver, momentum=momentum, alpha=0.1)
    model = Line()
    optimizer = make_optimizer(model, options)
    train(model, optimizer, range(3))
    tensors = {k: v.clone() for k, v in optimizer_tensors(optimizer).items()}
    other = copy.deepcopy(model)
    fresh = make_optimizer(other, options)
    assert is_of_the_same_kind(tensors, fresh, options)
    restore_optimizer(fresh, tensors)
    train(model, optimizer, range(3, 6))
    train(other, fresh, range(3, 6))
    for mine, yours in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, yours)


@pytest.mark.parametrize("solver", SOLVERS)
def test_another_solver_cannot_take_over_what_one_remembers(solver):
    options = replace(OPTIONS, solver=solver)
    model = Line()
    optimizer = make_optimizer(model, options)
    train(model, optimizer, range(2))
    tensors = optimizer_tensors(optimizer)
    for other in set(SOLVERS) - {solver}:
        changed = replace(options, solver=other)
        assert not is_of_the_same_kind(tensors, make_optimizer(model, changed), changed)
    if solver in ("sgd", "rmsprop"):
        plain = replace(options, momentum=0.0)
        assert not is_of_the_same_kind(tensors, make_optimizer(model, plain), plain)
    larger = nn.Linear(5, 4)
    assert not is_of_the_same_kind(tensors, make_optimizer(larger, options), options)
