"""What `explain` of a head says of tokens; `explain_linear` has tests of its own."""

import copy
import re

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from skelmo import ElmoClassifier, ElmoRegressor
from skelmo.encoding.document_outputs import token_reader
from skelmo.encoding.settings import EncoderSettings
from skelmo.text.distinct import index_distinct

HEADS = ["linear", "mlp", "cnn", "attention"]


@pytest.fixture(scope="module")
def fit(frozen, texts):
    """Return a function that fits a classifier, or one that was fitted so before."""
    fitted = {}

    def fit(kind=ElmoClassifier, y=None, **parameters):
        given = {
            "head": "linear", "tune": "mix", "hidden_layer_sizes": 7, "n_filters": 5,
            "kernel_sizes": (2, 3), "n_attention_heads": 2, "max_iter": 2,
            "learning_rate_init": 0.05, "random_state": 0, **parameters,
        }  # fmt: skip
        key = kind, str(y), str(given)
        if key not in fitted:
            words = ("letter", "moon", "boats")
            if y is None:
                y = [sum(word in text for word in words[:2]) for text in texts]
            elif isinstance(y, str):
                y = np.array([[word in text for word in words] for text in texts], int)
            fitted[key] = kind(frozen, **given).fit(texts, y)
        return fitted[key]

    return fit


def mixed_tokens(estimator, text):
    """Return what the pooling of a head reads of a text, in double precision."""
    model = estimator.language_model_
    distinct = index_distinct(iter([text]), model.analyzer)
    reader = token_reader(model.model_, EncoderSettings(), None)
    ((_, activations),) = reader(distinct)
    return double_head(estimator).mix(torch.tensor(activations).double()).detach()


def double_head(estimator):
    return copy.deepcopy(estimator.head_.network).double()


def outputs_of(head, mixed):
    lengths = torch.tensor([len(mixed)])
    with torch.no_grad():
        return head.outputs(head.pool_mixed(mixed, lengths))[0].numpy()


def slope_by_average(head, mixed):
    """How outputs change as what is pooled moves by what the average document has."""
    with torch.no_grad():
        pooled = head.pool_mixed(mixed, torch.tensor([len(mixed)]))
        known = head.standardization
        step = 1e-6 * known.mean / known.scale
        above, below = head.outputs(pooled + step), head.outputs(pooled - step)
    return ((above - below)[0] / 2e-6).numpy()


def centred(outputs):
    return outputs - outputs.mean()


@pytest.mark.parametrize("tune", ["all", "mix", "none"])
@pytest.mark.parametrize("head", HEADS)
def test_contributions_are_what_outputs_change_by(fit, texts, head, tune):
    """Each token's vector is made longer and shorter, and outputs are compared."""
    classifier = fit(head=head, tune=tune)
    for each, text in zip(classifier.explain(texts[:4]), texts[:4], strict=True):
        network, mixed = double_head(classifier), mixed_tokens(classifier, text)
        average = slope_by_average(network, mixed) / len(mixed)
        for k in range(len(mixed)):
            step = torch.zeros(len(mixed), 1, dtype=torch.float64)
            step[k] = 1e-6
            above = outputs_of(network, mixed * (1 + step))
            below = outputs_of(network, mixed * (1 - step))
            slope = centred((above - below) / 2e-6 - average)
            np.testing.assert_allclose(each.contributions[k], slope, atol=2e-5)
        assert each.contributions.dtype == np.float64
        assert np.ptp(each.contributions) > 1e-3


