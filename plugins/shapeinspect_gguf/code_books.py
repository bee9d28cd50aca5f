"""Computes the numbers of types that look values up in code books, with ggml's own package.

Source: ``gguf/quants.py`` of ``gguf-py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shapeinspect.errors import MissingDependencyError

if TYPE_CHECKING:
    import numpy as np

    from shapeinspect_gguf.dequantize import Blocks

    Array = np.ndarray[Any, Any]

#: The types that have code books.
CODE_BOOKS = frozenset({"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"})


def dequantizer(dtype: str) -> Blocks:
    """Return what computes the numbers of blocks of little-endian bytes.

    Args:
        dtype: one of :data:`CODE_BOOKS`.

    Raises:
        MissingDependencyError: if the package ``gguf`` is not installed.
    """
    try:
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize
    except ImportError:
        raise MissingDependencyError("gguf", f"the values of {dtype} tensors", extra="gguf") from None
    kind = GGMLQuantizationType[dtype]

    def numbers(data: Array, order: str) -> Array:
        result: Array = dequantize(data, kind)
        return result

    return numbers
