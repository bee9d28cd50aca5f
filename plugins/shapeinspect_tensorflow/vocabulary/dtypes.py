"""TensorFlow's element types in numpy's spelling, with the bits that each one takes.

Source: ``DataType`` in tensorflow/core/framework/types.proto, and ``TensorType`` in
tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

#: For each code of ``DataType``: the name and the bits of one value.
DTYPES: dict[int, tuple[str, int | None]] = {
    1: ("float32", 32),
    2: ("float64", 64),
    3: ("int32", 32),
    4: ("uint8", 8),
    5: ("int16", 16),
    6: ("int8", 8),
    7: ("string", None),
    8: ("complex64", 64),
    9: ("int64", 64),
    10: ("bool", 8),
    11: ("qint8", 8),
    12: ("quint8", 8),
    13: ("qint32", 32),
    14: ("bfloat16", 16),
    15: ("qint16", 16),
    16: ("quint16", 16),
    17: ("uint16", 16),
    18: ("complex128", 128),
    19: ("float16", 16),
    20: ("resource", None),
    21: ("variant", None),
    22: ("uint32", 32),
    23: ("uint64", 64),
    24: ("float8_e5m2", 8),
    25: ("float8_e4m3fn", 8),
    26: ("float8_e4m3fnuz", 8),
    27: ("float8_e4m3b11fnuz", 8),
    28: ("float8_e5m2fnuz", 8),
    29: ("int4", 8),
    30: ("uint4", 8),
    31: ("int2", 8),
    32: ("uint2", 8),
    33: ("float4_e2m1fn", 8),
}

#: The code of references to a variable is 100 more than that of its values.
_REFERENCE = 100
STRING = 7
#: The types that numpy has, too.
NUMPY = frozenset(
    {"float16", "float32", "float64", "bool", "complex64", "complex128"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)


def name(code: int) -> str | None:
    """Return the name of a ``DataType`` in numpy's spelling, or None if there is none.

    Args:
        code: its number.

    Example:
        >>> name(14), name(101), name(0)
        ('bfloat16', 'float32', None)
    """
    return DTYPES.get(code - _REFERENCE if code > _REFERENCE else code, (None, None))[0]


def nbytes(code: int, count: int) -> int | None:
    """Return the bytes that ``count`` values take, or None if they have no fixed length.

    Args:
        code: the number of their ``DataType``.
        count: how many.

    Example:
        >>> nbytes(1, 3), nbytes(7, 3)
        (12, None)
    """
    bits = DTYPES.get(code - _REFERENCE if code > _REFERENCE else code, (None, None))[1]
    return None if bits is None else count * bits // 8
