"""Follows lengths through calls that torch does not see: arrays, and data that a user's function returns."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from typing import Any

from shapeinspect.plugin_api.origins.literals import numbers_in
from shapeinspect.plugin_api.origins.numbers import Origin
from shapeinspect_torch.debug.origins.axes import Axes, axes_of, keep, tensors_in

#: The axes of every array that is alive, by its address.
_held: dict[int, tuple[weakref.ref[Any], Axes]] = {}
#: A longer call is written without its arguments.
_LONGEST = 40
_DEPTH = 3


def seen(text: str, args: Any, kwargs: dict[str, Any], value: Any, place: tuple[str, int]) -> None:
    """Keep where the lengths of what a call returned come from, where nothing else knows it.

    Args:
        text: the call as the user wrote it.
        args: its arguments.
        kwargs: its keyword arguments.
        value: its result.
        place: its file and line.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return
    arrays = list(_arrays((value,)))
    tensors = list(tensors_in((value,)))
    if not arrays and not tensors:
        return
    given = (*args, *kwargs.values())
    sources = [(tuple(one.shape), _axes(one)) for one in _arrays(given)]
    symbol = text if len(text) <= _LONGEST else f"{text.partition('(')[0]}(…)"
    for array in arrays:
        if any(one is not None for one in _axes(array)) or any(array is one for one in _arrays(given)):
            continue
        _keep(
            array,
            tuple(
                _axis(axis, array.shape, sources, given, symbol, place) for axis in range(len(array.shape))
            ),
        )
    if any(True for _ in tensors_in(given)):
        return
    for tensor in tensors:
        axes = axes_of(tensor)
        if all(one is None or one.kind == "data" for one in axes) and not any(tensor is one for one in given):
            shape = tuple(map(int, tensor.shape))
            known = (_axis(axis, shape, sources, given, symbol, place) for axis in range(len(shape)))
            keep(tensor, tuple(one or new for one, new in zip(axes, known, strict=True)))


def _axis(axis: int, shape: Any, sources: Any, given: Any, symbol: str, place: tuple[str, int]) -> Origin:
    """Return where one length comes from: an array that was read, a number that was passed, else the call."""
    length = int(shape[axis])
    for own, axes in sources:
        if len(own) == len(shape) and own[axis] == length and axes[axis] is not None:
            return axes[axis]  # type: ignore[no-any-return]  # an origin
    for number in () if sources else numbers_in(given):
        if number == length:
            return number.origin
    return Origin(length, "data", -1, symbol, (), *place)


def _arrays(values: Any, depth: int = _DEPTH) -> Iterator[Any]:
    kind = getattr(sys.modules.get("numpy"), "ndarray", ())
    for value in values:
        if isinstance(value, kind):
            yield value
        elif isinstance(value, list | tuple) and depth:
            yield from _arrays(value[:64], depth - 1)
        elif isinstance(value, dict) and depth:
            yield from _arrays(value.values(), depth - 1)


def _axes(array: Any) -> Axes:
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
