"""The vector of a document depends on that document alone."""

import copy
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator

from skelmo import ElmoLanguageModel, ElmoVectorizer

# float32 sums in another order, as another batch makes them.
CLOSE = {"rtol": 0, "atol": 1e-5}
POOLING = ["mean", "max", "min", "last"]


@pytest.fixture(scope="module", params=["sentence", "document"])
def vectorizer(request, tiny, texts):
    model = ElmoLanguageModel(**tiny, sequence=request.param).fit(texts)
    vectorizer = ElmoVectorizer(
        language_model=FrozenEstimator(model), layers="concat", pooling=POOLING,
        cache=None,
    )  # fmt: skip
    return vectorizer.fit(texts)


@pytest.fixture(scope="module")
def documents(texts):
    """Return documents of 0 to some 300 tokens, some of one sentence, two equal."""
    long = " ".join(texts[:30])
    line = " and ".join(text.rstrip(".!") for text in texts[30:60:3])
    return [*texts[:20], "", long, line, "one", texts[3], "Ünï çödé 数据。再见。"]


@pytest.fixture(scope="module")
def expected(vectorizer, documents):
    """Return the vectors that documents have when each is alone."""
    return np.vstack([vectorizer.transform([text]) for text in documents])


def test_documents_differ_and_so_do_their_vectors(expected, documents):
    distances = np.abs(expected[:, None] - expected).max(axis=-1)
    same = np.array([[a == b for b in documents] for a in documents])
    assert distances[same].max() == 0.0
    assert distances[~same].min() > 1e-3


def test_neighbours_do_not_matter(vectorizer, documents, expected):
    assert_allclose(vectorizer.transform(documents), expected, **CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize("max_batch_tokens", [5, 40, 8192])
def test_a_permutation_changes_no_bit(vectorizer, documents, max_batch_tokens):
    vectorizer = copy.copy(vectorizer).set_params(max_batch_tokens=max_batch_tokens)
    first = vectorizer.transform(documents)
    tokens = vectorizer.transform_tokens(documents)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(documents))
        permuted = [documents[k] for k in order]
        assert_array_equal(vectorizer.transform(permuted), first[order])
        for row, found in zip(
            order, vectorizer.transform_tokens(permuted), strict=True
        ):
            assert_array_equal(found, tokens[row])


@pytest.mark.parametrize("n_parts", [2, 5])
def test_splitting_does_not_matter(vectorizer, documents, expected, n_parts):
    parts = np.array_split(np.array(documents, dtype=object), n_parts)
    found = np.vstack([vectorizer.transform(part) for part in parts])
    assert_allclose(found, expected, **CLOSE)


def test_duplicates_do_not_matter(vectorizer, documents):
    first = vectorizer.transform(documents)
    twice = vectorizer.transform([*documents, *documents[::-1]])
    assert_array_equal(twice, np.vstack([first, first[::-1]]))


@pytest.mark.parametrize("max_batch_tokens", [1, 7, 64, 8192])
def test_the_batch_size_does_not_matter(
    vectorizer, documents, expected, max_batch_tokens
):
    frozen = vectorizer.language_model
    other = ElmoVectorizer(
        language_model=frozen,
        layers="concat",
        pooling=POOLING,
        max_batch_tokens=max_batch_tokens,
        cache=None,
    ).fit(documents)
    assert_allclose(other.transform(documents), expected, **CLOSE)
    tokens = vectorizer.transform_tokens(documents)
    for found, array in zip(other.transform_tokens(documents), tokens, strict=True):
        assert_allclose(found, array, **CLOSE)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads_do_not_matter(vectorizer, documents, expected, n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        found = vectorizer.transform(documents)
        assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    assert_allclose(found, expected, **CLOSE)


@pytest.mark.slow
def test_a_long_neighbour_does_not_matter(vectorizer, documents, expected):
    neighbour = " ".join(f"w{k % 700}" for k in range(3000))
    assert len(vectorizer.tokenize([neighbour])[0]) == 3000
    found = vectorizer.transform([neighbour, *documents])
    assert_allclose(found[1:], expected, **CLOSE)
    small = ElmoVectorizer(
        **{**vectorizer.get_params(deep=False), "max_batch_tokens": 256}
    )
    assert_allclose(small.fit(documents).transform([neighbour]), found[:1], **CLOSE)


def test_history_does_not_matter(vectorizer, documents):
    first = vectorizer.transform(documents)
    state = {k: v for k, v in vars(vectorizer).items() if k != "language_model_"}
    vectorizer.transform(["something else", "entirely"])
    vectorizer.transform_tokens(documents[:3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        vectorizer.transform(["x" * 1000])
    assert_array_equal(vectorizer.transform(documents), first)
    assert {
        k: v for k, v in vars(vectorizer).items() if k != "language_model_"
    } == state


def test_randomness_outside_does_not_matter(vectorizer, documents):
    first = vectorizer.transform(documents)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert_array_equal(vectorizer.transform(documents), first)
    assert_array_equal(torch.get_rng_state(), before)


def test_fit_on_other_documents_does_not_matter(vectorizer, documents, expected):
    other = ElmoVectorizer(**vectorizer.get_params(deep=False)).fit(["unlike these"])
    assert_allclose(other.transform(documents), expected, **CLOSE)
