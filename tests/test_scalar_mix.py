import numpy as np
import pytest
import torch
from reference_elmo import scalar_mix

from skelmo.nn.scalar_mix import ScalarMix


def mixer(n_layers, weights, gamma, **options):
    mix = ScalarMix(n_layers, **options).double()
    state = {"weights": weights, "gamma": gamma}
    mix.load_state_dict(
        {k: torch.tensor(v, dtype=torch.float64) for k, v in state.items()}
    )
    return mix


@pytest.mark.parametrize("masked", [False, True], ids=["no-mask", "mask"])
@pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "layer-norm"])
def test_mix_equals_the_oracle(layer_norm, masked):
    rng = np.random.default_rng(0)
    layers = rng.normal(1.0, 2.0, size=(3, 2, 5, 4))
    mask = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], dtype=bool)
    layers[:, ~mask] = 1e3  # what stands in the padding must not count
    mask = mask if masked else None
    weights, gamma = [0.3, -1.2, 2.0], 1.7
    expected = scalar_mix(layers, weights, gamma, mask, layer_norm)
    mix = mixer(3, weights, gamma, layer_norm=layer_norm)
    with torch.no_grad():
        got = mix(
            torch.from_numpy(layers), None if mask is None else torch.tensor(mask)
        )
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_a_fresh_mix_is_the_mean_of_the_layers():
    layers = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ScalarMix(4)(layers), layers.mean(0))


def test_weights_and_gamma_get_their_gradients():
    mix = mixer(2, [0.5, -0.5], 2.0)
    layers = torch.tensor([[1.0, 2.0], [3.0, 7.0]], dtype=torch.float64)
    mix(layers).sum().backward()
    s0, s1 = np.exp([0.5, -0.5]) / np.exp([0.5, -0.5]).sum()
    assert mix.gamma.grad.item() == pytest.approx(3 * s0 + 10 * s1)
    # Of gamma * (s0 * 3 + s1 * 10), with the softmax in between.
    slope = 2.0 * s0 * s1 * (3 - 10)
    np.testing.assert_allclose(mix.weights.grad, [slope, -slope])


def test_large_weights_choose_one_layer():
    layers = torch.randn(3, 5, 2, dtype=torch.float64)
    got = mixer(3, [0.0, 800.0, 0.0], 1.0)(layers)
    torch.testing.assert_close(got, layers[1])
