"""The pure parts of benchmarks/classify.py."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.svm import LinearSVC

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("benchmarks are not part of this copy", allow_module_level=True)


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.fixture
def task():
    from quality_data import Task, folds_of

    rng = np.random.default_rng(0)
    words = np.array(["good", "bad", "film", "the", "plot", "cast"])
    labels = np.arange(200) % 2
    texts = [
        " ".join([words[1 - label], *rng.choice(words[2:], rng.integers(1, 6))])
        for label in labels
    ]
    return Task("toy", np.array(texts, object), labels, folds_of(labels, 4))


def test_log_count_ratios_and_weights_are_those_of_the_paper():
    from classify_models import NaiveBayesSVM

    rng = np.random.default_rng(0)
    X, y = (rng.random((40, 6)) < 0.4).astype(float), rng.integers(0, 2, 40)
    model = NaiveBayesSVM(C=0.7, smoothing=1.5, share=0.25)
    model.fit(sparse.csr_matrix(X), y)
    p, q = 1.5 + X[y == 1].sum(axis=0), 1.5 + X[y == 0].sum(axis=0)
    ratio = np.log((p / p.sum()) / (q / q.sum()))
    np.testing.assert_allclose(model.ratio_, ratio)
    svm = LinearSVC(C=0.7, random_state=0, max_iter=5000).fit(X * ratio, y)
    weights = 0.75 * np.abs(svm.coef_).mean() + 0.25 * svm.coef_[0]
    np.testing.assert_allclose(model.coef_[0], weights, rtol=1e-5)
    expected = (X * ratio) @ weights + svm.intercept_
    found = model.decision_function(sparse.csr_matrix(X))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_array_equal(model.predict(sparse.csr_matrix(X)), expected > 0)


def test_convolutions_are_those_of_a_loop():
    from classify_nets import KimCNN

    torch.manual_seed(0)
    network = KimCNN(9, 3, dim=4, n_filters=2).eval()
    rows = [[2, 3, 4, 5, 6, 7, 8], [5, 4]]
    found = network(rows)
    for row, logits in zip(rows, found, strict=True):
        padded = row + [0] * (7 - len(row))
        words = network.embedding.weight[padded]
        pooled = []
        for layer in network.convolutions:
            size = layer.kernel_size[0]
            for filter_, bias in zip(layer.weight, layer.bias, strict=True):
                places = range(len(padded) - size + 1)
                values = [(words[k : k + size].T * filter_).sum() for k in places]
                pooled.append(torch.relu(max(values) + bias))
        expected = network.output(torch.stack(pooled))
        torch.testing.assert_close(logits, expected)


def test_long_weights_are_made_shorter():
    from classify_nets import KimCNN

    network = KimCNN(5, 2, dim=4, n_filters=2)
    with torch.no_grad():
        network.output.weight.copy_(torch.tensor([[1.0] * 6, [2.0] * 6]))
    network.constrain()
    norms = network.output.weight.norm(dim=1)
    torch.testing.assert_close(norms, torch.tensor([6**0.5, 3.0]))


def test_a_mean_is_of_words_and_of_pairs_in_order():
    from classify_nets import MeanOfVectors

    network = MeanOfVectors(9, 2, dim=3)
    torch.nn.init.normal_(network.output.weight)
    rows = [[2, 3, 4], [4]]
    pairs = network._pairs(rows[0])
    assert pairs != network._pairs([4, 3, 2])
    assert all(k >= 9 for k in pairs)
    vectors = network.embedding.weight
    expected = [vectors[rows[0] + pairs].mean(0), vectors[rows[1]].mean(0)]
    expected = network.output(torch.stack(expected))
    torch.testing.assert_close(network(rows), expected)


@pytest.mark.parametrize("kind", ["KimCNN", "MeanOfVectors"])
def test_networks_learn_what_a_word_tells(task, kind):
    import classify_nets

    model = classify_nets.NetworkModel(kind, getattr(classify_nets, kind))
    train, test = task.splits[0]
    y = np.array(["yes", "no"])[task.labels]
    before = torch.random.get_rng_state()
    predict = model.fit(task.texts[train], y[train], [], 3)
    assert torch.equal(torch.random.get_rng_state(), before)
    found = predict(task.texts[test])
    assert np.mean(found == y[test]) > 0.9
    again = model.fit(task.texts[train], y[train], [], 3)
    np.testing.assert_array_equal(again(task.texts[test]), found)
    assert predict(["", "unheard of"]).shape == (2,)


def options(**given):
    return Namespace(**{"sizes": ["20", "all"], "seeds": 2, "folds": 3, **given})


def test_few_labels_are_drawn_from_one_split_and_all_from_several(task):
    from classify import parts_of

    train, test = task.splits[0]
    few = list(parts_of(task, "20", options()))
    assert [seed for *_, seed in few] == [0, 1]
    for rows, unlabeled, others, _ in few:
        assert np.bincount(task.labels[rows]).tolist() == [10, 10]
        np.testing.assert_array_equal(np.sort([*rows, *unlabeled]), train)
        np.testing.assert_array_equal(others, test)
    assert list(few[0][0]) != list(few[1][0])
    every = list(parts_of(task, "all", options()))
    assert len(every) == 3
    for (rows, unlabeled, others, _), split in zip(every, task.splits, strict=False):
        np.testing.assert_array_equal(rows, split[0])
        np.testing.assert_array_equal(others, split[1])
        assert len(unlabeled) == 0
    assert list(parts_of(task, "100", options())) == []


def test_test_texts_are_left_alone_in_development(task):
    from classify import development

    (split,) = development(task).splits
    assert len(split[1]) == 30
    np.testing.assert_array_equal(np.sort(np.concatenate(split)), task.splits[0][0])


def test_heads_have_names_and_keys_of_their_own(model_path):
    from classify_models import HEADS, heads

    found = heads(model_path)
    assert len(found) == 2 * 2 * len(HEADS)
    assert len({model.name for model in found}) == len(found)
    assert len({str(model.key) for model in found}) == len(found)


def test_texts_without_labels_are_for_adaptation_alone(monkeypatch):
    import classify_models

    calls = []

    def fit(self, X, y, unlabeled=None):
        calls.append((self.random_state, self.adapt_epochs, unlabeled))
        return self

    monkeypatch.setattr(classify_models.ElmoClassifier, "fit", fit)
    for adapted in (0, 1):
        model = classify_models.HeadModel("a", "en", "0", adapt_epochs=adapted)
        model.fit(["x"], [0], np.array(["y"], object), 7)
        model.fit(["x"], [0], np.array([], object), 7)
    assert calls == [(7, 0, None)] * 2 + [(7, 1, ["y"]), (7, 1, None)]


class Counting:
    """A classifier that says how often it was fitted."""

    name, key = "counting", ["counting"]

    def __init__(self):
        self.fits = []

    def fit(self, texts, y, unlabeled, seed):
        self.fits.append((len(texts), len(unlabeled), seed))
        return lambda new: np.zeros(len(new), dtype=int)


def test_a_run_that_broke_goes_on(task, tmp_path):
    from classify import row_of
    from quality_store import Store

    first, second = Counting(), Counting()
    row_of(Store(tmp_path, ["toy"]), task, first, options(sizes=["20"]))
    assert first.fits == [(20, 130, 0), (20, 130, 1)]
    row = row_of(Store(tmp_path, ["toy"]), task, second, options())
    assert second.fits == [(150, 0, 0), (150, 0, 1), (150, 0, 2)]
    assert row == ["counting", "50.0 ± 0.0, 0.0 min", "50.0 ± 0.0, 0.0 min"]
