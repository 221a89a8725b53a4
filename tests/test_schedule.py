import numpy as np
import pytest

from skelmo.training.schedule import SCHEDULES, learning_rate_at

INITIAL = 0.003


def rate(progress, schedule, warmup=0.0, scale=1.0):
    return learning_rate_at(
        progress, schedule=schedule, initial=INITIAL, warmup=warmup, scale=scale
    )


FORMULAS = {
    "constant": lambda p: np.ones_like(p),
    "adaptive": lambda p: np.ones_like(p),
    "decay": lambda p: 2.0 ** (-5.0 * p),
    "slanted": lambda p: 1.0 - p * 31 / 32,
    "cosine": lambda p: 0.01 + 0.99 * (1.0 + np.cos(np.pi * p)) / 2.0,
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rate_equals_its_formula(schedule):
    progress = np.linspace(0.0, 1.0, 41)
    got = [rate(p, schedule) for p in progress]
    np.testing.assert_allclose(got, INITIAL * FORMULAS[schedule](progress), rtol=1e-12)


@pytest.mark.parametrize("warmup", [0.05, 0.3])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warmup_rises_linearly_from_zero(schedule, warmup):
    progress = np.linspace(0.0, warmup, 11)[:-1]
    got = [rate(p, schedule, warmup) for p in progress]
    np.testing.assert_allclose(got, INITIAL * progress / warmup, rtol=1e-12)


@pytest.mark.parametrize("schedule", ["constant", "adaptive", "cosine"])
def test_rate_has_no_jump_and_peaks_at_the_initial_rate(schedule):
    progress = np.linspace(0.0, 1.0, 4001)
    got = np.array([rate(p, schedule, 0.1) for p in progress])
    assert np.abs(np.diff(got)).max() < 1.01 * INITIAL / 4000 / 0.1
    assert got.max() == pytest.approx(INITIAL, rel=1e-6)


def test_decay_has_no_jump_where_the_warmup_ends():
    before, after = rate(0.1 - 1e-9, "decay", 0.1), rate(0.1, "decay", 0.1)
    assert after == pytest.approx(before, rel=1e-6)


def test_cosine_after_warmup_spans_the_rest():
    # Half way between 0.2 and 1 stands where half way between 0 and 1 does.
    assert rate(0.6, "cosine", 0.2) == pytest.approx(rate(0.5, "cosine"))
    assert rate(1.0, "cosine", 0.2) == pytest.approx(INITIAL / 100)


def test_cosine_stays_at_its_floor_beyond_the_plan():
    # The last step may pass the planned tokens by a little.
    assert rate(1.2, "cosine", 0.2) == pytest.approx(INITIAL / 100)


def test_decay_halves_five_times():
    assert rate(1.0, "decay") == pytest.approx(INITIAL / 32)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_scale_is_for_the_adaptive_schedule_alone(schedule):
    scaled = rate(0.7, schedule, 0.1, scale=0.2)
    factor = 0.2 if schedule == "adaptive" else 1.0
    assert scaled == pytest.approx(factor * rate(0.7, schedule, 0.1))
