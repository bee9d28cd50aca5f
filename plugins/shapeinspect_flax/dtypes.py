"""The element types that JAX saves: bytes per element, and how numpy reads them.

Source: ``jax.numpy`` and ``ml_dtypes``; the sub-byte types are saved as one byte per element.
"""

from __future__ import annotations

_PLAIN = {
    **{f"{kind}{bits}": bits // 8 for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": bits // 8 for bits in (16, 32, 64)},
    "bool": 1,
    "complex64": 8,
    "complex128": 16,
}

#: Bytes per element, by numpy's name of the type.
SIZES: dict[str, int] = {
    **_PLAIN,
    "bfloat16": 2,
    **dict.fromkeys(("int2", "int4", "uint2", "uint4", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn"), 1),
    **dict.fromkeys(("float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "float8_e4m3fnuz"), 1),
    **dict.fromkeys(("float8_e5m2fnuz", "float8_e3m4", "float8_e4m3", "float8_e8m0fnu"), 1),
}

#: The types that numpy itself reads, and bfloat16, which is the upper half of a float32.
READABLE = frozenset((*_PLAIN, "bfloat16"))
