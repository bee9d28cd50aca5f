"""Convolutions, transposed convolutions, separable and convolutional recurrent ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shapeinspect.dims import Dim, Shape, product
from shapeinspect.rules.attributes import (
    BIDIRECTIONAL,
    CELL_FUNCTION,
    CONV,
    DEPTH_MULTIPLIER,
    DIRECTION,
    GATE_FUNCTION,
    HIDDEN_SIZE,
    MERGE_MODE,
    OUT_CHANNELS,
    RETURN_SEQUENCES,
    RETURN_STATE,
    STATEFUL,
    ZERO_OUTPUT,
)
from shapeinspect.rules.fields import STEPS_OF_MAPS, TRANSPOSED_WINDOW, WINDOW
from shapeinspect.rules.formula_text import (
    Lines,
    Text,
    Weights,
    carried,
    literal,
    number,
    product_text,
    quotient_text,
    sum_text,
)
from shapeinspect.rules.kind import Attribute, Kind, Work
from shapeinspect.rules.kinds.recurrent import units_detail
from shapeinspect.rules.lengths import Length
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch
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
    names,
    pairs,
    per_axis,
    space_fits,
    space_of,
    take_apart,
    window_links,
)
from shapeinspect.text import plural


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
    states = (step, step) * _directions(attributes) if attributes.get("return_state") else ()
    if _directions(attributes) == 2 and attributes.get("merge_mode", "concat") is None:
        return (main, main, *states)
    # Source: ``call`` of keras/src/layers/rnn/bidirectional.py: both are joined along the last axis.
    return ((*main[:-1], main[-1] * _joined(attributes)), *states)


def _directions(attributes: Attributes) -> int:
    return 2 if attributes.get("bidirectional") else 1


def _joined(attributes: Attributes) -> int:
    """Return how many directions are joined along the last axis of the output."""
    return _directions(attributes) if attributes.get("merge_mode", "concat") == "concat" else 1


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
    products = product(step) * shape[1] * 4 * (channels + hidden) * product(attributes["kernel_size"])
    return products * _directions(attributes)


def _conv_lstm_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    step = names(len(attributes["kernel_size"]), is_last(attributes))
    whole = ("N", "T", *step[1:])
    by_rank = {len(step): step, len(whole): whole}
    named = [by_rank.get(len(shape)) if shape is not None else None for shape in (*inputs[:1], *outputs)]
    links = [
        (0, whole.index(letter), index, axis)
        for index, letters in enumerate(named[1:])
        for axis, letter in enumerate(letters or ())
        if letter != "C" and named[0] == whole
    ]
    return Naming(tuple(named[:1]), tuple(named[1:]), tuple(links))


def _filters(attributes: Attributes, shape: Shape, channel: int) -> Text:
    if attributes.get("out_channels") is None and _is_depthwise(attributes):
        return product_text(
            literal("channels", shape[channel]), literal("multiplier", attributes["depth_multiplier"])
        )
    return literal("out_channels", attributes["out_channels"])


def _channel(attributes: Attributes, shape: Shape) -> int:
    space = space_of(attributes, "kernel_size")
    return channel_place(len(shape), len(shape) - 2 if space is None else space, is_last(attributes))


def _conv_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    channel = _channel(attributes, shape)
    lines = window_lines(attributes, shape) | {channel: _filters(attributes, shape, channel)}
    return {(0, axis): text for axis, text in lines.items()}


def _conv_transpose_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    channel = _channel(attributes, shape)
    lines = conv_transpose_lines(attributes, shape) | {channel: _filters(attributes, shape, channel)}
    return {(0, axis): text for axis, text in lines.items()}


def _work_factors(attributes: Attributes, shape: Shape | None) -> tuple[Text, Text, Text, Text]:
    """Write the samples, the positions, the taps and the channels of a feature map."""
    parts = take_apart(shape or (), space_of(attributes, "kernel_size"), is_last(attributes))
    taps = product(per_axis(attributes["kernel_size"], len(parts.space)))
    return (
        literal("samples", product(parts.batch)),
        literal("positions", product(parts.space)),
        literal("taps", taps),
        literal("channels", parts.channels),
    )


def _conv_work(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Text:
    samples, positions, taps, filters = _work_factors(attributes, first(outputs))
    channels = _work_factors(attributes, first(inputs))[-1]
    group = quotient_text(channels, literal("groups", attributes.get("groups") or 1))
    filters = literal("filters", filters[1][0][1])
    return product_text(samples, positions, taps, *(() if _is_depthwise(attributes) else (group,)), filters)


def _conv_transpose_work(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Text:
    samples, positions, taps, channels = _work_factors(attributes, first(inputs))
    filters = quotient_text(
        literal("filters", attributes["out_channels"]), literal("groups", attributes.get("groups") or 1)
    )
    return product_text(samples, positions, channels, taps, filters)


def _separable_work(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Text:
    samples, positions, taps, filters = _work_factors(attributes, first(outputs))
    channels, multiplier = _work_factors(attributes, first(inputs))[-1], attributes.get("depth_multiplier", 1)
    each = sum_text(taps, literal("filters", filters[1][0][1]))
    return product_text(samples, positions, channels, literal("multiplier", multiplier), each)


def _conv_lstm_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape, hidden = first(inputs) or (), _hidden(attributes)
    inner = (shape[0], *shape[2:])
    channel = _channel(attributes, inner)
    step = window_lines(attributes, inner) | {
        0: carried(0, 0, shape),
        channel: literal("hidden_size", hidden),
    }
    whole = {0: step[0], 1: carried(0, 1, shape)} | {axis + 1: step[axis] for axis in step if axis}
    lines = {
        (index, axis): text
        for index, out in enumerate(outputs)
        for axis, text in (whole if out is not None and len(out) == len(shape) else step).items()
    }
    if _joined(attributes) == 2:
        last = len(first(outputs) or ()) - 1
        lines[0, last] = product_text(literal("directions", 2), lines[0, last])
    return lines


def _conv_lstm_work(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Text:
    shape, out = first(inputs) or (), first(outputs) or ()
    out = (*out[:-1], out[-1] // _joined(attributes)) if out else out
    step = (out[0], *out[2:]) if len(out) == len(shape) else out
    samples, positions, taps, _ = _work_factors(attributes, step)
    channels, units = (
        _work_factors(attributes, (shape[0], *shape[2:]))[-1],
        literal("units", _hidden(attributes)),
    )
    factors = (
        samples, literal("steps", shape[1]), positions, number(4), units, taps, sum_text(channels, units)
    )  # fmt: skip
    directions = _directions(attributes)
    return product_text(*factors, *([literal("directions", 2)] if directions == 2 else []))


def _conv_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    kernel, groups = _kernel(attributes, inputs), attributes.get("groups") or 1
    channels = _inputs(attributes, _channels(attributes, inputs))
    group = 1 if _is_depthwise(attributes) else channels // groups
    out = _out_channels(attributes, channels)
    return (("weight", "o i *k", (out, group, *kernel)), ("bias", "o", (out,)))


def _conv_transpose_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    kernel, groups = _kernel(attributes, inputs), attributes.get("groups") or 1
    channels, out = _inputs(attributes, _channels(attributes, inputs)), attributes["out_channels"]
    return (("weight", "o i *k", (out, channels // groups, *kernel)), ("bias", "o", (out,)))


def _local_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    # As in Keras 2: separate weights and a separate bias at every position.
    outputs = first(_conv(attributes, inputs))
    parts = take_apart(outputs or (), space_of(attributes, "kernel_size"), is_last(attributes))
    numbers = product(_kernel(attributes, inputs)) * _channels(attributes, inputs)
    kernel = (product(parts.space), numbers, parts.channels)
    return (("weight", "", kernel), ("bias", "", (product(parts.space), parts.channels)))


def _separable_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    kernel, out = _kernel(attributes, inputs), attributes["out_channels"]
    middle = _channels(attributes, inputs) * attributes.get("depth_multiplier", 1)
    return (
        ("depthwise", "o i *k", (middle, 1, *kernel)),
        ("pointwise", "o i *k", (out, middle, *(1 for _ in kernel))),
        ("bias", "o", (out,)),
    )


def _conv_lstm_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    shape, hidden = first(inputs) or (), _hidden(attributes)
    inner = ((shape[0], *shape[2:]),)
    kernel, channels = _kernel(attributes, inner), _channels(attributes, inner)
    return tuple(
        row
        for end in ("", "_reverse")[: _directions(attributes)]
        for row in (
            (f"weight_ih{end}", "gate o i *k", (4, hidden, channels, *kernel)),
            (f"weight_hh{end}", "gate o h *k", (4, hidden, hidden, *kernel)),
            (f"bias{end}", "gate o", (4, hidden)),
        )
    )


def _kernel(attributes: Attributes, inputs: Shapes) -> Shape:
    space = space_of(attributes, "kernel_size")
    return per_axis(attributes["kernel_size"], len(first(inputs) or ()) - 2 if space is None else space)


def _channels(attributes: Attributes, inputs: Shapes) -> Dim:
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
        _conv,
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
        _conv,
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
        _conv,
        _conv_axes,
        _conv_lines,
        Work(_separable_macs, _separable_work),
        _separable_weights,
        WINDOW,
    ),
    Kind(
        "conv_lstm",
        "an LSTM whose products are convolutions: each step reads a feature map and the previous state",
        "--input 2,5,3,9,11 --kernel 3,3 --hidden-size 7 --set return_sequences=true",
        (
            *_with_out_channels("hidden_size"),
            replace(HIDDEN_SIZE, default="out_channels"),
            RETURN_SEQUENCES,
            RETURN_STATE,
            BIDIRECTIONAL,
            DIRECTION,
            MERGE_MODE,
            STATEFUL,
            ZERO_OUTPUT,
            CELL_FUNCTION,
            GATE_FUNCTION,
        ),
        _conv_lstm,
        _conv_lstm_axes,
        _conv_lstm_lines,
        Work(_conv_lstm_macs, _conv_lstm_work),
        _conv_lstm_weights,
        STEPS_OF_MAPS,
        units_detail,
    ),
)
