"""Reads the values of one tensor on request, dequantized."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from shapeinspect.binary.window import Window
from shapeinspect.sources.source import Source
from shapeinspect_gguf.blocks import BLOCKS
from shapeinspect_gguf.code_books import CODE_BOOKS, dequantizer
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
#: How many bytes are read at once, and how many numbers are computed at once: it takes a few copies of them.
_BYTES, _NUMBERS = 4 << 20, 1 << 18


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
    # The package that has the code books reads the bytes in the order of this machine.
    known = dtype in DEQUANTIZE or (dtype in CODE_BOOKS and order == "<" and sys.byteorder == "little")
    return partial(_dequantized, source, order, tensor) if known else None


def _dequantized(source: Source, order: str, tensor: Tensor) -> np.ndarray[Any, Any]:
    import numpy as np

    block = tensor.block or BLOCKS[0]
    compute = DEQUANTIZE.get(block.dtype) or dequantizer(block.dtype)
    end = tensor.offset + (tensor.nbytes or 0)
    numbers: np.ndarray[Any, Any] = np.empty(((tensor.nbytes or 0) // block.nbytes, block.values), np.float32)
    first, many = 0, _NUMBERS // block.values
    with Window.open(source) as window, np.errstate(all="ignore"):
        for start in range(tensor.offset, end, step := _BYTES // block.nbytes * block.nbytes):
            data = window.whole(start, min(start + step, end))
            blocks = np.frombuffer(data, np.uint8).reshape(-1, block.nbytes)
            for part in (blocks[row : row + many] for row in range(0, len(blocks), many)):
                numbers[first : first + len(part)] = compute(part, order)
                first += len(part)
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
