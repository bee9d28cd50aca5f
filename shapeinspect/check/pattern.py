"""Patterns of shapes: ``n c h/4 w/4``, ``... 512 7 7``, ``b t=17 (head*dim)``.

The spelling is that of jaxtyping and einops where they agree: names separated by spaces, ``...`` for
any axes, ``*name`` for any axes that are bound, ``_`` or ``_name`` for one axis of any length, ``(a b)``
for a product, ``()`` for an axis of length 1. Two things go beyond jaxtyping: ``name=4`` binds its name,
and a name may be found from a length, as ``h`` from ``h/4``. What jaxtyping has beyond this is refused:
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

#: What names stand for: a length, or the lengths of a ``*name``.
Bindings: TypeAlias = "dict[str, Dim | Shape]"

#: What people write in an axis, and what they mean by it.
_MEANT = (
    ("min(", "a length has + - * / // and parentheses, no functions"),
    ("max(", "a length has + - * / // and parentheses, no functions"),
    (",", "separate the axes with spaces: n c h w"),
    ("#", "axes that broadcast (#) are not supported: name the length"),
    ("?", "_ stands for one axis of any length"),
    ("->", "a pattern holds one shape: write another for the other one"),
    ("{", "bind values by name: with shapes.block({'c': 3})"),
    ("[", "a pattern is a text of lengths and names: 'n c h w'"),
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


#: Where a symbolic length is compared with a pattern: at these multiples of what the pattern divides by.
_PROBES = (1, 2, 3, 5, 8)
_OFFSETS = 8


@dataclass(frozen=True, slots=True)
class Parting:
    """Where a shape and a pattern part.

    Args:
        problem: expected and got, in one clause.
        axis: the place of the axis, where it is one axis.
        wanted: the length that the pattern asks for, where it is known.
    """

    problem: str
    axis: int | None = None
    wanted: Dim | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What came of holding a shape against a pattern; true if it fits.

    Args:
        pattern: the pattern.
        shape: the shape; None if it is unknown.
        parting: where the two part, or None.
        bindings: what the names stood for.
        where: what the shape is of.

    Example:
        >>> match("n 1000", (2, 10))
        <no match: (2, 10) against 'n 1000': axis 1 is 10, not 1000; n=2>
    """

    pattern: str
    shape: Shape | None
    parting: Parting | None = None
    bindings: Bindings = field(default_factory=dict)
    where: str = ""

    @property
    def problem(self) -> str:
        """Where the two part, in one clause, or an empty text."""
        return self.parting.problem if self.parting is not None else ""

    def __bool__(self) -> bool:
        return self.parting is None

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
    """Write what names stand for.

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
        UsageError: if it is no pattern, or leaves more than one axis open in number.
    """
    axes = tuple(_axis(part, text) for part in _split(text))
    if sum(axis.many for axis in axes) > 1:
        raise UsageError(f"{text!r} leaves the number of axes open twice", expected="one ... or *name")
    return axes


def _split(text: str) -> list[str]:
    """Return the parts between spaces; a space inside parentheses is a part of its axis."""
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
            raise _refused(pattern, text, "a name follows *, as in *rest; ... is without one")
        return Axis(text, "" if text.startswith("*_") else text[1:], many=True)
    if text.startswith("_") and text.isidentifier():
        return Axis(text)
    if text == "()":
        return Axis(text, expression=arithmetic.read("1"))
    name, equals, body = text.partition("=")
    if equals and not name.isidentifier():
        raise _refused(pattern, text, "what is before = is no name")
    if equals and name.startswith("_"):
        raise _refused(pattern, text, f"{name} is any length already")
    try:
        expression = arithmetic.read(text, len(text) - len(body) if equals else 0)
    except ExpressionError as error:
        raise _refused(pattern, text, str(error)) from None
    return Axis(text, name if equals else "", expression=expression)


def _refused(pattern: str, part: str, why: str = "") -> UsageError:
    meant = next((hint for sign, hint in _MEANT if sign in part), None)
    if part == "-1":
        meant = "_ stands for one axis of any length"
    elif part and set(part) <= _SIGNS:
        meant = "write a length without spaces, as h-1, or in parentheses"
    got = f"{part!r}: {why}" if why and meant is None else repr(part)
    return UsageError(f"{pattern!r} is no pattern of shapes", got=got, hint=meant)


def match(pattern: str, shape: Shape | None, bindings: Bindings | None = None, where: str = "") -> Match:
    """Hold a shape against a pattern; names that are not yet bound are bound by it.

    Args:
        pattern: the pattern.
        shape: the shape, or None if it is unknown.
        bindings: what names stand for; those that this pattern binds are added, if it fits.
        where: what the shape is of, for the message.

    Raises:
        UsageError: if it is no pattern.

    Example:
        >>> names = {}
        >>> bool(match("n c h/4 w/4", (2, 64, 56, 40), names)), names["h"], names["w"]
        (True, 224, 160)
    """
    axes = parse(pattern)
    names: Bindings = dict(bindings or {})
    parting = Parting("its rank is not known") if shape is None else _unify(axes, shape, names)
    if parting is None and bindings is not None:
        bindings.update(names)
    return Match(pattern, shape, parting, names, where)


