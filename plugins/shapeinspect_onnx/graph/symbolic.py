"""Reads the lengths that exporters write as formulas of SymPy, such as ``floor(H/2 - 1/2) + 1``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from shapeinspect import dims
from shapeinspect.dims import Dim, Unknown

_TOKEN = re.compile(r"\s*(?:(\d+)|([^\W\d][\w.]*)|(//|\*\*|[-+*/%(),]))")
#: Longer formulas are taken as a name.
_MAX_TOKENS = 400
_MAX_POWER = 8


@dataclass(frozen=True, slots=True)
class _Ratio:
    """A length over a number of 1 or more."""

    over: Dim
    under: int = 1


def formula(text: str) -> Dim | None:
    """Read a formula of whole lengths; None where it is of another form, or need not be whole.

    Args:
        text: what the file writes.

    Source: how SymPy prints ``+ - * / ** floor ceiling Mod``; ``a//b`` and ``a % b`` are read too.

    Example:
        >>> formula("floor(H/2 - 1/2) + 1"), formula("ceiling(x.1/4)"), formula("H/2"), formula("f(H)")
        ((H + 1)//2, (x.1 + 3)//4, None, None)
    """
    tokens: list[str] = []
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None or len(tokens) == _MAX_TOKENS:
            return None
        tokens.append(found.group().strip())
        at = found.end()
    reader = _Reader(tokens)
    try:
        made = reader.sum()
    except (_NoFormulaError, RecursionError, ZeroDivisionError):
        return None
    return None if reader.tokens or made.under != 1 or isinstance(made.over, Unknown) else made.over


class _NoFormulaError(Exception):
    """The text is none that this module reads."""


@dataclass(slots=True)
class _Reader:
    """A recursive descent over the tokens."""

    tokens: list[str]

    def _next(self, *wanted: str) -> str | None:
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in wanted else None

    def _expect(self, token: str) -> None:
        if self._next(token) is None:
            raise _NoFormulaError

    def sum(self) -> _Ratio:
        """Read a sum."""
        value = self._product()
        while (sign := self._next("+", "-")) is not None:
            right = self._product()
            term = right.over * value.under
            value = _ratio(
                value.over * right.under + (term if sign == "+" else -term), value.under * right.under
            )
        return value

    def _product(self) -> _Ratio:
        value = self._power()
        while (sign := self._next("*", "/", "//", "%")) is not None:
            right = self._power()
            if sign == "*":
                value = _ratio(value.over * right.over, value.under * right.under)
            elif sign == "/":
                if not isinstance(right.over, int) or right.over < 1:
                    raise _NoFormulaError
                value = _ratio(value.over * right.under, value.under * right.over)
            else:
                value = _whole(value, right, _FUNCTIONS[sign])
        return value

    def _power(self) -> _Ratio:
        value = self._unit()
        if self._next("**") is None:
            return value
        power = self._unit().over
        if not isinstance(power, int) or not 1 <= power <= _MAX_POWER:
            raise _NoFormulaError
        raised = _Ratio(1)
        for _ in range(power):
            raised = _ratio(raised.over * value.over, raised.under * value.under)
        return raised

    def _unit(self) -> _Ratio:
        if not self.tokens:
            raise _NoFormulaError
        token = self.tokens.pop(0)
        if token == "-":
            value = self._power()
            return _ratio(-value.over, value.under)
        if token == "(":
            value = self.sum()
            self._expect(")")
            return value
        if token[0].isdigit():
            return _Ratio(int(token)) if len(token) < 19 else _fail()
        if not (token[0].isalpha() or token[0] == "_"):
            raise _NoFormulaError
        if self._next("(") is None:
            return _Ratio(dims.symbol(token))
        value = self.sum()
        if token in ("floor", "ceiling"):
            self._expect(")")
            over = value.over if token == "floor" else value.over + (value.under - 1)
            return _Ratio(over // value.under)
        if token != "Mod":
            raise _NoFormulaError
        self._expect(",")
        right = self.sum()
        self._expect(")")
        return _whole(value, right, _FUNCTIONS["%"])


def _fail() -> _Ratio:
    raise _NoFormulaError


def _ratio(over: Dim, under: int) -> _Ratio:
    """Take out what divides the whole length; what grows without end is no formula."""
    if not dims.small(over) or not dims.small(under):
        raise _NoFormulaError
    if under > 1 and isinstance(exact := over // under, int | dims.Expr) and exact * under == over:
        return _Ratio(exact)
    return _Ratio(over, under)


def _whole(left: _Ratio, right: _Ratio, work: Callable[[Dim, Dim], Dim]) -> _Ratio:
    if left.under != 1 or right.under != 1 or right.over == 0:
        raise _NoFormulaError
    return _Ratio(work(left.over, right.over))


_FUNCTIONS: dict[str, Callable[[Dim, Dim], Dim]] = {"//": lambda a, b: a // b, "%": lambda a, b: a % b}
