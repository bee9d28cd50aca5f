"""Integers that remember the literals and the operations that they come from."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

#: Deeper than this an expression is no longer followed.
_DEEPEST = 200


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a number comes from.

    Args:
        value: the number.
        kind: ``literal`` of the user's source, ``operation`` of Python, ``axis`` of a tensor, ``added`` axis,
            ``count`` of a call such as ``len``, ``entry`` of a file or of the command line, ``rest`` of all
            samples for the last batch (its parts are the number of all, and that of a full batch), ``short``
            of what a slice takes (its parts are what it asks for and what is there), ``data`` of which
            nothing more is known.
        site: the number of the literal among those of the program.
        symbol: of an operation its sign, else what made the number, such as ``conv2d`` or ``len(vocab)``.
        parts: what it was computed from.
        file: the file of the user's line that made it; empty where that is not known.
        line: that line.
        depth: how many operations lie behind it at most.
        layer: the file and line at which the layer was made that made it; None where it was no layer.
    """

    value: int
    kind: str
    site: int = -1
    symbol: str = ""
    parts: tuple[Origin, ...] = ()
    file: str = ""
    line: int = 0
    depth: int = 0
    layer: tuple[str, int] | None = None

    def literals(self) -> Iterator[int]:
        """Yield the numbers of the literals behind it, the nearest first, each once."""
        waiting, seen, given = [self], set[int](), set[int]()
        while waiting:
            origin = waiting.pop(0)
            if id(origin) in seen:
                continue
            seen.add(id(origin))
            if origin.kind == "literal" and origin.site not in given:
                given.add(origin.site)
                yield origin.site
            waiting += origin.parts


class Number(int):
    """An integer that remembers where it comes from.

    Args:
        value: the integer.
        origin: where it comes from.

    Example:
        >>> width = Number(32, Origin(32, "literal", 0))
        >>> features = width * 4 + 1
        >>> features, origin_of(features).symbol, list(origin_of(features).literals())
        (129, '+', [0])
        >>> [*range(width)] == [*range(32)], f"{width}", width == 32
        (True, '32', True)
    """

    origin: Origin

    def __new__(cls, value: int, origin: Origin) -> Number:
        """Make the number; see :class:`Number`."""
        made = super().__new__(cls, value)
        made.origin = origin
        return made

    def __reduce__(self) -> Any:
        """Be saved as a plain integer."""
        return int, (int(self),)

    def __copy__(self) -> Number:
        return self

    def __deepcopy__(self, _memo: Any) -> Number:
        return self


def origin_of(value: Any) -> Origin:
    """Return where a number comes from; of a plain one it is data.

    Args:
        value: the number.
    """
    return value.origin if isinstance(value, Number) else Origin(int(value), "data")


def made(symbol: str, value: Any, *parts: Any, kind: str = "operation") -> Any:
    """Return a result that remembers its parts; a result that is no integer stays as it is.

    Args:
        symbol: the operation.
        value: its result.
        parts: what it was computed from.
        kind: as for :class:`Origin`.
    """
    if type(value) is not int:
        return value
    origins = tuple(origin_of(part) for part in parts if type(part) in (int, Number))
    depth = 1 + max((origin.depth for origin in origins), default=0)
    if depth > _DEEPEST:
        return value
    return Number(value, Origin(value, kind, symbol=symbol, parts=origins, depth=depth))


#: What sees each call of the user's: its text, arguments and result, and its file and line.
watchers: list[Callable[[str, Any, dict[str, Any], Any, tuple[str, int]], None]] = []

#: What sees each call of the user's that raises: the exception, the function and its arguments.
refusals: list[Callable[[BaseException, Any, Any, dict[str, Any]], None]] = []


def called(function: Callable[..., Any], text: str, /, *args: Any, **kwargs: Any) -> Any:
    """Call a function of the user's source, and let a follower see it.

    Args:
        function: the function.
        text: the call as the user wrote it.
        args: its arguments.
        kwargs: its keyword arguments.
    """
    try:
        value = function(*args, **kwargs)
    except Exception as error:
        for refused in refusals[-1:]:
            refused(error, function, args, kwargs)
        raise
    if watchers:
        caller, bound = sys._getframe(1), getattr(function, "__self__", None)
        args = args if bound is None else (bound, *args)
        watchers[-1](text, args, kwargs, value, (caller.f_code.co_filename, caller.f_lineno))
    return value


