"""Sizes that networks are built for, which are worth more than any other that fits."""

from __future__ import annotations

from collections.abc import Sequence

#: Sizes of pictures that data sets and networks use.
_USUAL = (28, 32, 48, 64, 96, 112, 128, 160, 192, 224, 256, 299, 320, 384, 416, 448, 512, 640, 768, 1024)
#: Factors by which networks shrink their input, alone or with a window of 7.
_FACTORS = (8, 16, 32, 14, 28, 12)
#: At most so many sizes are tried.
_MOST = 24


def natural_between(low: int, high: int) -> int:
    """Return the length of a range that is divisible by the largest power of two.

    Args:
        low: the smallest length.
        high: the largest.

    Example:
        >>> natural_between(33, 64), natural_between(224, 255), natural_between(112, 115)
        (64, 224, 112)
    """
    factor = 1 << high.bit_length()
    while -(-low // factor) * factor > high:
        factor //= 2
    return -(-low // factor) * factor


def natural_near(length: int, stride: int, stated: Sequence[int]) -> tuple[int, ...]:
    """Return the lengths worth trying instead of one: usual ones, then multiples of what the network states.

    Args:
        length: the present length.
        stride: the stride of the first layer, by which the network divides the length.
        stated: numbers in the network's own shapes, such as windows.

    Example:
        >>> natural_near(52, 4, (4,))[:5]
        (48, 64, 32, 28, 96)
    """

    def distance(other: int) -> int:
        return abs(other - length)

    usual = sorted((size for size in _USUAL if length / 4 <= size <= 4 * length), key=distance)
    factors = (*(stride * window for window in dict.fromkeys(stated) if 1 < window <= 64), *_FACTORS)
    multiples = {factor * (length // factor + more) for factor in factors for more in (0, 1)}
    others = sorted((size for size in multiples if size > 0), key=distance)
    return tuple(size for size in dict.fromkeys((*usual, *others)) if size != length)[:_MOST]
