"""PyTorch's element types: their storages, their names in numpy's spelling, and their widths."""

from __future__ import annotations

#: The storage class a pickle names, and the element type it holds.
#: Source: ``torch.storage._dtype_to_storage_type_map``; ``UntypedStorage`` counts bytes.
STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "QUInt8Storage": "quint8",
    "QInt8Storage": "qint8",
    "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": "uint8",
}

#: ``torch.<name>`` where numpy spells it otherwise.
_RENAMED = {
    "double": "float64",
    "float": "float32",
    "half": "float16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "cfloat": "complex64",
    "cdouble": "complex128",
    "chalf": "complex32",
}

_BYTES = {
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 8),
    **dict.fromkeys(("float32", "int32", "uint32", "complex32", "qint32"), 4),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16", "bits16"), 2),
    **dict.fromkeys(("int8", "uint8", "bool", "qint8", "quint8", "bits8"), 1),
    **dict.fromkeys(
        ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"), 1
    ),
    # Kept one element a byte until packed by a subclass.
    **dict.fromkeys((f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)), 1),
    **dict.fromkeys(("bits1x8", "bits2x4", "bits4x2", "float4_e2m1fn_x2"), 1),
    "complex128": 16,
}

#: Bits of one element. A byte of the last two holds several elements, each counted in the shape.
BITS = {**{name: 8 * size for name, size in _BYTES.items()}, "quint4x2": 4, "quint2x4": 2}

#: Values that one element stands for although the shape counts it once.
PACKED_VALUES = {"float4_e2m1fn_x2": 2, "bits1x8": 8, "bits2x4": 4, "bits4x2": 2}

#: Every name in the module ``torch`` of an element type.
DTYPES = frozenset({*BITS, *_RENAMED})


def named(name: str) -> str | None:
    """Return the element type that ``torch.<name>`` is, or None if it is none.

    Args:
        name: the name in the module ``torch``.

    Example:
        >>> named("half"), named("relu")
        ('float16', None)
    """
    spelled = _RENAMED.get(name, name)
    return spelled if spelled in BITS else None
