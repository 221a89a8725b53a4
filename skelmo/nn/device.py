"""Where a network computes, and in what."""

from __future__ import annotations

import platform
import warnings

import torch

from skelmo.validation import stack_level


def here(name: str) -> torch.device:
    """Return a device, or the CPU if it is not on this machine."""
    try:
        return torch_device(name)
    except ValueError:
        return torch.device("cpu")


def torch_device(name: str) -> torch.device:
    """Return a device by its name, or the best there is for "auto".

    Parameters
    ----------
    name : str

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If there is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={name!r} cannot be used here: {reason}. Set device='auto' or "
            f"device='cpu'."
        ) from error
    return device


def working_precision(name: str, device: torch.device, owner: str) -> str:
    """Return what matrix products are computed in, and warn where that is slow.

    Parameters
    ----------
    name : {"auto", "float32", "bfloat16"}
        "auto" is "bfloat16" on a CUDA device that has it, and "float32" elsewhere.
    device : torch.device
    owner : str
        The class that asks, for the message.

    Returns
    -------
    precision : {"float32", "bfloat16"}

    Warns
    -----
    UserWarning
        If this CPU has no instructions for bfloat16.
    """
    if name == "auto":
        native = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return "bfloat16" if native else "float32"
    if name == "bfloat16" and device.type == "cpu" and not _cpu_has_bfloat16():
        warnings.warn(
            f"{owner} computes in bfloat16, which this CPU has no instructions for: it "
            f"works, but slower than float32. Set precision='float32'.",
            stacklevel=stack_level(),
        )
    return name


def _cpu_has_bfloat16() -> bool:
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    # Arm's support cannot be asked for by the oldest torch: no warning there.
    asked = [getattr(torch.cpu, name, None) for name in names]
    if platform.machine() not in ("x86_64", "AMD64") or None in asked:
        return True
    return any(ask() for ask in asked if ask is not None)
