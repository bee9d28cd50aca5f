"""Patterns of shapes: ``n c h/4 w/4``, ``... 512 7 7``, ``b t=17 (head*dim)``.

The spelling is that of jaxtyping and einops where they agree: names separated by spaces, ``...`` for
any axes, ``*name`` for any axes that are bound, ``_`` or ``_name`` for one axis of any length, ``(a b)``
for a product, ``()`` for an axis of length 1. Two things go beyond jaxtyping: ``name=4`` binds its name,
and a name is solved for, as ``h`` from ``h/4``. What jaxtyping has beyond this is an error:
``#name``, ``?name``, ``{name}``, and arithmetic other than ``+ - * / //`` and parentheses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import prod
from typing import TypeAlias

from shapeinspect.check import arithmetic
from shapeinspect.dims import UNKNOWN, Dim, Expr, Shape, Unknown, substitute, symbols
from shapeinspect.errors import UsageError
from shapeinspect.expression import Expression, ExpressionError

#: The values of names: a length, or the lengths of a ``*name``.
Bindings: TypeAlias = "dict[str, Dim | Shape]"

#: What people write in an axis by mistake, and the hint for it.
_HINTS = (
    ("min(", "lengths may use + - * / // and parentheses, but no functions"),
    ("max(", "lengths may use + - * / // and parentheses, but no functions"),
    (",", "separate the axes with spaces: n c h w"),
    ("#", "axes that broadcast (#) are not supported: name the length"),
    ("?", "_ stands for one axis of any length"),
    ("->", "a pattern describes one shape: write one pattern for each shape"),
    ("{", "bind values by name: with shapes.block({'c': 3})"),
    ("[", "a pattern is a string of lengths and names, such as 'n c h w'"),
)
_SIGNS = frozenset("+-/=")
#: The expression of an axis of any length.
ANY = Expression(())


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a pattern.

    Args:
        text: as it was written.
        name: the name it binds, or an empty text.
        many: whether it stands for any number of axes.
        expression: its length; empty for any length.

    Example:
        >>> [axis.text for axis in parse("n (head*dim) ...")]
        ['n', '(head*dim)', '...']
    """

    text: str
    name: str = ""
    many: bool = False
    expression: Expression = ANY


