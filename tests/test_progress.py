import math
import re

import pytest

from skelmo import ElmoLanguageModel
from skelmo.training.progress import ProgressBar
from skelmo.training.state import EpochRecord, TrainingState

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
    assert re.fullmatch(r"[\d,]+ tokens/s, loss 2\.000", bar.bar.postfix)
    bar.close()
    bar.close()


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
    assert bar.bar.postfix.endswith("loss 7.000")
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
