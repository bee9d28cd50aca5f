"""Reads the values of one tensor on request; plain types only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shapeinspect.binary.window import Window
from shapeinspect.sources.source import Source
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
