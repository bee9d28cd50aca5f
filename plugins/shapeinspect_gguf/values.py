"""Reads the values of one tensor on request, dequantized."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from shapeinspect.binary.window import Window
from shapeinspect.sources.source import Source
from shapeinspect_gguf.blocks import BLOCKS
from shapeinspect_gguf.dequantize import DEQUANTIZE
from shapeinspect_gguf.reader import Tensor

if TYPE_CHECKING:
    import numpy as np

#: The plain types and what numpy reads their bytes as.
PLAIN = {
    "float32": "f4",
    "float16": "f2",
    "float64": "f8",
    "bfloat16": "u2",
    "int8": "i1",
    "int16": "i2",
    "int32": "i4",
    "int64": "i8",
}


def reader(source: Source, order: str, tensor: Tensor) -> Callable[[], np.ndarray[Any, Any]] | None:
    """Return a reader of a tensor's values, or None for a type that it does not know.

    Args:
        source: the file.
        order: its byte order, ``"<"`` or ``">"``.
        tensor: the tensor.
    """
    dtype = tensor.block.dtype if tensor.block is not None else ""
    if dtype in PLAIN:
        return partial(read, source, order, tensor)
    return partial(_dequantized, source, order, tensor) if dtype in DEQUANTIZE else None


def _dequantized(source: Source, order: str, tensor: Tensor) -> np.ndarray[Any, Any]:
    import numpy as np

    data = Window.bytes_of(source, tensor.offset, tensor.nbytes or 0)
    block = tensor.block or BLOCKS[0]
    blocks = np.frombuffer(data, np.uint8).reshape(-1, block.nbytes)
    with np.errstate(all="ignore"):
        numbers: np.ndarray[Any, Any] = DEQUANTIZE[block.dtype](blocks, order).astype(np.float32, copy=False)
    return numbers.reshape(tensor.shape)


def read(source: Source, order: str, tensor: Tensor) -> np.ndarray[Any, Any]:
    """Return the values of a tensor of a plain type; bfloat16 as float32.

    Args:
        source: the file.
        order: its byte order, ``"<"`` or ``">"``.
        tensor: the tensor.

    Raises:
        UnreadableFileError: if the file has shrunk.

    Source: ``ggml/docs/gguf.md``, "Tensor data".
    """
    import numpy as np

    dtype = tensor.block.dtype if tensor.block is not None else ""
    data = Window.bytes_of(source, tensor.offset, tensor.nbytes or 0)
    numbers = np.frombuffer(data, np.dtype(order + PLAIN[dtype]))
    if dtype == "bfloat16":
        # The upper half of a float32.
        numbers = (numbers.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return numbers.reshape(tensor.shape)
