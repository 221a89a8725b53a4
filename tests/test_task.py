"""Losses and scores against torch's and scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss, r2_score
from torch import nn

from skelmo.training.task import Task

RNG = np.random.default_rng(0)
OUTPUTS = RNG.normal(size=(12, 3)) * 4
CODES = RNG.integers(3, size=12)
LABELS = RNG.integers(2, size=(12, 3)).astype(float)
NUMBERS = RNG.normal(size=(12, 3))
WEIGHT = RNG.uniform(0.1, 2.0, size=12)
TASKS = {"classes": CODES, "labels": LABELS, "numbers": NUMBERS}


def losses(task, targets, smooth):
    given = torch.from_numpy(OUTPUTS), torch.from_numpy(targets)
    return task.losses(*given, smooth=smooth)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_losses_are_those_of_torch(smoothing):
    outputs = torch.from_numpy(OUTPUTS)
    entropy = nn.CrossEntropyLoss(reduction="none", label_smoothing=smoothing)
    expected = {"classes": entropy(outputs, torch.from_numpy(CODES))}
    smoothed = torch.from_numpy(LABELS * (1 - smoothing) + smoothing / 2)
    sigmoid = nn.BCEWithLogitsLoss(reduction="none")
    expected["labels"] = sigmoid(outputs, smoothed).sum(1)
    squares = nn.MSELoss(reduction="none")(outputs, torch.from_numpy(NUMBERS))
    expected["numbers"] = squares.mean(1) / 2
    for kind, targets in TASKS.items():
        found = losses(Task(kind, 3, smoothing), targets, smooth=True)
        torch.testing.assert_close(found, expected[kind])


@pytest.mark.parametrize("kind", ["classes", "labels"])
def test_labels_are_smoothed_in_training_alone(kind):
    plain, smoothed = Task(kind, 3), Task(kind, 3, 0.3)
    expected = losses(plain, TASKS[kind], smooth=True)
    assert torch.equal(losses(smoothed, TASKS[kind], smooth=False), expected)
    assert not torch.equal(losses(smoothed, TASKS[kind], smooth=True), expected)


def test_scores_are_those_of_scikit_learn():
    by_hand = {
        "classes": accuracy_score(CODES, OUTPUTS.argmax(1), sample_weight=WEIGHT),
        "labels": accuracy_score(LABELS, OUTPUTS > 0, sample_weight=WEIGHT),
        "numbers": r2_score(NUMBERS, OUTPUTS, sample_weight=WEIGHT),
    }
    for kind, expected in by_hand.items():
        found = Task(kind, 3).score(OUTPUTS, TASKS[kind], WEIGHT)
        assert found == pytest.approx(expected)
    flat = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 5.0]])
    guessed = np.array([[1.0, 2.0], [1.0, 4.0], [1.0, 5.0]])
    for outputs in (guessed, guessed + [[0.5, 0.0]]):
        expected = r2_score(flat, outputs)
        assert Task("numbers", 2).score(outputs, flat, np.ones(3)) == expected
    assert np.isnan(Task("numbers", 2).score(flat[:1], flat[:1], np.ones(1)))


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_probabilities_are_those_of_the_loss(scale):
    outputs = OUTPUTS * scale
    shares = Task("classes", 3).probabilities(outputs)
    np.testing.assert_allclose(shares.sum(1), 1.0, rtol=1e-12)
    logs = Task("classes", 3).probabilities(outputs, log=True)
    assert np.isfinite(logs).all()
    np.testing.assert_allclose(np.exp(logs), shares, rtol=0, atol=1e-300)
    if scale == 1.0:
        mean = losses(Task("classes", 3), CODES, smooth=False).mean()
        assert log_loss(CODES, shares) == pytest.approx(float(mean))
        each = Task("labels", 3).probabilities(outputs)
        np.testing.assert_allclose(each, 1 / (1 + np.exp(-outputs)), rtol=1e-12)
        expected = -np.where(LABELS > 0.5, np.log(each), np.log1p(-each)).sum(1)
        found = losses(Task("labels", 3), LABELS, smooth=False)
        np.testing.assert_allclose(found, expected, rtol=1e-9)
