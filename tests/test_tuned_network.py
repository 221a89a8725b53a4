"""A language model as it is trained under a head."""

import numpy as np
import pytest
import torch
from tiny_models import CONFIG, tiny_model

from skelmo.encoding.encoder import Encoder
from skelmo.models.trained import TrainedModel
from skelmo.nn.bilm import BiLMConfig
from skelmo.nn.heads import Head, HeadConfig
from skelmo.text.analysis import Analyzer
from skelmo.text.distinct import index_distinct
from skelmo.training.tuned_network import LiveActivations, TunedNetwork

WORDS = ["<S>", "</S>", "<UNK>", "the", "cat", "sees", "moon", ".", "river"]
WITH_WORDS = BiLMConfig(
    **{**vars(CONFIG), "word_embedding_dim": 7, "n_words": len(WORDS)}
)
TEXTS = ["The cat. It sees the moon.", "", "moon", "the the cat sees", "A b. C. D e."]
CPU = torch.device("cpu")


@pytest.fixture(params=[False, True], ids=["characters", "words"])
def model(request):
    config = WITH_WORDS if request.param else CONFIG
    saved = tiny_model(config, vocabulary=WORDS if request.param else None)
    return TrainedModel.from_saved(saved, CPU)


@pytest.fixture
def sequences():
    return index_distinct(iter(TEXTS), Analyzer()).sequences


def network_of(live, n_layers=3):
    return TunedNetwork(Head(HeadConfig(n_layers, 14, 2, "linear")), live.bilm)


@pytest.mark.parametrize("documents", [[0, 1, 2, 3, 4], [1, 3], [1], [0, 4]])
def test_activations_are_those_of_the_encoder(model, sequences, documents):
    live = LiveActivations(model, sequences, model.indexer)
    expected = dict(Encoder(model.network.bilm, model.indexer).tokens(sequences))
    found = live(np.array(documents)).detach().numpy()
    wanted = np.concatenate([expected[k] for k in documents])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    lengths = [len(expected[k]) for k in range(len(TEXTS))]
    np.testing.assert_array_equal(live.lengths, lengths)


def test_the_model_stays_as_it_is(model, sequences):
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    live = LiveActivations(model, sequences, model.indexer)
    with torch.no_grad():
        for parameter in live.bilm.parameters():
            parameter.add_(1.0)
    for name, weight in model.network.state_dict().items():
        assert torch.equal(weight, before[name]), name


def test_what_is_trained_is_put_back_in_its_place(model, sequences):
    live = LiveActivations(model, sequences, model.indexer)
    assert live.trained().digest == model.digest
    with torch.no_grad():
        for parameter in live.bilm.parameters():
            parameter.add_(1.0)
    trained = live.trained().network.bilm.state_dict()
    seen = set(live.rows.tolist())
    for name, weight in model.network.bilm.state_dict().items():
        expected = weight + 1.0
        if name.endswith("word_embedding.weight"):
            rows = [k for k in range(len(WORDS)) if k not in seen]
            assert rows
            expected[rows] = weight[rows]
        assert torch.equal(trained[name], expected), name
    expected = dict(
        Encoder(live.trained().network.bilm, model.indexer).tokens(sequences)
    )
    found = live(np.arange(len(TEXTS))).detach().numpy()
    wanted = np.concatenate([expected[k] for k in range(len(TEXTS))])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_words_that_have_not_changed_are_of_one_memory():
    saved = tiny_model(WITH_WORDS, vocabulary=WORDS)
    model = TrainedModel.from_saved(saved, CPU)
    sequences = index_distinct(iter(TEXTS), Analyzer()).sequences
    live = LiveActivations(model, sequences, model.indexer)
    before = model.network.bilm.token_encoder.word_embedding
    assert live.trained().network.bilm.token_encoder.word_embedding is before


@pytest.mark.parametrize("depth", range(4))
def test_only_what_is_as_deep_has_a_gradient(model, sequences, depth):
    live = LiveActivations(model, sequences, model.indexer)
    network = network_of(live)
    network.train_down_to(depth)
    lengths = torch.from_numpy(live.lengths)
    network.head(live(np.arange(len(TEXTS))), lengths).square().sum().backward()
    deepest = {
        "head": 0,
        "bilm.forward_lstm.weight_ih_l1": 1,
        "bilm.backward_lstm.bias_l0": 2,
        "bilm.token_encoder.projection.weight": 3,
    }
    parameters = dict(network.named_parameters())
    for name, own in deepest.items():
        assert own == network.depth(name)
        for full, parameter in parameters.items():
            if full.startswith(name):
                assert (parameter.grad is not None) == (own <= depth), full


def test_gradients_are_those_of_differences(sequences):
    model = TrainedModel.from_saved(tiny_model(), CPU)
    live = LiveActivations(model, sequences, model.indexer)
    network = network_of(live).double()
    lengths = torch.from_numpy(live.lengths)

    def loss():
        return network.head(live(np.arange(len(TEXTS))), lengths).square().sum()

    loss().backward()
    rng = np.random.default_rng(0)
    for name, parameter in network.named_parameters():
        flat = parameter.data.view(-1)
        for k in rng.permutation(len(flat))[:3].tolist():
            value, ends = flat[k].item(), []
            for step in (1e-6, -1e-6):
                flat[k] = value + step
                ends.append(loss().item())
            flat[k] = value
            slope = (ends[0] - ends[1]) / 2e-6
            found = parameter.grad.view(-1)[k].item()
            assert found == pytest.approx(slope, rel=1e-4, abs=1e-6), name


def test_dropout_is_drawn_from_a_generator(model, sequences):
    live = LiveActivations(model, sequences, model.indexer, dropout=0.5)
    live.bilm.train()
    every = np.arange(len(TEXTS))
    draws = [live(every, torch.Generator().manual_seed(k)) for k in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert live.trained().network.bilm.dropout.rate == 0.0
