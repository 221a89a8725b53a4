"""Heads against modules of torch written anew, and gradients against differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from skelmo.nn.heads import (
    HEADS,
    AttentionPooling,
    Head,
    HeadConfig,
    ScalarMix,
    Standardization,
)
from skelmo.nn.randomness import DrawnFrom

CONFIG = HeadConfig(
    n_layers=3,
    n_features=8,
    n_outputs=3,
    hidden_layer_sizes=(6, 5),
    n_filters=4,
    kernel_sizes=(1, 3, 4),
    n_attention_heads=2,
)
LENGTHS = torch.tensor([5, 0, 2, 7, 1])


def make_head(kind, *, seed=0, dropout=0.0, **changes):
    with DrawnFrom(torch.Generator().manual_seed(seed)):
        head = Head(replace(CONFIG, kind=kind, **changes), dropout=dropout)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        if head.config.mixes:
            head.mix.weights.copy_(torch.tensor([0.3, -0.5, 1.0]))
            head.mix.gamma.fill_(1.7)
        if kind == "attention":
            head.pooling.score.weight.normal_(generator=generator)
        head.standardization.mean.normal_(generator=generator)
        head.standardization.scale.uniform_(0.5, 2.0, generator=generator)
    return head.double()


def make_activations(lengths=LENGTHS, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = int(lengths.sum()), CONFIG.n_layers, CONFIG.n_features
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def mixed(head, activations):
    """The paper's mix, layer by layer, or all layers."""
    if not head.config.mixes:
        return torch.cat(list(activations.unbind(1)), 1)
    shares = torch.exp(head.mix.weights) / torch.exp(head.mix.weights).sum()
    layers = [share * activations[:, k] for k, share in enumerate(shares)]
    return head.mix.gamma * sum(layers)


def mean_std(head, tokens):
    variance = tokens.var(0, correction=0)
    return torch.cat([tokens.mean(0), torch.sqrt(variance + 1e-12)])


def kim(head, tokens):
    """Kim's filters over one document that is filled up with zeros."""
    found = []
    for width, own in zip(CONFIG.kernel_sizes, head.pooling.convolutions, strict=True):
        module = torch.nn.Conv1d(head.config.n_read, CONFIG.n_filters, width).double()
        module.load_state_dict(own.state_dict())
        rows = functional.pad(tokens, (0, 0, 0, max(0, width - len(tokens))))
        found.append(torch.relu(module(rows.T[None])).max(2).values[0])
    return torch.cat(found)


def attention(head, tokens):
    """Attention of each head over one document, a token at a time."""
    state = head.pooling.state_dict()
    scores = torch.stack(
        [
            state["score.weight"]
            @ torch.tanh(state["hidden.weight"] @ token + state["hidden.bias"])
            for token in tokens
        ]
    )
    width = head.config.n_read // CONFIG.n_attention_heads
    summed = [
        (scores[:, k].softmax(0)[:, None] * tokens[:, k * width : (k + 1) * width])
        for k in range(CONFIG.n_attention_heads)
    ]
    return torch.cat([*(part.sum(0) for part in summed), tokens.max(0).values])


POOLED_BY = {"linear": mean_std, "mlp": mean_std, "cnn": kim, "attention": attention}


def reference(head, activations, lengths):
    """Outputs of one document after the other, by torch's own modules."""
    pool = POOLED_BY[head.config.kind]
    tokens = mixed(head, activations)
    rows = []
    for part in tokens.split(lengths.tolist()):
        size = head.config.n_pooled
        x = tokens.new_zeros(size)
        if len(part):
            known = head.standardization
            x = (pool(head, part) - known.mean) / known.scale
        if head.config.kind == "mlp":
            for layer in head.hidden:
                x = functional.linear(x, layer.weight, layer.bias).clamp(min=0)
        rows.append(functional.linear(x, head.output.weight, head.output.bias))
    return torch.stack(rows)


@pytest.mark.parametrize("mixes", [True, False])
@pytest.mark.parametrize("kind", HEADS)
def test_outputs_are_those_of_plain_modules(kind, mixes):
    head, activations = make_head(kind, mixes=mixes), make_activations()
    expected = reference(head, activations, LENGTHS)
    torch.testing.assert_close(head(activations, LENGTHS), expected)


