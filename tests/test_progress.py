import math
import re

import pytest

from skelmo import ElmoLanguageModel
from skelmo.models.history import EpochRecord
from skelmo.training import progress
from skelmo.training.progress import ProgressBar
from skelmo.training.state import TrainingState

RECORD = EpochRecord(1, 20, 1.0, 0.1, 2.5, 12.34, 56.78, 26.4)


def steps(bar, n=4):
    bar.begin_epoch(0, n, 0)
    for k in range(n):
        assert bar.end_step(2.0 + k, 5, 0.1) is False


def test_nothing_is_shown_by_default(capsys):
    bar = ProgressBar(3, 0)
    bar.take_up(TrainingState())
    steps(bar)
    assert bar.end_epoch(RECORD) is False
    bar.close()
    assert capsys.readouterr() == ("", "")


def test_an_epoch_ends_with_its_quality(capsys):
    bar = ProgressBar(3, 1)
    steps(bar)
    bar.end_epoch(RECORD)
    out, err = capsys.readouterr()
    assert out == ""
    last = err.split("\r")[-1]
    assert last.startswith("epoch 1/3: 100%|")
    assert " 4/4 " in last
    quality = "loss 2.500, validation perplexity 12.3 forward, 56.8 backward"
    assert quality in last


def test_without_validation_the_loss_alone_is_shown(capsys):
    bar = ProgressBar(3, 1)
    steps(bar)
    nan = math.nan
    bar.end_epoch(RECORD._replace(
        validation_perplexity=nan, validation_perplexity_forward=nan,
        validation_perplexity_backward=nan,
    ))  # fmt: skip
    err = capsys.readouterr().err
    assert "loss 2.500" in err
    assert "perplexity" not in err


def test_the_loss_shown_is_the_mean_over_tokens():
    bar = ProgressBar(1, 1)
    bar.begin_epoch(0, 2, 0)
    bar.end_step(1.0, 30, 0.1)
    bar.end_step(5.0, 10, 0.1)
    quality = r"[\d,]+ tokens/s, loss 2\.000, perplexity 7\.4, \d\d:\d\d left in all"
    assert re.fullmatch(quality, bar.bar.postfix)
    bar.close()
    bar.close()


def test_the_perplexity_may_be_left_out():
    bar = ProgressBar(1, 1, shows_perplexity=False)
    bar.begin_epoch(0, 2, 0)
    bar.end_step(1.0, 30, 0.1)
    quality = r"[\d,]+ tokens/s, loss 1\.000, \d\d:\d\d left in all"
    assert re.fullmatch(quality, bar.bar.postfix)
    bar.close()


def test_a_hopeless_loss_has_a_perplexity():
    bar = ProgressBar(1, 1)
    bar.begin_epoch(0, 1, 0)
    bar.end_step(1e9, 30, 0.1)
    assert f", perplexity {math.exp(700):,.1f}, " in bar.bar.postfix
    bar.close()


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def postfix_after_steps(bar, clock, n, seconds=2):
    """Take steps of 50 tokens at a loss of 1, each `seconds` long."""
    for _ in range(n):
        clock.now += seconds
        bar.end_step(1.0, 50, 0.1)
    return bar.bar.postfix


def test_the_time_left_is_that_of_all_epochs(clock):
    bar = ProgressBar(3, 1)
    bar.begin_epoch(0, 4, 0)
    shown = "25 tokens/s, loss 1.000, perplexity 2.7, 00:22 left in all"
    assert postfix_after_steps(bar, clock, 1) == shown  # 11 steps of 2 s are left
    assert postfix_after_steps(bar, clock, 3).endswith(", 00:16 left in all")
    clock.now += 4  # validation
    bar.end_epoch(RECORD)
    bar.begin_epoch(1, 4, 0)
    shown = "25 tokens/s, loss 1.000, perplexity 2.7, 00:19 left in all"
    assert postfix_after_steps(bar, clock, 1) == shown  # 14 s were 5 steps; 7 are left
    postfix_after_steps(bar, clock, 3)
    clock.now += 4
    bar.begin_epoch(2, 4, 0)
    assert postfix_after_steps(bar, clock, 4).endswith(", 00:00 left in all")
    bar.close()


