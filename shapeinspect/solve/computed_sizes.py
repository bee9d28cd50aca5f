"""Sizes that a network's own code computes from its input's, inferred from several traces.

A trace records ``F.pad(y, [dx // 2, dx - dx // 2])`` with two numbers. The forms below are the ones that
such code uses: a length plus or minus a constant, a fraction or a multiple of it, the distance to the next
multiple, and the sum, difference or product of two lengths, or half of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from operator import add, mul, sub
from typing import Any, TypeAlias

#: A value and which of its axes.
Axis: TypeAlias = "tuple[str, int]"
#: The lengths of one axis, one for each trace.
Lengths: TypeAlias = "tuple[int, ...]"

_JOIN: dict[str, Any] = {"": lambda a, _b: a, "+": add, "-": sub, "*": mul}
_PARTS = range(2, 65)
_MOST_LENGTHS = 48
#: The number of traces needed before a form with a constant of its own is accepted.
_EVIDENCE = 3


@dataclass(frozen=True, slots=True)
class FromAxes:
    """A setting that a trace recorded as a number, and that follows from the lengths of axes.

    It is ``(factor · (first op second) % modulus + offset) // divisor``.

    Args:
        first: a value and which of its axes.
        op: ``+``, ``-`` or ``*``; empty without another length.
        second: another value and axis.
        factor: what the length is multiplied by.
        modulus: the divisor of the remainder; 0 for no remainder.
        offset: what is added.
        divisor: what it is divided by, rounded down.

    Example:
        >>> FromAxes(("x", 2), "-", ("y", 2), divisor=2).of({"x": (1, 3, 9), "y": (1, 3, 4)})
        2
        >>> FromAxes(("x", 0), factor=-1, modulus=8).of({"x": (13,)})
        3
    """

    first: Axis
    op: str = ""
    second: Axis | None = None
    factor: int = 1
    modulus: int = 0
    offset: int = 0
    divisor: int = 1

    def of(self, shapes: Mapping[str, Any]) -> Any:
        """Compute the number.

        Args:
            shapes: the shape of every value: each length an int or an array of candidates.
        """
        name, axis = self.first
        length = shapes[name][axis]
        if self.second is not None:
            name, axis = self.second
            length = _JOIN[self.op](length, shapes[name][axis])
        return self.change(length)

    def change(self, length: Any) -> Any:
        """Apply the form to a length, or to two combined lengths.

        Args:
            length: an int or an array of candidates.
        """
        product = length * self.factor
        return ((product % self.modulus if self.modulus else product) + self.offset) // self.divisor


def worked_out(numbers: Lengths, lengths: Iterable[tuple[Lengths, Axis]]) -> FromAxes | None:
    """Express a number that differs between traces through the lengths of axes.

    Args:
        numbers: the number in every trace.
        lengths: the lengths of axes in every trace, those nearest to the call first.

    Returns:
        the simplest form that gives every number; None if none does.

    Example:
        >>> worked_out((8, 12), [((16, 24), ("x", 2)), ((8, 12), ("y", 2))]).first
        ('y', 2)
        >>> result = worked_out((3, 2, 0), [((13, 14, 16), ("x", 1))])
        >>> result.factor, result.modulus
        (-1, 4)
    """
    distinct: dict[Lengths, Axis] = {}
    for vector, axis in lengths:
        distinct.setdefault(vector, axis)
    if numbers in distinct:
        return FromAxes(distinct[numbers])
    if len(numbers) < _EVIDENCE:
        return None
    near = list(distinct.items())[:_MOST_LENGTHS]
    return next(_candidates(numbers, near), None)


def _candidates(numbers: Lengths, near: list[tuple[Lengths, Axis]]) -> Iterator[FromAxes]:
    for vector, axis in near:
        yield from _agreeing(numbers, vector, (FromAxes(axis, offset=numbers[0] - vector[0]),))
        yield from _agreeing(numbers, vector, _multiples(axis, numbers[0], vector[0]))
    # The same axis of two values is likelier than different axes of two values.
    both = sorted(product(near, near), key=lambda pair: pair[0][1][1] != pair[1][1][1])
    pairs = [(op, a, b) for op in "-+*" for a, b in both]
    for half in (False, True):
        for op, (vector, axis), (twin, second) in pairs:
            yield from _agreeing(
                numbers, tuple(map(_JOIN[op], vector, twin)), _joined(axis, op, second, half)
            )
        if not half:
            for vector, axis in near:
                yield from _agreeing(numbers, vector, _parts(axis))
    for vector, axis in near:
        yield from _agreeing(numbers, vector, _remainders(axis, numbers[0], vector[0]))


def _agreeing(numbers: Lengths, vector: Lengths, forms: Iterable[FromAxes]) -> Iterator[FromAxes]:
    for form in forms:
        if all(form.change(length) == number for length, number in zip(vector, numbers, strict=True)):
            yield form


def _multiples(axis: Axis, number: int, length: int) -> Iterator[FromAxes]:
    if length and number % length == 0:
        yield FromAxes(axis, factor=number // length)


def _joined(axis: Axis, op: str, second: Axis, half: bool) -> Iterator[FromAxes]:
    if not half:
        yield FromAxes(axis, op, second)
    elif op != "*":
        # Rounded down or up; with the sign reversed, as for a crop by F.pad.
        for factor in (1, -1):
            yield FromAxes(axis, op, second, factor, offset=0, divisor=2)
            yield FromAxes(axis, op, second, factor, offset=1, divisor=2)


def _parts(axis: Axis) -> Iterator[FromAxes]:
    for part in _PARTS:
        yield FromAxes(axis, divisor=part)
        yield FromAxes(axis, offset=part - 1, divisor=part)


def _remainders(axis: Axis, number: int, length: int) -> Iterator[FromAxes]:
    """Return the excess over a multiple or the distance to it, plus a constant, and half of that."""
    for part in _PARTS:
        for factor in (1, -1):
            rest = factor * length % part
            yield FromAxes(axis, factor=factor, modulus=part, offset=number - rest)
            for offset in (2 * number - rest, 2 * number - rest + 1):
                yield FromAxes(axis, factor=factor, modulus=part, offset=offset, divisor=2)
