import numpy as np
import pytest
import torch

from skelmo.nn import recurrence
from skelmo.nn.bilm import BiLM, BiLMConfig
from skelmo.nn.lstm import ProjectedLSTM
from skelmo.nn.recurrence import Clip, State, Weights, lstm_layer, scan

BATCH_SIZES = (4, 4, 3, 2, 2, 1)


def naive_layer(x, batch_sizes, weights, clip, reverse, state=None):
    """One layer, one step at a time, in plain differentiable torch."""
    offsets = np.concatenate([[0], np.cumsum(batch_sizes)])
    w_ih, w_hh, bias, w_hr = weights
    n_hidden = len(bias) // 4
    hidden = [x.new_zeros(w_hh.shape[1]) for _ in range(batch_sizes[0])]
    cell = [x.new_zeros(n_hidden) for _ in range(batch_sizes[0])]
    if state is not None:
        hidden, cell = list(state.hidden), list(state.cell)
    out = [None] * len(x)
    order = range(len(batch_sizes))
    for t in order[::-1] if reverse else order:
        for row in range(batch_sizes[t]):
            gates = w_ih @ x[offsets[t] + row] + w_hh @ hidden[row] + bias
            i, f, g, o = gates.chunk(4)
            c = torch.sigmoid(f) * cell[row] + torch.sigmoid(i) * torch.tanh(g)
            if clip.cell is not None:
                c = c.clamp(-clip.cell, clip.cell)
            h = torch.sigmoid(o) * torch.tanh(c)
            if w_hr is not None:
                h = w_hr @ h
                if clip.proj is not None:
                    h = h.clamp(-clip.proj, clip.proj)
            hidden[row], cell[row] = h, c
            out[offsets[t] + row] = h
    return torch.stack(out), torch.stack(hidden), torch.stack(cell)


def layer_inputs(seed, proj=3, hidden=5, projection=True):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        tensor = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return tensor.requires_grad_()

    def direction():
        weights = [normal(4 * hidden, proj), normal(4 * hidden, proj)]
        weights += [normal(4 * hidden), normal(proj, hidden) if projection else None]
        return [normal(sum(BATCH_SIZES), proj), *weights]

    return direction()


CLIPS = [
    pytest.param(Clip(None, None), id="no-clip"),
    pytest.param(Clip(0.4, None), id="cell-clip"),
    pytest.param(Clip(0.5, 0.6), id="both-clips"),
]


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("projection", [True, False], ids=["projection", "none"])
@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("rows_at_once", [1024, 5], ids=["one-segment", "segments"])
def test_layer_equals_naive_layer_with_gradients(
    clip, projection, reverse, rows_at_once, monkeypatch
):
    monkeypatch.setattr(recurrence, "ROWS_AT_ONCE", rows_at_once)
    x, *weights = layer_inputs(0, 4 if not projection else 3, 4, projection)
    expected, *end = naive_layer(x, BATCH_SIZES, weights, clip, reverse)
    out, state = lstm_layer(x, BATCH_SIZES, Weights(*weights), clip, reverse=reverse)
    leaves = [t for t in (x, *weights) if t is not None]
    pull = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out)
    got = torch.autograd.grad((out * pull).sum(), leaves)
    desired = torch.autograd.grad((expected * pull).sum(), leaves)
    for actual, wanted in zip(
        (out, *state, *got), (expected, *end, *desired), strict=True
    ):
        torch.testing.assert_close(actual, wanted, rtol=0, atol=1e-10)
    if clip.cell is not None:
        assert (end[1].abs() == clip.cell).double().mean() > 0.1


def test_layer_gradient_passes_gradcheck():
    x, *weights = layer_inputs(1)
    assert torch.autograd.gradcheck(
        lambda x, *w: lstm_layer(
            x, BATCH_SIZES, Weights(*w), Clip(0.7, 0.8), reverse=True
        )[0],
        (x, *weights),
    )


def test_layer_equals_torch_lstm_with_projection():
    torch.manual_seed(0)
    reference = torch.nn.LSTM(6, 10, num_layers=1, proj_size=6).double()
    lengths = torch.tensor([6, 5, 3, 3])
    padded = torch.randn(6, 4, 6, dtype=torch.float64)
    packed = torch.nn.utils.rnn.pack_padded_sequence(padded, lengths)
    ours = ProjectedLSTM(6, 10, 1).double()
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_hh_l0", "weight_hr_l0"):
            getattr(ours, name).copy_(getattr(reference, name))
        bias = reference.bias_ih_l0 + reference.bias_hh_l0
        ours.bias_l0.copy_(bias - ours.forget_bias)
    expected, (hidden, cell) = reference(packed)
    with torch.no_grad():
        out, state, _ = scan(
            packed.data, packed.batch_sizes.tolist(), ours.layer(0), None,
            Clip(None, None), reverse=False, keep=False,
        )  # fmt: skip
    torch.testing.assert_close(out, expected.data, rtol=0, atol=1e-12)
    torch.testing.assert_close(state.hidden, hidden[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(state.cell, cell[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
def test_scan_of_two_stretches_with_carried_state_equals_one(reverse):
    x, *weights = layer_inputs(2)
    x = x.detach()
    weights = Weights(*(w.detach() for w in weights))
    clip = Clip(0.7, 0.8)
    whole, end, _ = scan(x, [1] * 16, weights, None, clip, reverse, keep=False)
    cuts = [slice(0, 7), slice(7, 16)]
    state, parts = None, {}
    for cut in cuts[::-1] if reverse else cuts:
        part = x[cut]
        parts[cut.start], state, _ = scan(
            part, [1] * len(part), weights, state, clip, reverse, keep=False
        )
    torch.testing.assert_close(
        torch.cat([parts[0], parts[7]]), whole, rtol=0, atol=1e-12
    )
    torch.testing.assert_close(state.cell, end.cell, rtol=0, atol=1e-12)


def test_layer_with_given_state_equals_naive_layer():
    x, *weights = layer_inputs(3)
    state = State(torch.randn(4, 3).double(), torch.randn(4, 5).double())
    clip = Clip(None, None)
    expected = naive_layer(x, BATCH_SIZES, weights, clip, True, state)
    out, end = lstm_layer(x, BATCH_SIZES, Weights(*weights), clip, state, reverse=True)
    for actual, desired in zip((out, *end), expected, strict=True):
        torch.testing.assert_close(actual, desired, rtol=0, atol=1e-12)


def test_directions_do_not_see_what_they_predict():
    config = BiLMConfig(filters=((1, 4),), hidden_size=6, proj_size=4, num_layers=3)
    bilm = BiLM(config)
    vectors = torch.randn(8, 4, requires_grad=True)
    output = bilm(vectors, [1] * 8)
    for position in range(8):
        (grad,) = torch.autograd.grad(
            sum(layer[position].sum() for layer in output.forward),
            vectors,
            retain_graph=True,
        )
        assert not grad[position + 1 :].any()
        assert grad[: position + 1].any(dim=1).all()
        (grad,) = torch.autograd.grad(
            sum(layer[position].sum() for layer in output.backward),
            vectors,
            retain_graph=True,
        )
        assert not grad[:position].any()
        assert grad[position:].any(dim=1).all()
