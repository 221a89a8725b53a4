"""Products of low precision, also on a processor that has no instructions for them.

There the operands are rounded and multiplied in float32, which is how the instructions
work too: operands of 8 bits' precision, products added up in float32. Left to itself
torch would multiply such numbers a hundred times slower.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from skelmo.nn.device import has_bfloat16

_PRODUCTS = (Tensor.matmul, torch.nn.functional.linear)


def stored_dtype(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """Return what the operands of products of a dtype are stored in, on a device.

    Parameters
    ----------
    dtype : torch.dtype
    device : torch.device

    Returns
    -------
    dtype : torch.dtype
    """
    is_missing = dtype == torch.bfloat16 and not has_bfloat16(device)
    return torch.float32 if is_missing else dtype


def operand(x: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Return a tensor rounded for a product of a dtype, in what that is stored in.

    Parameters
    ----------
    x : torch.Tensor
        Of any shape.
    dtype : torch.dtype, optional
        By default that of `x`.

    Returns
    -------
    x : torch.Tensor of the same shape
        Itself, if nothing is to be done.
    """
    if dtype is None:
        return x
    return x.to(dtype).to(stored_dtype(dtype, x.device))


def low_products(
    dtype: torch.dtype | None, device: torch.device
) -> AbstractContextManager[Any]:
    """Have the products of torch's modules computed in a dtype.

    Parameters
    ----------
    dtype : torch.dtype or None
        None changes nothing.
    device : torch.device

    Returns
    -------
    context : context manager
    """
    if dtype is None:
        return nullcontext()
    if stored_dtype(dtype, device) == dtype:
        return torch.autocast(device.type, dtype)
    return _RoundedProducts(dtype)


class _RoundedProducts(TorchFunctionMode):
    """Have products of float32 take rounded operands."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func in _PRODUCTS:
            x, weight, *rest = args
            args = operand(x, self.dtype), operand(weight, self.dtype), *rest
        return func(*args, **(kwargs or {}))
