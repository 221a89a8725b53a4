"""A head as a value."""

import copy
import pickle

import pytest
import torch

from skelmo.models.history import HeadRecord
from skelmo.models.trained_head import TrainedHead
from skelmo.nn.heads import HEADS, Head, HeadConfig

HISTORY = (HeadRecord(1, 10, 0.5, 0.1, 0.7, 0.6, 0.9),)


@pytest.fixture(params=HEADS)
def trained(request):
    config = HeadConfig(3, 8, 2, request.param, (4,), 3, (1, 2), 2)
    return TrainedHead(Head(config).eval(), HISTORY, {"0.step": torch.ones(1).numpy()})


def test_a_pickle_holds_the_same_head(trained):
    other = pickle.loads(pickle.dumps(trained))
    assert other.config == trained.config
    assert other.history == trained.history
    assert other.optimizer is None
    assert not other.network.training
    mine, yours = trained.network.state_dict(), other.network.state_dict()
    assert list(mine) == list(yours)
    assert all(torch.equal(mine[name], yours[name]) for name in mine)
    assert all(p.requires_grad for p in other.network.parameters())


def test_copies_are_itself(trained):
    assert copy.copy(trained) is trained
    assert copy.deepcopy(trained) is trained
    assert trained.to(torch.device("cpu")) is trained


def test_a_record_tells_itself_in_a_few_words():
    nan = float("nan")
    assert HISTORY[0].summary == "loss 0.700, validation loss 0.600, score 0.900"
    assert HISTORY[0]._replace(validation_loss=nan).summary == "loss 0.700"