@pytest.mark.parametrize(
    ("max_time", "seconds_before", "left"),
    [(10, 0, "00:08"), (10, 5, "00:03"), (10, 50, "00:00"), (99, 0, "00:22"),
     (7200, 0, "00:22"), (None, 9999, "00:22")],
)  # fmt: skip
def test_a_limit_of_time_may_come_first(clock, max_time, seconds_before, left):
    bar = ProgressBar(3, 1, max_time)
    if seconds_before:
        bar.take_up(TrainingState(seconds=seconds_before))
    bar.begin_epoch(0, 4, 0)
    assert postfix_after_steps(bar, clock, 1).endswith(f", {left} left in all")
    bar.close()


def test_the_time_left_of_a_resumed_run_counts_its_own_steps(clock):
    bar = ProgressBar(3, 1)
    bar.take_up(TrainingState(epoch=1, step=6, seconds=5000))
    bar.begin_epoch(1, 10, 6)
    # Of 20 steps, 6 were done before and 1 is now: 13 of 2 s are left.
    assert postfix_after_steps(bar, clock, 1).endswith(", 00:26 left in all")
    bar.close()


def test_the_limit_of_time_reaches_the_bar(tiny, texts, monkeypatch):
    bars = []
    close = ProgressBar.close

    def spy(self):
        bars.append(self)
        close(self)

    monkeypatch.setattr(ProgressBar, "close", spy)
    ElmoLanguageModel(**tiny, max_time=77.0).fit(texts)
    assert bars[-1].max_time == 77.0


def test_a_resumed_epoch_begins_where_it_was_left(capsys):
    bar = ProgressBar(3, 1)
    bar.take_up(TrainingState(epoch=1, step=6))
    assert capsys.readouterr().err == "training goes on in epoch 2, after step 6\n"
    bar.begin_epoch(1, 10, 6)
    assert (bar.bar.n, bar.bar.total) == (6, 10)
    assert capsys.readouterr().err.split("\r")[-1].startswith("epoch 2/3:  60%|")
    bar.close()


def test_a_second_epoch_counts_afresh():
    bar = ProgressBar(2, 1)
    steps(bar)
    bar.end_epoch(RECORD)
    bar.begin_epoch(1, 2, 0)
    bar.end_step(7.0, 5, 0.1)
    assert ", loss 7.000, perplexity 1,096.6, " in bar.bar.postfix
    bar.close()


@pytest.mark.parametrize("verbose", [0, 1])
def test_verbose_shows_a_bar_for_each_epoch(verbose, tiny, texts, capsys):
    model = ElmoLanguageModel(**{**tiny, "max_epochs": 2}, verbose=verbose)
    plain = ElmoLanguageModel(**{**tiny, "max_epochs": 2}).fit(texts)
    capsys.readouterr()
    model.fit(texts)
    out, err = capsys.readouterr()
    assert out == ""
    for epoch in (1, 2):
        assert (f"epoch {epoch}/2: 100%" in err) == bool(verbose)
    assert model.score(texts) == plain.score(texts)


def test_an_error_closes_the_bar(tiny, texts, capsys, monkeypatch):
    class Broken(Exception):
        pass

    def fail(*args):
        raise Broken("the step broke")

    bars = []
    close = ProgressBar.close

    def spy(self):
        bars.append(self)
        close(self)

    monkeypatch.setattr(ProgressBar, "close", spy)
    monkeypatch.setattr(ProgressBar, "end_step", fail)
    with pytest.raises(Broken, match="^the step broke$"):
        ElmoLanguageModel(**tiny, verbose=1).fit(texts)
    assert bars[-1].bar is None