@pytest.mark.parametrize("tune", ["all", "mix", "none"])
def test_a_linear_head_is_explained_to_the_last_bit_of_its_answer(fit, texts, tune):
    classifier = fit(head="linear", tune=tune)
    found = classifier.explain(texts[:30])
    layer = classifier.head_.network.output
    weights, biases = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    logs = classifier.predict_log_proba(texts[:30])
    expected = [centred(row - biases) for row in logs]
    np.testing.assert_allclose([each.total for each in found], expected, atol=1e-5)
    pooled = classifier.transform(texts[:30])
    expected = [centred(row) for row in pooled @ weights.T]
    np.testing.assert_allclose([each.total for each in found], expected, atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_a_head_without_biases_is_explained_completely(fit, texts, head):
    """Of attention it holds where the weights of tokens are the same, as of one."""
    classifier = copy.deepcopy(fit(head=head))
    network = copy.deepcopy(classifier.head_.network)
    for name, parameter in network.named_parameters():
        if name.endswith("bias") and "pooling.hidden" not in name:
            parameter.data.zero_()
    object.__setattr__(classifier.head_, "network", network)
    X = ["moon", "letter"] if head == "attention" else texts[:10]
    logs = classifier.predict_log_proba(X)
    found = [each.total for each in classifier.explain(X)]
    np.testing.assert_allclose(found, [centred(row) for row in logs], atol=1e-5)


def test_attention_is_that_of_the_paper(fit, texts):
    classifier = fit(head="attention")
    for each, text in zip(classifier.explain(texts[:5]), texts[:5], strict=True):
        pooling = double_head(classifier).pooling
        mixed = mixed_tokens(classifier, text)
        hidden = np.tanh((pooling.hidden(mixed)).detach().numpy())
        scores = np.exp(hidden @ pooling.score.weight.detach().numpy().T)
        expected = scores / scores.sum(axis=0)
        np.testing.assert_allclose(each.attention, expected, atol=1e-6)
        assert each.attention.shape == (len(each.tokens), 2)
    for head in ("linear", "mlp", "cnn"):
        (found,) = fit(head=head).explain(texts[:1])
        assert found.attention is None


@pytest.mark.parametrize("head", HEADS)
def test_a_document_alone_is_explained_as_among_others(fit, texts, head):
    classifier = fit(head=head)
    X = [texts[3], "", *texts[7:40], texts[3]]
    found = classifier.explain(X)
    for text, each in zip(X, found, strict=True):
        (alone,) = classifier.explain([text])
        assert alone.tokens == each.tokens == classifier_tokens(classifier, text)
        np.testing.assert_allclose(
            alone.contributions, each.contributions, atol=1e-6, rtol=1e-4
        )
    np.testing.assert_array_equal(found[0].contributions, found[-1].contributions)
    found[0].contributions[:] = 7
    assert not (found[-1].contributions == 7).any()


def classifier_tokens(classifier, text):
    (tokens,) = classifier.language_model_.analyzer.tokens([text])
    return tokens


@pytest.mark.parametrize("head", HEADS)
def test_a_document_without_tokens_has_no_contributions(fit, head):
    classifier = fit(head=head, missing="empty")
    for each in classifier.explain([" ", None]):
        assert each.tokens == []
        assert each.contributions.shape == (0, 3)
    assert classifier.explain([]) == []


def test_classes_have_their_names(fit, texts):
    y = ["one" if "moon" in text else "other" for text in texts]
    (found,) = fit(y=y).explain(texts[:1])
    assert found.classes == ["one", "other"]
    np.testing.assert_allclose(found.contributions.sum(axis=1), 0, atol=1e-12)


def test_labels_are_explained_each_by_itself(fit, texts):
    classifier = fit(y="labels")
    found = classifier.explain(texts[:9])
    shares = classifier.predict_proba(texts[:9])
    biases = classifier.head_.network.output.bias.detach().numpy()
    expected = np.log(shares / (1 - shares)) - biases
    np.testing.assert_allclose([each.total for each in found], expected, atol=1e-4)
    assert found[0].classes == [0, 1, 2]


@pytest.mark.parametrize("several", [False, True])
def test_numbers_are_explained_in_their_own_units(fit, texts, several):
    y = np.array([[1000 * len(text), -len(text)] for text in texts], float)
    regressor = fit(ElmoRegressor, y=y if several else y[:, 0])
    found = np.array([each.total for each in regressor.explain(texts[:9])])
    predicted = regressor.predict([*texts[:9], ""]).reshape(10, -1)
    expected = predicted[:9] - predicted[9]  # without tokens there are biases alone
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert regressor.explain(texts[:1])[0].classes is None


def test_nothing_of_the_head_or_of_torch_changes(fit, texts):
    classifier = fit(head="attention", tune="all")
    before = {k: v.clone() for k, v in classifier.head_.network.state_dict().items()}
    expected = classifier.explain(texts[:3])
    with torch.inference_mode():
        found = classifier.explain(texts[:3])
    for each, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(each.contributions, other.contributions)
    for name, parameter in classifier.head_.network.named_parameters():
        assert parameter.grad is None
        assert torch.equal(parameter, before[name])


def test_a_classifier_that_is_not_fitted_explains_nothing(frozen):
    message = (
        "This ElmoClassifier instance is not fitted yet. Call 'fit' with appropriate "
        "arguments before using this estimator."
    )
    with pytest.raises(NotFittedError, match=f"^{re.escape(message)}$"):
        ElmoClassifier(frozen).explain(["a"])
