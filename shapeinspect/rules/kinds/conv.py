"""Convolutions, transposed convolutions, separable and convolutional recurrent ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shapeinspect.dims import Dim, Shape, known, product
from shapeinspect.rules.attributes import (
    CONV,
    DEPTH_MULTIPLIER,
    OUT_CHANNELS,
)
from shapeinspect.rules.fields import TRANSPOSED_WINDOW, WINDOW
from shapeinspect.rules.formula_text import (
    Lines,
    Text,
    Weights,
    literal,
    product_text,
    quotient_text,
    sum_text,
)
from shapeinspect.rules.kind import Attribute, Kind, Work
from shapeinspect.rules.lengths import Length
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch, show, unlike
from shapeinspect.rules.sliding import (
    conv_transpose_lines,
    conv_transpose_same_size,
    conv_transpose_size,
    conv_transpose_valid_size,
    window_lines,
    window_needs,
    window_space,
)
from shapeinspect.rules.spatial import (
    channel_place,
    channels_fit,
    feature_axes,
    is_last,
    pairs,
    per_axis,
    space_fits,
    space_of,
    take_apart,
    window_links,
)
from shapeinspect.text import plural


def conv_outputs(attributes: Attributes, inputs: Shapes) -> Shapes:
    """Return the shape of a convolution's output.

    Args:
        attributes: the settings.
        inputs: the input shapes.

    Raises:
        ShapeMismatchError: if the channels or the space do not fit.

    Example:
        >>> conv_outputs({"kernel_size": (3,), "out_channels": 5}, ((2, 4, 9),))
        ((2, 5, 7),)
    """
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
    batch = attributes.get("batch_size")
    if batch is not None and isinstance(shape[0], int) and shape[0] != batch:
        raise mismatch(f"a batch of {batch}", f"{shape[0]} samples")
    out = _transpose_space(parts.space, kernel, attributes)
    space_fits(out, parts, (2,) * len(out))
    if attributes.get("strict") and "output_shape" in attributes and known(out):
        wanted = window_space(out, kernel, attributes)
        if any(unlike(there, needed) for there, needed in zip(parts.space, wanted, strict=True)):
            raise mismatch(
                f"a space of {show(wanted)}, of which a convolution makes the fixed output {show(out)}",
                f"{show(parts.space)} in {show(shape)}",
            )
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
    parts = take_apart(out, space, last)
    middle = take_apart(shape, space, last).channels * attributes.get("depth_multiplier", 1)
    taps = product(per_axis(attributes["kernel_size"], len(parts.space)))
    return product(parts.batch) * product(parts.space) * middle * (taps + attributes["out_channels"])


def _conv_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    space, last = space_of(attributes, "kernel_size"), is_last(attributes)
    return Naming(
        (feature_axes(shape, space, last),),
        (feature_axes(out, space, last),),
        window_links(shape, out, space, last, channels=False),
    )


def _filters(attributes: Attributes, shape: Shape, channel: int) -> Text:
    if attributes.get("out_channels") is None and _is_depthwise(attributes):
        return product_text(
            literal("channels", shape[channel]), literal("multiplier", attributes["depth_multiplier"])
        )
    return literal("out_channels", attributes["out_channels"])


def channel_axis(attributes: Attributes, shape: Shape) -> int:
    """Return the axis of the channels of a feature map.

    Args:
        attributes: the settings.
        shape: the feature map.

    Example:
        >>> channel_axis({"kernel_size": (3,), "data_format": "channels_last"}, (2, 9, 4))
        2
    """
    space = space_of(attributes, "kernel_size")
    return channel_place(len(shape), len(shape) - 2 if space is None else space, is_last(attributes))


def _conv_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    channel = channel_axis(attributes, shape)
    lines = window_lines(attributes, shape) | {channel: _filters(attributes, shape, channel)}
    return {(0, axis): text for axis, text in lines.items()}


def _conv_transpose_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    channel = channel_axis(attributes, shape)
    lines = conv_transpose_lines(attributes, shape) | {channel: _filters(attributes, shape, channel)}
    return {(0, axis): text for axis, text in lines.items()}


def work_factors(attributes: Attributes, shape: Shape | None) -> tuple[Text, Text, Text, Text]:
    """Write the samples, the positions, the taps and the channels of a feature map.

    Args:
        attributes: the settings.
        shape: the feature map; None if its rank is not known.
    """
    parts = take_apart(shape or (), space_of(attributes, "kernel_size"), is_last(attributes))
    taps = product(per_axis(attributes["kernel_size"], len(parts.space)))
    return (
        literal("samples", product(parts.batch)),
        literal("positions", product(parts.space)),
        literal("taps", taps),
        literal("channels", parts.channels),
    )


def _conv_work(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Text:
    samples, positions, taps, filters = work_factors(attributes, first(outputs))
    channels = work_factors(attributes, first(inputs))[-1]
    group = quotient_text(channels, literal("groups", attributes.get("groups") or 1))
    filters = literal("filters", filters[1][0][1])
    return product_text(samples, positions, taps, *(() if _is_depthwise(attributes) else (group,)), filters)


def _conv_transpose_work(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Text:
    samples, positions, taps, channels = work_factors(attributes, first(inputs))
    filters = quotient_text(
        literal("filters", attributes["out_channels"]), literal("groups", attributes.get("groups") or 1)
    )
    return product_text(samples, positions, channels, taps, filters)


def _separable_work(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Text:
    samples, positions, taps, filters = work_factors(attributes, first(outputs))
    channels, multiplier = work_factors(attributes, first(inputs))[-1], attributes.get("depth_multiplier", 1)
    each = sum_text(taps, literal("filters", filters[1][0][1]))
    return product_text(samples, positions, channels, literal("multiplier", multiplier), each)


def _conv_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    kernel, groups = kernel_lengths(attributes, inputs), attributes.get("groups") or 1
    channels = _inputs(attributes, input_channels(attributes, inputs))
    group = 1 if _is_depthwise(attributes) else channels // groups
    out = _out_channels(attributes, channels)
    return (("weight", "o i *k", (out, group, *kernel)), ("bias", "o", (out,)))


def _conv_transpose_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    kernel, groups = kernel_lengths(attributes, inputs), attributes.get("groups") or 1
    channels, out = _inputs(attributes, input_channels(attributes, inputs)), attributes["out_channels"]
    return (("weight", "o i *k", (out, channels // groups, *kernel)), ("bias", "o", (out,)))


def _local_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    # As in Keras 2: separate weights and a separate bias at every position.
    outputs = first(conv_outputs(attributes, inputs))
    parts = take_apart(outputs or (), space_of(attributes, "kernel_size"), is_last(attributes))
    numbers = product(kernel_lengths(attributes, inputs)) * input_channels(attributes, inputs)
    kernel = (product(parts.space), numbers, parts.channels)
    return (("weight", "", kernel), ("bias", "", (product(parts.space), parts.channels)))


def _separable_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    kernel, out = kernel_lengths(attributes, inputs), attributes["out_channels"]
    middle = input_channels(attributes, inputs) * attributes.get("depth_multiplier", 1)
    return (
        ("depthwise", "o i *k", (middle, 1, *kernel)),
        ("pointwise", "o i *k", (out, middle, *(1 for _ in kernel))),
        ("bias", "o", (out,)),
    )


def kernel_lengths(attributes: Attributes, inputs: Shapes) -> Shape:
    """Return the length of the kernel along every spatial axis.

    Args:
        attributes: the settings.
        inputs: the input shapes.

    Example:
        >>> kernel_lengths({"kernel_size": 3}, ((2, 4, 9, 11),))
        (3, 3)
    """
    space = space_of(attributes, "kernel_size")
    return per_axis(attributes["kernel_size"], len(first(inputs) or ()) - 2 if space is None else space)


def input_channels(attributes: Attributes, inputs: Shapes) -> Dim:
    """Return the channels of the first input.

    Args:
        attributes: the settings.
        inputs: the input shapes.

    Source: ``torch.nn.Conv2d`` (the axis behind the batch), ``keras.layers.Conv2D`` (that or the last one).

    Example:
        >>> input_channels({"kernel_size": (3,)}, ((2, 4, 9),))
        4
    """
    return take_apart(first(inputs) or (), space_of(attributes, "kernel_size"), is_last(attributes)).channels


def _size(attributes: Attributes) -> str:
    kernel = attributes.get("kernel_size")
    return "×".join(map(str, kernel)) if isinstance(kernel, tuple | list) else str(kernel)


def _filters_detail(attributes: Attributes) -> str:
    out, into, groups = (attributes.get(name) for name in ("out_channels", "in_channels", "groups"))
    if out is None:
        return ""
    channels_text = "" if into is None else f" over {plural(into, 'channel')}"
    groups_text = f" in {plural(groups, 'group')}" if channels_text and groups not in (None, 0, 1) else ""
    slide = "1 filter of {} slides" if out == 1 else f"{out} filters of {{}} slide"
    return slide.format(_size(attributes)) + channels_text + groups_text


def _patches_detail(attributes: Attributes) -> str:
    out = attributes.get("out_channels")
    if out is None:
        return ""
    channels = "the output channel" if out == 1 else f"each of {out} output channels"
    return f"each input position writes a {_size(attributes)} patch into {channels}"


def _with_out_channels(default: str) -> tuple[Attribute, ...]:
    return tuple(replace(item, default=default) if item is OUT_CHANNELS else item for item in CONV)


_ARGUMENTS = (*CONV, DEPTH_MULTIPLIER)

KINDS = (
    Kind(
        "conv",
        "filters that slide over space and see every channel of their group",
        "--input 300 --kernel 5 --in 8 --out 16",
        _ARGUMENTS,
        conv_outputs,
        _conv_axes,
        _conv_lines,
        Work(_conv_macs, _conv_work),
        _conv_weights,
        WINDOW,
        _filters_detail,
    ),
    Kind(
        "local_conv",
        "filters that slide, with weights of their own at every position",
        "--input 9,11 --kernel 3,5 --in 3 --out 7",
        _ARGUMENTS,
        conv_outputs,
        _conv_axes,
        _conv_lines,
        Work(_conv_macs, _conv_work),
        _local_weights,
        WINDOW,
    ),
    Kind(
        "conv_transpose",
        "each input position writes a patch into every output channel of its group",
        "--input 7,9 --kernel 4 --stride 2 --padding 1 --in 3 --out 5",
        (
            *CONV,
            Attribute(
                "output_padding",
                "tuple, one entry a spatial axis",
                "0",
                "added behind; given with padding `same` the size is ONNX's (the end left off where k < s); "
                "not given, it is Keras's (same n·s, valid n·s + max(k − s, 0))",
            ),
            Attribute(
                "output_shape", "tuple, one entry a spatial axis", "none", "the space, where it is fixed"
            ),
            Attribute("batch_size", "int", "none", "the only number of samples, where it is fixed"),
            Attribute("strict", "bool", "false", "a fixed space has to be one that this input may come from"),
        ),
        _conv_transpose,
        _conv_axes,
        _conv_transpose_lines,
        Work(_conv_transpose_macs, _conv_transpose_work),
        _conv_transpose_weights,
        TRANSPOSED_WINDOW,
        _patches_detail,
    ),
    Kind(
        "separable_conv",
        "filters over space for each channel alone, then a 1×1 convolution over channels",
        "--input 9,11 --kernel 3 --in 3 --out 8 --set depth_multiplier=2",
        (
            *_with_out_channels("in_channels × depth_multiplier"),
            replace(DEPTH_MULTIPLIER, default="1", meaning="filters over space of each input channel"),
        ),
        conv_outputs,
        _conv_axes,
        _conv_lines,
        Work(_separable_macs, _separable_work),
        _separable_weights,
        WINDOW,
    ),
)
