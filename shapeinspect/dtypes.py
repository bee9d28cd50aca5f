"""Element types by their names in NumPy's spelling."""

from __future__ import annotations

import re

_BITS = re.compile(r"(?:b?float|u?int|complex|qu?int)(\d+)")


def element_bits(dtype: str | None) -> int | None:
    """Return how many bits an element takes; None if its type has no fixed size or is not known.

    Args:
        dtype: an element type in NumPy's spelling.

    Example:
        >>> element_bits("bfloat16"), element_bits("float8_e4m3fn"), element_bits("bool"), element_bits("str")
        (16, 8, 8, None)
    """
    if dtype == "bool":
        return 8
    found = _BITS.match(dtype or "")
    return int(found[1]) if found else None
