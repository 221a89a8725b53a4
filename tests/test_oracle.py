"""The whole network against an ELMo in NumPy that shares no code with it.

Both compute in float64 from the same float32 weights, so differences are rounding:
1.3e-15 at most, measured.
"""

import functools

import numpy as np
import pytest
import torch
from oracle_networks import SENTENCES, WORDS, layers_of, network_of
from reference_elmo import (
    ClipCounter,
    elmo_layers,
    language_model_nll,
    random_model,
    read_model,
    token_vector,
)

from skelmo.encoding.encoder import Encoder
from skelmo.models.weights import build_network, network_arrays
from skelmo.nn import char_cnn
from skelmo.nn.bilm import BiLM, BiLMConfig, LanguageModel
from skelmo.nn.running import token_vectors
from skelmo.nn.softmax import SoftmaxLoss
from skelmo.pretrained.bilm_format import read_bilm, write_bilm
from skelmo.pretrained.saved_model import SavedModel
from skelmo.scoring.corpus import make_corpus
from skelmo.scoring.likelihood import negative_log_likelihood
from skelmo.text.characters import encode_tokens
from skelmo.text.sequences import index_documents
from skelmo.text.token_indexer import TokenIndexer

TOLERANCE = 1e-12  # float64, fifty steps at most
FLOAT32_TOLERANCE = 1e-5

BASE = {
    "hidden": 6,
    "proj": 4,
    "num_layers": 2,
    "filters": ((1, 3), (2, 2), (4, 4)),
    "n_highway": 1,
    "activation": "relu",
    "char_dim": 3,
    "cell_clip": 0.3,
    "proj_clip": 0.2,
    "skip": True,
}
CASES = {
    "base": {},
    "no-skip": {"skip": False},
    "one-layer": {"num_layers": 1},
    "three-layers": {"num_layers": 3, "n_highway": 2},
    "no-highway-tanh": {"n_highway": 0, "activation": "tanh", "proj_clip": 0.1},
    "no-clip": {"cell_clip": None, "proj_clip": None},
    "cell-clip-alone": {"proj_clip": 0, "skip": False},
    "no-projections": {"hidden": 9, "proj": 9, "projection": False},
    "no-token-projection": {"proj": 9, "projection": False, "num_layers": 3},
    "no-lstm-projection": {"hidden": 4, "projection": False, "activation": "tanh"},
    "short-tokens": {"max_characters": 12, "n_highway": 2},
    "words": {"word_dim": 3},
    "words-fill-projection": {"word_dim": 3, "proj": 12, "projection": False},
}


def random_settings(seed):
    rng = np.random.default_rng(seed)
    pick = rng.choice
    widths = rng.permutation(np.arange(1, 8))[: rng.integers(1, 5)]
    return {
        "hidden": int(rng.integers(2, 9)),
        "proj": int(rng.integers(2, 9)),
        "num_layers": int(rng.integers(1, 4)),
        "filters": tuple((int(w), int(rng.integers(1, 5))) for w in widths),
        "n_highway": int(rng.integers(0, 3)),
        "activation": str(pick(["relu", "tanh"])),
        "char_dim": int(rng.integers(1, 6)),
        "cell_clip": [None, 0.3, 3.0][rng.integers(3)],
        "proj_clip": [None, 0.3, 3.0][rng.integers(3)],
        "skip": bool(rng.integers(2)),
        "max_characters": int(pick([12, 50])),
    }


CASES |= {f"random-{seed}": random_settings(seed) for seed in range(8)}


@functools.cache
def model_of(case):
    settings = BASE | CASES[case]
    rng = np.random.default_rng(list(case.encode()))
    options, arrays = random_model(rng, **settings)
    table = None
    if settings.get("word_dim"):
        table = rng.normal(size=(len(WORDS), settings["word_dim"])).astype(np.float32)
    return options, arrays, table


def expected_layers(case, sentence, states=None, counter=None):
    options, arrays, table = model_of(case)
    vectors = None
    if table is not None:
        rows = [WORDS.index(t) if t in WORDS else 2 for t in sentence]
        vectors = table[[0, *rows, 1]]
    return elmo_layers(sentence, options, arrays, states, vectors, counter)


def network(case):
    bilm = network_of(*model_of(case))
    words = {word: row for row, word in enumerate(WORDS)}
    return bilm, words if bilm.config.word_embedding_dim else None


def assert_clips_are_active(counter, options, bilm):
    """A clip that nothing meets would be tested by nothing."""
    kinds = [("cell", "cell_clip")]
    if bilm.config.lstm_projection:
        kinds.append(("proj", "proj_clip"))
    for kind, name in kinds:
        if 0 < (options["lstm"][name] or 0) < 3:
            assert counter.fraction(kind) >= 0.1, (kind, counter.fraction(kind))


@pytest.mark.parametrize("case", CASES)
def test_every_layer_of_a_packed_batch_equals_the_oracle(case):
    bilm, words = network(case)
    counter = ClipCounter()
    got, states = layers_of(bilm, SENTENCES, words=words)
    for row, sentence in enumerate(SENTENCES):
        expected, ends = expected_layers(case, sentence, counter=counter)
        np.testing.assert_allclose(got[row], expected, rtol=0, atol=TOLERANCE)
        for layer, state in enumerate(states):
            for d, end in enumerate(ends):
                cell, hidden = end[layer]
                np.testing.assert_allclose(state.cell[d, row], cell, atol=TOLERANCE)
                np.testing.assert_allclose(state.hidden[d, row], hidden, atol=TOLERANCE)
    assert_clips_are_active(counter, model_of(case)[0], bilm)


