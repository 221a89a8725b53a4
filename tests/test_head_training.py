"""From an estimator's parameters to the run of a head."""

from types import SimpleNamespace

import pytest
import torch

from skelmo import ElmoClassifier
from skelmo.estimators.head_training import options_of

CPU = torch.device("cpu")


def epochs(n_documents, *, one_pass=False, **given):
    parameters = SimpleNamespace(**ElmoClassifier(**given).get_params())
    return options_of(parameters, 0, CPU, n_documents, one_pass).max_epochs


@pytest.mark.parametrize(
    ("tune", "n_documents", "expected"),
    [
        ("all", 3200, 6), ("all", 10_000, 3), ("all", 320, 30), ("all", 10, 30),
        ("none", 3200, 6), ("none", 10_000, 5), ("mix", 100, 100),
    ],
)  # fmt: skip
def test_few_documents_are_gone_through_more_often(tune, n_documents, expected):
    assert epochs(n_documents, tune=tune, batch_size=32) == expected
    assert epochs(n_documents, tune=tune, max_iter=7) == 7
    assert epochs(n_documents, tune=tune, one_pass=True) == 1


def test_one_pass_is_at_a_constant_rate():
    parameters = SimpleNamespace(**ElmoClassifier(learning_rate_init=0.3).get_params())
    options = options_of(parameters, 0, CPU, 100, True)
    assert (options.learning_rate, options.warmup) == ("constant", 0.0)
    assert options.learning_rate_init == 0.3
