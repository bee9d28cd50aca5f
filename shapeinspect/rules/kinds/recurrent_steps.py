"""Recurrent layers whose steps are more than one product: of feature maps, and of several cells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shapeinspect.dims import Dim, Shape, product
from shapeinspect.ir import Axes
from shapeinspect.rules.attributes import (
    BIDIRECTIONAL,
    CELL_FUNCTION,
    CONV,
    DIRECTION,
    GATE_FUNCTION,
    HIDDEN_SIZE,
    MERGE_MODE,
    OUT_CHANNELS,
    REQUIRED,
    RETURN_SEQUENCES,
    RETURN_STATE,
    STATEFUL,
    ZERO_OUTPUT,
)
from shapeinspect.rules.fields import STEPS, STEPS_OF_MAPS
from shapeinspect.rules.formula_text import (
    Lines,
    Text,
    Weights,
    carried,
    literal,
    number,
    product_text,
    sum_text,
)
from shapeinspect.rules.kind import Attribute, Kind, Work
from shapeinspect.rules.kinds.conv import (
    channel_axis,
    conv_outputs,
    input_channels,
    kernel_lengths,
    work_factors,
)
from shapeinspect.rules.kinds.recurrent import GATES, direction_weights, step_macs, step_text, units_detail
from shapeinspect.rules.lengths import Length
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch, show, unlike
from shapeinspect.rules.sliding import window_lines
from shapeinspect.rules.spatial import is_last, names, take_apart


def _conv_lstm(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    space, hidden = len(attributes["kernel_size"]), _hidden(attributes)
    if shape is None:
        return (None,)
    if len(shape) != space + 3:
        raise mismatch(
            f"{space + 3} axes: N T and {' '.join(names(space)[1:])}", f"{len(shape)} axes: {shape}"
        )
    step = conv_outputs({**attributes, "out_channels": hidden}, ((shape[0], *shape[2:]),))[0] or ()
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
    step = conv_outputs({**attributes, "out_channels": hidden}, (inner,))[0] or ()
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


def _conv_lstm_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape, hidden = first(inputs) or (), _hidden(attributes)
    inner = (shape[0], *shape[2:])
    channel = channel_axis(attributes, inner)
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
    samples, positions, taps, _ = work_factors(attributes, step)
    channels, units = (
        work_factors(attributes, (shape[0], *shape[2:]))[-1],
        literal("units", _hidden(attributes)),
    )
    factors = (
        samples, literal("steps", shape[1]), positions, number(4), units, taps, sum_text(channels, units)
    )  # fmt: skip
    directions = _directions(attributes)
    return product_text(*factors, *([literal("directions", 2)] if directions == 2 else []))


def _conv_lstm_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    shape, hidden = first(inputs) or (), _hidden(attributes)
    inner = ((shape[0], *shape[2:]),)
    kernel, channels = kernel_lengths(attributes, inner), input_channels(attributes, inner)
    return tuple(
        row
        for end in ("", "_reverse")[: _directions(attributes)]
        for row in (
            (f"weight_ih{end}", "gate o i *k", (4, hidden, channels, *kernel)),
            (f"weight_hh{end}", "gate o h *k", (4, hidden, hidden, *kernel)),
            (f"bias{end}", "gate o", (4, hidden)),
        )
    )


def _stack(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, kinds, sizes = first(inputs), attributes["kinds"], attributes["hidden_sizes"]
    count = sum(2 if kind == "lstm" else 1 for kind in kinds) if attributes.get("return_state") else 0
    if shape is None:
        return (None,) * (1 + count)
    if len(shape) != 3:
        raise mismatch("3 axes: N T C", f"{len(shape)} axes: {show(shape)}")
    if unlike(shape[-1], attributes.get("input_size") or shape[-1]):
        raise mismatch(f"C = {attributes['input_size']}", f"C = {shape[-1]}", where="input_size")
    main = (*(shape[:2] if attributes.get("return_sequences") else shape[:1]), sizes[-1])
    states = [
        (shape[0], size) for kind, size in zip(kinds, sizes, strict=True) for _ in range(1 + (kind == "lstm"))
    ]
    return (main, *states[:count])


def _stack_inputs(attributes: Attributes, shape: Shape) -> list[tuple[str, Dim, int]]:
    """Return the kind, the features of the input and the units of each cell."""
    sizes = attributes["hidden_sizes"]
    return list(zip(attributes["kinds"], (shape[-1], *sizes[:-1]), sizes, strict=True))


def _stack_macs(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Length | None:
    shape = first(inputs)
    if shape is None or len(shape) != 3:
        return None
    total: Dim = 0
    for kind, into, units in _stack_inputs(attributes, shape):
        total = total + step_macs(into, units, GATES[kind])
    return shape[0] * shape[1] * total


def _stack_work(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Text:
    shape = first(inputs) or ()
    steps = [
        step_text(literal(f"inputs{index}", into), number(GATES[kind]), literal(f"units{index}", units))
        for index, (kind, into, units) in enumerate(_stack_inputs(attributes, shape))
    ]
    return product_text(literal("samples", shape[0]), literal("steps", shape[1]), sum_text(*steps))


def _stack_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape = first(inputs)
    if shape is None or len(shape) != 3:
        return Naming()
    whole: Axes = ("N", "T", "C?")
    named = [whole if out is not None and len(out) == 3 else ("N", "C?") for out in outputs]
    links = [(0, axis, index, axis) for index, axes in enumerate(named) for axis in range(len(axes) - 1)]
    return Naming((whole,), tuple(named), tuple(links))


def _stack_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    lines: dict[tuple[int, int], Text] = {}
    for index, out in enumerate(outputs):
        for axis, length in enumerate(out or ()):
            last = axis == len(out or ()) - 1
            lines[index, axis] = literal(
                "hidden_size" if last else f"n{axis}", length if last else shape[axis]
            )
    return lines


def _stack_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    result: list[tuple[str, str, Shape]] = []
    for index, (kind, into, units) in enumerate(_stack_inputs(attributes, first(inputs) or ())):
        gates = (GATES[kind],) if GATES[kind] > 1 else ()
        result += direction_weights(f"_l{index}", (into, units, units), gates, one_bias=True)
    return tuple(result)


KINDS = (
    Kind(
        "conv_lstm",
        "an LSTM whose products are convolutions: each step reads a feature map and the previous state",
        "--input 2,5,3,9,11 --kernel 3,3 --hidden-size 7 --set return_sequences=true",
        (
            *(replace(item, default="hidden_size") if item is OUT_CHANNELS else item for item in CONV),
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
    Kind(
        "stacked_rnn",
        "recurrent cells of several kinds or sizes, one above the other in every step",
        "--input 7,2,3 --set kinds=lstm,rnn --set hidden_sizes=5,4",
        (
            Attribute("kinds", "tuple of `rnn`, `lstm`, `gru`", REQUIRED, "the kind of each cell"),
            Attribute("hidden_sizes", "tuple", REQUIRED, "the units of each cell"),
            Attribute("input_size", "int", "as the input", "features of the input"),
            Attribute("cell_functions", "tuple", "unknown", "the function of the new state of each cell"),
            Attribute("gate_functions", "tuple", "unknown", "the function of the gates of each cell"),
            Attribute("reset_afters", "tuple", "unknown", "whether the reset gate comes after the product"),
            RETURN_SEQUENCES,
            RETURN_STATE,
            DIRECTION,
            STATEFUL,
            ZERO_OUTPUT,
        ),
        _stack,
        _stack_axes,
        _stack_lines,
        Work(_stack_macs, _stack_work),
        _stack_weights,
        STEPS,
    ),
)
