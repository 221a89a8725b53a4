"""Learning rate as a function of how far training is."""

from __future__ import annotations

import math

SCHEDULES = ("constant", "decay", "adaptive", "cosine", "slanted")

# A rate that never quite stops learning, and one that "adaptive" gives up at, as in
# scikit-learn's SGD.
COSINE_FLOOR = 0.01
DECAY_HALVINGS = 5.0
SLANT_FLOOR = 1 / 32  # the ratio of Howard and Ruder (2018)


def learning_rate_at(
    progress: float, *, schedule: str, initial: float, warmup: float, scale: float = 1.0
) -> float:
    """Return the learning rate.

    Parameters
    ----------
    progress : float
        How far training is, 0 to 1: the share of the planned tokens (``max_epochs``
        epochs) done or, under a time limit, that of the time spent if it is larger.
    schedule : {"constant", "decay", "adaptive", "cosine", "slanted"}
        With u the share of the way from the end of the warm-up to the end: "decay" is
        ``2 ** (-5 * u)``; "cosine" falls to a hundredth,
        ``0.01 + 0.99 * (1 + cos(pi * u)) / 2``; "slanted" falls to a 32nd along a line;
        "adaptive" is constant but for `scale`.
    initial : float
        Rate after the warm-up.
    warmup : float
        Share of training, measured likewise, in which the rate rises linearly from 0.
    scale : float, default=1.0
        What "adaptive" has come to: a fifth for each time validation stalled.

    Returns
    -------
    learning_rate : float

    Examples
    --------
    >>> learning_rate_at(0.5, schedule="cosine", initial=1.0, warmup=0.0)
    0.505
    """
    if progress < warmup:
        return initial * progress / warmup
    after = min(1.0, (progress - warmup) / (1.0 - warmup))
    if schedule == "decay":
        return initial * 2.0 ** (-DECAY_HALVINGS * after)
    if schedule == "cosine":
        share = (1.0 + math.cos(math.pi * after)) / 2.0
        return initial * (COSINE_FLOOR + (1.0 - COSINE_FLOOR) * share)
    if schedule == "slanted":
        return initial * (1.0 - (1.0 - SLANT_FLOOR) * after)
    return initial * (scale if schedule == "adaptive" else 1.0)
