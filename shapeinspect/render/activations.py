"""The bytes of what calls return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shapeinspect.dims import UNKNOWN, Dim, Unknown
from shapeinspect.dtypes import element_bits
from shapeinspect.ir import Call, Value


def activations(calls: Iterable[Call], values: Mapping[str, Value]) -> tuple[Dim | None, int]:
    """Add up the bytes of all that calls return, whether or not several of them share memory.

    Args:
        calls: the calls.
        values: the model's values.

    Returns:
        the bytes, None if none are known, and of how many values they are not known.

    Example:
        >>> values = {"y": Value("y", (2, 8, 30, 28), "float16"), "z": Value("z", None, "float16")}
        >>> activations([Call("conv", ("x",), ("y", "z"))], values)
        (26880, 1)
    """
    total: Dim | None = None
    lacking = 0
    for call in calls:
        for name in filter(None, call.outputs):
            size = _bytes(values.get(name))
            if isinstance(size, Unknown):
                lacking += 1
            else:
                total = size if total is None else total + size
    return total, lacking


def _bytes(value: Value | None) -> Dim:
    bits = element_bits(value.dtype) if value is not None else None
    if value is None or value.shape is None or bits is None:
        return UNKNOWN
    count: Dim = 1
    for length in value.shape:
        count = count * length
    return count * bits // 8
