"""Operations of which the settings do not say enough: their arguments and the shapes they read tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import ascii_lowercase
from typing import Any, TypeAlias

from shapeinspect.dims import Shape
from shapeinspect_keras.calls.arguments import Arguments
from shapeinspect_keras.calls.indexing import Step, item_steps
from shapeinspect_keras.vocabulary import attributes as read

_Shapes: TypeAlias = "Sequence[Shape | None]"
_Reader: TypeAlias = "Callable[[Mapping[str, Any], Arguments, Sequence[Shape]], tuple[Step, ...] | None]"

_UNKNOWN: tuple[Step, ...] = (("unknown", {}),)


def call_steps(
    operation: str, config: Mapping[str, Any], arguments: Arguments, shapes: _Shapes
) -> tuple[Step, ...] | None:
    """Say what one call of an operation does.

    Args:
        operation: its class.
        config: its settings.
        arguments: the arguments of the call.
        shapes: the shape of each operand.

    Returns:
        Kinds and attributes, one after another; None for an operation whose settings say it all.

    Example:
        >>> call_steps("Dot", {}, Arguments(), [(2, 3, 5), (5, 7)])
        (('einsum', {'equation': 'abc,cd->abd'}),)
    """
    reader = _READERS.get(operation)
    if reader is None:
        return None
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or not known:
        return _UNKNOWN
    return reader(config, arguments, known) or _UNKNOWN


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
    left, right = len(shapes[0]), len(shapes[1])
    if not left or not right:
        return (("elementwise", {"op": "mul"}),)
    letters = ascii_lowercase[: left + right - 1]
    if len(letters) < left + right - 1:
        return None
    first, summed, others = letters[: left - 1], letters[left - 1], letters[left:]
    second = f"{others[: right - 2]}{summed}{others[right - 2 :]}" if right > 1 else summed
    return (("einsum", {"equation": f"{first}{summed},{second}->{first}{others}"}),)


def _conv(
    config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    if len(shapes) != 2 or len(shapes[1]) < 3 or len(shapes[0]) != len(shapes[1]):
        return None
    *kernel, inner, outer = shapes[1]
    settings = read.conv({**config, "filters": outer, "kernel_size": kernel}, len(kernel))
    channels = shapes[0][1 if settings["data_format"] == "channels_first" else -1]
    groups = channels // inner if isinstance(channels, int) and isinstance(inner, int) and inner else 1
    return (("conv", {**settings, "groups": groups, "in_channels": channels}),)


def _pool(kind: str) -> _Reader:
    return lambda config, _arguments, shapes: ((kind, read.pool(config, len(shapes[0]) - 2)),)


_READERS: dict[str, _Reader] = {
    "GetItem": _item,
    "Dot": _dot,
    "Conv": _conv,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
}
