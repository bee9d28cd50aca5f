"""ONNX's element types in numpy's spelling, with the bits that each one takes.

Source: ``TensorProto.DataType`` in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

#: For each code: the name and the bits of one value.
DTYPES: dict[int, tuple[str, int | None]] = {
    1: ("float32", 32),
    2: ("uint8", 8),
    3: ("int8", 8),
    4: ("uint16", 16),
    5: ("int16", 16),
    6: ("int32", 32),
    7: ("int64", 64),
    8: ("string", None),
    9: ("bool", 8),
    10: ("float16", 16),
    11: ("float64", 64),
    12: ("uint32", 32),
    13: ("uint64", 64),
    14: ("complex64", 64),
    15: ("complex128", 128),
    16: ("bfloat16", 16),
    17: ("float8_e4m3fn", 8),
    18: ("float8_e4m3fnuz", 8),
    19: ("float8_e5m2", 8),
    20: ("float8_e5m2fnuz", 8),
    21: ("uint4", 4),
    22: ("int4", 4),
    23: ("float4_e2m1fn", 4),
    24: ("float8_e8m0fnu", 8),
    25: ("uint2", 2),
    26: ("int2", 2),
    27: ("float6_e2m3fn", 6),
    28: ("float6_e3m2fn", 6),
}

#: The codes of real numbers that are no codes of a quantization.
_FLOATS = frozenset({1, 10, 11, 16})

#: The codes of whole numbers and booleans.
INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 9, 12, 13, 21, 22, 25, 26})


def name(code: int) -> str | None:
    """Return an element type's name in numpy's spelling, or None if there is none.

    Args:
        code: the number that ONNX gives it.

    Example:
        >>> name(16), name(0)
        ('bfloat16', None)
    """
    return DTYPES.get(code, (None, None))[0]


def is_float(code: int) -> bool:
    """Tell whether an element type holds real numbers of 16 bits or more.

    Args:
        code: the number that ONNX gives it.

    Example:
        >>> is_float(10), is_float(17)
        (True, False)
    """
    return code in _FLOATS


def nbytes(code: int, count: int) -> int | None:
    """Return the bytes that ``count`` values take, packed where they are below a byte.

    Args:
        code: the number that ONNX gives the element type.
        count: how many values.

    Example:
        >>> nbytes(22, 3), nbytes(1, 3), nbytes(8, 3)
        (2, 12, None)
    """
    bits = DTYPES.get(code, (None, None))[1]
    return None if bits is None else (count * bits + 7) // 8
