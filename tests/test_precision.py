"""Training with matrix products in bfloat16."""

import numpy as np
import pytest
from tiny_runs import differ, weights_of

from skelmo import ElmoLanguageModel

pytestmark = pytest.mark.filterwarnings("ignore:.*computes in bfloat16:UserWarning")


@pytest.mark.parametrize("softmax", ["full", "sampled"])
@pytest.mark.parametrize("word_embedding_dim", [0, 8], ids=["characters", "words"])
def test_bfloat16_learns_as_float32_does(tiny, texts, softmax, word_embedding_dim):
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
