import numpy as np
import pytest
import torch
from torch.nn import functional

from skelmo.nn import softmax
from skelmo.nn.softmax import (
    Candidates,
    SoftmaxLoss,
    draw_candidates,
    log_expected_count,
)

M, V, P = 23, 60, 5


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(0)
    loss = SoftmaxLoss(V, P).double()
    with torch.no_grad():
        loss.weight.copy_(torch.randn(V, P, generator=generator))
        loss.bias.copy_(torch.randn(V, generator=generator))
    hidden = torch.randn(M, P, generator=generator, dtype=torch.float64)
    targets = torch.randint(V, (M,), generator=generator)
    return loss, hidden.requires_grad_(), targets


@pytest.mark.parametrize("at_once", [10**6, 150], ids=["one-chunk", "many-chunks"])
def test_full_softmax_equals_cross_entropy_with_gradients(
    problem, at_once, monkeypatch
):
    monkeypatch.setattr(softmax, "LOGITS_AT_ONCE", at_once)
    loss, hidden, targets = problem
    leaves = [hidden, loss.weight, loss.bias]
    expected = functional.cross_entropy(
        hidden @ loss.weight.t() + loss.bias, targets, reduction="sum"
    )
    got = loss(hidden, targets)
    torch.testing.assert_close(got, expected)
    for actual, desired in zip(
        torch.autograd.grad(3.0 * got, leaves),
        torch.autograd.grad(3.0 * expected, leaves),
        strict=True,
    ):
        torch.testing.assert_close(actual, desired)
    torch.testing.assert_close(loss.nll(hidden, targets).sum(), expected.detach())


@pytest.mark.parametrize("at_once", [10**6, 50], ids=["one-chunk", "many-chunks"])
def test_sampled_softmax_equals_its_formula_with_gradients(
    problem, at_once, monkeypatch
):
    monkeypatch.setattr(softmax, "LOGITS_AT_ONCE", at_once)
    loss, hidden, targets = problem
    drawn = draw_candidates(20, V, np.random.default_rng(0))
    words = torch.from_numpy(drawn.words)
    assert np.isin(targets.numpy(), drawn.words).any()
    logits = hidden @ loss.weight.t() + loss.bias
    weight = 1.0 / log_expected_count(torch.arange(V), V, drawn.n_tries).exp()
    rows = []
    for row, target in zip(logits, targets, strict=True):
        others = words[words != target]
        total = row[target].exp() + (weight * row.exp())[others].sum()
        rows.append(total.log() - row[target])
    expected = torch.stack(rows).sum()
    got = loss(hidden, targets, drawn)
    torch.testing.assert_close(got, expected)
    leaves = [hidden, loss.weight, loss.bias]
    for actual, desired in zip(
        torch.autograd.grad(got, leaves),
        torch.autograd.grad(expected, leaves),
        strict=True,
    ):
        torch.testing.assert_close(actual, desired)


def test_sampled_softmax_agrees_with_full_in_expectation(problem):
    loss, hidden, targets = problem
    full = torch.autograd.grad(loss(hidden, targets), hidden)[0]
    rng = np.random.default_rng(1)
    mean = torch.zeros_like(full)
    losses = []
    for _ in range(400):
        sampled = loss(hidden, targets, draw_candidates(45, V, rng))
        losses.append(sampled.item())
        mean += torch.autograd.grad(sampled, hidden)[0] / 400
    # The log of an unbiased sum is a little low: the agreement is of the first order.
    assert np.mean(losses) == pytest.approx(loss(hidden, targets).item(), rel=0.02)
    cosine = functional.cosine_similarity(mean.flatten(), full.flatten(), dim=0)
    assert cosine > 0.999


def test_candidates_are_distinct_and_follow_the_expected_counts():
    rng = np.random.default_rng(2)
    counts = np.zeros(V)
    tries = []
    for _ in range(3000):
        drawn = draw_candidates(12, V, rng)
        assert len(set(drawn.words)) == 12
        counts[drawn.words] += 1
        tries.append(drawn.n_tries)
    expected = np.mean(
        [log_expected_count(torch.arange(V), V, n).exp().numpy() for n in tries[:500]],
        0,
    )
    np.testing.assert_allclose(counts / 3000, expected, rtol=0.25, atol=0.01)
    assert expected.sum() == pytest.approx(12, rel=0.02)


def test_sampled_softmax_with_all_words_is_a_corrected_full_softmax(problem):
    loss, hidden, targets = problem
    everything = Candidates(np.arange(V), 10**6)  # every word is sure to be drawn
    torch.testing.assert_close(loss(hidden, targets, everything), loss(hidden, targets))


@pytest.mark.parametrize("sampled", [False, True], ids=["full", "sampled"])
def test_bfloat16_products_stay_near_float32(problem, sampled):
    loss, hidden, targets = problem
    loss, hidden = loss.float(), hidden.detach().float().requires_grad_()
    drawn = draw_candidates(20, V, np.random.default_rng(0)) if sampled else None
    leaves = [hidden, loss.weight, loss.bias]
    exact = loss(hidden, targets, drawn)
    rough = loss(hidden, targets, drawn, torch.bfloat16)
    assert rough.dtype == torch.float32
    assert 0 < abs(rough.item() / exact.item() - 1) < 5e-3
    for a, b in zip(
        torch.autograd.grad(exact, leaves),
        torch.autograd.grad(rough, leaves),
        strict=True,
    ):
        assert b.dtype == torch.float32
        assert torch.cosine_similarity(a.flatten(), b.flatten(), 0) > 0.999
