"""Convolutions, transposed convolutions, separable and convolutional recurrent ones."""

from __future__ import annotations

from typing import Any

from shapeinspect.dims import Dim, Shape, product
from shapeinspect.rules.lengths import Length, ceil_div, larger, smaller
from shapeinspect.rules.rule import Attributes, Naming, Rule, Shapes, first, mismatch
from shapeinspect.rules.spatial import (
    channels_fit,
    feature_axes,
    is_last,
    names,
    pairs,
    per_axis,
    space_fits,
    space_of,
    take_apart,
    window_links,
)


def conv_size(
    n: Length, kernel: Length, stride: Length = 1, before: Length = 0, after: Length = 0, dilation: Length = 1
) -> Length:
    """Return how many places a sliding window has on one axis.

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


def same_padding(n: Length, kernel: Length, stride: Length = 1, dilation: Length = 1) -> Length:
    """Return the total padding that ``same`` adds to one axis.

    Half of it, rounded down, goes in front; the odd pixel goes behind (``same_lower``: in front).

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
    """Return the padding in front that keeps an output from seeing what comes later.

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


def window_space(space: Shape, kernel: Any, attributes: Attributes) -> Shape:
    """Return the output's space of a convolution, whichever way its padding is given.

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


def _conv(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, kernel = first(inputs), attributes["kernel_size"]
    if shape is None:
        return (None,)
    parts = take_apart(shape, space_of(attributes, "kernel_size"), is_last(attributes))
    channels_fit(parts, attributes.get("in_channels"), shape)
    _groups_fit(attributes, parts.channels)
    out = window_space(parts.space, kernel, attributes)
    space_fits(out, parts, window_needs(kernel, attributes, len(out)))
    return (parts.join(out, _out_channels(attributes, parts.channels)),)


def _out_channels(attributes: Attributes, channels: Dim) -> Dim:
    out: Dim
    if attributes.get("out_channels") is None and _is_depthwise(attributes):
        out = channels * attributes["depth_multiplier"]
    else:
        out = attributes["out_channels"]
    return out


def _is_depthwise(attributes: Attributes) -> bool:
    return "depth_multiplier" in attributes and attributes.get("groups") is None


def _groups_fit(attributes: Attributes, channels: Dim) -> None:
    groups = attributes.get("groups") or 1
    if isinstance(channels, int) and channels % groups:
        raise mismatch(f"C divisible by {groups} groups", f"C = {channels}")


def _conv_macs(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Length | None:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None:
        return None
    space = space_of(attributes, "kernel_size")
    parts = take_apart(shape, space, is_last(attributes))
    channels = _inputs(attributes, parts.channels)
    per_output = 1 if _is_depthwise(attributes) else channels // (attributes.get("groups") or 1)
    return product(out) * per_output * product(per_axis(attributes["kernel_size"], len(parts.space)))


def _inputs(attributes: Attributes, channels: Dim) -> Dim:
    given = attributes.get("in_channels")
    return given if isinstance(given, int) else channels


def _conv_transpose(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, kernel = first(inputs), attributes["kernel_size"]
    if shape is None:
        return (None,)
    parts = take_apart(shape, space_of(attributes, "kernel_size"), is_last(attributes))
    channels_fit(parts, attributes.get("in_channels"), shape)
    out = _transpose_space(parts.space, kernel, attributes)
    space_fits(out, parts, (2,) * len(out))
    return (parts.join(out, attributes["out_channels"]),)


def _transpose_space(space: Shape, kernel: Any, attributes: Attributes) -> Shape:
    count = len(space)
    fixed = attributes.get("output_shape")
    if fixed is not None:
        return tuple(fixed)[-count:] if count else ()
    strides, dilations = (
        per_axis(attributes.get("stride"), count, 1),
        per_axis(attributes.get("dilation"), count, 1),
    )
    kernels, padding = per_axis(kernel, count), attributes.get("padding")
    extras = per_axis(attributes.get("output_padding"), count)
    if not isinstance(padding, str):
        return tuple(
            conv_transpose_size(n, k, s, before, after, d, extra or 0)
            for n, k, s, (before, after), d, extra in zip(
                space, kernels, strides, pairs(padding, count), dilations, extras, strict=True
            )
        )
    if padding == "valid":
        return tuple(
            conv_transpose_valid_size(n, k, s, d)
            for n, k, s, d in zip(space, kernels, strides, dilations, strict=True)
        )
    if padding not in ("same", "same_lower"):
        raise mismatch("padding valid, same or same_lower", repr(padding))
    return tuple(
        conv_transpose_same_size(n, s, None if extra is None else d * (k - 1) + 1 + extra)
        for n, k, s, d, extra in zip(space, kernels, strides, dilations, extras, strict=True)
    )


def _conv_transpose_macs(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Length | None:
    # Every input element meets every tap of every output channel of its group, once.
    shape = first(inputs)
    if shape is None:
        return None
    space = space_of(attributes, "kernel_size")
    kernel = per_axis(attributes["kernel_size"], len(shape) - 2 if space is None else space)
    return product(shape) * (attributes["out_channels"] // (attributes.get("groups") or 1)) * product(kernel)


def _separable_macs(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Length | None:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None:
        return None
    space, last = space_of(attributes, "kernel_size"), is_last(attributes)
    places = take_apart(out, space, last)
    middle = take_apart(shape, space, last).channels * attributes.get("depth_multiplier", 1)
    taps = product(per_axis(attributes["kernel_size"], len(places.space)))
    return product(places.batch) * product(places.space) * middle * (taps + attributes["out_channels"])


def _conv_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    space, last = space_of(attributes, "kernel_size"), is_last(attributes)
    return Naming(
        (feature_axes(shape, space, last),),
        (feature_axes(out, space, last),),
        window_links(shape, out, space, last, channels=False),
    )


def _conv_lstm(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    space, hidden = len(attributes["kernel_size"]), _hidden(attributes)
    if shape is None:
        return (None,)
    if len(shape) != space + 3:
        raise mismatch(
            f"{space + 3} axes: N T and {' '.join(names(space)[1:])}", f"{len(shape)} axes: {shape}"
        )
    step = _conv({**attributes, "out_channels": hidden}, ((shape[0], *shape[2:]),))[0] or ()
    main = (step[0], shape[1], *step[1:]) if attributes.get("return_sequences") else step
    return (main, step, step) if attributes.get("return_state") else (main,)


def _hidden(attributes: Attributes) -> Any:
    return attributes["hidden_size"] if "hidden_size" in attributes else attributes["out_channels"]


def _conv_lstm_macs(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Length | None:
    # Four gates a step, each a convolution of the input and one of the state (which keeps its size).
    shape = first(inputs)
    if shape is None:
        return None
    hidden, last = _hidden(attributes), is_last(attributes)
    inner = (shape[0], *shape[2:])
    step = _conv({**attributes, "out_channels": hidden}, (inner,))[0] or ()
    channels = take_apart(inner, len(attributes["kernel_size"]), last).channels
    return product(step) * shape[1] * 4 * (channels + hidden) * product(attributes["kernel_size"])


def _conv_lstm_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    step = names(len(attributes["kernel_size"]), is_last(attributes))
    whole = ("N", "T", *step[1:])
    by_rank = {len(step): step, len(whole): whole}
    return Naming(
        tuple(by_rank.get(len(shape)) if shape is not None else None for shape in inputs[:1]),
        tuple(by_rank.get(len(shape)) if shape is not None else None for shape in outputs),
    )


RULES = {
    "conv": Rule(_conv, _conv_macs, _conv_axes),
    "local_conv": Rule(_conv, _conv_macs, _conv_axes),
    "conv_transpose": Rule(_conv_transpose, _conv_transpose_macs, _conv_axes),
    "separable_conv": Rule(_conv, _separable_macs, _conv_axes),
    "conv_lstm": Rule(_conv_lstm, _conv_lstm_macs, _conv_lstm_axes),
}