@pytest.mark.parametrize("case", ["base", "no-skip", "no-projections", "words"])
def test_carried_state_over_batches_equals_the_oracle(case):
    bilm, words = network(case)
    batches = [SENTENCES, SENTENCES[::-1], SENTENCES[2:] + SENTENCES[:2]]
    states, expected_states = None, [None] * len(SENTENCES)
    for batch in batches:
        got, states = layers_of(bilm, batch, states, words)
        for row, sentence in enumerate(batch):
            expected, ends = expected_layers(case, sentence, expected_states[row])
            expected_states[row] = ends
            np.testing.assert_allclose(got[row], expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", ["base", "no-token-projection", "words"])
def test_encoder_in_float32_equals_the_oracle(case):
    bilm, words = network(case)
    documents = [[SENTENCES[0], SENTENCES[2]], [SENTENCES[4]], [SENTENCES[1]]]
    encoder = Encoder(bilm.float(), TokenIndexer.of(words or ()), max_batch_tokens=16)
    got = dict(encoder.tokens(index_documents(documents)))
    assert sorted(got) == [0, 1, 2]
    for d, document in enumerate(documents):
        parts = [expected_layers(case, s)[0][:, 1:-1] for s in document]
        expected = np.concatenate(parts, axis=1).transpose(1, 0, 2)
        np.testing.assert_allclose(got[d], expected, rtol=0, atol=FLOAT32_TOLERANCE)


@pytest.mark.parametrize(
    "case", ["base", "short-tokens", "no-highway-tanh", "random-1"]
)
@pytest.mark.parametrize("products_at_once", [1, 2**21], ids=["rows", "all"])
def test_trimmed_characters_give_the_vectors_of_untrimmed_ones(
    case, products_at_once, monkeypatch
):
    monkeypatch.setattr(char_cnn, "PRODUCTS_AT_ONCE", products_at_once)
    bilm, _ = network(case)
    options, arrays, _ = model_of(case)
    tokens = ["", "a", "ab" * 3, "abc" * 4, "x" * 200, "<S>", "</S>", "naïve"]
    char_ids = encode_tokens(tokens, bilm.config.max_characters)
    with torch.no_grad():
        whole = bilm.token_encoder(torch.from_numpy(char_ids)).numpy()
        each = token_vectors(bilm, char_ids, rows_at_once=1).numpy()
        together = token_vectors(bilm, char_ids).numpy()
    expected = [token_vector(token, options, arrays) for token in tokens]
    for got in (whole, each, together):
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


def random_network(config, seed=0):
    torch.manual_seed(seed)
    network = LanguageModel(BiLM(config), None).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("bias", "bias_l0", "bias_l1")):
                parameter.normal_(std=0.3)
    return network


WRITTEN = {
    "all": BiLMConfig(((1, 3), (3, 4)), 3, 2, hidden_size=6, proj_size=5),
    "no-projections": BiLMConfig(
        ((1, 3), (3, 4)), 3, 0, "tanh", 12, hidden_size=7, proj_size=7,
        token_projection=False, lstm_projection=False, cell_clip=None, proj_clip=None,
        skip_connections=False, num_layers=1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_written_files_give_the_oracle_the_networks_numbers(name, tmp_path):
    network = random_network(WRITTEN[name])
    arrays = network_arrays(network)
    write_bilm(SavedModel(WRITTEN[name], arrays, {}, None), tmp_path)
    options, datasets = read_model(tmp_path)
    back = read_bilm(tmp_path)
    again = build_network(back.config, back.arrays, torch.device("cpu"))
    for bilm in (network.bilm.double(), again.bilm.double()):
        layers, _ = layers_of(bilm, SENTENCES)
        for got, sentence in zip(layers, SENTENCES, strict=True):
            expected, _ = elmo_layers(sentence, options, datasets)
            np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("budget", [8192, 9, 2], ids=["one", "several", "stretches"])
@pytest.mark.parametrize("case", ["base", "no-skip", "no-lstm-projection"])
def test_likelihood_equals_the_oracle(case, budget):
    options, arrays, _ = model_of(case)
    bilm, _ = network(case)
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(len(WORDS), bilm.config.proj_size))
    bias = rng.normal(size=len(WORDS))
    softmax = SoftmaxLoss(*weight.shape).double()
    softmax.load_state_dict(
        {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}
    )
    sequences = index_documents([[sentence] for sentence in SENTENCES])
    corpus = make_corpus(sequences, TokenIndexer.of(WORDS, bilm.config.max_characters))
    which = np.array([4, 0, 3, 1])
    got = negative_log_likelihood(LanguageModel(bilm, softmax), corpus, which, budget)
    rows = {word: row for row, word in enumerate(WORDS)}
    for values, s in zip(got, which, strict=True):
        expected = language_model_nll(SENTENCES[s], options, arrays, weight, bias, rows)
        np.testing.assert_allclose(
            values, [part.sum() for part in expected], rtol=1e-12
        )
