"""Torch's modes, which a caller may have set, and what we compute under."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def modes(*, grad: bool) -> Iterator[None]:
    """Compute as where nobody has set a mode of torch, in this thread.

    What is kept for later calls must not depend on the modes of the one that made it:
    a tensor of `torch.inference_mode` can never be trained, nor written to elsewhere,
    and `torch.autocast` rounds. Not for a generator function, whose caller would run
    under these modes.

    Parameters
    ----------
    grad : bool
        Whether operations are recorded.

    Yields
    ------
    None
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad() if grad else torch.no_grad())
        for device_type in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device_type):
                stack.enter_context(torch.autocast(device_type, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield
