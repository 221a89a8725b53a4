"""What each option of a training run does."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_runs import (
    CONFIG,
    OPTIONS,
    PLAN,
    Watcher,
    assert_same_weights,
    differ,
    documents_of,
    run,
    weights_of,
)

from skelmo.scoring.corpus import choose_vocabulary, make_corpus
from skelmo.scoring.likelihood import negative_log_likelihood
from skelmo.text.sequences import index_documents
from skelmo.text.token_indexer import TokenIndexer
from skelmo.training import loop as trainer_module
from skelmo.training.loop import Trainer, cut_windows
from skelmo.training.optimizer import SOLVERS
from skelmo.training.pretraining import build_model
from skelmo.training.schedule import SCHEDULES, learning_rate_at

RATES = {"adam": 0.02, "sgd": 1.0, "rmsprop": 0.005, "adagrad": 0.4}


def make_trainer(documents=None, *, validation=(), plan=PLAN, **options):
    """Return a trainer of all the sequences but those of `validation`."""
    sequences = index_documents(documents_of() if documents is None else documents)
    n = len(sequences.lengths)
    everything = np.arange(sequences.n_documents)
    vocabulary = choose_vocabulary(
        sequences, everything, min_count=1, max_vocabulary=None
    )
    options = replace(OPTIONS, **options)
    model = build_model(plan, vocabulary, options.seed)
    held_out = np.array(validation, dtype=np.int64)
    return Trainer(
        model,
        make_corpus(sequences, TokenIndexer.of(vocabulary)),
        np.setdiff1d(np.arange(n), held_out),
        held_out,
        options,
        Watcher(),
    )


def norm_of(before, after):
    """Return the length of the way from weights to weights."""
    return math.sqrt(sum(float(((after[k] - before[k]) ** 2).sum()) for k in before))


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


def test_dropout_is_for_training_alone():
    plain, dropped = run(), run(changes={"dropout": 0.5})
    assert differ(plain.model, dropped.model)
    trainer = make_trainer()
    which = np.arange(10)
    for result in (plain, dropped):
        assert not result.model.training
        first, second = (
            negative_log_likelihood(result.model, trainer.corpus, which)
            for _ in range(2)
        )
        np.testing.assert_array_equal(first, second)


def test_dropout_applies_in_training(monkeypatch):
    seen = []
    forward = torch.nn.Dropout.forward

    def spy(self, x):
        seen.append((self.p, self.training))
        return forward(self, x)

    monkeypatch.setattr(torch.nn.Dropout, "forward", spy)
    trainer = make_trainer(
        validation=(0, 1), plan=replace(PLAN, dropout=0.25), max_epochs=2
    )
    trainer.run()
    assert {p for p, _ in seen} == {0.25}
    modes = [training for _, training in seen]
    turns = [k for k in range(1, len(modes)) if modes[k] != modes[k - 1]]
    # Steps, evaluation, steps, evaluation.
    assert modes[0]
    assert len(turns) == 3


WITH_WORDS = replace(CONFIG, word_embedding_dim=5)


def test_word_dropout_hides_its_share_of_the_words(monkeypatch):
    calls = []
    original = trainer_module.token_vectors

    def spy(bilm, char_ids, words, **rest):
        calls.append(words)
        return original(bilm, char_ids, words, **rest)

    monkeypatch.setattr(trainer_module, "token_vectors", spy)

    def share(word_dropout):
        calls.clear()
        run(changes={"config": WITH_WORDS}, word_dropout=word_dropout, max_epochs=6)
        words = np.concatenate(calls)
        return (words == 2).mean(), len(words)

    assert share(0.0)[0] == 0.0
    got, n = share(0.3)
    assert got == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / n))
    calls.clear()
    run(word_dropout=0.3, max_epochs=1)
    assert all(words is None for words in calls)


@pytest.mark.parametrize("bound", [0.01, 1.0])
def test_max_grad_norm_bounds_the_length_of_a_step(bound):
    options = {
        "solver": "sgd", "momentum": 0.0, "learning_rate": "constant", "warmup": 0.0,
        "learning_rate_init": 0.1,
    }  # fmt: skip
    trainer = make_trainer(max_grad_norm=bound, **options)
    free = make_trainer(max_grad_norm=None, **options)
    trainer.model.train()
    free.model.train()
    for k, members in enumerate(list(trainer._batches(0))[:4]):
        start = weights_of(trainer.model)
        free.model.load_state_dict(trainer.model.state_dict())
        trainer.state.step = free.state.step = k
        trainer._step(members, 0.1)
        free._step(members, 0.1)
        length = norm_of(start, weights_of(trainer.model))
        unbounded = norm_of(start, weights_of(free.model))
        assert length == pytest.approx(min(0.1 * bound, unbounded), rel=1e-3)
        assert unbounded > 0.1 * 0.01


@pytest.mark.parametrize("batch_tokens", [2, 3, 7, 8, 20, 64, 1000])
def test_no_batch_exceeds_its_budget_and_each_token_is_predicted_once(batch_tokens):
    trainer = make_trainer(batch_tokens=batch_tokens)
    lengths, starts = trainer.windows.lengths, trainer.windows.starts
    for epoch in range(2):
        batches = list(trainer._batches(epoch))
        assert max(lengths[members].sum() for members in batches) <= batch_tokens
        members = np.concatenate(batches)
        assert sorted(members) == list(range(len(lengths)))
        assert all((np.diff(lengths[m]) <= 0).all() for m in batches)
    predicted = np.concatenate(
        [np.arange(s + 1, s + n) for s, n in zip(starts, lengths, strict=True)]
    )
    offsets = trainer.corpus.sequences.offsets
    # Forward, all but the first token of each sequence; backward, what stands before.
    expected = np.setdiff1d(np.arange(offsets[-1]), offsets[:-1])
    assert sorted(predicted) == expected.tolist()
    assert trainer.tokens_per_epoch == len(expected)


@pytest.mark.parametrize("longest", [2, 3, 4, 5, 9, 10, 11])
def test_windows_overlap_by_a_token(longest):
    offsets = np.cumsum([0, 2, 3, 10, 11, 4])
    windows = cut_windows(offsets, np.array([0, 2, 3, 4]), longest)
    spans = list(zip(windows.starts, windows.lengths, strict=True))
    pairs = [(s + k, s + k + 1) for s, n in spans for k in range(n - 1)]
    expected = [
        (k, k + 1) for s in (0, 2, 3, 4) for k in range(offsets[s], offsets[s + 1] - 1)
    ]
    assert sorted(pairs) == expected
    assert all(2 <= n <= longest for _, n in spans)


def test_the_loss_of_a_step_is_that_of_the_evaluation():
    trainer = make_trainer(softmax="full")
    members = np.arange(5)
    lengths = trainer.windows.lengths
    members = members[np.argsort(-lengths[members], kind="stable")]
    trainer.model.eval()
    nll = negative_log_likelihood(trainer.model, trainer.corpus, members)
    loss, n_tokens = trainer._step(members, 0.0)
    assert n_tokens == (lengths[members] - 1).sum()
    assert loss == pytest.approx(nll.sum() / (2 * n_tokens), rel=1e-5)


def test_batches_differ_from_epoch_to_epoch_and_seed_to_seed():
    def order(epoch, **options):
        batches = make_trainer(**options)._batches(epoch)
        return [members.tolist() for members in batches]

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0) != order(0, seed=1)


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


def test_without_early_stopping_every_document_is_trained_on():
    documents = documents_of()
    n_predictions = sum(len(s) + 1 for d in documents for s in d)
    result = run(documents, early_stopping=False, max_epochs=2)
    assert result.state.n_tokens == 2 * n_predictions
    for record in result.state.history:
        assert math.isnan(record.validation_perplexity)
        assert not math.isnan(record.train_loss)
    held_out = run(documents, max_epochs=2)
    share = 1 - held_out.state.n_tokens / (2 * n_predictions)
    assert share == pytest.approx(0.1, abs=0.03)


def test_without_validation_the_last_epoch_is_kept():
    trainer = make_trainer(learning_rate_init=0.05, max_epochs=2)
    kept = []
    trainer.observer.end_epoch = lambda record: kept.append(weights_of(trainer.model))
    state = trainer.run()
    assert state.best_epoch == 2
    for name, array in weights_of(trainer.model).items():
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


def slow_clock(monkeypatch, seconds):
    """Let each look at the clock take so long."""
    now = iter(np.arange(0.0, 1e6, seconds))
    monkeypatch.setattr(trainer_module.time, "perf_counter", lambda: next(now))


def test_max_time_stops_within_an_epoch(monkeypatch):
    slow_clock(monkeypatch, 1.0)  # a step looks twice: it lasts a second
    result = run(max_time=4.5)
    assert result.state.n_steps == 5
    (record,) = result.state.history
    assert record.seconds == pytest.approx(6.0)  # the evaluation counts as well
    assert not math.isnan(record.validation_perplexity)


def test_max_time_that_ends_between_epochs_makes_no_epoch(monkeypatch):
    n_steps = run(max_epochs=1).state.n_steps
    slow_clock(monkeypatch, 1.0)
    result = run(max_time=n_steps + 1.0)  # the steps, and the evaluation
    assert result.state.n_steps == n_steps
    assert [r.epoch for r in result.state.history] == [1]
    assert result.state.history[0].train_loss > 0


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


def test_validation_is_of_the_documents_given():
    documents = documents_of(50)
    result = run(documents, n_train=40, max_epochs=2)
    trainer = make_trainer(documents)
    which = np.flatnonzero(trainer.corpus.sequences.document_of_sequence >= 40)
    vocabulary = result.vocabulary
    corpus = make_corpus(trainer.corpus.sequences, TokenIndexer.of(vocabulary))
    nll = negative_log_likelihood(result.model, corpus, which)
    n_predictions = (trainer.corpus.sequences.lengths[which] - 1).sum()
    best = result.state.history[result.state.best_epoch - 1]
    forward, backward = np.exp(nll.sum(axis=0) / n_predictions)
    assert best.validation_perplexity_forward == pytest.approx(forward, rel=1e-6)
    assert best.validation_perplexity_backward == pytest.approx(backward, rel=1e-6)
    assert best.validation_perplexity == pytest.approx(math.sqrt(forward * backward))
    n_trained = sum(len(s) + 1 for d in documents[:40] for s in d)
    assert result.state.n_tokens == 2 * n_trained


@pytest.mark.parametrize("rate", [1e4, 1e30])
def test_divergence_keeps_finite_weights(rate):
    result = run(learning_rate_init=rate, warmup=0.0, max_grad_norm=None)
    assert result.state.diverged
    assert all(np.isfinite(w).all() for w in weights_of(result.model).values())


def test_a_last_step_that_spoils_the_weights_is_divergence(monkeypatch):
    trainer = make_trainer(batch_tokens=10**6, max_epochs=1)
    start = weights_of(trainer.model)
    step = trainer.optimizer.step

    def spoil():
        step()
        with torch.no_grad():
            trainer.model.softmax.bias[0] = math.inf

    monkeypatch.setattr(trainer.optimizer, "step", spoil)
    state = trainer.run()
    assert state.diverged
    assert math.isnan(state.last_loss)
    for name, array in weights_of(trainer.model).items():
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


def test_sampled_and_full_softmax_both_learn_to_a_like_perplexity(monkeypatch):
    drawn = []
    original = trainer_module.draw_candidates

    def spy(n_candidates, n_words, rng):
        drawn.append((n_candidates, n_words))
        return original(n_candidates, n_words, rng)

    monkeypatch.setattr(trainer_module, "draw_candidates", spy)
    options = {"max_epochs": 8, "n_samples": 12, "batch_tokens": 32}
    options["changes"] = {"dropout": 0.0}
    full = run(softmax="full", **options).state.history[-1].validation_perplexity
    assert drawn == []
    result = run(softmax="sampled", **options)
    assert len(drawn) == result.state.n_steps
    assert set(drawn) == {(12, len(result.vocabulary))}
    sampled = result.state.history[-1].validation_perplexity
    assert sampled < len(result.vocabulary) / 3
    assert full < sampled < 1.6 * full


def test_a_small_vocabulary_is_taken_whole():
    assert_same_weights(
        run(softmax="sampled", n_samples=2048).model, run(softmax="full").model
    )


def test_tied_weights_stay_one_matrix():
    plan = {"config": replace(CONFIG, word_embedding_dim=8), "tie_weights": True}
    model = run(changes=plan).model
    assert model.bilm.token_encoder.word_embedding.weight is model.softmax.weight
    untied = run(changes={**plan, "tie_weights": False}).model
    assert differ(model, untied)


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
