"""Training with matrix products in bfloat16."""

import numpy as np
import pytest
import torch
from tiny_runs import differ, weights_of

from skelmo import ElmoLanguageModel, ElmoVectorizer, clear_cache
from skelmo.nn.precision import low_products, operand


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("softmax", ["full", "sampled"])
@pytest.mark.parametrize("word_embedding_dim", [0, 8], ids=["characters", "words"])
def test_bfloat16_learns_as_float32_does(
    tiny, texts, softmax, word_embedding_dim, native, instructions
):
    instructions(native)
    tiny = {**tiny, "max_epochs": 3, "softmax": softmax, "n_samples": 20}
    tiny["word_embedding_dim"] = word_embedding_dim
    exact, rough = (
        ElmoLanguageModel(**tiny, precision=precision).fit(texts)
        for precision in ("float32", "bfloat16")
    )
    assert differ(exact.network_, rough.network_)
    mine = weights_of(rough.network_)
    for name, a in weights_of(exact.network_).items():
        b = mine[name]
        assert b.dtype == np.float32
        assert np.linalg.norm(a - b) <= 0.05 * np.linalg.norm(a) + 1e-3
    ratio = rough.perplexity(texts).mean / exact.perplexity(texts).mean
    assert 0.97 < ratio < 1.03


def features_of(texts, precision):
    clear_cache()
    vectorizer = ElmoVectorizer(precision=precision, layers="concat", pooling="mean")
    return vectorizer.fit_transform(texts).astype(np.float64)


def test_rounding_gives_what_instructions_give(texts, instructions):
    exact = features_of(texts, "float32")
    instructions(True)
    native = features_of(texts, "bfloat16")
    instructions(False)
    rounded = features_of(texts, "bfloat16")
    assert (rounded != exact).any(axis=1).all()
    # Gates are rounded too by the instructions, and here they are not.
    size = np.linalg.norm(exact)
    assert np.linalg.norm(rounded - exact) < 1.1 * np.linalg.norm(native - exact)
    assert np.linalg.norm(rounded - native) < 0.01 * size


def test_operands_are_rounded_and_multiplied_in_float32(instructions):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(30, 30)).astype(np.float32) for _ in range(2))

    def rounded(x):
        # To the nearest number of 8 bits, ties to the even one.
        bits = x.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32)

    instructions(False)
    x, y = (operand(torch.from_numpy(each), torch.bfloat16) for each in (a, b))
    np.testing.assert_array_equal(x, rounded(a))
    with low_products(torch.bfloat16, torch.device("cpu")):
        product = torch.from_numpy(a) @ torch.from_numpy(b)
        by_module = torch.nn.functional.linear(
            torch.from_numpy(a), torch.from_numpy(b.T.copy())
        )
    expected = rounded(a).astype(np.float64) @ rounded(b).astype(np.float64)
    for found in (x @ y, product, by_module):
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_auto_is_float32_on_a_cpu(tiny, texts):
    auto, exact = (
        ElmoLanguageModel(**tiny, device="cpu", **chosen).fit(texts)
        for chosen in ({}, {"precision": "float32"})
    )
    assert not differ(auto.network_, exact.network_)


def test_precision_is_of_training_alone(language_model, texts):
    score = language_model.score(texts)
    before = language_model.precision
    try:
        assert language_model.set_params(precision="bfloat16").score(texts) == score
    finally:
        language_model.set_params(precision=before)


def test_runs_of_different_precision_keep_apart(tiny, texts, tmp_path):
    for precision in ("float32", "bfloat16", "float32"):
        ElmoLanguageModel(**tiny, precision=precision, checkpoint=tmp_path).fit(texts)
    assert len(list(tmp_path.iterdir())) == 2
