"""Reads the values of small tensors without numpy.

Source: the fields of ``TensorProto`` in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import struct
from math import prod
from typing import Any

#: For the code of each element type, its letter in ``struct`` and its field for data that is not raw.
_READ = {
    1: ("f", "float_data"),
    2: ("B", "int32_data"),
    3: ("b", "int32_data"),
    4: ("H", "int32_data"),
    5: ("h", "int32_data"),
    6: ("i", "int32_data"),
    7: ("q", "int64_data"),
    9: ("?", "int32_data"),
    11: ("d", "double_data"),
    12: ("I", "uint64_data"),
    13: ("Q", "uint64_data"),
}
_BOOL, _STRING = 9, 8


def numbers(tensor: Any) -> list[Any] | None:
    """Return a tensor's values in their stored order, or None if their number does not match its shape.

    Args:
        tensor: the TensorProto.
    """
    count, code = prod(tensor.dims), tensor.data_type
    if code == _STRING:
        values: list[Any] = [text.decode("utf-8", "replace") for text in tensor.string_data]
    elif code not in _READ:
        return _rare(tensor)
    elif tensor.HasField("raw_data"):
        layout = struct.Struct(f"<{count}{_READ[code][0]}")
        if layout.size != len(tensor.raw_data):
            return None
        values = list(layout.unpack(tensor.raw_data))
    else:
        values = list(getattr(tensor, _READ[code][1]))
        values = [bool(number) for number in values] if code == _BOOL else values
    return values if len(values) == count else None


def _rare(tensor: Any) -> list[Any] | None:
    """Read sub-byte, 16-bit and complex numbers with onnx."""
    from onnx import numpy_helper

    try:
        return list(numpy_helper.to_array(tensor).reshape(-1).tolist())
    except (ValueError, TypeError, KeyError):
        return None
