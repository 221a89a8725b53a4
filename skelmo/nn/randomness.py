"""Random draws from generators of our own: torch's is everybody's, in all threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_FACTORIES = (torch.empty, torch.zeros)
# What the modules of torch, and ours, draw their first weights by.
_DRAWS = (
    Tensor.uniform_,
    Tensor.normal_,
    nn.init.uniform_,
    nn.init.normal_,
    nn.init.kaiming_uniform_,
)


def torch_generator(
    rng: np.random.Generator, device: torch.device | str = "cpu", stream: int = 0
) -> torch.Generator:
    """Return a generator for torch that one draw of `rng` decides.

    Parameters
    ----------
    rng : numpy.random.Generator
    device : torch.device or str, default="cpu"
        Where it is to draw.
    stream : int, default=0
        Which of several generators that the same draw decides.

    Returns
    -------
    generator : torch.Generator
    """
    seed = int(rng.integers(2**63))
    return torch.Generator(device).manual_seed(seed + stream)


class Dropout(nn.Module):
    """Dropout that draws from a generator it is given.

    Parameters
    ----------
    rate : float, default=0.0
        Share of values dropped.
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Drop values of `x`, of any shape; without a generator none."""
        if not (self.training and self.rate and generator is not None):
            return x
        kept = torch.empty_like(x).bernoulli_(1.0 - self.rate, generator=generator)
        return x * kept.div_(1.0 - self.rate)


class DrawnFrom(TorchFunctionMode):
    """Have the modules built inside initialise themselves from a generator.

    They are of float32, whatever torch's default is. Of this thread alone.

    Parameters
    ----------
    generator : torch.Generator
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call a function of torch, with the generator if it draws."""
        given = dict(kwargs or {})
        if func in _FACTORIES and given.get("dtype") is None:
            given["dtype"] = torch.float32
        if func in _DRAWS:
            given["generator"] = self.generator
        return func(*args, **given)
