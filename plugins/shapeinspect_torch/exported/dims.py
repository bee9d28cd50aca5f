"""The lengths of torch.export: numbers, and expressions that sympy wrote as text."""

from __future__ import annotations

import re
from collections.abc import Callable

from shapeinspect.dims import UNKNOWN, Dim, Expr, symbol

_TOKEN = re.compile(r"\s*(?:(\d{1,19}(?!\d))|'([\w.]{1,100})'|([A-Za-z_][\w.]{0,99})|(\*\*|//|[-+*%(),=]))")
_MAX_TEXT = 20_000
_MAX_DEPTH = 60
_MAX_TERMS = 400
_MAX_POWER = 8


class _NotADimError(Exception):
    """The text is no expression that a dimension can hold."""


def read_dim(text: str) -> Dim:
    """Read an expression, in sympy's own spelling (``Add(Symbol('s0'), ...)``) or an ordinary one.

    Args:
        text: what the file says.

    Returns:
        The dimension; UNKNOWN for what is none, such as a maximum or a fraction.

    Source:
        ``torch/_export/serde/serialize.py`` (``serialize_sym_int``: ``sympy.printing.repr.srepr``,
        before 2.7 ``str``) and the functions of ``torch/utils/_sympy/functions.py``.

    Example:
        >>> read_dim("Add(FloorDiv(Symbol('s5', positive=True, integer=True), Integer(2)), Integer(1))")
        s5//2 + 1
        >>> read_dim("2*s0 + 1"), read_dim("Max(1, s0)")
        (2*s0 + 1, ?)
    """
    try:
        return _Reader(text).read()
    except (_NotADimError, ArithmeticError, RecursionError):
        return UNKNOWN


class _Reader:
    def __init__(self, text: str) -> None:
        if len(text) > _MAX_TEXT:
            raise _NotADimError
        self._tokens: list[tuple[str, str]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None:
                raise _NotADimError
            kind = ("number", "text", "name", "mark")[(found.lastindex or 1) - 1]
            self._tokens.append((kind, found.group(found.lastindex or 1)))
            at = found.end()
        self._tokens.reverse()
        self._depth = 0

    def read(self) -> Dim:
        value = self._sum()
        if self._tokens:
            raise _NotADimError
        return value

    def _next(self, *marks: str) -> str | None:
        if self._tokens and self._tokens[-1][0] == "mark" and self._tokens[-1][1] in marks:
            return self._tokens.pop()[1]
        return None

    def _sum(self) -> Dim:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _NotADimError
        value = self._product()
        while (mark := self._next("+", "-")) is not None:
            right = self._product()
            value = value + right if mark == "+" else value - right
        self._depth -= 1
        return value

    def _product(self) -> Dim:
        value = self._power()
        while (mark := self._next("*", "//", "%")) is not None:
            value = _OPS[mark](value, self._power())
        return value

    def _power(self) -> Dim:
        negative = False
        while self._next("-") is not None:
            negative = not negative
        value = self._unit()
        if self._next("**") is not None:
            value = _power(value, self._unit())
        return -value if negative else value

    def _unit(self) -> Dim:
        if self._next("(") is not None:
            value = self._sum()
            self._close()
            return value
        if not self._tokens:
            raise _NotADimError
        kind, text = self._tokens.pop()
        if kind == "number":
            return int(text)
        if kind != "name":
            raise _NotADimError
        if self._next("(") is None:
            return symbol(text)
        if text == "Symbol":
            return self._symbol()
        arguments = [self._sum()]
        while self._next(",") is not None:
            arguments.append(self._sum())
        self._close()
        function = _FUNCTIONS.get(text)
        if function is None:
            raise _NotADimError
        return function(arguments)

    def _symbol(self) -> Dim:
        # Symbol('s0', positive=True, integer=True): what is assumed of it says nothing of its value.
        if not self._tokens or self._tokens[-1][0] != "text":
            raise _NotADimError
        name = self._tokens.pop()[1]
        while self._next(")") is None:
            if not self._tokens or self._tokens[-1][1] == "(":
                raise _NotADimError
            self._tokens.pop()
        return symbol(name)

    def _close(self) -> None:
        if self._next(")") is None:
            raise _NotADimError


def _times(left: Dim, right: Dim) -> Dim:
    if isinstance(left, Expr) and isinstance(right, Expr) and len(left.terms) * len(right.terms) > _MAX_TERMS:
        raise _NotADimError
    return left * right


def _power(base: Dim, exponent: Dim) -> Dim:
    if not isinstance(exponent, int) or not 0 <= exponent <= _MAX_POWER:
        raise _NotADimError
    total: Dim = 1
    for _ in range(exponent):
        total = _times(total, base)
    return total


def _floor(left: Dim, right: Dim) -> Dim:
    return left // right


def _rest(left: Dim, right: Dim) -> Dim:
    return left % right


def _two(function: Callable[[Dim, Dim], Dim]) -> Callable[[list[Dim]], Dim]:
    def call(arguments: list[Dim]) -> Dim:
        if len(arguments) != 2:
            raise _NotADimError
        return function(*arguments)

    return call


def _one(arguments: list[Dim]) -> Dim:
    if len(arguments) != 1:
        raise _NotADimError
    return arguments[0]


def _all(function: Callable[[Dim, Dim], Dim]) -> Callable[[list[Dim]], Dim]:
    def call(arguments: list[Dim]) -> Dim:
        total, *rest = arguments
        for argument in rest:
            total = function(total, argument)
        return total

    return call


def _indexing(arguments: list[Dim]) -> Dim:
    if len(arguments) != 3:
        raise _NotADimError
    base, divisor, modulus = arguments
    return _rest(_floor(base, divisor), modulus)


_OPS = {"*": _times, "//": _floor, "%": _rest}
_FUNCTIONS: dict[str, Callable[[list[Dim]], Dim]] = {
    "Integer": _one,
    "Identity": _one,
    "Add": _all(lambda left, right: left + right),
    "Mul": _all(_times),
    "Pow": _two(_power),
    "PowByNatural": _two(_power),
    "FloorDiv": _two(_floor),
    "CleanDiv": _two(_floor),
    "CeilDiv": _two(lambda left, right: -_floor(-left, right)),
    "Mod": _two(_rest),
    "PythonMod": _two(_rest),
    "ModularIndexing": _indexing,
}
