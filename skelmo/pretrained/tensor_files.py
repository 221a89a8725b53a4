"""Tensors by name out of a file of torch.save, by a reader that runs no code of it."""

from __future__ import annotations

import errno
import io
import re
import warnings
from pathlib import Path

import numpy as np
import torch

from skelmo.pretrained.model_files import first_bytes
from skelmo.pretrained.saved_model import check_finite

_BEGINS = (b"\x80", b"PK\x03\x04")  # a pickle of protocol 2 or later; an archive
_WIDTHS = (torch.float16, torch.float32, torch.float64)
_DOWNLOAD_AGAIN = "Download it again and compare its size."


def read_tensors(path: Path, *, shown: str) -> dict[str, np.ndarray]:
    """Read a state dict.

    Parameters
    ----------
    path : pathlib.Path
    shown : str
        The file, as messages name it.

    Returns
    -------
    arrays : dict of str to numpy.ndarray
        Float32, finite.

    Raises
    ------
    ValueError
        If it holds anything but tensors of floating point numbers, or is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        begin = file.read(4)
    if not begin.startswith(_BEGINS):
        raise ValueError(
            f"{shown}: must be a file of tensors that torch.save wrote, found "
            f"{size:,} bytes that begin with {first_bytes(path)}. Download it again; a "
            "web page may have been saved in its place."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of damage
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of damage, torch knows no one kind
        # Of a damaged archive, torch asks the system for places that there are not.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        # Without torch's own message, which tells how to open it all the same.
        raise ValueError(_reason(error, shown, size)) from None
    if not isinstance(found, dict):
        raise ValueError(
            f"{shown}: must hold a dict of tensors, found {type(found).__name__}. "
            f"{_DOWNLOAD_AGAIN}"
        )
    return {str(name): _array(found[name], str(name), shown) for name in found}


def tensor_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Return the file of a state dict, in the form that every version of torch reads.

    Parameters
    ----------
    arrays : dict of str to numpy.ndarray

    Returns
    -------
    content : bytes
    """
    content = io.BytesIO()
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    torch.save(tensors, content, _use_new_zipfile_serialization=False)
    return content.getvalue()


def _reason(error: Exception, shown: str, size: int) -> str:
    asked = re.search(r"GLOBAL (\w+(?:\.\w+)+)", str(error))
    if asked is not None:
        return (
            f"{shown}: must hold tensors alone, but asks for {asked[1]}, which could "
            "run code and is not loaded. Take the file from where the model was "
            "published, and do not open this one by other programs."
        )
    return (
        f"{shown}: torch cannot read tensors from this file of {size:,} bytes; it was "
        f"cut short or damaged, or holds something else ({type(error).__name__}). "
        f"{_DOWNLOAD_AGAIN}"
    )


def _array(tensor: object, name: str, shown: str) -> np.ndarray:
    if not isinstance(tensor, torch.Tensor):
        raise ValueError(
            f"{shown}: '{name}' must be a tensor, found {type(tensor).__name__}. "
            f"{_DOWNLOAD_AGAIN}"
        )
    is_plain = tensor.layout is torch.strided and tensor.device.type == "cpu"
    if not is_plain or tensor.dtype not in _WIDTHS:
        raise ValueError(
            f"{shown}: '{name}' must hold float16, float32 or float64, found "
            f"{tensor.dtype} ({tensor.layout} on {tensor.device}). {_DOWNLOAD_AGAIN}"
        )
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError(
            f"{shown}: '{name}' must have a number in the file for each of its "
            f"{tensor.numel():,}, found {tensor.untyped_storage().nbytes():,} bytes. "
            f"{_DOWNLOAD_AGAIN}"
        )
    # What overflows, or is not a number, is reported as not finite.
    array = torch.empty(tensor.shape).copy_(tensor.detach()).numpy()
    check_finite(array, name, shown=shown, remedy=_DOWNLOAD_AGAIN)
    return array
