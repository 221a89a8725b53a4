"""What the original ELMo computed, stored by its authors: see fixtures/README.md."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from oracle_networks import layers_of

from skelmo import ElmoVectorizer
from skelmo.models.weights import build_network
from skelmo.nn.running import token_vectors
from skelmo.pretrained.bilm_format import read_bilm
from skelmo.text.characters import encode_tokens

SHARED = Path(os.environ.get("SKELMO_SHARED", Path(__file__).parents[2] / "shared"))
FIXTURES = SHARED / "fixtures"
# float32 against float32, sums in another order: 1.2e-6 is what AllenNLP reaches.
TOLERANCE = 5e-6
N_BATCHES, N_ROWS = 10, 3

pytestmark = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"the original ELMo's outputs are not in {FIXTURES}"
)


def load_network(name):
    model = read_bilm(FIXTURES / name)
    return build_network(model.config, model.arrays, torch.device("cpu")).bilm


def batch_of(name, k):
    """Sentences of batch k and their stored vectors, each (2, T, P)."""
    lists = json.loads((FIXTURES / name / "sentences.json").read_text("utf-8"))
    expected = []
    for row in range(N_ROWS):
        with h5py.File(FIXTURES / name / f"lm_embeddings_{row}.hdf5") as file:
            expected.append(file[str(k)][...])
    return [sentences[k].split() for sentences in lists], expected


def difference(layers, expected):
    """Largest difference in the top layer, sentence markers left out."""
    forward, backward = np.split(layers[-1, 1:-1], 2, axis=1)
    return np.abs(np.stack([forward, backward]) - expected).max()


@pytest.mark.parametrize(
    ("name", "skip"), [("allennlp", True), ("bilm-tf", False)], ids=["skip", "no-skip"]
)
def test_carried_state_gives_the_stored_vectors(name, skip):
    bilm = load_network(name)
    assert bilm.config.skip_connections is skip
    states, differences = None, []
    for k in range(N_BATCHES):
        sentences, expected = batch_of(name, k)
        layers, states = layers_of(bilm, sentences, states)
        differences += map(difference, layers, expected)
    assert len(differences) == N_BATCHES * N_ROWS
    assert max(differences) < TOLERANCE, max(differences)


@pytest.mark.parametrize("name", ["allennlp", "bilm-tf"])
def test_fresh_state_gives_the_stored_vectors_of_the_first_batch_alone(name):
    # That the test above passes is due to the state, not to tolerance.
    bilm = load_network(name)
    worst = []
    for k in range(N_BATCHES):
        sentences, expected = batch_of(name, k)
        worst.append(max(map(difference, layers_of(bilm, sentences)[0], expected)))
    assert worst[0] < TOLERANCE
    assert min(worst[1:]) > 1e-3


def test_token_vectors_are_the_stored_ones():
    folder = FIXTURES / "allennlp"
    words = (folder / "vocab_test.txt").read_text("utf-8").rstrip("\n").split("\n")
    with h5py.File(folder / "elmo_token_embeddings.hdf5") as file:
        (dataset,) = file.values()
        expected = dataset[...]
    assert len(words) == len(expected) == 458
    assert {"<S>", "</S>"} <= set(words)
    with torch.no_grad():
        got = token_vectors(load_network("allennlp"), encode_tokens(words)).numpy()
    assert np.abs(got - expected).max() < TOLERANCE


@pytest.mark.parametrize("name", ["allennlp", "bilm-tf"])
def test_vectorizer_gives_the_stored_vectors_of_the_first_batch(name):
    sentences, expected = batch_of(name, 0)
    vectorizer = ElmoVectorizer(
        language_model=FIXTURES / name, input="tokens", layers="concat", device="cpu"
    )
    features = vectorizer.fit(sentences).transform_tokens(sentences)
    for got, sentence, wanted in zip(features, sentences, expected, strict=True):
        forward, backward = np.split(got[:, -2 * wanted.shape[2] :], 2, axis=1)
        assert len(forward) == len(sentence)
        np.testing.assert_allclose(
            np.stack([forward, backward]), wanted, rtol=0, atol=TOLERANCE
        )
