"""From indexed documents to a network: vocabulary, starting weights, split."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_runs import (
    CONFIG,
    PLAN,
    assert_same_weights,
    differ,
    documents_of,
    run,
    weights_of,
)

from skelmo.models.trained import TrainedModel
from skelmo.nn.bilm import LanguageModel
from skelmo.nn.softmax import SoftmaxLoss
from skelmo.training.initialization import (
    build_model,
    copy_known,
    fill_word_vectors,
)

SPECIAL = ["<S>", "</S>", "<UNK>"]
WORDS = [*SPECIAL, "the", "moon", "The", "Zebra"]
WITH_WORDS = replace(PLAN, config=replace(CONFIG, word_embedding_dim=3))
STILL = {"learning_rate_init": 1e-30, "max_epochs": 1}


def embedding_of(model):
    return model.bilm.token_encoder.word_embedding


def test_the_seed_alone_decides_the_starting_weights():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = build_model(PLAN, WORDS, 7)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert_same_weights(first, build_model(PLAN, WORDS, 7))
    assert differ(first, build_model(PLAN, WORDS, 8))


def test_the_network_has_the_sizes_of_the_plan():
    model = build_model(WITH_WORDS, WORDS, 0)
    assert model.bilm.config == replace(WITH_WORDS.config, n_words=len(WORDS))
    assert embedding_of(model).weight.shape == (len(WORDS), 3)
    assert model.softmax.weight.shape == (len(WORDS), 8)
    assert build_model(PLAN, WORDS, 0).bilm.config == CONFIG


def test_a_start_gives_its_weights_by_word():
    source = build_model(WITH_WORDS, WORDS, 0)
    vocabulary = [*SPECIAL, "Zebra", "new", "the"]
    fresh = build_model(WITH_WORDS, vocabulary, 5)
    model = build_model(WITH_WORDS, vocabulary, 5, TrainedModel(source, WORDS))
    mine, yours, random = map(weights_of, (model, source, fresh))
    for name, array in mine.items():
        if not (name.startswith("softmax.") or ".word_embedding." in name):
            np.testing.assert_array_equal(array, yours[name], err_msg=name)
            continue
        for k, word in enumerate(vocabulary):
            known = word in WORDS
            row = yours[name][WORDS.index(word)] if known else random[name][k]
            np.testing.assert_array_equal(array[k], row, err_msg=f"{name} {word}")


def test_the_sizes_of_a_start_replace_those_of_the_plan():
    source = build_model(PLAN, WORDS, 0)
    other = replace(PLAN, config=replace(CONFIG, hidden_size=5, num_layers=1))
    model = build_model(other, WORDS, 1, TrainedModel(source, WORDS))
    assert_same_weights(model, source)
    assert model.bilm.config == source.bilm.config


def test_a_start_without_words_gives_the_rest():
    bilm = build_model(PLAN, WORDS, 0).bilm
    source = LanguageModel(bilm, SoftmaxLoss(0, 8))
    model, fresh = (build_model(PLAN, WORDS, 3) for _ in range(2))
    copy_known(TrainedModel(source, None), model, WORDS)
    assert_same_weights(model.bilm, bilm)
    assert_same_weights(model.softmax, fresh.softmax)


def test_the_start_itself_is_not_trained():
    source = build_model(PLAN, WORDS, 0)
    before = weights_of(source)
    result = run(start=TrainedModel(source, WORDS))
    assert differ(result.model.bilm, source.bilm)
    for name, array in weights_of(source).items():
        np.testing.assert_array_equal(array, before[name])


def test_epochs_behind_a_start_decide_the_draws():
    source = build_model(PLAN, WORDS, 0)
    models = [
        run(start=TrainedModel(source, WORDS, n_epochs=n)).model for n in (0, 0, 3)
    ]
    assert_same_weights(models[0], models[1])
    assert differ(models[0], models[2])


def test_word_vectors_fill_the_rows_of_their_words(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("moon 1 2 3\nthe 4 5 6\nzebra 7 8 9\nthem 0 0 0\n")
    weight = torch.full((len(WORDS), 3), -1.0)
    fill_word_vectors(weight, WORDS, path)
    expected = [[-1] * 3] * 3 + [[4, 5, 6], [1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert weight.tolist() == expected
    path.write_text("The 1 1 1\nthe 4 5 6\n")
    fill_word_vectors(weight, WORDS, path)
    assert weight[3].tolist() == [4, 5, 6]
    assert weight[5].tolist() == [1, 1, 1]  # its own vector comes first


def test_word_vectors_and_tied_weights_go_together(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("moon " + " ".join("12345678"))
    plan = replace(
        PLAN, config=replace(CONFIG, word_embedding_dim=8), tie_weights=True,
        init_word_vectors=str(path),
    )  # fmt: skip
    model = build_model(plan, WORDS, 0)
    assert embedding_of(model).weight is model.softmax.weight
    assert model.softmax.weight[4].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("tied", [False, True])
def test_a_start_is_stronger_than_word_vectors(tmp_path, tied):
    path = tmp_path / "vectors.txt"
    path.write_text("moon " + " ".join("12345678") + "\nnew " + " ".join("87654321"))
    config = replace(CONFIG, word_embedding_dim=8)
    plan = replace(PLAN, config=config, tie_weights=tied)
    source = build_model(plan, WORDS, 0)
    given = replace(plan, init_word_vectors=str(path))
    model = build_model(given, [*WORDS, "new"], 1, TrainedModel(source, WORDS))
    rows = embedding_of(model).weight
    torch.testing.assert_close(rows[:-1], embedding_of(source).weight, rtol=0, atol=0)
    assert rows[-1].tolist() == [8, 7, 6, 5, 4, 3, 2, 1]


def test_the_vocabulary_is_of_the_documents_trained_on():
    documents = documents_of(30)
    documents[25:] = [[["only", "here", "only"]]] * 5
    result = run(documents, n_train=25, **STILL)
    counts = Counter(t for d in documents[:25] for s in d for t in s)
    assert set(result.vocabulary) == {*SPECIAL, *counts}
    few = run(documents, n_train=25, changes={"max_vocabulary": 6}, **STILL)
    assert few.vocabulary == result.vocabulary[:6]
    rare = run(documents, n_train=25, changes={"min_count": 9}, **STILL)
    assert set(rare.vocabulary) == {*SPECIAL, *(w for w, n in counts.items() if n > 8)}
    n = sum(len(s) for d in documents for s in d)
    unknown = sum(t not in rare.vocabulary for d in documents for s in d for t in s)
    assert rare.trained.unknown_share == pytest.approx(unknown / n)


def test_documents_without_text_are_not_held_out():
    documents = [[], *documents_of(4), [], [], []]
    for seed in range(6):
        result = run(documents, seed=seed, **STILL)
        (record,) = result.state.history
        assert np.isfinite(record.validation_perplexity)


def test_a_single_document_is_trained_on():
    result = run(documents_of(1), **STILL)
    assert result.state.n_tokens == 7
    assert np.isnan(result.state.history[0].validation_perplexity)


def test_training_starts_from_the_weights_that_are_built():
    result = run(**STILL)
    expected = weights_of(build_model(PLAN, result.vocabulary, 0))
    for name, array in weights_of(result.model).items():
        np.testing.assert_allclose(array, expected[name], atol=1e-25, err_msg=name)


def test_what_training_has_given_so_far_is_a_copy():
    watched = []
    result = run(watch=watched.append).trained
    (so_far,) = watched
    copied = so_far()
    assert_same_weights(copied.network, result.network)
    assert not copied.network.training
    assert copied.vocabulary == result.vocabulary
    assert (copied.n_epochs, copied.n_tokens) == (result.n_epochs, result.n_tokens)
    assert copied.history == result.history
    assert copied.unknown_share == result.unknown_share
    assert copied.optimizer.keys() == result.optimizer.keys()
    before = (
        weights_of(result.network),
        {k: v.copy() for k, v in result.optimizer.items()},
    )
    with torch.no_grad():
        for parameter in copied.network.parameters():
            parameter.zero_()
    for values in copied.optimizer.values():
        values[...] = 0
    np.testing.assert_equal((weights_of(result.network), result.optimizer), before)
    assert len(result.history) == 3
