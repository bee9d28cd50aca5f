"""Reads two models that belong together: for a comparison, or for a port from one to the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shapeinspect import registry
from shapeinspect.api.report import Report, inspect
from shapeinspect.compare.flat_list import cut
from shapeinspect.errors import ShapeInspectError
from shapeinspect.ir import Model, Note, Value

#: An image has a batch, channels and at least one axis more.
_IMAGE = 3


@dataclass(frozen=True, slots=True)
class TwoModels:
    """Two models that belong together.

    Args:
        a: the first one.
        b: the second one.
        notes: what was taken for granted to read one by the other.
    """

    a: Model
    b: Model
    notes: tuple[Note, ...] = ()


def read_both(a: Any, b: Any, input_a: Any, input_b: Any, *, run: bool = False) -> TwoModels:
    """Read two models; a flat list of arrays is read as the layers of the other one.

    Args:
        a: a model: whatever :func:`shapeinspect.inspect` takes, or a report.
        b: another one.
        input_a: the shapes of the first one's inputs.
        input_b: the shapes of the second one's.
        run: whether a live model that has a graph only with an input is run with the other one's.

    Raises:
        UsageError: if there is no such source, or an input does not fit it.
        UnreadableFileError: if a file is cut off, corrupt or of no known format.
    """
    first, second = _read(a, input_a), _read(b, input_b)
    notes: list[Note] = []
    if run and input_b is None:
        second, note = _with_graph(b, second, first, "B")
        notes += note
    if run and input_a is None:
        first, note = _with_graph(a, first, second, "A")
        notes += note
    whole_a, note_a = cut(first, second, registry.tables)
    whole_b, note_b = cut(second, first, registry.tables)
    return TwoModels(whole_a, whole_b, (*notes, *note_a, *note_b))


def _read(source: Any, shapes: Any) -> Model:
    return source.model if isinstance(source, Report) else inspect(source, shapes).model


def _with_graph(source: Any, model: Model, other: Model, letter: str) -> tuple[Model, list[Note]]:
    """Run a live model with the other one's input, its channels where this framework has them."""
    if model.calls or model.format != "live" or isinstance(source, Report) or len(other.inputs) != 1:
        return model, []
    value = other.values.get(other.inputs[0])
    lengths = _lengths(value, other, model) if value is not None else ()
    if not lengths:
        return model, []
    try:
        run = inspect(source, lengths).model
    except ShapeInspectError:
        return model, []  # what is missing for lack of a graph is said where it is missed
    return run, [Note(f"{letter} was run with an input of {lengths}, which follows from the other model's")]


def _lengths(value: Value, other: Model, model: Model) -> tuple[int, ...]:
    shape = value.shape or ()
    given = [1 if index == 0 and not isinstance(dim, int) else dim for index, dim in enumerate(shape)]
    lengths = tuple(dim for dim in given if isinstance(dim, int))
    if len(lengths) != len(given):
        return ()
    last, table = _channels_last(value, other), registry.native_table(model.framework)
    if len(lengths) > _IMAGE and last is not None and table is not None and table.channels_last != last:
        batch, *rest = lengths
        return (batch, rest[-1], *rest[:-1]) if last else (batch, *rest[1:], rest[0])
    return lengths


def _channels_last(value: Value, model: Model) -> bool | None:
    """Tell where an image has its channels: by its axes, else by its framework; None where neither says."""
    if value.axes is not None and "C" in value.axes:
        return value.axes[-1] == "C"
    table = registry.native_table(model.framework)
    return None if table is None else table.channels_last
