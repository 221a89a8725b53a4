"""The objective of a head: its batches, its loss and what is held out."""

import numpy as np
import pytest
import torch

from skelmo.encoding.token_reader import TokenActivations
from skelmo.nn.heads import Head, HeadConfig
from skelmo.nn.randomness import DrawnFrom
from skelmo.training.finetuning import Examples, Finetuning
from skelmo.training.objective import EpochEnd
from skelmo.training.state import TrainingOptions
from skelmo.training.task import Task
from skelmo.training.tuned_network import TunedNetwork

N = 60
RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(0, 30, size=40)
PLACE = RNG.integers(40, size=N)
CODES = torch.from_numpy(RNG.integers(3, size=N))
WEIGHT = RNG.uniform(0.5, 1.5, size=N).astype(np.float32)
TASK = Task("classes", 3, 0.1)
HELD_OUT = np.arange(50, N)


def make(*, batch_size=8, budget=10_000, held_out=HELD_OUT, seed=0, **given):
    rng = np.random.default_rng(1)
    shape = 2, 8
    values = [rng.normal(size=(n, *shape)).astype(np.float32) for n in LENGTHS]
    with DrawnFrom(torch.Generator().manual_seed(0)):
        head = Head(HeadConfig(2, 8, 3, "linear"))
    train = np.setdiff1d(np.arange(N), held_out)
    return Finetuning(
        TunedNetwork(head),
        TokenActivations(values, shape, torch.device("cpu")),
        TASK,
        Examples(PLACE, CODES, WEIGHT),
        train,
        held_out,
        TrainingOptions(seed=seed, batch_tokens=budget),
        batch_size=batch_size,
        **given,
    )


def outputs_of(objective, examples):
    """Outputs of examples, each by itself."""
    rows = []
    for k in examples:
        activations = objective.inputs(PLACE[[k]])
        rows.append(
            objective.module.head(activations, torch.tensor([len(activations)]))
        )
    return torch.cat(rows).detach()


@pytest.mark.parametrize("budget", [10_000, 40])
def test_an_epoch_has_each_example_once(budget):
    objective = make(budget=budget)
    batches = objective.batches(0)
    seen = np.concatenate([batch.examples for batch in batches])
    np.testing.assert_array_equal(np.sort(seen), np.arange(50))
    lengths = LENGTHS[PLACE]
    for batch in batches:
        assert objective.n_units(batch) == len(batch.examples) <= 8
        tokens = lengths[batch.examples] + 1
        assert tokens.sum() <= budget or len(tokens) == 1
    assert objective.units_per_epoch == 50


def test_epochs_differ_and_seeds_do_and_neither_by_chance():
    def order(seed, epoch):
        batches = make(seed=seed).batches(epoch)
        return [batch.examples.tolist() for batch in batches]

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 2)
    assert order(0, 1) != order(1, 1)


def test_documents_of_a_batch_are_about_as_long(monkeypatch):
    monkeypatch.setattr("skelmo.training.finetuning.BATCHES_PER_POOL", 100)
    lengths = LENGTHS[PLACE]
    spans = [lengths[batch.examples] for batch in make().batches(0)]
    spans.sort(key=min, reverse=True)
    assert all(a.min() >= b.max() for a, b in zip(spans, spans[1:], strict=False))


def test_blocks_are_freed_one_after_the_other():
    at_once = make(depth=2)
    gradual = make(depth=2, unfreeze=True)
    assert [at_once.batches(epoch)[0].depth for epoch in range(4)] == [2, 2, 2, 2]
    assert [gradual.batches(epoch)[0].depth for epoch in range(4)] == [0, 1, 2, 2]


def test_loss_is_the_weighted_mean_over_documents():
    objective = make()
    for batch in objective.batches(0):
        outputs = outputs_of(objective, batch.examples)
        each = TASK.losses(outputs, CODES[batch.examples], smooth=True).numpy()
        expected = (each * WEIGHT[batch.examples]).mean()
        found = objective.loss(batch, np.random.default_rng(0))
        assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("budget", [10_000, 40])
def test_what_is_held_out_is_evaluated(budget):
    objective = make(budget=budget)
    outputs = outputs_of(objective, HELD_OUT)
    each = TASK.losses(outputs, CODES[HELD_OUT], smooth=False).numpy()
    loss, score = objective.evaluate()
    assert loss == pytest.approx(np.average(each, weights=WEIGHT[HELD_OUT]), rel=1e-5)
    right = outputs.numpy().argmax(1) == CODES[HELD_OUT].numpy()
    assert score == pytest.approx(np.average(right, weights=WEIGHT[HELD_OUT]))
    record = objective.record(EpochEnd(1, 50, 0.1, 0.2, 0.3), objective.evaluate())
    assert record == (1, 50, 0.1, 0.2, 0.3, loss, score)


def test_a_sample_is_evaluated_where_time_is_short():
    objective = make()
    assert objective.evaluate(4) == objective.evaluate(4) != objective.evaluate()
    assert objective.evaluate(N) == objective.evaluate()
    assert objective.evaluate(0).loss > 0


def test_without_anything_held_out_there_is_no_evaluation():
    objective = make(held_out=HELD_OUT[:0])
    assert objective.evaluate() is None
    record = objective.record(EpochEnd(1, 50, 0.1, 0.2, 0.3), None)
    assert np.isnan(record[-2:]).all()
