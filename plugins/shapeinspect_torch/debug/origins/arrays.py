"""Follows lengths through calls that torch does not see: arrays, and data that a user's function returns."""

from __future__ import annotations

from typing import Any

from shapeinspect.plugin_api.origins.arrays import arrays_in, axis_of, note
from shapeinspect.plugin_api.origins.arrays import axes_of as axes_of_array
from shapeinspect_torch.debug.origins.axes import axes_of, keep, tensors_in


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
    given = (*args, *kwargs.values())
    note(text, given, value, place)
    tensors = list(tensors_in((value,)))
    if not tensors or any(True for _ in tensors_in(given)):
        return
    sources = [(tuple(one.shape), axes_of_array(one)) for one in arrays_in(given)]
    for tensor in tensors:
        axes = axes_of(tensor)
        if all(one is None or one.kind == "data" for one in axes) and not any(tensor is one for one in given):
            shape = tuple(map(int, tensor.shape))
            known = (axis_of(axis, shape, sources, given, text, place) for axis in range(len(shape)))
            keep(tensor, tuple(one or new for one, new in zip(axes, known, strict=True)))
