"""Reads the values of live tensors as NumPy arrays, of element types that NumPy lacks as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def whole(tensor: Any) -> Any:
    """Return a tensor with all of its numbers, or None where other processes have some of them.

    Args:
        tensor: a tensor; one that is spread over processes (``torch.distributed.tensor.DTensor``) is not
            gathered, for that would wait for the others.
    """
    if not hasattr(tensor, "placements"):
        return tensor
    local = tensor.to_local()
    return local if local.shape == tensor.shape else None


def reader(tensor: Any) -> Callable[[], np.ndarray[Any, Any]]:
    """Return a function that reads the values of a live tensor.

    Args:
        tensor: a tensor with data: not on the meta device, with a shape, and whole.
    """

    def read() -> np.ndarray[Any, Any]:
        plain = whole(tensor).detach().cpu()
        if plain.is_quantized:
            plain = plain.dequantize()
        try:
            return plain.resolve_conj().numpy()  # type: ignore[no-any-return]  # torch is read as Any
        except TypeError:  # an element type that numpy does not have
            return _extended(plain)

    return read


def _extended(plain: Any) -> np.ndarray[Any, Any]:
    """Return a tensor of bfloat16 or an 8-bit float: in ml_dtypes's type, or else as float32."""
    import torch

    try:
        import ml_dtypes

        dtype = getattr(ml_dtypes, str(plain.dtype).removeprefix("torch."))
    except (ImportError, AttributeError):
        return plain.float().numpy()  # type: ignore[no-any-return]  # torch is read as Any
    integers = torch.int16 if plain.dtype.itemsize == 2 else torch.uint8
    bits: np.ndarray[Any, Any] = plain.contiguous().view(integers).numpy()
    return bits.view(dtype)
