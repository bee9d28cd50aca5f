"""Pools: sliding, adaptive and global."""

from __future__ import annotations

from typing import Any

from shapeinspect.dims import Dim, Shape
from shapeinspect.rules.formula_text import Lines, Text, carried, just, number
from shapeinspect.rules.lengths import Length, ceil_div, smaller
from shapeinspect.rules.resize import scaled_size, scaled_text
from shapeinspect.rules.rule import Attributes, Naming, Rule, Shapes, first, mismatch
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
    """Return how many windows a pool has on one axis.

    With ``ceil_mode`` a last window may hang over the end, as long as it starts inside the input or
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
    over = smaller(after - dilation * (kernel - 1) - 1 + stride, 0)
    return (n + before - 1 + over) // stride + 1


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


def adaptive_start(index: Length, n: Length, out: Length) -> Length:
    """Return where an adaptive pool's window begins.

    Args:
        index: which window, from 0.
        n: the input's length.
        out: how many windows.

    Source: ``floor(index * in / out)``, as ``torch.nn.AdaptiveAvgPool2d`` computes.

    Example:
        >>> [adaptive_start(i, 5, 3) for i in range(3)]
        [0, 1, 3]
    """
    return (index * n) // out


def adaptive_end(index: Length, n: Length, out: Length) -> Length:
    """Return where an adaptive pool's window ends (the first element after it).

    Args:
        index: which window, from 0.
        n: the input's length.
        out: how many windows.

    Source: ``ceil((index + 1) * in / out)``, as ``torch.nn.AdaptiveAvgPool2d`` computes.

    Example:
        >>> [adaptive_end(i, 5, 3) for i in range(3)]
        [2, 4, 5]
    """
    return ceil_div((index + 1) * n, out)


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
    """Return the length that undoing a pool gives where the pooled length is not told.

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
    found = names(len(shape) - 2, last)
    if len(out) == len(shape):
        return Naming((found,), (found,), window_links(shape, out, None, last, channels=True))
    channels = len(shape) - 1 if last else 1
    return Naming((found,), (("N", "C"),), ((0, 0, 0, 0), (0, channels, 0, 1)))


def _pool_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    settings = {**attributes, "stride": attributes.get("stride") or attributes["kernel_size"]}
    write = ceiled_text if attributes.get("ceil_mode") else None
    return {(0, axis): text for axis, text in window_lines(settings, first(inputs) or (), write).items()}


def _asked(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    """Write the lengths that an adaptive pool is asked for; None stands for the input's."""
    shape = first(inputs) or ()
    count = space_of(attributes, "output_size") or len(shape) - 2
    axes = space_axes(len(shape), count, is_last(attributes))
    sizes = per_axis(attributes["output_size"], count)
    return {
        (0, axis): carried(0, axis, shape) if size is None else just("output_size", size)
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
        return _asked(attributes, inputs, outputs)
    shape = first(inputs) or ()
    count = space_of(attributes, "kernel_size") or len(shape) - 2
    ratios = per_axis(attributes["output_ratio"], count)
    axes = space_axes(len(shape), count, last=False)
    return {(0, axis): scaled_text(shape[axis], ratio) for axis, ratio in zip(axes, ratios, strict=True)}


def _global_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    rank = len(first(inputs) or ())
    kept = space_axes(rank, rank - 2, is_last(attributes)) if attributes.get("keepdims", True) else ()
    return {(0, axis): number(1) for axis in kept}


_SLIDING = Rule(_pool, axes=_pool_axes, lines=_pool_lines)
_GLOBAL = Rule(_global, axes=_global_axes, lines=_global_lines)
_ADAPTIVE = Rule(_adaptive, axes=_pool_axes, lines=_asked)

RULES = {
    "fractional_max_pool": Rule(_fractional, axes=_pool_axes, lines=_fractional_lines),
    "max_unpool": Rule(_unpool, axes=_pool_axes, lines=_unpool_lines),
    "max_pool": _SLIDING,
    "avg_pool": _SLIDING,
    "lp_pool": _SLIDING,
    "adaptive_avg_pool": _ADAPTIVE,
    "adaptive_max_pool": _ADAPTIVE,
    "global_avg_pool": _GLOBAL,
    "global_max_pool": _GLOBAL,
    "global_lp_pool": _GLOBAL,
}
