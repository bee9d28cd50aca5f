"""Reads the two models of a port, each with a graph where one can be had."""

from __future__ import annotations

from typing import Any

from shapeinspect import registry
from shapeinspect.api.report import Report, inspect
from shapeinspect.errors import ShapeInspectError
from shapeinspect.ir import Model, Value

#: An image has a batch, channels and at least one axis more.
_IMAGE = 3


def both(a: Any, b: Any, input_a: Any, input_b: Any) -> tuple[Model, Model]:
    """Read two models; one without a graph is run with the other's input, where that has one.

    Args:
        a: a model: whatever :func:`shapeinspect.inspect` takes, or a report.
        b: another one.
        input_a: the shapes of the first one's inputs.
        input_b: the shapes of the second one's.

    Raises:
        UsageError: if there is no such source, or an input does not fit it.
        UnreadableFileError: if a file is cut off, corrupt or of no known format.
    """
    first, second = _read(a, input_a), _read(b, input_b)
    if input_b is None:
        second = _with_graph(b, second, first)
    if input_a is None:
        first = _with_graph(a, first, second)
    return first, second


def _read(source: Any, shapes: Any) -> Model:
    return source.model if isinstance(source, Report) else inspect(source, shapes).model


def _with_graph(source: Any, model: Model, other: Model) -> Model:
    """Run a live model with the other one's input, its channels where this framework has them."""
    if model.calls or model.format != "live" or isinstance(source, Report) or len(other.inputs) != 1:
        return model
    value = other.values.get(other.inputs[0])
    shape = value.shape if value is not None else None
    if value is None or not shape:
        return model
    lengths = [1 if index == 0 and not isinstance(dim, int) else dim for index, dim in enumerate(shape)]
    if not all(isinstance(dim, int) for dim in lengths):
        return model
    last, table = _channels_last(value, other), registry.native_table(model.framework)
    if len(lengths) > _IMAGE and last is not None and table is not None and table.channels_last != last:
        batch, *rest = lengths
        lengths = [batch, rest[-1], *rest[:-1]] if last else [batch, *rest[1:], rest[0]]
    try:
        return inspect(source, tuple(lengths)).model
    except ShapeInspectError:
        return model  # what is missing for lack of a graph is said where it is missed


def _channels_last(value: Value, model: Model) -> bool | None:
    """Tell where an image has its channels: by its axes, else by its framework; None where neither says."""
    if value.axes is not None and "C" in value.axes:
        return value.axes[-1] == "C"
    table = registry.native_table(model.framework)
    return None if table is None else table.channels_last