def _unify(axes: tuple[Axis, ...], shape: Shape, names: Bindings) -> Parting | None:
    many = next((place for place, axis in enumerate(axes) if axis.many), None)
    fixed = len(axes) - (many is not None)
    if len(shape) < fixed or (many is None and len(shape) != fixed):
        least = "at least " if many is not None else ""
        return Parting(f"it has {len(shape)} {'axis' if len(shape) == 1 else 'axes'}, not {least}{fixed}")
    extra = len(shape) - fixed
    pairs: list[tuple[Axis, int]] = []
    for place, axis in enumerate(axes):
        if many is not None and place == many:
            parting = _bind_many(axis, shape[place : place + extra], names)
            if parting is not None:
                return parting
        else:
            pairs.append((axis, place if many is None or place < many else place + extra - 1))
    # A name may be bound by a later axis: what cannot be worked out yet is tried again.
    while pairs:
        waiting: list[tuple[Axis, int]] = []
        for axis, place in pairs:
            found = _bind(axis, place, shape[place], names)
            if isinstance(found, Parting):
                return found
            if not found:
                waiting.append((axis, place))
        if len(waiting) == len(pairs):
            return _undecided(*waiting[0], names)
        pairs = waiting
    return None


def _undecided(axis: Axis, place: int, names: Bindings) -> Parting:
    asked = list(dict.fromkeys(axis.expression.names))
    free = [name for name in asked if name not in names]
    if free:
        what = "name" if len(free) == 1 else "names"
        return Parting(f"axis {place} cannot be checked: {what} {', '.join(free)} of {axis.text} not bound")
    odd = ", ".join(f"{name} is {_show(names[name])}" for name in asked)
    return Parting(f"axis {place} cannot be checked: in {axis.text}, {odd}")


def _bind_many(axis: Axis, lengths: Shape, names: Bindings) -> Parting | None:
    if not axis.name:
        return None
    if axis.name not in names:
        names[axis.name] = lengths
        return None
    known = names[axis.name]
    return (
        None
        if known == lengths and UNKNOWN not in lengths
        else Parting(f"{axis.text} is {written(lengths)}, not {_show(known)}")
    )


def _bind(axis: Axis, place: int, length: Dim, names: Bindings) -> Parting | bool:
    """Return where they part, True if the axis fits, or False if it cannot be told yet."""
    if axis.expression == ANY:
        return True
    found = arithmetic.value(axis.expression, names)
    if found is None:
        return _solve(axis, place, length, names)
    if axis.name:
        if isinstance(found, Fraction):
            return Parting(f"{axis.text} asks for {found}, which is no length")
        known = names.setdefault(axis.name, found)
        if known != found:
            return Parting(f"{axis.name} is {_show(known)}, and {axis.text} asks for {found}")
    if length == found:
        # What is not known is equal to nothing, not even to what is not known either.
        return length is not UNKNOWN or Parting(f"axis {place} is ?, and so is {axis.text}")
    wanted = None if isinstance(found, Fraction) else found
    return Parting(f"axis {place} is {length}, not {_asked(axis, found, length)}", place, wanted)


def _asked(axis: Axis, found: Dim | Fraction, length: Dim) -> str:
    text = axis.text.partition("=")[2] or axis.text
    once = axis.expression.values("operator").count("/") == 1
    if isinstance(found, Fraction) and int(found) == length and once:
        return f"{axis.text} = {found}; {text.replace('/', '//')} rounds down to it"
    return axis.text if text == str(found) else f"{axis.text} = {found}"


def _solve(axis: Axis, place: int, length: Dim, names: Bindings) -> Parting | bool:
    """Bind the one name of a linear expression that is not bound yet."""
    open_names = {name for name in axis.expression.names if name not in names}
    if not open_names:
        return _probe(axis, place, length, names)
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
        return Parting(f"axis {place} is {length}, of which {axis.text} tells no {name}")
    answer = (length - line[0]) / line[1]
    if answer.denominator != 1 or answer < 0:
        return Parting(f"axis {place} is {length}, and no {name} makes {axis.text} that", place)
    names[name] = int(answer)
    return True


def _probe(axis: Axis, place: int, length: Dim, names: Bindings) -> Parting | bool:
    """Compare a symbolic length with a pattern of symbolic names, where the pattern is a whole number."""
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
    # What rounds down is compared between the multiples too.
    offsets = range(min(base, _OFFSETS)) if "//" in axis.expression.values("operator") else range(1)
    told = False
    for probe, offset in product(_PROBES, offsets):
        at: dict[str, Dim] = {name: base * (probe + place) + offset for place, name in enumerate(free)}
        asked = {name: substitute(value, at) for name, value in known.items()}
        wanted, have = arithmetic.value(axis.expression, asked), substitute(length, at)
        if not isinstance(wanted, int):
            continue
        told = True
        if wanted != have:
            where = ", ".join(f"{name} = {value}" for name, value in at.items())
            return Parting(
                f"axis {place} is {length}, not {axis.text}: for {where} it is {have}, not {wanted}"
            )
    return told
