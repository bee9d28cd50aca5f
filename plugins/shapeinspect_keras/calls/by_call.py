"""Operations determined by the arguments and shapes of the call, not by their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import ascii_lowercase
from typing import Any, TypeAlias

from shapeinspect.dims import Shape
from shapeinspect_keras.calls.arguments import Arguments, Array
from shapeinspect_keras.calls.by_rank import BY_RANK, rank_steps, several_quantiles
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
    if reader is None and operation not in BY_RANK:
        return None
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or not known:
        return _UNKNOWN
    try:
        if reader is None:
            return rank_steps(operation, config, arguments, known) or _UNKNOWN
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


def _depthwise(
    config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    """Convolve every channel by itself; the kernel is ``*k c m``."""
    if len(shapes) != 2 or len(shapes[1]) < 3 or len(shapes[0]) != len(shapes[1]):
        return None
    *kernel, channels, multiplier = shapes[1]
    settings = read.depthwise({**config, "kernel_size": kernel, "depth_multiplier": multiplier}, len(kernel))
    groups = {"groups": channels, "in_channels": channels, "out_channels": channels * multiplier}
    return (("conv", {**settings, **groups}),)


def _separable(
    config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    if len(shapes) != 3 or len(shapes[1]) < 3 or len(shapes[0]) != len(shapes[1]):
        return None
    *kernel, channels, multiplier = shapes[1]
    sizes = {"kernel_size": kernel, "depth_multiplier": multiplier, "filters": shapes[2][-1]}
    settings = read.separable({**config, **sizes}, len(kernel))
    return (("separable_conv", {**settings, "in_channels": channels}),)


def _conv_transpose(
    config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    if len(shapes) != 2 or len(shapes[1]) < 3 or len(shapes[0]) != len(shapes[1]):
        return None
    *kernel, outer, inner = shapes[1]
    settings = read.conv_transpose({**config, "filters": outer, "kernel_size": kernel}, len(kernel))
    return (("conv_transpose", {**settings, "in_channels": inner}),)


def _adaptive(kind: str) -> _Reader:
    def pool(
        config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
    ) -> tuple[Step, ...] | None:
        return ((kind, read.adaptive_pool(config, len(shapes[0]) - 2)),)

    return pool


def _ends(
    config: Mapping[str, Any], shape: Shape, ending: str, *, grows: bool
) -> tuple[tuple[tuple[Any, Any], tuple[Any, Any]], str] | None:
    """Return what ``pad_images`` or ``crop_images`` changes at both ends of the height and the width.

    Source: ``_pad_images`` and ``_crop_images`` of keras/src/ops/image.py, 3.15: of the two ends and the
    target, two are given on each axis.
    """
    layout = config.get("data_format") or "channels_last"
    first = -2 if layout == "channels_first" else -3
    pairs = []
    for axis, (near, far, target) in enumerate((("top", "bottom", "height"), ("left", "right", "width"))):
        before, after = config.get(f"{near}_{ending}"), config.get(f"{far}_{ending}")
        size = config.get(f"target_{target}")
        if size is not None:
            change = size - shape[first + axis] if grows else shape[first + axis] - size
            before = change - after if before is None else before
            after = change - before if after is None else after
        if before is None or after is None:
            return None
        pairs.append((before, after))
    return (pairs[0], pairs[1]), layout


def _pad_images(
    config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    result = _ends(config, shapes[0], "padding", grows=True)
    if result is None or len(shapes[0]) not in (3, 4):
        return None
    batch = ((0, 0),) * (len(shapes[0]) - 3)
    inner = ((0, 0), *result[0]) if result[1] == "channels_first" else (*result[0], (0, 0))
    return (("pad", {"padding": (*batch, *inner)}),)


def _crop_images(
    config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    result = _ends(config, shapes[0], "cropping", grows=False)
    if result is None or len(shapes[0]) not in (3, 4):
        return None
    (top, bottom), (left, right) = result[0]
    first = len(shapes[0]) - (2 if result[1] == "channels_first" else 3)
    ends = tuple(shapes[0][first + axis] - cut for axis, cut in enumerate((bottom, right)))
    starts = (top, left)
    whole = all(type(number) is int for number in (*starts, *ends))
    return (
        (("slice", {"axes": (first, first + 1), "starts": starts, "ends": ends, "steps": (1, 1)}),)
        if whole
        else None
    )


def _append(
    config: Mapping[str, Any], _arguments: Arguments, _shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    axis = config.get("axis")
    return (("concat", {"axis": axis}),) if type(axis) is int else None


#: For each operation that joins values: by the rank of the values, the kind and the axis; the last for more.
_JOINS: dict[str, tuple[tuple[str, int] | None, ...]] = {
    "Vstack": (None, ("stack", 0), ("concat", 0)),
    "Hstack": (None, ("concat", 0), ("concat", 1)),
    "Dstack": (None, None, ("stack", 2), ("concat", 2)),
}


def _joined(name: str) -> _Reader:
    """Return a reader of an operation that joins values of one rank, and adds an axis where it needs one.

    Source: ``numpy.vstack``, ``numpy.hstack`` and ``numpy.dstack``.
    """

    def joined(
        _config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
    ) -> tuple[Step, ...] | None:
        rank, table = len(shapes[0]), _JOINS[name]
        row = table[min(rank, len(table) - 1)]
        if row is None or any(len(shape) != rank for shape in shapes):
            return None
        return ((row[0], {"axis": row[1]}),)

    return joined


def _array_split(
    config: Mapping[str, Any], _arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    """Split into pieces that differ by one at most, the longer first. Source: ``numpy.array_split``."""
    count, axis = config.get("indices_or_sections"), config.get("axis", 0)
    length = shapes[0][axis]
    if type(count) is not int or not isinstance(length, int) or not 0 < count <= _MOST:
        return None
    sizes = tuple(length // count + (index < length % count) for index in range(count))
    return (("split", {"axis": axis, "sizes": sizes}),)


#: The most pieces of one value; a file may request any number.
_MOST = 10_000


def _slice(
    config: Mapping[str, Any], arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    """Take a part of given lengths. Source: ``slice`` of keras/src/ops/core.py, 3.15."""
    starts, lengths = arguments.get(1, "start_indices"), config.get("shape")
    numbers = isinstance(starts, list | tuple) and all(type(start) is int for start in starts)
    if not numbers or not isinstance(lengths, list | tuple) or len(lengths) != len(starts) != 0:
        return None
    if not all(type(length) is int for length in lengths) or len(lengths) != len(shapes[0]):
        return None
    ends = tuple(start + length for start, length in zip(starts, lengths, strict=True))
    axes = tuple(range(len(lengths)))
    return (("slice", {"axes": axes, "starts": tuple(starts), "ends": ends, "steps": (1,) * len(axes)}),)


def _quantile(
    config: Mapping[str, Any], arguments: Arguments, shapes: Sequence[Shape]
) -> tuple[Step, ...] | None:
    axis, asked = config.get("axis"), arguments.get(1, "q")
    axes = None if axis is None else tuple(axis) if isinstance(axis, list | tuple) else (axis,)
    keepdims = bool(config.get("keepdims"))
    if isinstance(asked, int | float):
        return (("reduce", {"op": "quantile", "axes": axes, "keepdims": keepdims}),)
    count = len(asked) if isinstance(asked, list | tuple) else None
    if isinstance(asked, Array) and len(asked.shape) == 1:
        count = asked.shape[0]
    return None if count is None else several_quantiles(count, axes, keepdims, len(shapes[0]))


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
    **dict.fromkeys(("Quantile", "Percentile", "Nanquantile", "Nanpercentile"), _quantile),
    "DepthwiseConv": _depthwise,
    "SeparableConv": _separable,
    "ConvTranspose": _conv_transpose,
    "AdaptiveAveragePool": _adaptive("adaptive_avg_pool"),
    "AdaptiveMaxPool": _adaptive("adaptive_max_pool"),
    "PadImages": _pad_images,
    "CropImages": _crop_images,
    "Append": _append,
    **{name: _joined(name) for name in _JOINS},
    "ArraySplit": _array_split,
    "Slice": _slice,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
}
