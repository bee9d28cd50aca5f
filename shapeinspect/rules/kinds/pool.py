"""Pools: sliding, adaptive and global."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Shape
from shapeinspect.rules.attributes import (
    CEIL_MODE,
    DATA_FORMAT,
    DILATION,
    KEEPDIMS,
    KERNEL_SIZE,
    OUTPUT_SIZE,
    PADDING,
    POOL_STRIDE,
    RETURN_INDICES,
)
from shapeinspect.rules.fields import ADAPTIVE_WINDOW, BY_DATA, POOL_WINDOW, Field
from shapeinspect.rules.formula_text import Lines, Text, carried, literal, number
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, no_weights
from shapeinspect.rules.kinds.resize import scaled_size, scaled_text
from shapeinspect.rules.lengths import Length, smaller
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch
from shapeinspect.rules.sliding import (
    conv_size,
    conv_transpose_lines,
    padding_text,
    window_lines,
    window_needs,
    window_space,
)
from shapeinspect.rules.spatial import (
    feature_axes,
    is_last,
    names,
    pairs,
    per_axis,
    space_axes,
    space_fits,
    space_of,
    take_apart,
    window_links,
)


def pool_size(
    n: Length,
    kernel: Length,
    stride: Length,
    before: Length = 0,
    after: Length = 0,
    dilation: Length = 1,
    ceil_mode: bool = False,
) -> Length:
    """Return the number of windows of a pool on one axis.

    With ``ceil_mode`` a last window may extend past the end, as long as it starts inside the input or
    the padding in front of it. Both bounds are floors over the stride, so that the smaller one is
    taken of settings and never of the length: ``ceil((n + before + after - extent) / stride)`` and
    ``floor((n + before - 1) / stride)``.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two windows.
        before: padding in front.
        after: padding behind.
        dilation: the step between two taps.
        ceil_mode: whether an incomplete last window counts.

    Source: the output shape and the note on ``ceil_mode`` of ``torch.nn.MaxPool2d``.

    Example:
        >>> pool_size(112, 3, 2, 1, 1), pool_size(6, 2, 4, ceil_mode=True), pool_size(5, 1, 4, ceil_mode=True)
        (56, 2, 2)
    """
    if not ceil_mode:
        return conv_size(n, kernel, stride, before, after, dilation)
    partial = smaller(after - dilation * (kernel - 1) - 1 + stride, 0)
    return (n + before - 1 + partial) // stride + 1


def ceiled_text(n: Dim, kernel: int, stride: int, before: Dim, after: Dim, dilation: int) -> Text:
    """Write ``pool_size`` with ``ceil_mode``.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two windows.
        before: padding in front.
        after: padding behind.
        dilation: the step between two taps.

    Example:
        >>> ceiled_text(6, 3, 2, 0, 0, 1)[0]
        'min(ceil((n - k) / s), floor((n - 1) / s)) + 1'
    """
    padding, names = padding_text(before, after, "+")
    front = "" if before == 0 else (" + p" if before == after else " + before")
    window = "k" if dilation == 1 else "d*(k - 1) - 1"
    text = f"min(ceil((n{padding} - {window}) / s), floor((n{front} - 1) / s)) + 1"
    dilated = (("d", dilation),) if dilation != 1 else ()
    return text, (("n", n), *names, ("k", kernel), *dilated, ("s", stride))


def _pool(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, kernel = first(inputs), attributes["kernel_size"]
    copies = 2 if attributes.get("return_indices") else 1
    if shape is None:
        return (None,) * copies
    parts = take_apart(shape, space_of(attributes, "kernel_size"), is_last(attributes))
    settings = {**attributes, "stride": attributes.get("stride") or kernel}
    out = _pool_space(parts.space, kernel, settings)
    space_fits(out, parts, window_needs(kernel, settings, len(out)))
    return (parts.join(out),) * copies


def _pool_space(space: Shape, kernel: Any, settings: Attributes) -> Shape:
    padding = settings.get("padding")
    if _of_taps(settings):
        count = len(space)
        sizes = zip(
            space,
            per_axis(kernel, count),
            per_axis(settings["stride"], count),
            per_axis(settings.get("dilation"), count, 1),
            strict=True,
        )
        return tuple(_undilated_size(n, k, s, d, settings) for n, k, s, d in sizes)
    if not settings.get("ceil_mode") or padding in ("same", "same_lower"):
        return window_space(space, kernel, settings)
    count = len(space)
    return tuple(
        pool_size(n, k, s, before, after, d, ceil_mode=True)
        for n, k, s, (before, after), d in zip(
            space,
            per_axis(kernel, count),
            per_axis(settings["stride"], count),
            pairs(None if padding == "valid" else padding, count),
            per_axis(settings.get("dilation"), count, 1),
            strict=True,
        )
    )


def _of_taps(settings: Attributes) -> bool:
    return settings.get("padding") in ("same", "same_lower") and settings.get("dilated_padding") is False


def _undilated_size(n: Any, kernel: int, stride: int, dilation: int, settings: Attributes) -> Any:
    """Return the number of windows where ``same`` pads for the taps alone, not for the steps between them.

    Source: onnxruntime's pools: ``trunc((in + pad - dilation*(k - 1) - 1) / stride) + 1``, where the padding
        is that of a window that is not dilated.
    """
    whole, short = -(-n // stride), (dilation - 1) * (kernel - 1)
    if not settings.get("ceil_mode"):
        return whole - (short + stride - 1) // stride
    if not isinstance(n, int):
        return UNKNOWN
    windows, padding = whole - short // stride, (whole - 1) * stride + kernel - n
    front = padding // 2 if settings["padding"] == "same" else (padding + 1) // 2
    return windows - ((windows - 1) * stride >= n + front)


def _pool_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    key = "kernel_size" if "kernel_size" in attributes else "output_size"
    space, last = space_of(attributes, key), is_last(attributes)
    return Naming(
        (feature_axes(shape, space, last),),
        tuple(feature_axes(other, space, last) for other in outputs),
        window_links(shape, out, space, last, channels=True),
    )


def _adaptive(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, size = first(inputs), attributes["output_size"]
    copies = 2 if attributes.get("return_indices") else 1
    if shape is None:
        return (None,) * copies
    parts = take_apart(shape, space_of(attributes, "output_size"), is_last(attributes))
    asked = per_axis(size, len(parts.space))
    out = tuple(have if want is None else want for have, want in zip(parts.space, asked, strict=True))
    return (parts.join(out),) * copies


def unpool_size(n: Length, kernel: Length, stride: Length, before: Length = 0, after: Length = 0) -> Length:
    """Return the length after unpooling where the pooled length is not recorded.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two windows.
        before: padding in front.
        after: padding behind.

    Source: the output shape in the documentation of ``torch.nn.MaxUnpool2d``.

    Example:
        >>> unpool_size(4, 3, 2)
        9
    """
    return (n - 1) * stride - before - after + kernel


def _unpool(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, kernel = first(inputs), attributes["kernel_size"]
    if shape is None:
        return (None,)
    parts = take_apart(shape, space_of(attributes, "kernel_size"))
    count, size = len(parts.space), attributes.get("output_size")
    if size is not None:
        return (parts.join(tuple(size)[-count:]),)
    strides, sides = (
        per_axis(attributes.get("stride") or kernel, count),
        pairs(attributes.get("padding"), count),
    )
    sizes = zip(parts.space, per_axis(kernel, count), strides, sides, strict=True)
    return (parts.join(tuple(unpool_size(n, k, s, *side) for n, k, s, side in sizes)),)


def _fractional(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, asked = first(inputs), attributes.get("output_size")
    copies = 2 if attributes.get("return_indices") else 1
    if shape is None:
        return (None,) * copies
    parts = take_apart(shape, space_of(attributes, "kernel_size"))
    count = len(parts.space)
    kernel = per_axis(attributes["kernel_size"], count)
    if asked is not None:
        out: tuple[Dim, ...] = per_axis(asked, count)
    else:
        ratios = per_axis(attributes["output_ratio"], count)
        out = tuple(scaled_size(n, ratio) for n, ratio in zip(parts.space, ratios, strict=True))
    for n, k, length in zip(parts.space, kernel, out, strict=True):
        if isinstance(n, int) and isinstance(length, int) and length + k - 1 > n:
            raise mismatch(f"at least {length} + {k} - 1 = {length + k - 1} for {length} windows", str(n))
    return (parts.join(out),) * copies


def _global(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is None:
        return (None,)
    if len(shape) < 2:
        raise mismatch("at least 2 axes: N C", f"{len(shape)}")
    parts = take_apart(shape, None, is_last(attributes))
    kept = attributes.get("keepdims", True)
    return (parts.join((1,) * len(parts.space) if kept else ()),)


def _global_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None:
        return Naming()
    last = is_last(attributes)
    result = names(len(shape) - 2, last)
    feature = "C"
    if len(shape) == 3:  # as well the mean of a sequence
        result = tuple(name if name == "N" else f"{name}?" for name in result)
        feature = "C?"
    if len(out) == len(shape):
        return Naming((result,), (result,), window_links(shape, out, None, last, channels=True))
    channels = len(shape) - 1 if last else 1
    return Naming((result,), (("N", feature),), ((0, 0, 0, 0), (0, channels, 0, 1)))


def _pool_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    settings = {**attributes, "stride": attributes.get("stride") or attributes["kernel_size"]}
    if _of_taps(attributes):
        return {}
    write = ceiled_text if attributes.get("ceil_mode") else None
    return {(0, axis): text for axis, text in window_lines(settings, first(inputs) or (), write).items()}


def _adaptive_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    """Write the requested lengths of an adaptive pool; None means the input's."""
    shape = first(inputs) or ()
    count = space_of(attributes, "output_size") or len(shape) - 2
    axes = space_axes(len(shape), count, is_last(attributes))
    sizes = per_axis(attributes["output_size"], count)
    return {
        (0, axis): carried(0, axis, shape) if size is None else literal("output_size", size)
        for axis, size in zip(axes, sizes, strict=True)
    }


