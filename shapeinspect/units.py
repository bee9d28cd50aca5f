"""Counts and bytes written for people."""

from __future__ import annotations

_DECIMAL = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def count(number: int) -> str:
    """Write a count with thousands separators.

    Args:
        number: how many.

    Example:
        >>> count(25557032)
        '25,557,032'
    """
    return f"{number:,}"


def short(number: int, unit: str = "") -> str:
    """Write a count with three significant digits and a decimal (SI) prefix.

    Args:
        number: how many.
        unit: a unit put behind the prefix, such as ``"B"`` for bytes.

    Example:
        >>> short(25557032), short(999), short(1234, "B"), short(999_999)
        ('25.6 M', '999', '1.23 kB', '1.00 M')
    """
    for index, (size, prefix) in enumerate(_DECIMAL):
        if abs(number) >= size:
            text = f"{number / size:#.3g}".rstrip(".")
            if "e" in text and index:  # 999,999 rounds up to the next prefix
                size, prefix = _DECIMAL[index - 1]
                text = f"{number / size:#.3g}".rstrip(".")
            return f"{text} {prefix}{unit}"
    if abs(number) >= 999.5:
        return f"{number / 1000:#.3g} k{unit}"
    return f"{number} {unit}".rstrip()
