import numpy as np
import pytest
import torch

from skelmo.nn.char_cnn import (
    PADDING_CHARACTER,
    CharacterCNN,
    Highway,
    trimmed_length,
)
from skelmo.text import characters
from skelmo.text.characters import encode_tokens, token_lengths

TOKENS = ["", "a", "banana", "x" * 60, "naïve", "<S>"]
SETTINGS = {
    "plain": {"n_highway": 0},
    "highways": {"n_highway": 2},
    "tanh": {"activation": "tanh"},
    "words": {"n_words": 4, "word_embedding_dim": 2},
    "no-projection": {"projection": False, "proj_size": 9},
}
FILTERS = ((1, 2), (3, 4), (5, 3))


def build(name="highways"):
    torch.manual_seed(0)
    cnn = CharacterCNN(
        FILTERS, **{"embedding_dim": 3, "proj_size": 5, **SETTINGS[name]}
    )
    for parameter in cnn.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, std=0.5)
    return cnn.double()


def naive(cnn, ids, word=None):
    """One token, one window and one filter at a time."""
    embedded = [cnn.embedding.weight[i] for i in ids]
    features = []
    for convolution in cnn.convolutions:
        width = convolution.weight.shape[2]
        for kernel, bias in zip(convolution.weight, convolution.bias, strict=True):
            values = [
                sum(kernel[:, k] @ embedded[start + k] for k in range(width)) + bias
                for start in range(len(ids) - width + 1)
            ]
            features.append(cnn.activation(torch.stack(values)).max())
    x = torch.stack(features)
    for highway in cnn.highways:
        gate = torch.sigmoid(highway.carry.weight @ x + highway.carry.bias)
        new = torch.relu(highway.transform.weight @ x + highway.transform.bias)
        x = gate * new + (1 - gate) * x
    if word is not None:
        x = torch.cat([x, cnn.word_embedding.weight[word]])
    if cnn.projection is not None:
        x = cnn.projection.weight @ x + cnn.projection.bias
    return x


@pytest.mark.parametrize("name", SETTINGS)
def test_forward_equals_a_naive_loop(name):
    cnn = build(name)
    ids = encode_tokens(TOKENS, 12)
    words = torch.tensor([0, 3, 1, 2, 2, 0]) if name == "words" else None
    with torch.no_grad():
        got = cnn(torch.from_numpy(ids), words)
        for row, token_ids in enumerate(ids.tolist()):
            word = None if words is None else words[row]
            torch.testing.assert_close(got[row], naive(cnn, token_ids, word))


def gradients(cnn, char_ids):
    out = cnn(torch.from_numpy(char_ids))
    pull = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    parameters = dict(cnn.named_parameters())
    grads = torch.autograd.grad((out * pull).sum(), list(parameters.values()))
    return dict(zip(parameters, grads, strict=True))


@pytest.mark.parametrize("name", ["plain", "highways", "tanh"])
def test_trimmed_columns_give_the_same_values_and_gradients(name):
    cnn = build(name)
    tokens = ["", "a", "banana", "ab" * 5]
    char_ids = encode_tokens(tokens, 50)
    longest = int(token_lengths(char_ids).max())
    trimmed = char_ids[:, : trimmed_length(longest, cnn.max_width, 50)]
    assert trimmed.shape[1] == 17
    with torch.no_grad():
        torch.testing.assert_close(
            cnn(torch.from_numpy(trimmed)), cnn(torch.from_numpy(char_ids))
        )
    whole, part = gradients(cnn, char_ids), gradients(cnn, trimmed)
    assert whole["embedding.weight"][PADDING_CHARACTER].any()  # it is learned
    for key, expected in whole.items():
        torch.testing.assert_close(part[key], expected, rtol=0, atol=1e-12, msg=key)


def test_gradients_equal_those_of_the_naive_loop():
    cnn = build("highways")
    # No two windows alike, or the maximum's gradient has more than one right answer.
    ids = np.array([[259, 3, 17, 99, 201, 7, 260], [259, 50, 4, 31, 6, 8, 260]])
    got = gradients(cnn, ids)
    out = torch.stack([naive(cnn, row) for row in ids.tolist()])
    pull = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    expected = torch.autograd.grad((out * pull).sum(), list(cnn.parameters()))
    for (key, grad), wanted in zip(got.items(), expected, strict=True):
        torch.testing.assert_close(grad, wanted, rtol=0, atol=1e-12, msg=key)


def test_a_token_does_not_see_its_neighbours():
    cnn = build()
    ids = torch.from_numpy(encode_tokens(TOKENS))
    together = cnn(ids)
    for row in range(len(TOKENS)):
        torch.testing.assert_close(cnn(ids[row : row + 1])[0], together[row])


def test_a_closed_highway_lets_its_input_through():
    highway = Highway(4)
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        highway.carry.bias.fill_(-1e4)
        torch.testing.assert_close(highway(x), x)
        highway.carry.bias.fill_(1e4)
        torch.testing.assert_close(highway(x), torch.relu(highway.transform(x)))


def test_characters_are_numbered_alike_in_text_and_network():
    assert characters.PADDING == PADDING_CHARACTER


def test_the_padded_position_has_a_zero_vector_without_gradient():
    cnn = build("plain")
    assert not cnn.embedding.weight[0].any()
    ids = encode_tokens(["a"], 12)
    assert not gradients(cnn, ids)["embedding.weight"][0].any()
    # The row's id is asked for, and yet gets no gradient.
    ids[0, 3] = 0
    assert not gradients(cnn, ids)["embedding.weight"][0].any()


def test_a_word_vector_of_the_size_of_the_output_goes_through_at_first():
    torch.manual_seed(0)
    cnn = CharacterCNN(
        [(1, 3)], embedding_dim=2, proj_size=4, n_words=5, word_embedding_dim=4
    )
    chars = torch.randint(1, 200, (2, 6))
    one, other = (cnn(chars, torch.tensor(words)) for words in ([0, 3], [4, 3]))
    words = cnn.word_embedding.weight
    torch.testing.assert_close(one[0] - other[0], words[0] - words[4])
    torch.testing.assert_close(one[1], other[1], rtol=0, atol=0)


@pytest.mark.parametrize("max_width", [1, 2, 7])
def test_trimmed_length_keeps_every_distinct_window(max_width):
    for n_bytes in range(49):
        row = encode_tokens(["a" * (n_bytes - 1) + "b" if n_bytes else ""])[0].tolist()
        n_columns = trimmed_length(n_bytes + 2, max_width, 50)
        for width in range(1, max_width + 1):
            all_windows = {tuple(row[i : i + width]) for i in range(51 - width)}
            kept = {tuple(row[i : i + width]) for i in range(n_columns + 1 - width)}
            assert kept == all_windows
