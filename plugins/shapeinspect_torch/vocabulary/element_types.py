"""NumPy's element types by the names that files use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shapeinspect.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

#: Element types that numpy has no name for and ml_dtypes has.
_EXTENDED = frozenset({
    "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu",
})  # fmt: skip
#: Quantized element types, read as the integers that are stored.
STORED_AS = {"qint8": "int8", "quint8": "uint8", "qint32": "int32"}


def element_type(name: str) -> np.dtype[Any]:
    """Return numpy's element type for a name.

    Args:
        name: in numpy's spelling, such as ``float32`` or ``bfloat16``.

    Raises:
        UsageError: if neither numpy nor ml_dtypes has it.

    Example:
        >>> element_type("float32").itemsize
        4
    """
    import numpy as np

    try:
        if name in _EXTENDED:
            import ml_dtypes

            dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        else:
            dtype = np.dtype(STORED_AS.get(name, name))
    except (ImportError, AttributeError, TypeError):
        raise UsageError(
            f"values of type {name} cannot be read here",
            hint="pip install ml_dtypes" if name in _EXTENDED else None,
        ) from None
    return dtype
