"""The lengths that a pattern asks for: sums, products and quotients of integers and names."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from fractions import Fraction

from shapeinspect.dims import Dim, Shape
from shapeinspect.expression import Expression, ExpressionError, Language

_LENGTHS: Language[Fraction] = Language(
    number=Fraction,
    operators={
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
        "//": lambda left, right: Fraction(left // right),
    },
    juxtaposed=True,
    tokens=100,
)


def read(text: str, start: int = 0) -> Expression:
    """Compile a length; a space inside parentheses multiplies, as in einops.

    Args:
        text: such as ``h/4`` or ``(head dim)``.
        start: the index of the character at which the length begins.

    Raises:
        ExpressionError: if it is no length; the text says why.

    Example:
        >>> read("(head dim)").names, read("h//2").values("operator")
        (('head', 'dim'), ('//',))
    """
    length = _LENGTHS.read(text, start)
    for name in length.names:
        if not name.isidentifier():
            raise ExpressionError("unexpected '.'", text.index(name, start) + name.index("."))
    return length


def value(length: Expression, names: Mapping[str, Dim | Shape]) -> Dim | Fraction | None:
    """Compute a length.

    Args:
        length: what :func:`read` returned.
        names: what names stand for.

    Returns:
        A fraction where it is not an integer; None where a name is not bound to an integer, or it divides
        by 0.

    Example:
        >>> value(read("h/4"), {"h": 224}), value(read("h/4"), {"h": 6}), value(read("h/4"), {})
        (56, Fraction(3, 2), None)
    """
    only = length.only_name
    if only is not None and only in names:
        bound = names[only]
        return None if isinstance(bound, tuple) else bound
    integers: dict[str, int] = {}
    for name in length.names:
        number = names.get(name)
        if not isinstance(number, int):
            return None
        integers[name] = number
    try:
        result = _LENGTHS.evaluate(length, lambda name: Fraction(integers[name]))
    except ZeroDivisionError:
        return None
    return int(result) if result.denominator == 1 else result


def line(length: Expression, name: str, names: Mapping[str, Dim | Shape]) -> tuple[Fraction, Fraction] | None:
    """Return a length as a line over one name: its value at 0, and its slope.

    Args:
        length: what :func:`read` returned.
        name: the name that is not bound.
        names: what the others stand for.

    Returns:
        None where it is no line, or a constant one.

    Example:
        >>> line(read("2*h-1"), "h", {}), line(read("h*h"), "h", {})
        ((Fraction(-1, 1), Fraction(2, 1)), None)
    """
    if "//" in length.values("operator"):
        return None
    # A polynomial has no higher degree than it has factors: so many points on a line make it one.
    points = []
    for point in range(len(length.steps) + 2):
        result = value(length, {**names, name: point})
        if not isinstance(result, int | Fraction):
            return None
        points.append(Fraction(result))
    slope = points[1] - points[0]
    straight = all(result == points[0] + slope * at for at, result in enumerate(points))
    return (points[0], slope) if straight and slope != 0 else None
