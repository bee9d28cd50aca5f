"""Traces an axis back through the calls that determined its size."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from shapeinspect.dims import Dim
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.render import cells


@dataclass(frozen=True, slots=True)
class Stage:
    """One call that changed the length of an axis, or the input where the axis starts.

    Args:
        name: the layer's path, or the input's name.
        length: the length of the axis after it.
        layer: the layer; None for an input.
        call: the call; None for an input.
    """

    name: str
    length: Dim
    layer: Layer | None = None
    call: Call | None = None


def trace(model: Model, value: str, axis: int) -> tuple[Stage, ...]:
    """Follow one axis of a value back to its origin.

    Args:
        model: a model after every stage.
        value: the value's name.
        axis: the index of the axis.

    Returns:
        The stages in the order of execution, each with a different length than the one before it.

    Example:
        >>> trace(Model("m", "onnx", "onnx", "onnx"), "y", 0)
        ()
    """
    layers = {layer.path: layer for layer in model.layers}
    # Of the calls that list a value as an output, containers come before the layer that computed it.
    producers = {name: call for call in model.calls for name in call.outputs}
    weights = {weight.name for layer in model.layers for weight in layer.weights}
    stages: list[Stage] = []
    index: int | None = axis
    for _ in range(len(model.calls) + 1):
        output = model.values.get(value)
        if output is None or output.shape is None or index is None or index >= len(output.shape):
            break
        length = output.shape[index]
        call = producers.get(value)
        if call is None:
            stages.append(Stage(value, length))
            break
        source = _source(model, call, output, index, weights)
        shape = model.values[source[0]].shape if source is not None else None
        if source is None or shape is None or shape[source[1]] != length:
            stages.append(Stage(call.layer, length, layers.get(call.layer), call))
        if source is None:
            break
        value, index = source
    return tuple(reversed(stages))


def _source(model: Model, call: Call, output: Value, index: int, weights: set[str]) -> tuple[str, int] | None:
    """Return the input that an axis of an output comes from, and the index of the axis in it."""
    rank = len(output.shape or ())
    letter = output.axes[index] if output.axes is not None and len(output.axes) == rank else None
    candidates: list[tuple[str, int]] = []
    for name in call.inputs:
        value = model.values.get(name)
        if value is None or value.shape is None or name in weights or value.constant is not None:
            continue
        axes = value.axes if value.axes is not None and len(value.axes) == len(value.shape) else None
        if letter is not None and axes is not None:
            if letter in axes:
                candidates.append((name, axes.index(letter)))
        elif len(value.shape) == rank:
            candidates.append((name, index))
    length = (output.shape or ())[index]
    unchanged = [
        (name, axis) for name, axis in candidates if (model.values[name].shape or ())[axis] == length
    ]
    return next(iter(unchanged or candidates), None)


def divergence(stages: tuple[Stage, ...], wanted: Dim | None) -> Stage | None:
    """Return the call after which an axis never has the wanted length again, or that changed it last.

    Args:
        stages: what :func:`trace` returned.
        wanted: the expected length; None if it is not known.

    Example:
        >>> divergence((Stage("x", 32), Stage("conv", 28), Stage("pool", 14)), 28).name
        'pool'
    """
    changed = [stage for stage in stages if stage.call is not None]
    diverged = [after for before, after in pairwise(stages) if before.length == wanted]
    return diverged[-1] if diverged else changed[-1] if changed else None


def named(call: Call, layer: Layer | None) -> str:
    """Name a call: the layer, its kind and settings.

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
    """Describe a call: the layer, its kind and settings, and the shapes of its first input and output.

    Args:
        model: the model.
        call: the call.
        layer: its layer.
    """
    return f"{named(call, layer)}: {ends(model, call)}"


def steps(stages: tuple[Stage, ...], most: int = 8) -> tuple[str, ...]:
    """Write the lengths of an axis stage by stage, each with the call that set it.

    Args:
        stages: what :func:`trace` returned.
        most: how many of the last stages are written.

    Example:
        >>> steps((Stage("image", 32), Stage("conv", 28), Stage("pool", 14)))
        ('32 image', '28 conv', '14 pool')
    """
    texts = [f"{stage.length} {stage.name}" for stage in stages]
    return ("…", *texts[-most:]) if len(texts) > most else tuple(texts)
