import math

import numpy as np
import pytest
import torch
from oracle_networks import network_of
from reference_elmo import language_model_nll, random_model

from skelmo.nn.bilm import LanguageModel
from skelmo.nn.softmax import SoftmaxLoss
from skelmo.scoring.corpus import make_corpus
from skelmo.scoring.likelihood import (
    Perplexity,
    negative_log_likelihood,
    predicting_rows,
)
from skelmo.text.sequences import index_documents
from skelmo.text.token_indexer import TokenIndexer

WORDS = ["<S>", "</S>", "<UNK>", "a", "b", "tree"]
OPTIONS, ARRAYS = random_model(
    np.random.default_rng(0), hidden=6, proj=4, num_layers=2, filters=((1, 3), (2, 4)),
    n_highway=1, activation="relu", char_dim=3, cell_clip=0.3, proj_clip=0.3, skip=True,
)  # fmt: skip


def random_sentences(seed, n=12, longest=9):
    rng = np.random.default_rng(seed)
    words = [*WORDS[3:], "unknown", "Tree"]
    return [rng.choice(words, size=rng.integers(1, longest)).tolist() for _ in range(n)]


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(1)
    softmax = SoftmaxLoss(len(WORDS), 4).double()
    with torch.no_grad():
        softmax.weight.copy_(torch.from_numpy(rng.normal(size=(len(WORDS), 4))))
        softmax.bias.copy_(torch.from_numpy(rng.normal(size=len(WORDS))))
    return LanguageModel(network_of(OPTIONS, ARRAYS), softmax)


def corpus_of(sentences):
    return make_corpus(
        index_documents([[s] for s in sentences]), TokenIndexer.of(WORDS)
    )


def evaluate(model, sentences, which=None, budget=8192):
    which = np.arange(len(sentences)) if which is None else np.array(which)
    return negative_log_likelihood(model, corpus_of(sentences), which, budget)


def oracle(model, sentence):
    weight = model.softmax.weight.detach().numpy()
    bias = model.softmax.bias.detach().numpy()
    rows = {word: row for row, word in enumerate(WORDS)}
    both = language_model_nll(sentence, OPTIONS, ARRAYS, weight, bias, rows)
    assert len(both[0]) == len(both[1]) == len(sentence) + 1
    return [part.sum() for part in both]


@pytest.mark.parametrize("budget", [1, 2, 3, 10, 8192])
def test_likelihood_of_every_sequence_equals_the_oracle(model, budget):
    sentences = random_sentences(0)
    expected = [oracle(model, sentence) for sentence in sentences]
    got = evaluate(model, sentences, budget=budget)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_rows_come_in_the_order_asked_for(model):
    sentences = random_sentences(1)
    everything = evaluate(model, sentences)
    which = [7, 0, 3, 11]
    got = evaluate(model, sentences, which)
    np.testing.assert_allclose(got, everything[which], rtol=1e-12)


def test_nothing_to_evaluate_gives_no_row(model):
    got = evaluate(model, random_sentences(2), which=np.zeros(0, dtype=np.int64))
    assert got.shape == (0, 2)


@pytest.mark.parametrize("budget", [2, 3, 7, 64, 203])
def test_a_long_sequence_in_stretches_equals_it_in_one(model, budget):
    sentences = [random_sentences(3, 1, 9)[0] * 40, ["a"]]
    whole = evaluate(model, sentences)
    np.testing.assert_allclose(evaluate(model, sentences, budget=budget), whole, 1e-12)


def test_no_gradient_is_kept(model):
    evaluate(model, random_sentences(4))
    corpus = corpus_of(random_sentences(4))
    for _, hidden, _ in predicting_rows(model, corpus, np.arange(12)):
        assert not hidden.requires_grad
        assert torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_perplexity_is_defined_per_direction_and_over_both(model):
    sentences = random_sentences(5)
    nll = evaluate(model, sentences)
    n = sum(len(sentence) + 1 for sentence in sentences)  # the end is a prediction
    got = Perplexity.of(nll.sum(axis=0), n)
    forward, backward = np.sum([oracle(model, s) for s in sentences], axis=0)
    assert got.forward == pytest.approx(math.exp(forward / n))
    assert got.backward == pytest.approx(math.exp(backward / n))
    assert got.mean == pytest.approx(math.exp((forward + backward) / (2 * n)))
    assert got.mean == pytest.approx(math.sqrt(got.forward * got.backward))
    assert all(type(value) is float for value in got)


def test_a_uniform_model_has_the_vocabularys_perplexity(model):
    uniform = LanguageModel(model.bilm, SoftmaxLoss(len(WORDS), 4).double())
    with torch.no_grad():
        uniform.softmax.weight.zero_()
    sentences = random_sentences(6)
    nll = evaluate(uniform, sentences).sum(axis=0)
    n = sum(len(sentence) + 1 for sentence in sentences)
    np.testing.assert_allclose(Perplexity.of(nll, n), [len(WORDS)] * 3, rtol=1e-12)


def test_a_hopeless_model_has_a_finite_perplexity():
    assert Perplexity.of(np.array([1e9, 0.0]), 10) == (math.exp(700), 1, math.exp(700))


def test_word_level_embedding_reads_the_vocabularys_rows():
    options, arrays = random_model(
        np.random.default_rng(2), hidden=5, proj=4, num_layers=1, filters=((1, 3),),
        n_highway=0, activation="tanh", char_dim=3, cell_clip=None, proj_clip=None,
        skip=False, word_dim=2,
    )  # fmt: skip
    rng = np.random.default_rng(3)
    table = rng.normal(size=(len(WORDS), 2)).astype(np.float32)
    softmax = SoftmaxLoss(len(WORDS), 4).double()
    model = LanguageModel(network_of(options, arrays, table), softmax)
    sentences = [["a", "unknown", "b"], ["other", "unknown"]]
    before = evaluate(model, sentences)
    with torch.no_grad():  # words that no sentence has must not matter
        model.bilm.token_encoder.word_embedding.weight[WORDS.index("tree")] += 1.0
    np.testing.assert_array_equal(evaluate(model, sentences), before)
    with torch.no_grad():  # the unknown word's row is read for words not in the table
        model.bilm.token_encoder.word_embedding.weight[2] += 1.0
    assert (np.abs(evaluate(model, sentences) - before) > 1e-6).all()


@pytest.mark.parametrize("budget", [1, 7, 8192])
def test_every_token_is_predicted_once_each_way_but_for_the_first(model, budget):
    sentences = random_sentences(7)
    corpus, which = corpus_of(sentences), [2, 5, 11]
    found = [[], []]
    for d, hidden, targets in predicting_rows(model, corpus, np.array(which), budget):
        assert hidden.shape == (len(targets), 4)
        found[d] += targets.tolist()
    offsets = corpus.sequences.offsets
    for d, first in enumerate((0, -1)):
        spans = [list(range(offsets[s], offsets[s + 1])) for s in which]
        for span in spans:
            del span[first]
        assert sorted(found[d]) == sum(spans, [])
