"""The settings and shapes of one call, as the arithmetic needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.ir import Call, Layer, Value
from shapeinspect.rules import Attributes, Shapes
from shapeinspect.rules.shape_targets import LETTERS, TARGETS, lettered, targeted

# Ops for which an omitted input does not count as an input.
_VARIADIC = frozenset({"elementwise", "concat", "stack"})
# Ops whose operands may be stored with the model, as weights.
_WITH_WEIGHTS = frozenset({"elementwise", "concat"})
# Ops that only rearrange a stored tensor.
_MOVES = frozenset(
    {
        "cast",
        "expand",
        "flatten",
        "identity",
        "pad",
        "permute",
        "reshape",
        "resize",
        "shape_of",
        "slice",
        "squeeze",
        "tile",
        "transpose2",
        "unsqueeze",
    }
)


def attributes_of(layer: Layer, call: Call, values: Mapping[str, Value]) -> Attributes:
    """Return the settings of one call: the layer's, its own, and those in numbers that the graph computes.

    Args:
        layer: the layer.
        call: one of its calls.
        values: the model's values.

    Example:
        >>> attributes_of(Layer("p", "permute", "Permute"), Call("p", ("x",), ("y",)), {})
        {}
    """
    result: Attributes = layer.attributes
    if call.attributes:
        result = {**layer.attributes, **call.attributes}
    if layer.kind in LETTERS and values:
        given = (values.get(name) for name in call.inputs)
        return {**result, **lettered(layer.kind, result, tuple(v and v.constant for v in given))}
    if layer.kind not in TARGETS or not values:
        return result
    read = [values.get(name) for name in call.inputs]
    first = read[0].shape if read and read[0] is not None else None
    if _moves_weight(layer, call.inputs):
        first = layer.weights[0].shape
    counted = result.get("op") == "range"  # of numbers of any type
    numbers = tuple(
        [None if value is None or not (counted or _counts(value)) else value.constant for value in read]
    )
    if layer.kind == "resize":
        numbers = _factors(read, numbers)
    more = targeted(layer.kind, result, numbers, None if first is None else len(first))
    return {**result, **more} if more else result


def _counts(value: Value) -> bool:
    """Tell whether a value's numbers may be lengths; factors of a resize are not."""
    return value.dtype is None or value.dtype.lstrip("u").startswith("int")


def _factors(read: list[Value | None], numbers: tuple[Any, ...]) -> tuple[Any, ...]:
    """Put the real numbers that a resize reads, its factors, behind its four inputs."""
    real = (value.constant for value in read[1:] if value is not None and not _counts(value))
    factors = next((found for found in real if isinstance(found, tuple) and found), None)
    return (*numbers, *(None,) * (4 - len(numbers)), factors)


def input_names(layer: Layer, call: Call) -> tuple[str, ...]:
    """Return the names of a call's inputs as its rule counts them.

    Omitted trailing inputs do not count; for an op that takes any number of inputs, no omitted input counts.

    Args:
        layer: the layer.
        call: one of its calls.

    Example:
        >>> input_names(Layer("p", "permute", "P"), Call("p", ("x", ""), ("y",)))
        ('x',)
    """
    names = call.inputs
    if layer.kind in _VARIADIC:
        return tuple([name for name in names if name])
    while names and not names[-1]:
        names = names[:-1]
    return names


def inputs_of(
    layer: Layer, call: Call, shapes: Mapping[str, Shape | None], names: tuple[str, ...] | None = None
) -> Shapes:
    """Return the shapes of a call's inputs, as its rule counts them.

    Args:
        layer: the layer.
        call: one of its calls.
        shapes: the shape of every value.
        names: the result of ``input_names`` for them, if already computed.

    Example:
        >>> inputs_of(Layer("p", "permute", "P"), Call("p", ("x", ""), ("y",)), {"x": (2, 3)})
        ((2, 3),)
    """
    names = input_names(layer, call) if names is None else names
    given = tuple([shapes.get(name) for name in names])
    if layer.kind in _WITH_WEIGHTS and layer.weights:
        return given + tuple([weight.shape for weight in layer.weights])
    if _moves_weight(layer, names):
        return (layer.weights[0].shape, *given[1:])
    return given


def _moves_weight(layer: Layer, names: tuple[str, ...]) -> bool:
    return layer.kind in _MOVES and len(layer.weights) == 1 and (not names or not names[0])
