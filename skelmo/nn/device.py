"""Where a network computes, and in what."""

from __future__ import annotations

import platform

import torch


def here(name: str) -> torch.device:
    """Return a device, or the CPU if it is not on this machine.

    Parameters
    ----------
    name : str

    Returns
    -------
    torch.device
    """
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
        # Asked where it lies, memory tells "cuda:0", whichever name it had.
        return torch.empty(0, device=torch.device(name)).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={name!r} cannot be used here: {reason}. Set device='auto' or "
            f"device='cpu'."
        ) from error


def working_precision(name: str, device: torch.device) -> str:
    """Return what matrix products are computed in.

    Parameters
    ----------
    name : {"auto", "float32", "bfloat16"}
        "auto" is "bfloat16" on a CUDA device that has it, and "float32" elsewhere.
    device : torch.device

    Returns
    -------
    precision : {"float32", "bfloat16"}
    """
    if name != "auto":
        return name
    native = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return "bfloat16" if native else "float32"


def has_bfloat16(device: torch.device) -> bool:
    """Tell whether a device has instructions for products in bfloat16.

    Parameters
    ----------
    device : torch.device

    Returns
    -------
    bool
        True as well where it cannot be told: on GPUs, and on processors but x86.
    """
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    # Arm's support cannot be asked for by the oldest torch: no warning there.
    asked = [getattr(torch.cpu, name, None) for name in names]
    is_x86 = device.type == "cpu" and platform.machine() in ("x86_64", "AMD64")
    if not is_x86 or None in asked:
        return True
    return any(ask() for ask in asked if ask is not None)