def counted(function: Callable[..., Any], text: str, /, *args: Any, **kwargs: Any) -> Any:
    """Call a function that makes a number of others, such as ``int`` or ``len``, and keep what they were.

    Args:
        function: the function.
        text: the call as the user wrote it.
        args: its arguments.
        kwargs: its keyword arguments.
    """
    value = function(*args, **kwargs)
    if isinstance(value, Number) and value.origin.symbol == getattr(function, "__name__", ""):
        caller = sys._getframe(1)  # a real number was rounded
        value.origin = replace(
            value.origin, symbol=text, file=caller.f_code.co_filename, line=caller.f_lineno
        )
    if type(value) not in (int, float):
        return value
    held = [
        part
        for given in args
        for part in (given if type(given) in (list, tuple) else (given,))
        if isinstance(part, Number | Real)
    ]
    numbers = [part for one in held for part in (one.parts if isinstance(one, Real) else (one,))]
    if type(value) is float:
        return Real(value, tuple(numbers)) if numbers else value
    caller = sys._getframe(1)
    place = (caller.f_code.co_filename, caller.f_lineno)
    if not numbers:
        return Number(value, Origin(value, "count", -1, text, (), *place))
    new = made(text, value, *numbers)
    if isinstance(new, Number):
        new.origin = replace(new.origin, file=place[0], line=place[1])
    return new


class Real(float):
    """A real number that remembers the integers it was computed from."""

    parts: tuple[Number, ...]

    def __new__(cls, value: float, parts: tuple[Number, ...]) -> Real:
        """Make the number; see :class:`Real`."""
        made_real = super().__new__(cls, value)
        made_real.parts = parts
        return made_real

    def __reduce__(self) -> Any:
        """Be saved as a plain number."""
        return float, (float(self),)


def _behind(value: Any) -> tuple[Number, ...]:
    if isinstance(value, Real):
        return value.parts
    return (value,) if isinstance(value, Number) else ()


def _of_integers(
    symbol: str, function: Callable[[Any, Any], Any], swapped: bool
) -> Callable[[Any, Any], Any]:
    def run(first: Any, second: Any) -> Any:
        if not isinstance(second, int | float) or isinstance(second, bool):
            return NotImplemented
        left, right = (second, first) if swapped else (first, second)
        plain = [float(one) if isinstance(one, float) else int(one) for one in (left, right)]
        value = function(*plain)
        if type(value) is int:
            return made(symbol, value, left, right)
        if type(value) is float:
            return Real(value, (*_behind(left), *_behind(right))[:4])
        return value

    return run


_OPERATIONS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "add": ("+", operator.add),
    "sub": ("-", operator.sub),
    "mul": ("*", operator.mul),
    "floordiv": ("//", operator.floordiv),
    "truediv": ("/", operator.truediv),
    "mod": ("%", operator.mod),
    "pow": ("**", operator.pow),
}
for _name, (_symbol, _function) in _OPERATIONS.items():
    for _kind in (Number, Real):
        setattr(_kind, f"__{_name}__", _of_integers(_symbol, _function, False))
        setattr(_kind, f"__r{_name}__", _of_integers(_symbol, _function, True))


def _negative(number: Number) -> Any:
    return made("-", -int(number), number)


def _rounded(symbol: str, function: Callable[[float], int]) -> Callable[..., Any]:
    def run(number: Real, *digits: int) -> Any:
        if digits:
            return round(float(number), *digits)
        return made(symbol, function(float(number)), *number.parts)

    return run


# In messages of frameworks they are called what they are without a second run.
Number.__name__, Real.__name__ = "int", "float"
Number.__neg__ = _negative  # type: ignore[method-assign, assignment]  # it keeps where it comes from
for _name, _rounding in (("ceil", math.ceil), ("floor", math.floor), ("round", round), ("trunc", math.trunc)):
    setattr(Real, f"__{_name}__", _rounded(_name, _rounding))
