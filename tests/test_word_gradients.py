"""Gradients of word vectors hold the rows of a step, and train as dense ones do."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from tiny_runs import CONFIG, PLAN, make_objective, run, weights_of

from skelmo.training import language_modeling

OF_WORDS = replace(PLAN, config=replace(CONFIG, word_embedding_dim=8))
SAMPLED = {"softmax": "sampled", "n_samples": 5}


def word_vectors_of(model):
    """Return the parameters that have a row for each word."""
    return model.bilm.token_encoder.word_embedding.weight, model.softmax.weight


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"tie_weights": True}, SAMPLED),
        ({}, SAMPLED | {"solver": "adagrad", "l1": 1e-4, "max_grad_norm": 0.1}),
        ({"tie_weights": True}, {"softmax": "full", "alpha": 0.01}),
        ({}, SAMPLED | {"word_dropout": 0.3, "misspelling": 0.3, "solver": "sgd"}),
    ],
    ids=["tied", "apart", "full", "hidden-words"],
)
def test_training_is_as_by_dense_gradients(monkeypatch, changes, options):
    sparse = run(plan=OF_WORDS, changes=changes, **options)
    monkeypatch.setattr(
        language_modeling, "sparse_word_gradients", lambda model: nullcontext()
    )
    dense = weights_of(run(plan=OF_WORDS, changes=changes, **options).model)
    for name, array in weights_of(sparse.model).items():
        np.testing.assert_allclose(array, dense[name], atol=2e-6, err_msg=name)


def test_a_step_makes_gradients_of_the_words_it_reads():
    objective = make_objective(plan=OF_WORDS, batch_tokens=16, **SAMPLED)
    batch = objective.batches(0)[0]
    objective.loss(batch, np.random.default_rng(0)).backward()
    starts, lengths = (part[batch] for part in objective.windows)
    corpus = objective.corpus
    words = {
        int(corpus.word_of_token[token])
        for start, length in zip(starts, lengths, strict=True)
        for token in corpus.sequences.token_ids[start : start + length]
    }
    read, written = (set(p.grad.coalesce().indices()[0].tolist())
                     for p in word_vectors_of(objective.module))  # fmt: skip
    assert read == words
    assert words <= written
    assert len(written) <= len(words) + SAMPLED["n_samples"]


def test_a_trained_network_gives_dense_gradients():
    objective = make_objective(plan=OF_WORDS, **SAMPLED)
    objective.loss(objective.batches(0)[0], np.random.default_rng(0))
    encoder = objective.module.bilm.token_encoder
    encoder.word_embedding(objective.module.softmax.bias.argsort()).sum().backward()
    assert (encoder.word_embedding.weight.grad == 1.0).all()
