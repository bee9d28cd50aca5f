"""Human-readable counts and byte sizes."""

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
    if abs(number) >= 10**300:  # more than a float holds, and than any machine computes
        digits = len(f"{abs(number):x}") * 1.2041  # a hexadecimal digit is log10(16) decimal ones
        return f"over 1e{digits - 2:.0f} {unit}".rstrip()
    # 999,999 would be written 1.00e+03 k: a number gets the prefix that it rounds up to.
    for size, prefix in _DECIMAL:
        if abs(number) >= size * 0.9995:
            text = f"{number / size:#.3g}".rstrip(".")
            return f"{text} {prefix}{unit}"
    return f"{number} {unit}".rstrip()
