import numpy as np
import pytest
import torch

from skelmo.nn import lstm, recurrence, recurrence_gradient
from skelmo.nn.bilm import BiLM, BiLMConfig
from skelmo.nn.lstm import ProjectedLSTM, lstm_layer, whole_sequence_layer
from skelmo.nn.packing import reversed_rows
from skelmo.nn.recurrence import Clip, State, Weights, prepare

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


def directions(stacked):
    """Weights of each direction."""
    return [Weights(*(None if w is None else w[d] for w in stacked)) for d in (0, 1)]


def both_naive_layers(x, batch_sizes, weights, clip, state=None):
    """The forward layer upwards and the backward layer downwards, in rows' order."""
    parts = []
    for d in range(2):
        own = None if state is None else State(state.hidden[d], state.cell[d])
        mine = [None if w is None else w[d] for w in weights]
        parts.append(naive_layer(x, batch_sizes, mine, clip, d == 1, own))
    return [torch.stack(pair) for pair in zip(*parts, strict=True)]


def both_layers(x, batch_sizes, weights, clip, state=None):
    """The same by what is tested."""
    turn = reversed_rows(batch_sizes)
    out, end = lstm_layer(
        torch.stack([x, x[turn]]), batch_sizes, directions(weights), clip, state
    )
    return torch.stack([out[0], out[1, turn]]), *end


def layer_inputs(seed, proj=3, hidden=5, projection=True):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        tensor = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return tensor.requires_grad_()

    weights = [normal(2, 4 * hidden, proj), normal(2, 4 * hidden, proj)]
    weights += [normal(2, 4 * hidden), normal(2, proj, hidden) if projection else None]
    return [normal(sum(BATCH_SIZES), proj), *weights]


CLIPS = [
    pytest.param(Clip(None, None), id="no-clip"),
    pytest.param(Clip(0.4, None), id="cell-clip"),
    pytest.param(Clip(0.5, 0.6), id="both-clips"),
    pytest.param(Clip(90.0, 90.0), id="clips-that-never-bind"),
]


@pytest.mark.parametrize("carried", [False, True], ids=["fresh", "carried"])
@pytest.mark.parametrize("projection", [True, False], ids=["projection", "none"])
@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("rows_at_once", [1024, 5], ids=["one-segment", "segments"])
@pytest.mark.parametrize("few", [0, 8], ids=["step-by-step", "inputs-ahead"])
def test_layer_equals_naive_layer_with_gradients(
    clip, projection, carried, rows_at_once, few, monkeypatch
):
    monkeypatch.setattr(recurrence, "FEW_ROWS", few)
    monkeypatch.setattr(recurrence, "ROWS_AHEAD", rows_at_once)
    monkeypatch.setattr(recurrence_gradient, "ROWS_AT_ONCE", rows_at_once)
    x, *weights = layer_inputs(0, 4 if not projection else 3, 4, projection)
    state = None
    if carried:
        state = State(
            torch.rand(2, 4, x.shape[1]).double(), torch.rand(2, 4, 4).double()
        )
        state.cell[:] *= clip.cell or 1
    expected, *end = both_naive_layers(x, BATCH_SIZES, weights, clip, state)
    out, *got_end = both_layers(x, BATCH_SIZES, weights, clip, state)
    with torch.no_grad():
        not_kept, *end_not_kept = both_layers(x, BATCH_SIZES, weights, clip, state)
    leaves = [t for t in (x, *weights) if t is not None]
    pull = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out)
    got = torch.autograd.grad((out * pull).sum(), leaves)
    desired = torch.autograd.grad((expected * pull).sum(), leaves)
    for actual, wanted in zip(
        (out, *got_end, *got, not_kept, *end_not_kept),
        (expected, *end, *desired, expected, *end),
        strict=True,
    ):
        torch.testing.assert_close(actual, wanted, rtol=0, atol=1e-10)
    if clip.cell is not None and clip.cell < 1:
        assert (end[1].abs() == clip.cell).double().mean() > 0.1


@pytest.mark.parametrize("with_gradient", [True, False])
def test_what_the_gradient_needs_is_kept_only_for_a_gradient(
    with_gradient, monkeypatch
):
    kept = []

    def recorded(*args, **kwargs):
        out, state, tape = recurrence.scan(*args, **kwargs)
        kept.append(tape is not None)
        return out, state, tape

    monkeypatch.setattr(lstm, "scan", recorded)
    x, *weights = layer_inputs(0)
    with torch.set_grad_enabled(with_gradient):
        both_layers(x, BATCH_SIZES, weights, Clip(None, None))
    assert kept == [with_gradient]