def _unpool_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    # ``unpool_size`` is the length of a transposed convolution without dilation.
    settings = {**attributes, "stride": attributes.get("stride") or attributes["kernel_size"], "dilation": 1}
    settings["output_shape"] = attributes.get("output_size")
    lines = conv_transpose_lines(settings, first(inputs) or ())
    return {(0, axis): text for axis, text in lines.items()}


def _fractional_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    if attributes.get("output_size") is not None:
        return _adaptive_lines(attributes, inputs, outputs)
    shape = first(inputs) or ()
    count = space_of(attributes, "kernel_size") or len(shape) - 2
    ratios = per_axis(attributes["output_ratio"], count)
    axes = space_axes(len(shape), count, last=False)
    return {(0, axis): scaled_text(shape[axis], ratio) for axis, ratio in zip(axes, ratios, strict=True)}


def _global_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    rank = len(first(inputs) or ())
    kept = space_axes(rank, rank - 2, is_last(attributes)) if attributes.get("keepdims", True) else ()
    return {(0, axis): number(1) for axis in kept}


_NORM_TYPE = Attribute("norm_type", "float", "unknown", "the p of the norm")
_POOL = (
    *(KERNEL_SIZE, POOL_STRIDE, PADDING, DILATION, CEIL_MODE),
    Attribute(
        "dilated_padding",
        "bool",
        "true",
        '`"same"` pads for the steps between taps, too (not in every runtime)',
    ),
    Attribute("count_include_pad", "bool", "unknown", "the padding counts in a mean"),
    Attribute("divisor_override", "int", "none", "a mean divides by it, not by the number of positions"),
    RETURN_INDICES,
    DATA_FORMAT,
)


