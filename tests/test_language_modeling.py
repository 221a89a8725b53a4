"""Batches and losses of the objective of language models."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tiny_runs import (
    CONFIG,
    assert_same_weights,
    differ,
    documents_of,
    make_loop,
    make_objective,
    run,
)

from skelmo.scoring.corpus import make_corpus
from skelmo.scoring.likelihood import negative_log_likelihood
from skelmo.text.token_indexer import TokenIndexer
from skelmo.training import language_modeling
from skelmo.training.language_modeling import cut_windows
from skelmo.training.objective import EpochEnd

WITH_WORDS = replace(CONFIG, word_embedding_dim=5)


def test_dropout_is_for_training_alone():
    plain, dropped = run(), run(changes={"dropout": 0.5})
    assert differ(plain.model, dropped.model)
    objective = make_objective()
    which = np.arange(10)
    for result in (plain, dropped):
        assert not result.model.training
        first, second = (
            negative_log_likelihood(result.model, objective.corpus, which)
            for _ in range(2)
        )
        np.testing.assert_array_equal(first, second)


def test_word_dropout_hides_its_share_of_the_words(monkeypatch):
    calls = []
    original = language_modeling.token_vectors

    def spy(bilm, char_ids, words, **rest):
        calls.append(words)
        return original(bilm, char_ids, words, **rest)

    monkeypatch.setattr(language_modeling, "token_vectors", spy)

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


@pytest.mark.parametrize("batch_tokens", [2, 3, 7, 8, 20, 64, 1000])
def test_no_batch_exceeds_its_budget_and_each_token_is_predicted_once(batch_tokens):
    objective = make_objective(batch_tokens=batch_tokens)
    lengths, starts = objective.windows.lengths, objective.windows.starts
    for epoch in range(2):
        batches = objective.batches(epoch)
        sizes = [objective.n_units(members) for members in batches]
        assert sum(sizes) == objective.units_per_epoch
        assert max(lengths[members].sum() for members in batches) <= batch_tokens
        members = np.concatenate(batches)
        assert sorted(members) == list(range(len(lengths)))
        assert all((np.diff(lengths[m]) <= 0).all() for m in batches)
    predicted = np.concatenate(
        [np.arange(s + 1, s + n) for s, n in zip(starts, lengths, strict=True)]
    )
    offsets = objective.corpus.sequences.offsets
    # Forward, all but the first token of each sequence; backward, what stands before.
    expected = np.setdiff1d(np.arange(offsets[-1]), offsets[:-1])
    assert sorted(predicted) == expected.tolist()
    assert objective.units_per_epoch == len(expected)


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


def test_the_loss_of_a_batch_is_that_of_the_evaluation():
    objective = make_objective(softmax="full")
    members = np.arange(5)
    lengths = objective.windows.lengths
    members = members[np.argsort(-lengths[members], kind="stable")]
    objective.module.eval()
    nll = negative_log_likelihood(objective.module, objective.corpus, members)
    loss = objective.loss(members, np.random.default_rng(0)).item()
    n_tokens = objective.n_units(members)
    assert n_tokens == (lengths[members] - 1).sum()
    assert loss == pytest.approx(nll.sum() / (2 * n_tokens), rel=1e-5)


def test_batches_differ_from_epoch_to_epoch_and_seed_to_seed():
    def order(epoch, **options):
        batches = make_objective(**options).batches(epoch)
        return [members.tolist() for members in batches]

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0) != order(0, seed=1)


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


def test_validation_is_of_the_documents_given():
    documents = documents_of(50)
    result = run(documents, n_train=40, max_epochs=2)
    objective = make_objective(documents)
    which = np.flatnonzero(objective.corpus.sequences.document_of_sequence >= 40)
    vocabulary = result.vocabulary
    corpus = make_corpus(objective.corpus.sequences, TokenIndexer.of(vocabulary))
    nll = negative_log_likelihood(result.model, corpus, which)
    n_predictions = (objective.corpus.sequences.lengths[which] - 1).sum()
    best = result.state.history[result.state.best_epoch - 1]
    forward, backward = np.exp(nll.sum(axis=0) / n_predictions)
    assert best.validation_perplexity_forward == pytest.approx(forward, rel=1e-6)
    assert best.validation_perplexity_backward == pytest.approx(backward, rel=1e-6)
    assert best.validation_perplexity == pytest.approx(math.sqrt(forward * backward))
    n_trained = sum(len(s) + 1 for d in documents[:40] for s in d)
    assert result.state.n_tokens == 2 * n_trained


def test_sampled_and_full_softmax_both_learn_to_a_like_perplexity(monkeypatch):
    drawn = []
    original = language_modeling.draw_candidates

    def spy(n_candidates, n_words, rng):
        drawn.append((n_candidates, n_words))
        return original(n_candidates, n_words, rng)

    monkeypatch.setattr(language_modeling, "draw_candidates", spy)
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


def test_without_sequences_held_out_there_is_no_evaluation():
    assert make_objective().evaluate() is None
    objective = make_objective(validation=(3, 5))
    objective.module.eval()
    nll = negative_log_likelihood(objective.module, objective.corpus, np.array([3, 5]))
    n_predictions = (objective.corpus.sequences.lengths[[3, 5]] - 1).sum()
    loss = objective.evaluate().loss
    assert loss == pytest.approx(nll.sum() / (2 * n_predictions), rel=1e-12)


@pytest.mark.parametrize("max_units", [1, 20, 60, 10**6, None])
def test_validation_may_read_a_sample_that_the_seed_decides(max_units, monkeypatch):
    read, original = [], language_modeling.negative_log_likelihood

    def spy(model, corpus, which):
        read.append(which)
        return original(model, corpus, which)

    monkeypatch.setattr(language_modeling, "negative_log_likelihood", spy)
    held_out = tuple(range(0, 40, 2))
    objective = make_objective(validation=held_out)
    objective.module.eval()
    end = EpochEnd(1, 2, 3.0, 4.0, 5.0)
    first, second = (objective.evaluate(max_units) for _ in range(2))
    record = objective.record(end, first)
    assert record == objective.record(end, second)
    np.testing.assert_array_equal(read[0], read[1])
    assert set(read[0]) <= set(held_out)
    assert len(np.unique(read[0])) == len(read[0])
    n_predictions = objective.corpus.sequences.lengths - 1
    assert record.validation_tokens == n_predictions[read[0]].sum()
    total = n_predictions[list(held_out)].sum()
    if max_units is None or max_units >= total:
        assert tuple(read[0]) == held_out
    else:
        assert record.validation_tokens <= max(max_units, n_predictions.max())
        assert record.validation_tokens > max_units - n_predictions.max()
        other = make_objective(validation=held_out, seed=1)
        other.module.eval()
        other.evaluate(max_units)
        assert read[-1].tolist() != read[0].tolist()


def test_under_a_time_limit_every_epoch_is_validated_with_the_same_sequences():
    now = iter(range(10**6))
    objective = make_objective(
        validation=tuple(range(30)), max_time=20.0, max_epochs=3, n_iter_no_change=9
    )
    state = make_loop(objective, clock=lambda: float(next(now))).run()
    sizes = {record.validation_tokens for record in state.history}
    assert len(state.history) == 3
    assert len(sizes) == 1
    per_second = objective.units_per_epoch / len(objective.batches(0))
    whole = (objective.corpus.sequences.lengths[:30] - 1).sum()
    share = 2.0 / 3 * per_second  # of a tenth of the time, for each of three epochs
    assert 0.5 * share < sizes.pop() <= share < whole