def test_layer_gradient_passes_gradcheck():
    x, *weights = layer_inputs(1)
    assert torch.autograd.gradcheck(
        lambda x, *w: both_layers(x, BATCH_SIZES, w, Clip(0.7, 0.8))[0],
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
        forget_bias = ours.layer(0).bias - ours.bias_l0
        ours.bias_l0.copy_(bias - forget_bias)
        weights = [ours.layer(0)]
        expected, (hidden, cell) = reference(packed)
        sizes = packed.batch_sizes.tolist()
        out, state = lstm_layer(packed.data[None], sizes, weights, Clip(None, None))
    torch.testing.assert_close(out[0], expected.data, rtol=0, atol=1e-12)
    torch.testing.assert_close(state.hidden, hidden, rtol=0, atol=1e-12)
    torch.testing.assert_close(state.cell, cell, rtol=0, atol=1e-12)


@pytest.mark.parametrize("carried", [False, True], ids=["fresh", "carried"])
@pytest.mark.parametrize("projection", [True, False], ids=["projection", "none"])
def test_whole_sequence_layer_equals_the_scan_with_gradients(projection, carried):
    x, *weights = layer_inputs(5, 4 if not projection else 3, 4, projection)
    state = None
    if carried:
        state = State(
            torch.rand(2, 4, x.shape[1]).double(), torch.rand(2, 4, 4).double()
        )
    leaves = [t for t in (x, *weights) if t is not None]

    def result(run, *clip):
        both = torch.stack([x, x.sin()])
        out, end = run(both, BATCH_SIZES, directions(weights), *clip, state)
        return [out, *end, *torch.autograd.grad(out.square().sum(), leaves)]

    results = [
        result(lstm_layer, Clip(None, None)),
        result(whole_sequence_layer),
    ]
    for expected, actual in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def test_two_stretches_with_carried_state_equal_one():
    x, *weights = layer_inputs(2)
    x = torch.stack([x, x.flip(0)]).detach()
    weights = directions([w.detach() for w in weights])
    clip = Clip(0.7, 0.8)
    whole, end = lstm_layer(x, [1] * 16, weights, clip)
    first, state = lstm_layer(x[:, :7], [1] * 7, weights, clip)
    second, state = lstm_layer(x[:, 7:], [1] * 9, weights, clip, state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(state.cell, end.cell, rtol=0, atol=1e-12)
    torch.testing.assert_close(state.hidden, end.hidden, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sizes", [[4, 4, 3, 2, 2, 1], [3], [1] * 5, [2, 2, 2]])
def test_reversed_rows_turn_every_sequence_round(sizes):
    rows = [[] for _ in range(sizes[0])]
    for k, sequence in enumerate(s for n in sizes for s in range(n)):
        rows[sequence].append(k)
    expected = np.empty(sum(sizes), dtype=int)
    for own in rows:
        expected[own] = own[::-1]
    np.testing.assert_array_equal(reversed_rows(sizes), expected)


@pytest.mark.parametrize("clip", [Clip(None, None), Clip(3.0, 3.0)])
@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_products_stay_near_float32(clip, native, instructions):
    instructions(native)
    x, *weights = layer_inputs(4, proj=32, hidden=64)
    x, *weights = (t.detach().float() * 0.3 for t in (x, *weights))
    leaves = [t.requires_grad_() for t in (x, *weights)]
    outs, grads = [], []
    for dtype in (torch.float32, torch.bfloat16):
        both = torch.stack([x, x])
        layer = directions(weights)
        out, end = lstm_layer(both, BATCH_SIZES, layer, clip, dtype=dtype)
        with torch.no_grad():
            prepared = prepare(layer, dtype)
            again, _ = lstm_layer(
                both, BATCH_SIZES, layer, clip, prepared=prepared, dtype=dtype
            )
        torch.testing.assert_close(again, out, rtol=0, atol=0)
        assert out.dtype == (dtype if native else torch.float32)
        assert torch.equal(out, out.to(dtype).to(out.dtype))
        assert end.cell.dtype == torch.float32
        outs.append(out.float())
        grads.append(torch.autograd.grad(out.float().square().sum(), leaves))
    for exact, rough in zip((outs[0], *grads[0]), (outs[1], *grads[1]), strict=True):
        cosine = torch.cosine_similarity(exact.flatten(), rough.flatten(), 0)
        assert 0.999 < cosine < 0.9999999


@pytest.mark.parametrize("clip", [Clip(None, None), Clip(0.7, 0.8)])
@pytest.mark.parametrize("projection", [True, False])
def test_weights_in_the_order_of_products_are_the_same_weights(clip, projection):
    config = BiLMConfig(
        filters=((1, 4),),
        hidden_size=8,
        proj_size=4 if projection else 8,
        lstm_projection=projection,
    )
    bilm = BiLM(config).eval()
    before = {name: weight.clone() for name, weight in bilm.state_dict().items()}
    vectors = torch.randn(sum(BATCH_SIZES), config.proj_size)
    with torch.no_grad():
        expected = bilm(vectors, BATCH_SIZES)
        prepared = bilm.prepare(share=True)
        shared = bilm(vectors, BATCH_SIZES, prepared=prepared)
        again = bilm(vectors, BATCH_SIZES)
    for output in (shared, again):
        for layers, others in zip(output[:2], expected[:2], strict=True):
            torch.testing.assert_close(layers, others, rtol=0, atol=1e-6)
    for name, weight in bilm.state_dict().items():
        assert torch.equal(weight, before[name])
    # The recurrence reads the weights themselves, not a copy.
    bilm.forward_lstm.weight_ih_l0.data.zero_()
    assert not prepared[0].weight_ih[0].any()
    assert prepared[0].weight_ih[1].all()


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
