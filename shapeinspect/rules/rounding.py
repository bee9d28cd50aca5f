"""Lengths that a graph computes with real numbers, rounded as the runtime rounds them.

A product of a symbol and a factor is written as a quotient of integers only where that is the same for every
length up to :data:`LONGEST`: ``floor(H * 0.7)`` is ``(7*H)//10`` in 32 bits, and not in 64, where 0.7 is less
than 7/10 by so much that ``floor(30 * 0.7)`` is 20.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from shapeinspect.dims import UNKNOWN, Dim, Expr

#: The lengths for which a quotient was compared with the rounded product.
LONGEST: Final = 65_536
#: Quotients of larger denominators are no factors that people write.
_DENOMINATOR: Final = 100
#: The letter of ``struct`` for each type of real numbers.
_FORMATS: Final = {"float16": "e", "float32": "f", "float64": "d"}


def rounded(value: float, dtype: str) -> float:
    """Return the number of a type that is nearest to a real number.

    Args:
        value: the number.
        dtype: the type, in numpy's spelling.

    Raises:
        KeyError: if the type is none of real numbers.
        OverflowError: if the number is too large for it.

    Example:
        >>> rounded(0.7, "float32")
        0.699999988079071
    """
    letter = _FORMATS[dtype]
    return float(struct.unpack(letter, struct.pack(letter, value))[0])


@lru_cache(maxsize=256)
def quotient_of(factor: float, dtype: str, up: bool = False) -> tuple[int, int] | None:
    """Return the quotient that a factor stands for, if rounding its products down or up shows no difference.

    Args:
        factor: the factor, above 0.
        dtype: the type in which it is multiplied.
        up: whether products are rounded up.

    Example:
        >>> quotient_of(0.7, "float32"), quotient_of(0.7, "float64"), quotient_of(1.7, "float32")
        ((7, 10), None, (17, 10))
    """
    exact = Fraction(factor).limit_denominator(_DENOMINATOR)
    above, below = exact.numerator, exact.denominator
    factor = rounded(factor, dtype)
    if above < 1 or factor > _DENOMINATOR or rounded(above / below, dtype) != factor:
        return None
    # Between two integers the distance to either is far above what rounding moves: only hits can differ.
    for times in range(1, LONGEST // below + 1):
        product = rounded(rounded(below * times, dtype) * factor, dtype)
        if (math.ceil(product) if up else math.floor(product)) != above * times:
            return None
    return above, below


@lru_cache(maxsize=64)
def _comes_back(divisor: int, dtype: str) -> bool:
    """Tell whether every length divided and multiplied by a number is itself again."""
    return all(
        math.floor(rounded(rounded(n / divisor, dtype) * divisor, dtype)) == n for n in range(1, LONGEST + 1)
    )


@dataclass(frozen=True, slots=True)
class Product:
    """A symbolic length times a factor, or over a divisor, in a type of real numbers.

    Args:
        length: the length.
        factor: what it is multiplied by.
        divisor: what it is divided by.
        dtype: the type.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> Product(symbol("H"), 0.7).floor(), Product(symbol("H"), divisor=3).ceil()
        ((7*H)//10, (H + 2)//3)
    """

    length: Expr
    factor: float = 1.0
    divisor: int = 1
    dtype: str = "float32"

    def floor(self) -> Dim:
        """Return it rounded down, or UNKNOWN where that depends on the symbol's value."""
        above, below = self._quotient(up=False)
        return UNKNOWN if below == 0 else (self.length * above) // below

    def ceil(self) -> Dim:
        """Return it rounded up, or UNKNOWN."""
        above, below = self._quotient(up=True)
        return UNKNOWN if below == 0 else (self.length * above + (below - 1)) // below

    def scaled(self, n: Dim) -> Dim:
        """Return a length scaled by it and rounded down: its own length, if it was divided by the other one.

        Args:
            n: the length that is scaled.
        """
        back = self.factor == 1.0 and n == self.divisor and _comes_back(self.divisor, self.dtype)
        return self.length if back else UNKNOWN

    def _quotient(self, up: bool) -> tuple[int, int]:
        if self.factor == 1.0:
            return 1, self.divisor
        found = quotient_of(self.factor, self.dtype, up) if self.divisor == 1 else None
        return found or (0, 0)


def times(a: Any, b: Any, dtype: str) -> Any:
    """Multiply two numbers, or a length and a factor.

    Args:
        a: an int, a float, an expression of integer value, or UNKNOWN.
        b: another one.
        dtype: the type of the product.

    Example:
        >>> times(10, 0.7, "float32"), times(3, 2, "float32")
        (7.0, 6.0)
    """
    if isinstance(a, int | float) and isinstance(b, int | float):
        return rounded(a * b, dtype)
    length, factor = (a, b) if isinstance(a, Expr) else (b, a)
    if not isinstance(length, Expr) or not isinstance(factor, int | float):
        return UNKNOWN
    return length * int(factor) if float(factor).is_integer() else Product(length, float(factor), dtype=dtype)


def over(a: Any, b: Any, dtype: str) -> Any:
    """Divide two numbers, or a length by an integer or by a length that divides it.

    Args:
        a: an int, a float, an expression of integer value, or UNKNOWN.
        b: another one.
        dtype: the type of the quotient.

    Example:
        >>> over(1, 3, "float32")
        0.3333333432674408
    """
    if b == 0:
        return UNKNOWN
    if isinstance(a, int | float) and isinstance(b, int | float):
        return rounded(a / b, dtype)
    if not isinstance(a, int | Expr) or not isinstance(b, int | float | Expr):
        return UNKNOWN
    if isinstance(b, float):
        if not b.is_integer():
            return UNKNOWN
        b = int(b)
    if b in (1, a) or a // b * b == a:
        return a // b
    if isinstance(a, Expr) and isinstance(b, int) and 0 < b <= _DENOMINATOR:
        return Product(a, divisor=b, dtype=dtype)
    return UNKNOWN


def to_integer(value: Any, up: bool = False) -> Any:
    """Round down, or up; a negative number may not be rounded here as a conversion rounds it.

    Args:
        value: an int, a float, a product, an expression of integer value, or UNKNOWN.
        up: whether to round up.

    Example:
        >>> to_integer(7.9), to_integer(7.1, up=True), to_integer(7)
        (7, 8, 7)
    """
    if isinstance(value, Product):
        return value.ceil() if up else value.floor()
    return (math.ceil(value) if up else math.floor(value)) if isinstance(value, float) else value
