"""Sliding and transposed windows on one axis: the formulas and their text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shapeinspect.dims import Dim, Expr, Shape
from shapeinspect.rules.formula_text import Text, literal
from shapeinspect.rules.lengths import Length, ceil_div, larger, smaller
from shapeinspect.rules.rule import Attributes, mismatch
from shapeinspect.rules.spatial import is_last, pairs, per_axis, space_axes, space_of, take_apart


def conv_size(
    n: Length, kernel: Length, stride: Length = 1, before: Length = 0, after: Length = 0, dilation: Length = 1
) -> Length:
    """Return the number of positions of a sliding window on one axis.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two places.
        before: padding in front.
        after: padding behind.
        dilation: the step between two taps.

    Source: the output shape in the documentation of ``torch.nn.Conv2d``.

    Example:
        >>> conv_size(224, 7, stride=2, before=3, after=3)
        112
    """
    return (n + before + after - dilation * (kernel - 1) - 1) // stride + 1


def conv_text(n: Dim, kernel: int, stride: int, before: Dim, after: Dim, dilation: int) -> Text:
    """Write ``conv_size``.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two places.
        before: padding in front.
        after: padding behind.
        dilation: the step between two taps.

    Example:
        >>> conv_text(300, 5, 1, 0, 0, 1)[0]
        'n - k + 1'
    """
    padding, names = padding_text(before, after, "+")
    values = (("n", n), *names, ("k", kernel), *((("d", dilation),) if dilation != 1 else ()))
    if stride == 1:
        window = "k + 1" if dilation == 1 else "d*(k - 1)"
        return f"n{padding} - {window}", values
    window = "k" if dilation == 1 else "d*(k - 1) - 1"
    return f"floor((n{padding} - {window}) / s) + 1", (*values, ("s", stride))


def padding_text(before: Dim, after: Dim, sign: str) -> Text:
    """Write a padding at both ends as a part of a formula.

    Args:
        before: padding in front.
        after: padding behind.
        sign: ``+`` or ``-``.

    Example:
        >>> padding_text(1, 1, "+")[0], padding_text(1, 2, "-")[0]
        (' + 2*p', ' - before - after')
    """
    if before == 0 and after == 0:
        return "", ()
    if before == after and not isinstance(before, Expr):
        return f" {sign} 2*p", (("p", before),)
    return f" {sign} before {sign} after", (("before", before), ("after", after))


def same_size(n: Length, stride: Length = 1) -> Length:
    """Return the output length under padding ``same`` (and under ``causal``).

    Args:
        n: the input's length.
        stride: the step between two places.

    Source: ``out = ceil(in / stride)``, the notes on padding of ``tf.nn``.

    Example:
        >>> same_size(15, 2)
        8
    """
    return ceil_div(n, stride)


def same_text(n: Dim, stride: int) -> Text:
    """Write ``same_size``.

    Args:
        n: the input's length.
        stride: the step between two places.

    Example:
        >>> same_text(15, 2)[0]
        'ceil(n / s)'
    """
    return ("n", (("n", n),)) if stride == 1 else ("ceil(n / s)", (("n", n), ("s", stride)))


def same_padding(n: Length, kernel: Length, stride: Length = 1, dilation: Length = 1) -> Length:
    """Return the total padding that ``same`` adds to one axis.

    Half of it, rounded down, is added at the start; the odd pixel at the end (``same_lower``: at the start).

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two places.
        dilation: the step between two taps.

    Source: ``max((out - 1) * stride + (kernel - 1) * dilation + 1 - in, 0)``, the notes on padding
        of ``tf.nn``; here ``in - (out - 1) * stride`` is written ``(in - 1) % stride + 1``.

    Example:
        >>> same_padding(224, 3, stride=2)
        1
    """
    return larger(dilation * (kernel - 1) - (n - 1) % stride, 0)


def causal_padding(kernel: Length, dilation: Length = 1) -> Length:
    """Return the padding at the start that keeps an output from seeing later positions.

    Args:
        kernel: the window's taps.
        dilation: the step between two taps.

    Source: the argument ``padding`` of ``keras.layers.Conv1D``.

    Example:
        >>> causal_padding(3, dilation=4)
        8
    """
    return dilation * (kernel - 1)


def conv_transpose_size(
    n: Length,
    kernel: Length,
    stride: Length = 1,
    before: Length = 0,
    after: Length = 0,
    dilation: Length = 1,
    output_padding: Length = 0,
) -> Length:
    """Return the output length of a transposed convolution on one axis.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two places on the output.
        before: taken off in front.
        after: taken off behind.
        dilation: the step between two taps.
        output_padding: added behind.

    Source: the output shape in the documentation of ``torch.nn.ConvTranspose2d``.

    Example:
        >>> conv_transpose_size(7, 4, stride=2, before=1, after=1)
        14
    """
    return (n - 1) * stride - before - after + dilation * (kernel - 1) + output_padding + 1


def conv_transpose_text(
    n: Dim, kernel: int, stride: int, before: int, after: int, dilation: int, output_padding: int
) -> Text:
    """Write ``conv_transpose_size``.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two places on the output.
        before: taken off in front.
        after: taken off behind.
        dilation: the step between two taps.
        output_padding: added behind.

    Example:
        >>> conv_transpose_text(7, 4, 2, 1, 1, 1, 0)[0]
        '(n - 1)*s - 2*p + k'
    """
    padding, names = padding_text(before, after, "-")
    window = "k" if dilation == 1 else "d*(k - 1) + 1"
    extra = " + op" if output_padding else ""
    values: tuple[tuple[str, Dim], ...] = (("n", n), ("s", stride), *names, ("k", kernel))
    if dilation != 1:
        values = (*values, ("d", dilation))
    if output_padding:
        values = (*values, ("op", output_padding))
    return f"(n - 1)*s{padding} + {window}{extra}", values


def conv_transpose_same_size(n: Length, stride: Length = 1, extent: Length | None = None) -> Length:
    """Return the output length of a transposed convolution with padding ``same``.

    Args:
        n: the input's length.
        stride: the step between two places on the output.
        extent: the kernel's extent and the output padding, where a kernel that is shorter than the
            stride leaves the end off (ONNX); None where it is filled up (Keras).

    Source: ``compute_output_shape`` of ``keras.layers.Conv2DTranspose``; ONNX ConvTranspose for
        ``auto_pad``, whose ``total_padding`` is never below 0.

    Example:
        >>> conv_transpose_same_size(7, 2), conv_transpose_same_size(7, 2, extent=1)
        (14, 13)
    """
    return n * stride if extent is None else n * stride + smaller(extent - stride, 0)


def conv_transpose_same_text(n: Dim, stride: int, extent: int | None) -> Text:
    """Write ``conv_transpose_same_size``.

    Args:
        n: the input's length.
        stride: the step between two places on the output.
        extent: the kernel's extent and the output padding where a short kernel leaves the end off.

    Example:
        >>> conv_transpose_same_text(7, 2, None)[0]
        'n*s'
    """
    if extent is None or extent >= stride:
        return "n*s", (("n", n), ("s", stride))
    return "n*s - (s - k)", (("n", n), ("s", stride), ("k", extent))


def conv_transpose_valid_size(n: Length, kernel: Length, stride: Length = 1, dilation: Length = 1) -> Length:
    """Return the output length of a transposed convolution with padding ``valid``.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two places on the output.
        dilation: the step between two taps.

    Source: ``compute_output_shape`` of ``keras.layers.Conv2DTranspose``, which never gives less than
        ``n * stride``.

    Example:
        >>> conv_transpose_valid_size(7, 2, stride=3)
        21
    """
    return (n - 1) * stride + larger(dilation * (kernel - 1) + 1, stride)


def conv_transpose_valid_text(n: Dim, kernel: int, stride: int, dilation: int) -> Text:
    """Write ``conv_transpose_valid_size``.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two places on the output.
        dilation: the step between two taps.

    Example:
        >>> conv_transpose_valid_text(7, 2, 3, 1)[0]
        '(n - 1)*s + max(k, s)'
    """
    window = "k" if dilation == 1 else "d*(k - 1) + 1"
    dilated = (("d", dilation),) if dilation != 1 else ()
    return f"(n - 1)*s + max({window}, s)", (("n", n), ("s", stride), ("k", kernel), *dilated)


def window_space(space: Shape, kernel: Any, attributes: Attributes) -> Shape:
    """Return the spatial sizes after a convolution, for every form of padding.

    Args:
        space: the input's spatial lengths.
        kernel: the kernel's lengths.
        attributes: ``stride, dilation, padding`` of the vocabulary.

    Raises:
        ShapeMismatchError: if a padding's name is none of the vocabulary's.

    Example:
        >>> window_space((8, 9), (3, 3), {"padding": "same", "stride": (2, 2)})
        (4, 5)
    """
    count = len(space)
    strides, dilations = (
        per_axis(attributes.get("stride"), count, 1),
        per_axis(attributes.get("dilation"), count, 1),
    )
    padding = attributes.get("padding")
    if padding in ("same", "same_lower", "causal"):
        return tuple(same_size(n, s) for n, s in zip(space, strides, strict=True))
    if isinstance(padding, str) and padding != "valid":
        raise mismatch("padding valid, same, same_lower or causal", repr(padding))
    sides = pairs(None if padding == "valid" else padding, count)
    return tuple(
        conv_size(n, k, s, before, after, d)
        for n, k, s, (before, after), d in zip(
            space, per_axis(kernel, count), strides, sides, dilations, strict=True
        )
    )


def window_needs(kernel: Any, attributes: Attributes, count: int) -> tuple[Any, ...]:
    """Return the smallest length each spatial axis needs for one window.

    Args:
        kernel: the kernel's lengths.
        attributes: ``dilation, padding`` of the vocabulary.
        count: how many spatial axes.

    Example:
        >>> window_needs((3, 3), {"padding": ((1, 1), (0, 0))}, 2)
        (1, 3)
    """
    padding = attributes.get("padding")
    sides = pairs(None if isinstance(padding, str) else padding, count)
    if padding in ("same", "same_lower", "causal"):
        return (1,) * count
    dilations = per_axis(attributes.get("dilation"), count, 1)
    return tuple(
        max(d * (k - 1) + 1 - sum(side), 1)
        for k, d, side in zip(per_axis(kernel, count), dilations, sides, strict=True)
    )


def paddings(attributes: Attributes, space: Shape, kernel: Any) -> tuple[tuple[Dim, Dim], ...]:
    """Return the padding before and after each spatial axis, in numbers, for every form of padding.

    Args:
        attributes: ``padding, stride, dilation`` of the vocabulary.
        space: the input's spatial lengths.
        kernel: the kernel's lengths.

    Example:
        >>> paddings({"padding": "same", "stride": 2}, (224,), 3)
        ((0, 1),)
    """
    count, padding = len(space), attributes.get("padding")
    if not isinstance(padding, str):
        return pairs(padding, count)
    if padding == "valid":
        return ((0, 0),) * count
    result: list[tuple[Dim, Dim]] = []
    for n, k, s, d in zip(
        space,
        per_axis(kernel, count),
        per_axis(attributes.get("stride"), count, 1),
        per_axis(attributes.get("dilation"), count, 1),
        strict=True,
    ):
        if padding == "causal":
            result.append((causal_padding(k, d), 0))
            continue
        total = same_padding(n, k, s, d)
        less, more = total // 2, total - total // 2
        result.append((more, less) if padding == "same_lower" else (less, more))
    return tuple(result)


def window_lines(
    attributes: Attributes, shape: Shape, write: Callable[..., Text] | None = None
) -> dict[int, Text]:
    """Write the output length on each spatial axis of a sliding window.

    Args:
        attributes: ``kernel_size, stride, padding, dilation, data_format`` of the vocabulary.
        shape: the input's shape.
        write: how a length is written; as that of a convolution by default.

    Example:
        >>> window_lines({"kernel_size": (5,)}, (1, 3, 300))[2][0]
        'n - k + 1'
    """
    space, axes, kernel, stride, dilation = window_settings(attributes, shape)
    if attributes.get("padding") in ("same", "same_lower", "causal"):
        return {axis: same_text(n, s) for axis, n, s in zip(axes, space, stride, strict=True)}
    sides = paddings(attributes, space, kernel)
    write = conv_text if write is None else write
    return {
        axis: write(n, k, s, side[0], side[1], d)
        for axis, n, k, s, side, d in zip(axes, space, kernel, stride, sides, dilation, strict=True)
    }


def window_settings(attributes: Attributes, shape: Shape) -> tuple[Any, ...]:
    """Return the parts of a window: the space, its axes, kernels, strides and dilations.

    Args:
        attributes: ``kernel_size, stride, dilation, data_format`` of the vocabulary.
        shape: the input's shape.

    Example:
        >>> window_settings({"kernel_size": (5,)}, (1, 3, 300))
        ((300,), (2,), (5,), (1,), (1,))
    """
    parts = take_apart(shape, space_of(attributes, "kernel_size"), is_last(attributes))
    count = len(parts.space)
    kernel = per_axis(attributes["kernel_size"], count)
    stride = per_axis(attributes.get("stride"), count, 1)
    dilation = per_axis(attributes.get("dilation"), count, 1)
    return parts.space, space_axes(len(shape), count, parts.last), kernel, stride, dilation


def conv_transpose_lines(attributes: Attributes, shape: Shape) -> dict[int, Text]:
    """Write the output length on each spatial axis of a transposed convolution.

    Args:
        attributes: as for ``window_lines``, and ``output_padding, output_shape``.
        shape: the input's shape.

    Example:
        >>> conv_transpose_lines({"kernel_size": (4,), "stride": (2,)}, (1, 3, 7))[2][0]
        '(n - 1)*s + k'
    """
    space, axes, kernel, stride, dilation = window_settings(attributes, shape)
    fixed, padding = attributes.get("output_shape"), attributes.get("padding")
    if fixed is not None:
        asked = tuple(fixed)[-len(axes) :]
        return {axis: literal("output_shape", n) for axis, n in zip(axes, asked, strict=True)}
    sides = ((0, 0),) * len(space) if isinstance(padding, str) else pairs(padding, len(space))
    extras = per_axis(attributes.get("output_padding"), len(space))
    result = {}
    for axis, n, k, s, side, d, extra in zip(
        axes, space, kernel, stride, sides, dilation, extras, strict=True
    ):
        if padding in ("same", "same_lower"):
            result[axis] = conv_transpose_same_text(n, s, None if extra is None else d * (k - 1) + 1 + extra)
        elif padding == "valid":
            result[axis] = conv_transpose_valid_text(n, k, s, d)
        else:
            result[axis] = conv_transpose_text(n, k, s, side[0], side[1], d, extra or 0)
    return result