def _sliding(name: str, what: str, *more: Attribute) -> Kind:
    def detail(attributes: Attributes) -> str:
        kernel = attributes.get("kernel_size")
        size = "×".join(map(str, kernel)) if isinstance(kernel, tuple | list) else str(kernel)
        return "" if kernel is None else f"{what} of every window of {size}, in each channel by itself"

    return Kind(
        name,
        f"{what} of every window, in each channel by itself",
        "--input 112,96 --kernel 3 --stride 2 --padding 1",
        (*_POOL, *more),
        _pool,
        _pool_axes,
        _pool_lines,
        NO_WORK,
        no_weights,
        POOL_WINDOW,
        detail,
    )


def _adaptive_kind(name: str, what: str) -> Kind:
    return Kind(
        name,
        f"splits the space into as many windows as outputs: {what} of each",
        "--input 15,17 --output-size 10,11",
        (OUTPUT_SIZE, RETURN_INDICES, DATA_FORMAT),
        _adaptive,
        _pool_axes,
        _adaptive_lines,
        NO_WORK,
        no_weights,
        ADAPTIVE_WINDOW,
    )


def _global_kind(name: str, summary: str, *more: Attribute) -> Kind:
    return Kind(
        name,
        summary,
        "--input 2,3,5,7",
        (replace(KEEPDIMS, default="true"), DATA_FORMAT, *more),
        _global,
        _global_axes,
        _global_lines,
        NO_WORK,
        no_weights,
        Field("all of space"),
    )


KINDS = (
    _sliding("max_pool", "the largest"),
    _sliding("avg_pool", "the mean"),
    _sliding("lp_pool", "the norm", _NORM_TYPE),
    _adaptive_kind("adaptive_avg_pool", "the mean"),
    _adaptive_kind(
        "adaptive_max_pool",
        "the largest",
    ),
    _global_kind("global_avg_pool", "the mean of all positions, in each channel by itself"),
    _global_kind("global_max_pool", "the largest of all positions, in each channel by itself"),
    _global_kind("global_lp_pool", "the norm of all positions, in each channel by itself", _NORM_TYPE),
    Kind(
        "fractional_max_pool",
        "the largest of windows of varying length, in each channel by itself",
        "--input 3,9,11 --kernel 2,2 --output-size 4,5",
        (
            KERNEL_SIZE,
            replace(OUTPUT_SIZE, default="by output_ratio"),
            Attribute(
                "output_ratio", "float, or one a spatial axis", "none", "the output's share of each length"
            ),
            RETURN_INDICES,
        ),
        _fractional,
        _pool_axes,
        _fractional_lines,
        NO_WORK,
        no_weights,
        BY_DATA,
    ),
    Kind(
        "max_unpool",
        "puts each value back at its index from the max pool",
        "--input 3,4,5 --kernel 2,2",
        (KERNEL_SIZE, POOL_STRIDE, PADDING, replace(OUTPUT_SIZE, default="what undoes the pool")),
        _unpool,
        _pool_axes,
        _unpool_lines,
        NO_WORK,
        no_weights,
        BY_DATA,
    ),
)
