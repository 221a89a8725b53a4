import pytest
from tiny_runs import Watcher

from skelmo.models.history import EpochRecord
from skelmo.training.state import Observers, TrainingState

RECORD = EpochRecord(1, 20, 1.0, 0.1, 2.5, 12.34, 56.78, 26.4)


def test_observers_are_all_told():
    watchers = Watcher(), Watcher()
    both = Observers(*watchers)
    both.take_up(TrainingState(epoch=1, step=2, n_steps=3))
    both.begin_epoch(1, 9, 2)
    assert both.end_step(1.5, 7, 0.1) is False
    assert both.end_epoch(RECORD) is False
    for watcher in watchers:
        assert watcher.taken_up == [(1, 2, 3)]
        assert watcher.begun == [(1, 9, 2)]
        assert watcher.steps == [(1.5, 7, 0.1)]
        assert watcher.epochs == [RECORD]


class Last(Watcher):
    """A watcher that has every epoch be the last."""

    def end_epoch(self, record):
        super().end_epoch(record)
        return True


@pytest.mark.parametrize("order", [1, -1])
def test_any_observer_stops_and_the_others_are_told_all_the_same(order):
    watchers = [Last(stop_at=1), Watcher()][::order]
    both = Observers(*watchers)
    assert both.end_step(1.5, 7, 0.1) is True
    assert both.end_epoch(RECORD) is True
    for watcher in watchers:
        assert len(watcher.steps) == len(watcher.epochs) == 1


def test_no_observer_stops_nothing():
    assert Observers().end_step(1.5, 7, 0.1) is False
    assert Observers().end_epoch(RECORD) is False
