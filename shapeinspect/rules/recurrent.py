"""Recurrent layers and their cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Shape
from shapeinspect.ir import Axes
from shapeinspect.rules.lengths import Length
from shapeinspect.rules.rule import Attributes, Naming, Rule, Shapes, first, mismatch, show, unlike

_GATES = {"rnn": 1, "gru": 3, "lstm": 4}


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
    """What the attributes say, and where time and batch stand."""

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


def _whole(kind: str, attributes: Attributes, inputs: Shapes) -> Shapes:
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
    if settings.onnx:
        return _onnx(settings, time, batch)
    sequence = (*batch, time) if settings.batch_first else (time, *batch)
    if settings.keras:
        return _keras(settings, attributes, sequence, batch)
    if attributes.get("packed"):  # all sequences in one axis: the shapes do not tell how many there are
        batch = (UNKNOWN,)
    stacked = (settings.directions * settings.layers, *batch)
    states: Shapes = ((*stacked, settings.state),)
    if kind == "lstm":
        states = (*states, (*stacked, settings.hidden))
    return ((*sequence, settings.features), *states)


def _time_batch(shape: Shape, settings: _Settings) -> tuple[Dim, Shape]:
    if len(shape) == 2 and not settings.onnx and not settings.keras:
        return shape[0], ()
    if len(shape) != 3:
        wanted = "N T C" if settings.batch_first else "T N C"
        raise mismatch(f"3 axes: {wanted}", f"{len(shape)} axes: {show(shape)}")
    return (shape[1], shape[:1]) if settings.batch_first else (shape[0], shape[1:2])


def _onnx(settings: _Settings, time: Dim, batch: Shape) -> Shapes:
    tail = (settings.directions, settings.hidden)
    state: Shape = (settings.directions, *batch, settings.hidden)
    whole: Shape = (time, settings.directions, *batch, settings.hidden)
    if settings.batch_first:
        state, whole = (*batch, *tail), (*batch, time, *tail)
    return (whole, state, state) if settings.kind == "lstm" else (whole, state)


def _keras(settings: _Settings, attributes: Attributes, sequence: Shape, batch: Shape) -> Shapes:
    whole = sequence if attributes["return_sequences"] else batch
    count = settings.directions * (2 if settings.kind == "lstm" else 1)
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
    one: Dim = step_macs(shape[-1], settings.hidden, _GATES[kind], state)
    for _ in range(settings.layers - 1):
        one = one + step_macs(settings.state * settings.directions, settings.hidden, _GATES[kind], state)
    return one * settings.directions * time * (batch[0] if batch else 1)


def _whole_axes(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    settings, shape = _settings(kind, attributes), first(inputs)
    if shape is None or len(shape) not in (2, 3):
        return Naming()
    order = (("N", "T") if settings.batch_first else ("T", "N")) if len(shape) == 3 else ("T",)
    source: Axes = (*order, "C?")
    places = {name: axis for axis, name in enumerate(source)}
    found: list[Axes | None] = [
        _output_names(settings, out, source, number) for number, out in enumerate(outputs)
    ]
    links = [
        (0, places[name], number, axis)
        for number, axes in enumerate(found)
        for axis, name in enumerate(axes or ())
        if name in ("N", "T") and name in places
    ]
    return Naming((source,), tuple(found), tuple(links))


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
    return rows * step_macs(shape[-1], attributes["hidden_size"], _GATES[kind])


def _cell_axes(_kind: str, _attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape = first(inputs)
    if shape is None or len(shape) != 2:
        return Naming()
    both: Axes = ("N", "C?")
    return Naming((both,), (both,) * len(outputs), tuple((0, 0, number, 0) for number in range(len(outputs))))


def _rule(kind: str, outputs: Any, macs: Any, axes: Any) -> Rule:
    return Rule(
        lambda attributes, inputs: outputs(kind, attributes, inputs),
        lambda attributes, inputs, made: macs(kind, attributes, inputs, made),
        lambda attributes, inputs, made: axes(kind, attributes, inputs, made),
    )


RULES = {kind: _rule(kind, _whole, _whole_macs, _whole_axes) for kind in _GATES} | {
    f"{kind}_cell": _rule(kind, _cell, _cell_macs, _cell_axes) for kind in _GATES
}
