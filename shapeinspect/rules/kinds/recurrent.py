"""Recurrent layers and their cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from shapeinspect.dims import UNKNOWN, Dim, Shape
from shapeinspect.ir import Axes
from shapeinspect.rules.attributes import (
    BIDIRECTIONAL,
    CELL_FUNCTION,
    DIRECTION,
    GATE_FUNCTION,
    HIDDEN_SIZE,
    MERGE_MODE,
    RETURN_SEQUENCES,
    RETURN_STATE,
    STATEFUL,
    ZERO_OUTPUT,
)
from shapeinspect.rules.fields import SAME_POSITION, STEPS
from shapeinspect.rules.formula_text import Lines, Text, Weights, literal, number, product_text, sum_text
from shapeinspect.rules.kind import Attribute, Kind, Work
from shapeinspect.rules.lengths import Length
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch, show, unlike
from shapeinspect.text import plural

#: How many gates a kind has, each with a matrix on the input and one on the state.
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def step_macs(inputs: Length, hidden: Length, gates: int, state: Length | None = None) -> Length:
    """Return the multiply-accumulates of one step of a recurrent layer in one direction.

    Every gate is a matrix on the input and one on the state; a projection of the state follows
    where the state is shorter than the hidden size.

    Args:
        inputs: features of the input.
        hidden: units.
        gates: 4 for an LSTM, 3 for a GRU, 1 for a plain one.
        state: the projected state's length; the hidden size by default.

    Source: the equations in the documentation of ``torch.nn.LSTM``.

    Example:
        >>> step_macs(3, 5, gates=4)
        160
    """
    if state is None:
        return gates * hidden * (inputs + hidden)
    return gates * hidden * (inputs + state) + hidden * state


@dataclass(frozen=True, slots=True)
class _Settings:
    """The settings of a recurrent layer, and the positions of time and batch."""

    kind: str
    hidden: int
    state: int
    directions: int
    layers: int
    keras: bool
    onnx: bool
    batch_first: bool
    merged: bool

    @property
    def features(self) -> int:
        return self.state * (self.directions if self.merged else 1)


def _settings(kind: str, attributes: Attributes) -> _Settings:
    onnx = attributes.get("layout") == "onnx"
    # States stacked over layers and directions are torch's, whose layers have a projection size.
    keras = "return_sequences" in attributes and "proj_size" not in attributes and not onnx
    hidden = attributes["hidden_size"]
    return _Settings(
        kind,
        hidden,
        attributes.get("proj_size") or hidden,
        2 if attributes.get("bidirectional") else 1,
        attributes.get("num_layers") or 1,
        keras,
        onnx,
        bool(attributes.get("batch_first", keras)),
        attributes.get("merge_mode", "concat") == "concat",
    )


def _layer_outputs(kind: str, attributes: Attributes, inputs: Shapes) -> Shapes:
    settings, shape = _settings(kind, attributes), first(inputs)
    if shape is None:
        return (None,) * (1 + (2 if kind == "lstm" else 1))
    time, batch = _time_batch(shape, settings)
    if unlike(shape[-1], attributes.get("input_size") or shape[-1]):
        raise mismatch(
            f"C = {attributes['input_size']}",
            f"C = {shape[-1]} of {show(shape)}",
            where="input_size",
            hint="batch_first says whether the batch or the time comes first",
        )
    _check_states(settings, attributes, batch, inputs[1:])
    if settings.onnx:
        return _onnx(settings, attributes, time, batch)
    sequence = (*batch, time) if settings.batch_first else (time, *batch)
    if settings.keras:
        return _keras(settings, attributes, sequence, batch)
    return ((*sequence, settings.features), *_states(settings, attributes, batch))


def initial_states(kind: str, attributes: Attributes, sequence: Shape) -> tuple[Shape, ...]:
    """Return the shapes of a recurrent layer's initial states.

    Args:
        kind: ``rnn``, ``lstm`` or ``gru``.
        attributes: its settings.
        sequence: its first input, N T i or T N i.

    Example:
        >>> initial_states("lstm", {"hidden_size": 8}, (17, 4, 5))
        ((1, 4, 8), (1, 4, 8))
    """
    settings = _settings(kind, attributes)
    return _states(settings, attributes, _time_batch(sequence, settings)[1])


def _states(settings: _Settings, attributes: Attributes, batch: Shape) -> tuple[Shape, ...]:
    count = 2 if settings.kind == "lstm" else 1
    if settings.onnx:
        tail = (settings.directions, settings.hidden)
        return ((*batch, *tail) if settings.batch_first else (tail[0], *batch, tail[1]),) * count
    if settings.keras:
        return ((*batch, settings.hidden),) * (count * settings.directions)
    if attributes.get("packed"):  # all sequences on one axis: their number does not follow from the shapes
        batch = (UNKNOWN,)
    stacked = (settings.directions * settings.layers, *batch)
    return ((*stacked, settings.state), (*stacked, settings.hidden))[:count]


def _check_states(settings: _Settings, attributes: Attributes, batch: Shape, given: Shapes) -> None:
    """Check the initial states; other optional inputs have other numbers of axes."""
    wanted = _states(settings, attributes, batch)
    given = given[: attributes.get("initial_states", len(given))]
    states = [shape for shape in given if shape is not None and len(shape) == len(wanted[0])]
    for has, state in zip(states, wanted, strict=False):
        if any(map(unlike, has, state)):
            raise mismatch(f"an initial state of {show(state)}", show(has), where="hidden_size")


def _time_batch(shape: Shape, settings: _Settings) -> tuple[Dim, Shape]:
    if len(shape) == 2 and not settings.onnx and not settings.keras:
        return shape[0], ()
    if len(shape) != 3:
        wanted = "N T C" if settings.batch_first else "T N C"
        raise mismatch(f"3 axes: {wanted}", f"{len(shape)} axes: {show(shape)}")
    return (shape[1], shape[:1]) if settings.batch_first else (shape[0], shape[1:2])


def _onnx(settings: _Settings, attributes: Attributes, time: Dim, batch: Shape) -> Shapes:
    whole: Shape = (time, settings.directions, *batch, settings.hidden)
    if settings.batch_first:
        whole = (*batch, time, settings.directions, settings.hidden)
    return (whole, *_states(settings, attributes, batch))


def _keras(settings: _Settings, attributes: Attributes, sequence: Shape, batch: Shape) -> Shapes:
    whole = sequence if attributes["return_sequences"] else batch
    count = settings.directions * settings.layers * (2 if settings.kind == "lstm" else 1)
    mains: Shapes = ((*whole, settings.features),)
    if attributes.get("merge_mode", "concat") is None and settings.directions == 2:
        mains = mains * 2
    states: Shapes = ((*batch, settings.state),) * count if attributes.get("return_state") else ()
    return mains + states


def _whole_macs(kind: str, attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Length | None:
    settings, shape = _settings(kind, attributes), first(inputs)
    if shape is None:
        return None
    time, batch = _time_batch(shape, settings)
    state = settings.state if settings.state != settings.hidden else None
    per_step: Dim = step_macs(shape[-1], settings.hidden, GATES[kind], state)
    for _ in range(settings.layers - 1):
        per_step = per_step + step_macs(
            settings.state * settings.directions, settings.hidden, GATES[kind], state
        )
    return per_step * settings.directions * time * (batch[0] if batch else 1)


def _whole_axes(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    settings, shape = _settings(kind, attributes), first(inputs)
    if shape is None or len(shape) not in (2, 3):
        return Naming()
    order = (("N", "T") if settings.batch_first else ("T", "N")) if len(shape) == 3 else ("T",)
    source: Axes = (*order, "C?")
    positions = {name: axis for axis, name in enumerate(source)}
    result: list[Axes | None] = [
        _output_names(settings, out, source, number) for number, out in enumerate(outputs)
    ]
    links = [
        (0, positions[name], number, axis)
        for number, axes in enumerate(result)
        for axis, name in enumerate(axes or ())
        if name in ("N", "T") and name in positions
    ]
    return Naming((source,), tuple(result), tuple(links))


def _output_names(settings: _Settings, out: Shape | None, source: Axes, number: int) -> Axes | None:
    if out is None:
        return None
    batched = len(source) == 3
    if settings.onnx:
        state: Axes = ("N", None, "C?") if settings.batch_first else (None, "N", "C?")
        whole: Axes = ("N", "T", None, "C?") if settings.batch_first else ("T", None, "N", "C?")
        axes = whole if number == 0 else state
    elif settings.keras:
        axes = source if len(out) == 3 else ("N", "C?")
    elif number == 0:
        axes = source
    else:
        axes = (None, "N", "C?") if batched else (None, "C?")
    return axes if len(axes) == len(out) else None


def _cell(kind: str, attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is None:
        return (None,) * (2 if kind == "lstm" else 1)
    if len(shape) not in (1, 2):
        raise mismatch("2 axes: N C", f"{len(shape)} axes: {show(shape)}")
    if unlike(shape[-1], attributes.get("input_size") or shape[-1]):
        raise mismatch(f"C = {attributes['input_size']}", f"C = {shape[-1]}", where="input_size")
    return ((*shape[:-1], attributes["hidden_size"]),) * (2 if kind == "lstm" else 1)


def _cell_macs(kind: str, attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Length | None:
    shape = first(inputs)
    if shape is None:
        return None
    rows: Dim = shape[0] if len(shape) == 2 else 1
    return rows * step_macs(shape[-1], attributes["hidden_size"], GATES[kind])


def _cell_axes(_kind: str, _attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape = first(inputs)
    if shape is None or len(shape) != 2:
        return Naming()
    both: Axes = ("N", "C?")
    return Naming((both,), (both,) * len(outputs), tuple((0, 0, number, 0) for number in range(len(outputs))))


def step_text(inputs: Text, gates: Text, units: Text, state: Text | None = None) -> Text:
    """Write ``step_macs``.

    Args:
        inputs: features of the input.
        gates: how many gates.
        units: units.
        state: the projected state's length; the units by default.

    Example:
        >>> step_text(literal("inputs", 3), number(4), literal("units", 5))[0]
        '4*units*(inputs + units)'
    """
    if state is None:
        return product_text(gates, units, sum_text(inputs, units))
    return sum_text(product_text(gates, units, sum_text(inputs, state)), product_text(units, state))


def _whole_lines(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    settings, shape = _settings(kind, attributes), first(inputs) or ()
    directions, layers = literal("directions", settings.directions), literal("num_layers", settings.layers)
    state = "proj_size" if settings.state != settings.hidden else "hidden_size"
    lines: dict[tuple[int, int], Text] = {}
    for index, out in enumerate(outputs):
        rank = len(out or ())
        cell = index == 2 or settings.onnx
        last = literal("hidden_size", settings.hidden) if cell else literal(state, settings.state)
        sequence = index == 0 and not settings.onnx
        merged = settings.merged and (sequence or (settings.keras and out == outputs[0]))
        lines[index, rank - 1] = product_text(directions, last) if merged and out == outputs[0] else last
        if settings.onnx:
            axis = (2 if settings.batch_first else 1) if index == 0 else (1 if settings.batch_first else 0)
            lines[index, axis] = literal("directions", settings.directions)
        elif index and not settings.keras:
            lines[index, 0] = directions if settings.layers == 1 else product_text(directions, layers)
            lines[index, 0] = number(1) if lines[index, 0][0] == "1" else lines[index, 0]
    if settings.keras and len(shape) == 3:
        for index, out in enumerate(outputs):
            lines[index, 0] = literal("n0", shape[0])
            if out is not None and len(out) == 3:
                lines[index, 1] = literal("n1", shape[1])
            if index and out is not None and out[-1] == settings.state:
                lines[index, len(out) - 1] = literal(state, settings.state)
    return lines


def _whole_work(kind: str, attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Text:
    settings, shape = _settings(kind, attributes), first(inputs) or ()
    time, batch = _time_batch(shape, settings)
    units, gates = literal("units", settings.hidden), number(GATES[kind])
    state = literal("state", settings.state) if settings.state != settings.hidden else None
    steps = step_text(literal("inputs", shape[-1]), gates, units, state)
    directions = literal("directions", settings.directions)
    if settings.layers > 1:
        above = step_text(product_text(directions, units if state is None else state), gates, units, state)
        steps = sum_text(steps, product_text(literal("above", settings.layers - 1), above))
    samples = literal("samples", batch[0] if batch else 1)
    return product_text(samples, literal("steps", time), directions, steps)


def _whole_weights(kind: str, attributes: Attributes, inputs: Shapes) -> Weights:
    settings, shape = _settings(kind, attributes), first(inputs) or ()
    gates = (GATES[kind],) if GATES[kind] > 1 else ()
    result: list[tuple[str, str, Shape]] = []
    for layer in range(settings.layers):
        into: Dim = shape[-1] if layer == 0 else settings.state * settings.directions
        for direction in range(settings.directions):
            end = f"_l{layer}" + ("_reverse" if direction else "")
            one_bias = settings.keras and not attributes.get("reset_after")
            result += direction_weights(end, (into, settings.hidden, settings.state), gates, one_bias)
    return tuple(result)


def direction_weights(
    end: str, sizes: tuple[Dim, Dim, Dim], gates: tuple[int, ...], one_bias: bool
) -> list[tuple[str, str, Shape]]:
    """Return the weights of one direction: the name, the axes and the lengths of each.

    Args:
        end: the end of their names.
        sizes: the features of the input, the units, and the features of the state.
        gates: the number of gates, if there is more than one.
        one_bias: whether both products share a bias.

    Example:
        >>> direction_weights("_l0", (3, 5, 5), (4,), one_bias=True)[0]
        ('weight_ih_l0', 'gate o i', (4, 5, 3))
    """
    into, hidden, state = sizes
    head = "gate " if gates else ""
    biases = ("bias",) if one_bias else ("bias_ih", "bias_hh")
    result: list[tuple[str, str, Shape]] = [
        (f"weight_ih{end}", f"{head}o i", (*gates, hidden, into)),
        (f"weight_hh{end}", f"{head}o h", (*gates, hidden, state)),
        *((f"{bias}{end}", f"{head}o", (*gates, hidden)) for bias in biases),
    ]
    return [*result, (f"weight_hr{end}", "p o", (state, hidden))] if state != hidden else result


def _cell_lines(_kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    last = len(first(inputs) or ()) - 1
    return {(index, last): literal("hidden_size", attributes["hidden_size"]) for index in range(len(outputs))}


def _cell_work(kind: str, attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Text:
    shape = first(inputs) or ()
    step = step_text(
        literal("inputs", shape[-1]), number(GATES[kind]), literal("units", attributes["hidden_size"])
    )
    return product_text(literal("samples", shape[0] if len(shape) == 2 else 1), step)


def _cell_weights(kind: str, attributes: Attributes, inputs: Shapes) -> Weights:
    hidden, gates = attributes["hidden_size"], (GATES[kind],) if GATES[kind] > 1 else ()
    return tuple(direction_weights("", ((first(inputs) or ())[-1], hidden, hidden), gates, one_bias=False))


def units_detail(attributes: Attributes) -> str:
    """Describe the units of a recurrent layer in a sentence.

    Args:
        attributes: `hidden_size` of the vocabulary.

    Example:
        >>> units_detail({"hidden_size": 5})
        '5 units; each reads the input and the previous state'
    """
    hidden = attributes.get("hidden_size")
    return "" if hidden is None else f"{plural(hidden, 'unit')}; each reads the input and the previous state"


_RESET_AFTER = Attribute("reset_after", "bool", "false", "the reset gate is applied after the product (gru)")
_CELL_ATTRIBUTES = (
    Attribute("input_size", "int", "as the input", "features of the input"),
    HIDDEN_SIZE,
    CELL_FUNCTION,
    GATE_FUNCTION,
)
_ATTRIBUTES = (
    *_CELL_ATTRIBUTES,
    Attribute("num_layers", "int", "1", "layers that are stacked"),
    BIDIRECTIONAL,
    DIRECTION,
    Attribute(
        "proj_size",
        "int",
        "none",
        "features that the state is projected to, 0 for none; given, or without return_sequences, the "
        "states are torch's, `(layers dir) N o`; else Keras's, `N o` for each direction",
    ),
    Attribute("batch_first", "bool", "true for Keras, else false", "`N T i`, not `T N i`"),
    replace(
        RETURN_SEQUENCES,
        default="none",
        meaning="every step is an output, not only the last (Keras); not given, the outputs are torch's",
    ),
    RETURN_STATE,
    Attribute("layout", "str", "none", "`onnx` for `T dir N o` outputs"),
    Attribute("packed", "bool", "false", "torch's packed sequences, `(N T) i`"),
    _RESET_AFTER,
    MERGE_MODE,
    STATEFUL,
    ZERO_OUTPUT,
    Attribute("initial_states", "int", "all others", "how many of the inputs after the first are states"),
)


def _kind(kind: str, summary: str) -> Kind:
    return Kind(
        kind,
        summary,
        "--input 7,2,3 --hidden-size 5",
        _ATTRIBUTES,
        partial(_layer_outputs, kind),
        partial(_whole_axes, kind),
        partial(_whole_lines, kind),
        Work(partial(_whole_macs, kind), partial(_whole_work, kind)),
        partial(_whole_weights, kind),
        STEPS,
        units_detail,
    )


def _cell_kind(kind: str, summary: str, *more: Attribute) -> Kind:
    return Kind(
        f"{kind}_cell",
        summary,
        "--input 2,3 --hidden-size 5",
        (*_CELL_ATTRIBUTES, *more),
        partial(_cell, kind),
        partial(_cell_axes, kind),
        partial(_cell_lines, kind),
        Work(partial(_cell_macs, kind), partial(_cell_work, kind)),
        partial(_cell_weights, kind),
        SAME_POSITION,
        units_detail,
    )


KINDS = (
    _kind("rnn", "units that read the input and their own previous state"),
    _kind("lstm", "units with a cell and 4 gates that read the input and their previous state"),
    _kind("gru", "units with 3 gates that read the input and their previous state"),
    _cell_kind("rnn", "one step of an rnn"),
    _cell_kind("lstm", "one step of an lstm"),
    _cell_kind("gru", "one step of a gru", _RESET_AFTER),
)
