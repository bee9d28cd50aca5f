"""The lengths that a pattern asks for: sums, products and quotients of whole numbers and names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from shapeinspect.dims import Dim, Shape

_TOKEN = re.compile(r"\d+|[A-Za-z_]\w*|//|[-+*/()]|\s+")
_MOST = 100


def read(text: str) -> tuple[str, ...]:
    """Return the tokens of a length; a space inside parentheses multiplies, as in einops.

    Args:
        text: such as ``h/4`` or ``(head dim)``.

    Raises:
        ValueError: if it is no length; the text says why.

    Example:
        >>> read("(head dim)"), read("h//2")
        (('(', 'head', '*', 'dim', ')'), ('h', '//', '2'))
    """
    tokens: list[str] = []
    at = 0
    spaced = False
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"{text[at]!r} is none of + - * / // ( )")
        token = found.group()
        at = found.end()
        if token.isspace():
            spaced = True
            continue
        if tokens and _ends_unit(tokens[-1]) and _begins_unit(token):
            if not spaced:
                raise ValueError(f"there is no sign between {tokens[-1]!r} and {token!r}")
            tokens.append("*")
        tokens.append(token)
        spaced = False
    if len(tokens) > _MOST:
        raise ValueError(f"it has more than {_MOST} names and signs")
    if any(sign in ("/", "//") and not by.strip("0") for sign, by in pairwise(tokens)):
        raise ValueError("it divides by 0")
    _Reader(list(tokens), None).read()
    return tuple(tokens)


def value(tokens: tuple[str, ...], names: Mapping[str, Dim | Shape]) -> Dim | Fraction | None:
    """Work out a length.

    Args:
        tokens: what :func:`read` returned.
        names: what names stand for.

    Returns:
        A fraction where it is not whole; None where a name is not bound to a number, or it divides by 0.

    Example:
        >>> value(read("h/4"), {"h": 224}), value(read("h/4"), {"h": 6}), value(read("h/4"), {})
        (56, Fraction(3, 2), None)
    """
    if len(tokens) == 1 and tokens[0] in names:
        only = names[tokens[0]]
        return None if isinstance(only, tuple) else only
    if any(token.isidentifier() and not isinstance(names.get(token), int) for token in tokens):
        return None
    try:
        found = _Reader(list(tokens), names).read()
    except ZeroDivisionError:
        return None
    return int(found) if found.denominator == 1 else found


def line(
    tokens: tuple[str, ...], name: str, names: Mapping[str, Dim | Shape]
) -> tuple[Fraction, Fraction] | None:
    """Return a length as a line over one name: what it is at 0, and by how much it grows with the name.

    Args:
        tokens: what :func:`read` returned.
        name: the name that is not bound.
        names: what the others stand for.

    Returns:
        None where it is no line, or does not grow or fall.

    Example:
        >>> line(read("2*h-1"), "h", {}), line(read("h*h"), "h", {})
        ((Fraction(-1, 1), Fraction(2, 1)), None)
    """
    if "//" in tokens:
        return None
    # A polynomial has no higher degree than it has factors: so many points on a line make it one.
    points = []
    for point in range(len(tokens) + 2):
        found = value(tokens, {**names, name: point})
        if not isinstance(found, int | Fraction):
            return None
        points.append(Fraction(found))
    slope = points[1] - points[0]
    straight = all(found == points[0] + slope * at for at, found in enumerate(points))
    return (points[0], slope) if straight and slope != 0 else None


def _ends_unit(token: str) -> bool:
    return token == ")" or token[-1].isalnum() or token[-1] == "_"


def _begins_unit(token: str) -> bool:
    return token == "(" or token[0].isalnum() or token[0] == "_"


@dataclass(slots=True)
class _Reader:
    """Sums, products and quotients, read by recursive descent.

    Args:
        tokens: what is left to read.
        names: what names stand for; None where only the grammar is asked.
    """

    tokens: list[str]
    names: Mapping[str, Dim | Shape] | None

    def read(self) -> Fraction:
        value = self._sum()
        if self.tokens:
            raise ValueError(f"there is no place for {self.tokens[0]!r}")
        return value

    def _sum(self) -> Fraction:
        value = self._product()
        while self.tokens and self.tokens[0] in "+-":
            value = value + self._product() if self.tokens.pop(0) == "+" else value - self._product()
        return value

    def _product(self) -> Fraction:
        value = self._unit()
        while self.tokens and self.tokens[0] in ("*", "/", "//"):
            sign, right = self.tokens.pop(0), self._unit()
            if sign == "*":
                value *= right
            elif self.names is not None:
                value = value / right if sign == "/" else Fraction(value // right)
        return value

    def _unit(self) -> Fraction:
        if not self.tokens:
            raise ValueError("it is not complete")
        token = self.tokens.pop(0)
        if token == "(":
            value = self._sum()
            if not self.tokens or self.tokens.pop(0) != ")":
                raise ValueError("a parenthesis is not closed")
            return value
        if token.isdecimal():
            return Fraction(int(token))
        if token.isidentifier():
            known = 1 if self.names is None else self.names[token]
            return Fraction(known) if isinstance(known, int) else Fraction(1)
        raise ValueError(f"there is no place for {token!r}")
