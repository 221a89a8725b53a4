"""What a pickle holds of a model that was trained on."""

import pickle

import numpy as np
import torch
from tiny_models import CONFIG, tiny_model

from skelmo.models.change import Change
from skelmo.models.trained import TrainedModel
from skelmo.models.weights import network_arrays
from skelmo.nn.bilm import BiLMConfig

CPU = torch.device("cpu")
WORDS = ["<S>", "</S>", "<UNK>", *(f"w{k}" for k in range(500))]
WITH_WORDS = BiLMConfig(
    **{**vars(CONFIG), "word_embedding_dim": 7, "n_words": len(WORDS)}
)


def make(seed=0, config=CONFIG, **given):
    return TrainedModel.from_saved(tiny_model(config, seed=seed, **given), CPU)


def changed(model, edit):
    """Return a copy of a model with other weights."""
    arrays = {k: v.copy() for k, v in network_arrays(model.network).items()}
    edit(arrays)
    saved = tiny_model(model.config, vocabulary=model.vocabulary)
    saved.arrays.clear()
    saved.arrays.update(arrays)
    return TrainedModel.from_saved(saved, CPU)


def round_trip(model, base):
    content = pickle.dumps(Change.of(model, base))
    return pickle.loads(content).made_to(base), len(content)


def test_all_weights_come_back_bit_for_bit():
    base = make()
    other = make(seed=1)
    found, _ = round_trip(other, base)
    assert found.digest == other.digest != base.digest


def test_what_has_not_changed_is_not_held():
    base = make()
    same, nothing = round_trip(make(), base)
    assert same.digest == base.digest
    biased = changed(base, lambda arrays: arrays["forward_lstm.bias_l0"].fill(1.0))
    found, little = round_trip(biased, base)
    assert found.digest == biased.digest
    assert little < nothing + 300


def test_of_a_matrix_the_rows_that_changed_are_held():
    base = make(config=WITH_WORDS, vocabulary=WORDS, softmax=True)
    name = "token_encoder.word_embedding.weight"

    def edit(arrays):
        arrays[name][[3, 400]] += 1.0
        arrays[name][5] = -0.0

    other = changed(base, edit)
    found, size = round_trip(other, base)
    assert found.digest == other.digest
    assert size < 3000 < network_arrays(base.network)[name].nbytes
    assert found.vocabulary == WORDS


def test_the_base_stays_as_it_is():
    base = make()
    before = {k: v.copy() for k, v in network_arrays(base.network).items()}
    round_trip(make(seed=1), base)
    for name, array in network_arrays(base.network).items():
        np.testing.assert_array_equal(array, before[name])


def test_another_vocabulary_comes_along():
    base = make()
    other = make(config=CONFIG, vocabulary=WORDS[:5], softmax=True)
    found, _ = round_trip(other, base)
    assert found.vocabulary == WORDS[:5]
    assert found.has_softmax
    assert found.digest == other.digest