#: A symbolic length is compared with a pattern at these multiples of the pattern's divisor.
_PROBES = (1, 2, 3, 5, 8)
_OFFSETS = 8


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where a shape does not match a pattern.

    Args:
        problem: expected and got, in one clause.
        axis: the index of the axis, where it is a single axis.
        wanted: the length that the pattern expects, where it is known.
    """

    problem: str
    axis: int | None = None
    wanted: Dim | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """The result of matching a shape against a pattern; true if it matches.

    Args:
        pattern: the pattern.
        shape: the shape; None if it is unknown.
        mismatch: where they differ, or None.
        bindings: the values of the names.
        where: what has this shape.

    Example:
        >>> match("n 1000", (2, 10))
        <no match: (2, 10) against 'n 1000': axis 1 is 10, not 1000; n=2>
    """

    pattern: str
    shape: Shape | None
    mismatch: Mismatch | None = None
    bindings: Bindings = field(default_factory=dict)
    where: str = ""

    @property
    def problem(self) -> str:
        """Where they differ, in one clause, or an empty text."""
        return self.mismatch.problem if self.mismatch is not None else ""

    def __bool__(self) -> bool:
        return self.mismatch is None

    def __repr__(self) -> str:
        got = "an unknown shape" if self.shape is None else written(self.shape)
        at = f"{self.where}: " if self.where else ""
        if self:
            return f"<match: {at}{got} is {self.pattern!r}>"
        known = bound(self.bindings)
        return f"<no match: {at}{got} against {self.pattern!r}: {self.problem}" + (
            f"; {known}>" if known else ">"
        )


def bound(bindings: Bindings) -> str:
    """Write names with their values.

    Args:
        bindings: the names.

    Example:
        >>> bound({"n": 2, "lead": (3, 5)})
        'n=2, lead=(3, 5)'
    """
    return ", ".join(f"{name}={_show(value)}" for name, value in bindings.items())


def _show(value: Dim | Shape) -> str:
    return written(value) if isinstance(value, tuple) else str(value)


def written(shape: Shape) -> str:
    """Write a shape as Python writes a tuple.

    Args:
        shape: the lengths.

    Example:
        >>> written((3,)), written(())
        ('(3,)', '()')
    """
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Axis, ...]:
    """Read a pattern.

    Args:
        text: see the module.

    Raises:
        UsageError: if it is not a pattern, or has more than one variable-length part.
    """
    axes = tuple(_axis(part, text) for part in _split(text))
    if sum(axis.many for axis in axes) > 1:
        raise UsageError(
            f"{text!r} has more than one variable-length part", expected="at most one ... or *name"
        )
    return axes


def _split(text: str) -> list[str]:
    """Return the parts between spaces; a space inside parentheses belongs to its axis."""
    parts: list[str] = []
    depth, begun = 0, False
    for char in text:
        if depth == 0 and char.isspace():
            begun = False
            continue
        if not begun:
            parts.append("")
            begun = True
        parts[-1] += char
        depth += (char == "(") - (char == ")")
        if depth < 0:
            raise _refused(text, parts[-1])
    return parts


def _axis(text: str, pattern: str) -> Axis:
    if text == "...":
        return Axis(text, many=True)
    if text.startswith("*"):
        if not text[1:].isidentifier():
            raise _refused(pattern, text, "* needs a name, as in *rest; without a name, write ...")
        return Axis(text, "" if text.startswith("*_") else text[1:], many=True)
    if text.startswith("_") and text.isidentifier():
        return Axis(text)
    if text == "()":
        return Axis(text, expression=arithmetic.read("1"))
    name, equals, body = text.partition("=")
    if equals and not name.isidentifier():
        raise _refused(pattern, text, "the part before = is not a name")
    if equals and name.startswith("_"):
        raise _refused(pattern, text, f"{name} matches any length, so it takes no =")
    try:
        expression = arithmetic.read(text, len(text) - len(body) if equals else 0)
    except ExpressionError as error:
        raise _refused(pattern, text, str(error)) from None
    return Axis(text, name if equals else "", expression=expression)


def _refused(pattern: str, part: str, why: str = "") -> UsageError:
    hint = next((hint for sign, hint in _HINTS if sign in part), None)
    if part == "-1":
        hint = "_ stands for one axis of any length"
    elif part and set(part) <= _SIGNS:
        hint = "write a length without spaces, as h-1, or in parentheses"
    got = f"{part!r}: {why}" if why and hint is None else repr(part)
    return UsageError(f"invalid shape pattern {pattern!r}", got=got, hint=hint)


def match(pattern: str, shape: Shape | None, bindings: Bindings | None = None, where: str = "") -> Match:
    """Match a shape against a pattern, which binds the names that are not bound yet.

    Args:
        pattern: the pattern.
        shape: the shape, or None if it is unknown.
        bindings: the values of names; those that this pattern binds are added if it matches.
        where: what has this shape, for the message.

    Raises:
        UsageError: if it is not a pattern.

    Example:
        >>> names = {}
        >>> bool(match("n c h/4 w/4", (2, 64, 56, 40), names)), names["h"], names["w"]
        (True, 224, 160)
    """
    axes = parse(pattern)
    names: Bindings = dict(bindings or {})
    mismatch = Mismatch("its rank is not known") if shape is None else _unify(axes, shape, names)
    if mismatch is None and bindings is not None:
        bindings.update(names)
    return Match(pattern, shape, mismatch, names, where)


def _unify(axes: tuple[Axis, ...], shape: Shape, names: Bindings) -> Mismatch | None:
    many = next((index for index, axis in enumerate(axes) if axis.many), None)
    fixed = len(axes) - (many is not None)
    if len(shape) < fixed or (many is None and len(shape) != fixed):
        least = "at least " if many is not None else ""
        return Mismatch(f"it has {len(shape)} {'axis' if len(shape) == 1 else 'axes'}, not {least}{fixed}")
    extra = len(shape) - fixed
    pairs: list[tuple[Axis, int]] = []
    for index, axis in enumerate(axes):
        if many is not None and index == many:
            mismatch = _bind_many(axis, shape[index : index + extra], names)
            if mismatch is not None:
                return mismatch
        else:
            pairs.append((axis, index if many is None or index < many else index + extra - 1))
    # A name may be bound by a later axis: axes that cannot be checked yet are tried again.
    while pairs:
        waiting: list[tuple[Axis, int]] = []
        for axis, index in pairs:
            result = _bind(axis, index, shape[index], names)
            if isinstance(result, Mismatch):
                return result
            if not result:
                waiting.append((axis, index))
        if len(waiting) == len(pairs):
            return _undecided(*waiting[0], names)
        pairs = waiting
    return None


def _undecided(axis: Axis, index: int, names: Bindings) -> Mismatch:
    used = list(dict.fromkeys(axis.expression.names))
    free = [name for name in used if name not in names]
    if free:
        verb = "is" if len(free) == 1 else "are"
        return Mismatch(f"axis {index} cannot be checked: in {axis.text}, {', '.join(free)} {verb} not bound")
    values = ", ".join(f"{name} is {_show(names[name])}" for name in used)
    return Mismatch(f"axis {index} cannot be checked: in {axis.text}, {values}")


def _bind_many(axis: Axis, lengths: Shape, names: Bindings) -> Mismatch | None:
    if not axis.name:
        return None
    if axis.name not in names:
        names[axis.name] = lengths
        return None
    known = names[axis.name]
    return (
        None
        if known == lengths and UNKNOWN not in lengths
        else Mismatch(f"{axis.text} is {written(lengths)}, not {_show(known)}")
    )


def _bind(axis: Axis, index: int, length: Dim, names: Bindings) -> Mismatch | bool:
    """Return the mismatch, True if the axis matches, or False if that cannot be decided yet."""
    if axis.expression == ANY:
        return True
    result = arithmetic.value(axis.expression, names)
    if result is None:
        solved = _solve(axis, index, length, names)
        if solved is not True or not axis.name:
            return solved
        known = names.setdefault(axis.name, length)
        return known == length or Mismatch(f"{axis.name} is {_show(known)}, but {axis.text} gives {length}")
    if axis.name:
        if isinstance(result, Fraction):
            return Mismatch(f"{axis.text} gives {result}, which is not a length")
        known = names.setdefault(axis.name, result)
        if known != result:
            return Mismatch(f"{axis.name} is {_show(known)}, but {axis.text} gives {result}")
    if length == result:
        # Two unknown lengths are not equal.
        return length is not UNKNOWN or Mismatch(f"axis {index} is ?, and so is {axis.text}")
    wanted = None if isinstance(result, Fraction) else result
    return Mismatch(f"axis {index} is {length}, not {_expected(axis, result, length)}", index, wanted)


def _expected(axis: Axis, result: Dim | Fraction, length: Dim) -> str:
    text = axis.text.partition("=")[2] or axis.text
    once = axis.expression.values("operator").count("/") == 1
    if isinstance(result, Fraction) and int(result) == length and once:
        return f"{axis.text} = {result}; {text.replace('/', '//')} rounds down to {length}"
    return axis.text if text == str(result) else f"{axis.text} = {result}"


def _solve(axis: Axis, index: int, length: Dim, names: Bindings) -> Mismatch | bool:
    """Solve a linear expression for its only unbound name."""
    open_names = {name for name in axis.expression.names if name not in names}
    if not open_names:
        return _probe(axis, index, length, names)
    if len(open_names) != 1:
        return False
    name = next(iter(open_names))
    if axis.expression.only_name == name:
        names[name] = length
        return True
    known = {name: value for name, value in names.items() if name in axis.expression.names}
    if not all(isinstance(value, int) for value in known.values()):
        return False
    line = arithmetic.line(axis.expression, name, known)
    if line is None:
        return False
    if not isinstance(length, int):
        return Mismatch(f"axis {index} is {length}, from which {name} of {axis.text} cannot be solved")
    answer = (length - line[0]) / line[1]
    if answer.denominator != 1 or answer < 0:
        return Mismatch(
            f"axis {index} is {length}, and no integer {name} gives {axis.text} = {length}", index
        )
    names[name] = int(answer)
    return True


def _probe(axis: Axis, index: int, length: Dim, names: Bindings) -> Mismatch | bool:
    """Compare a symbolic length with a pattern of symbolic names, wherever the pattern is an integer."""
    known: dict[str, int | Expr] = {}
    for name in axis.expression.names:
        value = names.get(name)
        if not isinstance(value, int | Expr):
            return False
        known[name] = value
    if isinstance(length, Unknown):
        return False
    free = sorted(symbols(length).union(*map(symbols, known.values())))
    base = prod(number for value in axis.expression.values("number") if 0 < (number := int(value)) < 10_000)
    # A floor division is compared between the multiples as well.
    offsets = range(min(base, _OFFSETS)) if "//" in axis.expression.values("operator") else range(1)
    compared = False
    for probe, offset in product(_PROBES, offsets):
        sizes: dict[str, Dim] = {name: base * (probe + step) + offset for step, name in enumerate(free)}
        values = {name: substitute(value, sizes) for name, value in known.items()}
        wanted, actual = arithmetic.value(axis.expression, values), substitute(length, sizes)
        if not isinstance(wanted, int):
            continue
        compared = True
        if wanted != actual:
            where = ", ".join(f"{name} = {value}" for name, value in sizes.items())
            return Mismatch(
                f"axis {index} is {length}, not {axis.text}: for {where} it is {actual}, not {wanted}"
            )
    return compared