@pytest.mark.parametrize("kind", HEADS)
def test_gradients_are_those_of_differences(kind):
    head, activations = make_head(kind), make_activations()
    names = [name for name, _ in head.named_parameters()]
    weights = [p.detach().clone().requires_grad_() for p in head.parameters()]

    def outputs(x, *values):
        given = dict(zip(names, values, strict=True))
        return torch.func.functional_call(head, given, (x, LENGTHS))

    assert torch.autograd.gradcheck(outputs, (activations.requires_grad_(), *weights))


@pytest.mark.parametrize("kind", HEADS)
def test_a_document_has_the_outputs_it_has_alone(kind):
    head, activations = make_head(kind), make_activations()
    together = head(activations, LENGTHS)
    start = 0
    for row, length in enumerate(LENGTHS.tolist()):
        alone = activations[start : start + length], torch.tensor([length])
        torch.testing.assert_close(together[row : row + 1], head(*alone))
        start += length


@pytest.mark.parametrize("kind", HEADS)
def test_a_document_without_tokens_is_pooled_to_zeros(kind):
    head = make_head(kind)
    pooled = head.pool(make_activations(), LENGTHS)
    assert pooled.shape == (5, head.config.n_pooled)
    assert (pooled[1] == 0).all()
    none = head.pool(make_activations()[:0], torch.tensor([0, 0]))
    assert (none == 0).all()


def test_weights_of_attention_are_shares_of_real_tokens():
    head, activations = make_head("attention"), make_activations()
    weights = head.pooling.weights(head.mix(activations), LENGTHS)
    sums = (LENGTHS > 0).double()[:, None].expand(5, 2)
    torch.testing.assert_close(weights.sum(1), sums)
    assert (weights[0, 5:] == 0).all()


def test_attention_starts_as_the_mean():
    pooling = AttentionPooling(8, 2, 4).double()
    x = make_activations()[:, 0]
    expected = mean_std(None, x)[:8]
    torch.testing.assert_close(pooling(x, torch.tensor([len(x)]))[0, :8], expected)


def test_mix_starts_as_the_mean():
    activations = make_activations()
    mix = ScalarMix(3).double()
    torch.testing.assert_close(mix(activations), activations.mean(1))


@pytest.mark.parametrize("kind", HEADS)
def test_dropout_takes_a_generator_and_keeps_the_mean(kind):
    head, activations = make_head(kind, dropout=0.3), make_activations()
    whole = head(activations, LENGTHS)
    draws = [
        head(activations, LENGTHS, torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    head.eval()
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(head(activations, LENGTHS, generator), whole)


def test_hidden_layers_belong_to_the_mlp_alone():
    shapes = {kind: len(make_head(kind).hidden) for kind in HEADS}
    assert shapes == {"linear": 0, "mlp": 2, "cnn": 0, "attention": 0}


def test_first_weights_are_decided_by_the_seed():
    heads = [make_head("cnn", seed=seed) for seed in (0, 0, 1)]
    vectors = [torch.nn.utils.parameters_to_vector(h.parameters()) for h in heads]
    assert torch.equal(vectors[0], vectors[1])
    assert not torch.equal(vectors[0], vectors[2])
    assert np.isfinite(vectors[0].detach().numpy()).all()


def test_what_documents_are_pooled_to_is_standardised():
    x = make_activations(torch.tensor([400])).flatten(1) * torch.arange(1.0, 25.0) + 5
    weight = torch.linspace(0.5, 2.0, 400, dtype=torch.float64)
    module = Standardization(24).double()
    module.find(x, weight)
    mean = np.average(x, axis=0, weights=weight)
    spread = np.average((x.numpy() - mean) ** 2, axis=0, weights=weight)
    scale = np.sqrt((400 * spread + 10 * spread.mean()) / 410)
    np.testing.assert_allclose(module(x), (x.numpy() - mean) / scale)


def test_a_weight_is_worth_as_many_documents():
    x = make_activations(torch.tensor([4])).flatten(1)
    found = []
    for weight in ([2.0, 1.0, 1.0, 3.0], [1.0, 0.5, 0.5, 1.5]):
        module = Standardization(24).double()
        module.find(x, torch.tensor(weight))
        found.append(module.state_dict())
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("n", [1, 2])
def test_one_document_or_two_alike_blow_nothing_up(n):
    x = torch.ones(n, 24, dtype=torch.float64)
    module = Standardization(24).double()
    module.find(x, torch.ones(n))
    assert (module(x) == 0).all()
    assert (module(x + 1) == 1).all()
