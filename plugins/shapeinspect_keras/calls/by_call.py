"""Operations determined by the arguments and shapes of the call, not by their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import ascii_lowercase
from typing import Any, TypeAlias

from shapeinspect.dims import Shape
from shapeinspect_keras.calls.arguments import Arguments
from shapeinspect_keras.calls.indexing import Step, item_steps
from shapeinspect_keras.vocabulary import attributes as read
from shapeinspect_keras.vocabulary.old_names import UNEXPECTED_FORM

_Shapes: TypeAlias = "Sequence[Shape | None]"
_Reader: TypeAlias = "Callable[[Mapping[str, Any], Arguments, Sequence[Shape]], tuple[Step, ...] | None]"

_UNKNOWN: tuple[Step, ...] = (("unknown", {}),)


def call_steps(
    operation: str, config: Mapping[str, Any], arguments: Arguments, shapes: _Shapes
) -> tuple[Step, ...] | None:
    """Describe one call of an operation.

    Args:
        operation: its class.
        config: its settings.
        arguments: the arguments of the call.
        shapes: the shape of each operand.

    Returns:
        Kinds and attributes, in sequence; None for an operation that its settings determine.

    Example:
        >>> call_steps("Dot", {}, Arguments(), [(2, 3, 5), (5, 7)])
        (('einsum', {'equation': 'abc,ce->abe'}),)
    """
    reader = _READERS.get(operation)
    if reader is None:
        return None
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or not known:
        return _UNKNOWN
    try:
        return reader(config, arguments, known) or _UNKNOWN
    except UNEXPECTED_FORM:
        return _UNKNOWN


def _item(
    _config: Mapping[str, Any], arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    return item_steps(arguments.get(1, "key"), len(shapes[0]))


def _dot(
    _config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    """Sum over the last axis of the left and the last but one of the right. Source: ``numpy.dot``."""
    if len(shapes) != 2:
        return None
    if not shapes[0] or not shapes[1]:
        return (("elementwise", {"op": "mul"}),)
    left, right = len(shapes[0]), len(shapes[1])
    return _product(left, right, (left - 1,), (max(right - 2, 0),))


def _tensordot(
    config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    """Sum over the last axes of the left and the first of the right, or over the named axes.

    Source: ``numpy.tensordot``.
    """
    axes = config.get("axes", 2)
    if len(shapes) != 2:
        return None
    left, right = len(shapes[0]), len(shapes[1])
    if isinstance(axes, int):
        return _product(left, right, range(left - axes, left), range(axes))
    first, second = (axis if isinstance(axis, list | tuple) else (axis,) for axis in axes)
    return _product(left, right, [axis % left for axis in first], [axis % right for axis in second])


def _product(
    left: int, right: int, summed: Sequence[int], with_axes: Sequence[int]
) -> tuple[Step, ...] | None:
    """Write a product of two tensors, summed over pairs of axes, as an einsum."""
    if left + right > len(ascii_lowercase) or len(summed) != len(with_axes):
        return None
    first, second = list(ascii_lowercase[:left]), list(ascii_lowercase[left : left + right])
    for axis, other in zip(summed, with_axes, strict=True):
        second[other] = first[axis]
    kept = [letter for letter in first + second if not (letter in first and letter in second)]
    return (("einsum", {"equation": f"{''.join(first)},{''.join(second)}->{''.join(kept)}"}),)


def _conv(
    config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    if len(shapes) != 2 or len(shapes[1]) < 3 or len(shapes[0]) != len(shapes[1]):
        return None
    *kernel, inner, outer = shapes[1]
    settings = read.conv({**config, "filters": outer, "kernel_size": kernel}, len(kernel))
    if not isinstance(settings["padding"], str):
        return None
    channels = shapes[0][1 if settings["data_format"] == "channels_first" else -1]
    groups = channels // inner if isinstance(channels, int) and isinstance(inner, int) and inner else 1
    return (("conv", {**settings, "groups": groups, "in_channels": channels}),)


def _pad(
    config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    """Return the pair of each axis. Source: ``_process_pad_width`` of keras/src/ops/numpy.py, 3.15."""
    width = config.get("pad_width")
    if isinstance(width, int):
        width = ((width, width),)
    elif isinstance(width, list | tuple) and width and isinstance(width[0], int):
        width = (width,)
    pairs = tuple(tuple(pair) * (2 if len(pair) == 1 else 1) for pair in width or ())
    pairs = pairs * len(shapes[0]) if len(pairs) == 1 else pairs
    whole = all(len(pair) == 2 and all(type(count) is int for count in pair) for pair in pairs)
    return (("pad", {"padding": pairs}),) if whole and len(pairs) == len(shapes[0]) else None


def _pool(kind: str) -> _Reader:
    def pool(
        config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
    ) -> tuple[Step, ...] | None:
        settings = read.pool(config, len(shapes[0]) - 2)
        return ((kind, settings),) if isinstance(settings["padding"], str) else None

    return pool


_READERS: dict[str, _Reader] = {
    "GetItem": _item,
    "Dot": _dot,
    "Tensordot": _tensordot,
    "Conv": _conv,
    "Pad": _pad,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
}
