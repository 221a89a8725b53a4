"""The solvers, and the proximal step of the L1 penalty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from skelmo.training.state import TrainingOptions

SOLVERS = ("adam", "sgd", "rmsprop", "adagrad")
_REMEMBERED = {
    "adam": {"step", "exp_avg", "exp_avg_sq"},
    "sgd": {"momentum_buffer"},
    "rmsprop": {"step", "square_avg", "momentum_buffer"},
    "adagrad": {"step", "sum"},
}


def make_optimizer(
    model: torch.nn.Module,
    options: TrainingOptions,
    scales: Mapping[str, float] | None = None,
) -> torch.optim.Optimizer:
    """Return the solver; `alpha` decays matrices, not biases.

    Parameters
    ----------
    model : torch.nn.Module
        Parameters that need no gradient are left out.
    options : TrainingOptions
    scales : mapping of str to float, optional
        What the learning rate of each parameter is multiplied by, by its name; by
        default 1. Whoever sets the rate of a group multiplies by its "scale".

    Returns
    -------
    optimizer : torch.optim.Optimizer
    """
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    by_scale: dict[float, list[torch.nn.Parameter]] = {}
    for name, parameter in trained:
        scale = 1.0 if scales is None else scales[name]
        by_scale.setdefault(scale, []).append(parameter)
    rate = options.learning_rate_init
    groups: list[dict[str, Any]] = []
    for scale, parameters in (by_scale or {1.0: []}).items():
        matrices = [p for p in parameters if p.ndim > 1]
        biases = [p for p in parameters if p.ndim < 2]
        for params, decay in ((matrices, options.alpha), (biases, 0.0)):
            own = {"lr": rate * scale, "scale": scale, "weight_decay": decay}
            groups.append({"params": params, **own})
    if options.solver == "adam":
        return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=True)
    if options.solver == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=options.momentum)
    if options.solver == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate, momentum=options.momentum)
    return torch.optim.Adagrad(groups, lr=rate, initial_accumulator_value=0.1)


def shrink(parameters: Iterable[Tensor], threshold: float) -> None:
    """Move every weight of a matrix towards 0 by `threshold`, stopping there.

    The proximal step of the L1 penalty: it makes weights exactly zero. Parameters that
    need no gradient stay as they are.
    """
    with torch.no_grad():
        for parameter in parameters:
            if parameter.ndim > 1 and parameter.requires_grad:
                kept = (parameter.abs() - threshold).clamp_(min=0.0)
                parameter.copy_(kept.mul_(parameter.sign()))


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return what an optimiser remembers, under flat names."""
    return {
        f"{index}.{name}": value
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if value is not None
    }


def is_of_the_same_kind(
    tensors: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    options: TrainingOptions,
) -> bool:
    """Tell whether `tensors` are what this solver remembers of these weights."""
    momentum = set() if options.momentum else {"momentum_buffer"}
    names = {key.partition(".")[2] for key in tensors}
    if names != _REMEMBERED[options.solver] - momentum:
        return False
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    rows = [(int(key.partition(".")[0]), value) for key, value in tensors.items()]
    return all(
        row < len(weights) and value.shape in (weights[row].shape, ())
        for row, value in rows
    )


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    """Undo `optimizer_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
