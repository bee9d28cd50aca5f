"""The way of one axis through a network: the calls that gave it its lengths, back from a value."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from shapeinspect.dims import Dim
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.render import cells


@dataclass(frozen=True, slots=True)
class Stage:
    """One call that changed the length of an axis, or the input where it began.

    Args:
        name: the layer's path, or the input's name.
        length: how long the axis is behind it.
        layer: the layer; None for an input.
        call: the call; None for an input.
    """

    name: str
    length: Dim
    layer: Layer | None = None
    call: Call | None = None


def way(model: Model, value: str, axis: int) -> tuple[Stage, ...]:
    """Follow one axis of a value back to where it comes from.

    Args:
        model: a model after every stage.
        value: the value's name.
        axis: the place of the axis.

    Returns:
        The stages in the order of execution, each with another length than the one before it.

    Example:
        >>> way(Model("m", "onnx", "onnx", "onnx"), "y", 0)
        ()
    """
    layers = {layer.path: layer for layer in model.layers}
    # Of the calls that give a value, the containers come before the layer that made it.
    makers = {name: call for call in model.calls for name in call.outputs}
    weights = {weight.name for layer in model.layers for weight in layer.weights}
    found: list[Stage] = []
    place: int | None = axis
    for _ in range(len(model.calls) + 1):
        have = model.values.get(value)
        if have is None or have.shape is None or place is None or place >= len(have.shape):
            break
        length = have.shape[place]
        call = makers.get(value)
        if call is None:
            found.append(Stage(value, length))
            break
        before = _source(model, call, have, place, weights)
        came = model.values[before[0]].shape if before is not None else None
        if before is None or came is None or came[before[1]] != length:
            found.append(Stage(call.layer, length, layers.get(call.layer), call))
        if before is None:
            break
        value, place = before
    return tuple(reversed(found))


def _source(model: Model, call: Call, have: Value, place: int, weights: set[str]) -> tuple[str, int] | None:
    """Return the input that an axis of an output comes from, and the axis's place in it."""
    rank = len(have.shape or ())
    letter = have.axes[place] if have.axes is not None and len(have.axes) == rank else None
    found: list[tuple[str, int]] = []
    for name in call.inputs:
        value = model.values.get(name)
        if value is None or value.shape is None or name in weights or value.constant is not None:
            continue
        axes = value.axes if value.axes is not None and len(value.axes) == len(value.shape) else None
        if letter is not None and axes is not None:
            if letter in axes:
                found.append((name, axes.index(letter)))
        elif len(value.shape) == rank:
            found.append((name, place))
    length = (have.shape or ())[place]
    same = [(name, at) for name, at in found if (model.values[name].shape or ())[at] == length]
    return next(iter(same or found), None)


def parting(stages: tuple[Stage, ...], wanted: Dim | None) -> Stage | None:
    """Return the call at which an axis leaves the wanted length for good, or at which it was last changed.

    Args:
        stages: the way of the axis.
        wanted: the length that was wanted; None if it is not known.

    Example:
        >>> parting((Stage("x", 32), Stage("conv", 28), Stage("pool", 14)), 28).name
        'pool'
    """
    changed = [stage for stage in stages if stage.call is not None]
    left = [after for before, after in pairwise(stages) if before.length == wanted]
    return left[-1] if left else changed[-1] if changed else None


def named(call: Call, layer: Layer | None) -> str:
    """Write which call it is: the layer, its kind and settings.

    Args:
        call: the call.
        layer: its layer.
    """
    kind = f"{cells.kind(layer)} {cells.settings(layer)}".strip() if layer is not None else ""
    return f"{call.layer}{f' ({kind})' if kind else ''}"


def ends(model: Model, call: Call) -> str:
    """Write the first input of a call and its first output.

    Args:
        model: the model.
        call: the call.
    """
    return " → ".join(
        cells.shape(value.shape, value.axes)
        for names in (call.inputs, call.outputs)
        for value in [model.values.get(next((name for name in names if name), ""), Value(""))]
    )


def called(model: Model, call: Call, layer: Layer | None) -> str:
    """Write a call: the layer, its kind and settings, and the shapes of its ends.

    Args:
        model: the model.
        call: the call.
        layer: its layer.
    """
    return f"{named(call, layer)}: {ends(model, call)}"


def steps(stages: tuple[Stage, ...], most: int = 8) -> tuple[str, ...]:
    """Write the lengths of an axis on its way, each with the call that gave it.

    Args:
        stages: the way.
        most: how many stages are written, the last ones.

    Example:
        >>> steps((Stage("image", 32), Stage("conv", 28), Stage("pool", 14)))
        ('32 image', '28 conv', '14 pool')
    """
    texts = [f"{stage.length} {stage.name}" for stage in stages]
    return ("…", *texts[-most:]) if len(texts) > most else tuple(texts)
