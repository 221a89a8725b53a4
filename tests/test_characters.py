import numpy as np
import pytest
from oracle_networks import SENTENCES
from reference_elmo import token_to_ids

from skelmo.text.characters import (
    PADDING,
    encode_tokens,
    token_bytes,
    token_lengths,
)

TOKENS = sorted({token for sentence in SENTENCES for token in sentence})
TOKENS += ["<s>", "<S", "é" * 24, "é" * 25, "a" * 47, "a" * 48, "a" * 49, "<UNK>"]


@pytest.mark.parametrize("max_characters", [50, 12, 4, 3])
def test_ids_equal_the_oracles(max_characters):
    got = encode_tokens(TOKENS, max_characters)
    expected = [token_to_ids(token, max_characters) for token in TOKENS]
    np.testing.assert_array_equal(got, expected)


def test_ids_of_no_tokens_keep_their_width():
    assert encode_tokens([], 12).shape == (0, 12)


def test_ids_of_every_byte_are_one_more():
    # Bytes 128 and above must not wrap around in an 8-bit type.
    text = bytes(range(256)).decode("latin-1")
    encoded = text.encode("utf-8")
    ids = encode_tokens([text], 512)[0]
    np.testing.assert_array_equal(ids[1 : len(encoded) + 1], np.array([*encoded]) + 1)


def test_ids_are_valid_and_never_those_of_a_padded_position():
    ids = encode_tokens(TOKENS)
    assert ids.min() >= 1
    assert ids.max() == PADDING == 261


def test_token_bytes_leave_out_lone_surrogates():
    assert token_bytes("a\ud800é\udfff") == "aé".encode()


@pytest.mark.parametrize("max_characters", [50, 12, 3])
def test_lengths_count_what_is_read(max_characters):
    got = token_lengths(encode_tokens(TOKENS, max_characters))
    for token, length in zip(TOKENS, got, strict=True):
        marker = token in ("<S>", "</S>")
        n_bytes = 1 if marker else len(token.encode("utf-8", "ignore"))
        assert length == min(n_bytes, max_characters - 2) + 2, token
