"""Where the lengths of arrays come from, as far as the calls tell it that made them in a second run."""

from __future__ import annotations

import re
import sys
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from shapeinspect.plugin_api.origins.literals import numbers_in
from shapeinspect.plugin_api.origins.numbers import Origin

#: Where each axis comes from; None where nothing is known.
Axes: TypeAlias = "tuple[Origin | None, ...]"
#: The axes of every array that is alive, by its address.
_held: dict[int, tuple[weakref.ref[Any], Axes]] = {}
#: A longer call is written without its arguments.
_LONGEST = 40
_DEPTH = 3
#: Functions that are given the values of an array, whose lengths are none of them.
_OF_VALUES = re.compile(r"(?:^|\.)(?:array|asarray|asanyarray|tensor|as_tensor|fromiter|frombuffer)$")


def note(text: str, given: Sequence[Any], value: Any, place: tuple[str, int]) -> None:
    """Keep where the lengths of the arrays in what a call returned come from, where that is not known.

    Args:
        text: the call as the user wrote it.
        given: its arguments.
        value: its result.
        place: its file and line.
    """
    arrays = list(arrays_in((value,)))
    read = list(arrays_in(given)) if arrays else []
    sources = [(tuple(one.shape), axes_of(one)) for one in read]
    for array in arrays:
        if any(one is not None for one in axes_of(array)) or any(array is one for one in read):
            continue
        known = (axis_of(axis, array.shape, sources, given, text, place) for axis in range(len(array.shape)))
        _keep(array, tuple(known))


def axis_of(
    axis: int,
    shape: Sequence[int],
    sources: Sequence[tuple[tuple[int, ...], Axes]],
    given: Sequence[Any],
    text: str,
    place: tuple[str, int],
) -> Origin:
    """Return where one length comes from: an array that was read, a number that was passed, else the call.

    Args:
        axis: the axis.
        shape: the shape of what was made.
        sources: the shape of each array that was read, and where its lengths come from.
        given: the arguments of the call.
        text: the call as the user wrote it.
        place: its file and line.
    """
    length = int(shape[axis])
    for own, axes in sources:
        known = axes[axis] if len(own) == len(shape) and own[axis] == length else None
        if known is not None:
            return known
    values = bool(sources) or _OF_VALUES.search(text.partition("(")[0]) is not None
    rows = (
        () if values else (one for one in given if isinstance(one, list | tuple) and len(one) == len(shape))
    )
    same = (row[axis] for row in rows if [*row] == [*shape])  # a shape that was asked for
    for number in () if values else (*numbers_in(same), *numbers_in(given)):
        if number == length:
            return number.origin
    symbol = text if len(text) <= _LONGEST else f"{text.partition('(')[0]}(…)"
    return Origin(length, "data", -1, symbol, (), *place)


def arrays_in(values: Any, depth: int = _DEPTH) -> Iterator[Any]:
    """Yield the arrays among values, those in lists, tuples and dictionaries included.

    Args:
        values: the values.
        depth: how deep they may lie.
    """
    kind = getattr(sys.modules.get("numpy"), "ndarray", ())
    for value in values:
        if isinstance(value, kind):
            yield value
        elif isinstance(value, list | tuple) and depth:
            yield from arrays_in(value[:64], depth - 1)
        elif isinstance(value, dict) and depth:
            yield from arrays_in(value.values(), depth - 1)


def axes_of(array: Any) -> Axes:
    """Return where the lengths of an array come from.

    Args:
        array: the array.
    """
    rank = len(array.shape)
    alive, axes = _held.get(id(array), (None, ()))
    known = alive is not None and alive() is array and len(axes) == rank
    return axes if known else _of_view(array)


def _of_view(array: Any) -> Axes:
    """Return where the lengths of a part of an array come from, which shares its numbers."""
    base: Any = array.base
    alive, axes = _held.get(id(base), (None, ()))
    known = alive is not None and alive() is base and len(axes) == len(getattr(base, "shape", ()))
    if not known:
        return (None,) * len(array.shape)
    found: list[Origin | None] = []
    for length, stride in zip(array.shape, array.strides, strict=True):
        same = [at for at, n in enumerate(base.shape) if (n, base.strides[at]) == (length, stride)]
        found.append(axes[same[0]] if len(same) == 1 else None)
    return tuple(found)


def _keep(array: Any, axes: Axes) -> None:
    key = id(array)
    _held[key] = weakref.ref(array, lambda _gone: _held.pop(key, None)), axes
