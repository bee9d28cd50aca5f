"""Reads the lengths that exporters write as formulas of SymPy, such as ``floor(H/2 - 1/2) + 1``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shapeinspect import dims
from shapeinspect.dims import Dim, Unknown
from shapeinspect.expression import ExpressionError, Language

_MAX_POWER = 8


@dataclass(frozen=True, slots=True)
class _Ratio:
    """A length divided by an integer of 1 or more, the one of ``H/2``."""

    length: Dim
    divisor: int = 1


class _NoFormulaError(Exception):
    """The text is none that this module reads."""


def formula(text: str) -> Dim | None:
    """Read a formula of integer lengths; None where it is of another form, or need not be an integer.

    Args:
        text: what the file writes.

    Source: how SymPy prints ``+ - * / ** floor ceiling Mod Min Max``; ``a//b`` and ``a % b`` are read too.

    Example:
        >>> formula("floor(H/2 - 1/2) + 1"), formula("ceiling(x.1/4)"), formula("H/2"), formula("f(H)")
        ((H + 1)//2, (x.1 + 3)//4, None, None)
    """
    try:
        result = _FORMULAS.evaluate(_FORMULAS.read(text), lambda name: _Ratio(dims.symbol(name)))
    except (ExpressionError, _NoFormulaError, ZeroDivisionError):
        return None
    return None if result.divisor != 1 or isinstance(result.length, Unknown) else result.length


def _ratio(length: Dim, divisor: int = 1) -> _Ratio:
    """Cancel a divisor of the whole length; what grows without end is no formula."""
    if not dims.small(length) or not dims.small(divisor):
        raise _NoFormulaError
    if divisor > 1 and isinstance(exact := length // divisor, int | dims.Expr) and exact * divisor == length:
        return _Ratio(exact)
    return _Ratio(length, divisor)


def _add(left: _Ratio, right: _Ratio) -> _Ratio:
    total = left.length * right.divisor + right.length * left.divisor
    return _ratio(total, left.divisor * right.divisor)


def _negative(value: _Ratio) -> _Ratio:
    return _ratio(-value.length, value.divisor)


def _multiply(left: _Ratio, right: _Ratio) -> _Ratio:
    return _ratio(left.length * right.length, left.divisor * right.divisor)


def _divide(left: _Ratio, right: _Ratio) -> _Ratio:
    if not isinstance(right.length, int) or right.length < 1:
        raise _NoFormulaError
    return _ratio(left.length * right.divisor, left.divisor * right.length)


def _power(base: _Ratio, exponent: _Ratio) -> _Ratio:
    times = exponent.length
    if exponent.divisor != 1 or not isinstance(times, int) or not 1 <= times <= _MAX_POWER:
        raise _NoFormulaError
    result = base
    for _ in range(times - 1):
        result = _multiply(result, base)
    return result


def _floor(value: _Ratio) -> _Ratio:
    return _ratio(value.length // value.divisor)


def _ceiling(value: _Ratio) -> _Ratio:
    return _ratio((value.length + (value.divisor - 1)) // value.divisor)


def _of_integers(work: Callable[[Dim, Dim], Dim]) -> Callable[[_Ratio, _Ratio], _Ratio]:
    def call(left: _Ratio, right: _Ratio) -> _Ratio:
        if left.divisor != 1 or right.divisor != 1:
            raise _NoFormulaError
        return _ratio(work(left.length, right.length))

    return call


_remainder = _of_integers(lambda left, right: left % right)
_FORMULAS: Language[_Ratio] = Language(
    number=_ratio,
    operators={
        "+": _add,
        "-": lambda left, right: _add(left, _negative(right)),
        "*": _multiply,
        "/": _divide,
        "//": _of_integers(lambda left, right: left // right),
        "%": _remainder,
        "**": _power,
    },
    negative=_negative,
    functions={
        "floor": (1, _floor),
        "ceiling": (1, _ceiling),
        "Mod": (2, _remainder),
        **{name: (2, _of_integers(dims.minimum)) for name in ("Min", "min")},
        **{name: (2, _of_integers(dims.maximum)) for name in ("Max", "max")},
    },
)
