"""What each parameter of an estimator may be."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions

from skelmo.training.optimizer import SOLVERS
from skelmo.training.schedule import SCHEDULES

LANGUAGE_MODEL: dict[str, list[Any]] = {
    "tokenizer": [callable, None],
    "sentence_splitter": [callable, StrOptions({"lines"}), None],
    "input": [StrOptions({"text", "tokens"})],
    "missing": [StrOptions({"error", "empty", "nan"})],
    "sequence": [StrOptions({"sentence", "document"})],
    "max_characters": [Interval(Integral, 3, None, closed="left")],
    "char_embedding_dim": [Interval(Integral, 1, None, closed="left")],
    "filters": ["array-like"],
    "n_highway": [Interval(Integral, 0, None, closed="left")],
    "activation": [StrOptions({"relu", "tanh"})],
    "word_embedding_dim": [Interval(Integral, 0, None, closed="left")],
    "init_word_vectors": [str, os.PathLike, None],
    "hidden_size": [Interval(Integral, 1, None, closed="left")],
    "proj_size": [Interval(Integral, 1, None, closed="left")],
    "num_layers": [Interval(Integral, 1, None, closed="left")],
    "cell_clip": [Interval(Real, 0, None, closed="neither"), None],
    "proj_clip": [Interval(Real, 0, None, closed="neither"), None],
    "skip_connections": ["boolean"],
    "min_count": [Interval(Integral, 1, None, closed="left")],
    "max_vocabulary": [Interval(Integral, 4, None, closed="left"), None],
    "softmax": [StrOptions({"sampled", "full"})],
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "tie_weights": ["boolean"],
    "solver": [StrOptions(set(SOLVERS))],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "learning_rate": [StrOptions(set(SCHEDULES))],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "warmup": [Interval(Real, 0, 1, closed="left")],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "l1": [Interval(Real, 0, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "word_dropout": [Interval(Real, 0, 1, closed="left")],
    "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
    "batch_tokens": [Interval(Integral, 2, None, closed="left")],
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "max_time": [Interval(Real, 0, None, closed="neither"), None],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "init": [str, os.PathLike, None],
    "warm_start": ["boolean"],
    "checkpoint": [str, os.PathLike, None],
    "checkpoint_every": [
        Interval(Integral, 1, None, closed="left"),
        Interval(RealNotInt, 0, None, closed="neither"),
    ],
    "device": [str],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
