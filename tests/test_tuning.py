"""Runs of a head and its language model, and what is held out of them."""

import numpy as np
import pytest

from skelmo.training.tuning import hold_out


def held_out(targets, fraction, *, documents=None, seed=0, stratify=True):
    targets = np.asarray(targets)
    if documents is None:
        documents = np.arange(len(targets))
    train, out = hold_out(targets, documents, fraction, seed, stratify=stratify)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, out])), documents)
    assert (np.diff(train) > 0).all()
    assert (np.diff(out) > 0).all()
    return train, out


@pytest.mark.parametrize("seed", range(5))
def test_each_class_gives_its_share(seed):
    targets = np.repeat([0, 1, 2], [100, 50, 10])
    _, out = held_out(targets, 0.1, seed=seed)
    np.testing.assert_array_equal(np.bincount(targets[out]), [10, 5, 1])


def test_no_class_loses_its_only_document():
    targets = np.array([0] * 10 + [1])
    for seed in range(10):
        train, _ = held_out(targets, 0.5, seed=seed)
        assert 10 in train


@pytest.mark.parametrize("stratify", [True, False])
def test_there_is_a_document_on_either_side(stratify):
    for fraction in (0.01, 0.99):
        train, out = held_out([0, 0], fraction, stratify=stratify)
        assert len(train) == len(out) == 1
    assert len(held_out([0], 0.5, stratify=stratify)[1]) == 0


def test_the_seed_decides_alone():
    targets = np.tile([0, 1], 50)
    draws = [held_out(targets, 0.2, seed=seed)[1].tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_only_given_documents_are_taken():
    documents = np.arange(0, 100, 3)
    for stratify in (True, False):
        held_out(np.tile([0, 1], 50), 0.3, documents=documents, stratify=stratify)
