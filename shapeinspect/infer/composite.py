"""Finds linear layers whose input axis merges several axes, and records that in their layouts.

After a flatten, a linear layer's input axis is ``(C H W)`` where channels come first and ``(H W C)``
where they come last: the same numbers in another order. The layout of its weight then names the parts,
and the common convention, ``(C H W)``, puts them in one order for all frameworks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.infer.facts import CallFacts
from shapeinspect.ir import Axes, Call, Layer, Layout, Model, Note, Weight
from shapeinspect.layout import common_shape, parse

#: The order of the parts of a composite axis in the common convention.
_ORDER = ("C", "D", "H", "W", "L", "T", "E")

# A feature map that is flattened becomes a batch of vectors; heads that are joined keep their time axis.
_FLAT = 2

#: The names that replace ``i`` in a layout for a composite input axis.
_INPUT = "i"


def compose_inputs(
    model: Model,
    layers: Mapping[str, Layer],
    facts: Iterable[CallFacts],
    shapes: Mapping[str, Shape | None],
    axes: Mapping[str, Axes | None],
) -> tuple[tuple[Layer, ...], tuple[Note, ...]]:
    """Return the layers, with composite input axes named in their weights' layouts.

    Args:
        model: the model.
        layers: its layers by path.
        facts: the facts of the calls whose kind has arithmetic, in their order.
        shapes: the shape of every value.
        axes: the axis names of every value.

    Returns:
        the layers in their order, and a note for each linear layer after a flatten whose parts are not
        known.
    """
    flattened = _flattened(facts, shapes, axes)
    producers = {name: call for call in model.calls for name in call.outputs if name}
    result: dict[str, dict[str, int]] = {}
    notes: dict[Note, None] = {}
    origins: dict[str, str | None] = {}
    for call in model.calls:
        layer = layers.get(call.layer)
        if layer is None or layer.kind != "linear" or not layer.weights or not call.inputs:
            continue
        name = call.inputs[0]
        origin = flattened_origin(name, producers, shapes, flattened, origins)
        rank = len(shapes.get(name) or ())
        if origin is None and layer.attributes.get("flatten_input") and rank > _FLAT:
            flattened[name] = _parts(shapes.get(name), axes.get(name), tuple(range(1, rank)))
            origin = name
        if origin is None:
            continue
        parts = flattened[origin]
        if parts is None:
            notes[unknown_order(call.layer)] = None
        elif len(parts) > 1:
            result[call.layer] = parts
    changed = tuple(
        replace(layer, weights=tuple(_composed(weight, result[layer.path]) for weight in layer.weights))
        if layer.path in result
        else layer
        for layer in model.layers
    )
    return changed, tuple(notes)


def unknown_order(path: str) -> Note:
    """Return the note about a linear layer whose flattened input axis has unknown parts.

    Args:
        path: the layer's path.

    Example:
        >>> unknown_order("fc").about
        'fc'
    """
    text = "its input was flattened in an unknown axis order: no transform permutes it"
    return Note(text, path)


def _flattened(
    facts: Iterable[CallFacts],
    shapes: Mapping[str, Shape | None],
    axes: Mapping[str, Axes | None],
) -> dict[str, dict[str, int] | None]:
    """Return the values whose last axis was flattened, with the names and lengths of its parts."""
    result: dict[str, dict[str, int] | None] = {}
    for fact in facts:
        for source, merged, output, axis in fact.naming.merges:
            shape = fact.outputs[output] if output < len(fact.outputs) else None
            if shape is None or axis != len(shape) - 1 or source >= len(fact.names):
                continue
            name, read = fact.call.outputs[output], fact.names[source]
            parts = _parts(shapes.get(read), axes.get(read), merged)
            if parts is not None or len(shape) == _FLAT:
                result[name] = parts
    return result


def _parts(shape: Shape | None, axes: Axes | None, merged: tuple[int, ...]) -> dict[str, int] | None:
    """Return name and length of each merged axis that is longer than 1; None if one is not known."""
    if shape is None:
        return None
    parts: dict[str, int] = {}
    for axis in merged:
        length = shape[axis]
        if length == 1:
            continue
        name = axes[axis] if axes is not None else None
        if not isinstance(length, int) or name not in _ORDER or name in parts:
            return None
        parts[name] = length
    return parts


def flattened_origin(
    name: str,
    producers: Mapping[str, Call],
    shapes: Mapping[str, Shape | None],
    flattened: Mapping[str, object],
    origins: dict[str, str | None],
) -> str | None:
    """Walk back through ops that keep the shape of their one input, to where it was flattened.

    Args:
        name: the value to start from.
        producers: the call that makes each value.
        shapes: the shape of every value.
        flattened: the values that a flatten makes.
        origins: the results so far; the result holds for every value on the path, and is stored here.

    Returns:
        the flattened value, or None if the path ends elsewhere.
    """
    passed: list[str] = []
    origin: str | None = None
    while name not in origins:
        if name in flattened:
            origin = name
            break
        passed.append(name)
        origins[name] = None  # also where a graph with loops leads back
        call = producers.get(name)
        inputs = [source for source in call.inputs if source] if call is not None else []
        if len(inputs) != 1 or shapes.get(inputs[0]) != shapes.get(name) or shapes.get(name) is None:
            break
        name = inputs[0]
    else:
        origin = origins[name]
    origins.update(dict.fromkeys(passed, origin))
    return origin


def _composed(weight: Weight, parts: Mapping[str, int]) -> Weight:
    layout = weight.layout
    if layout is None or (_INPUT,) not in parse(layout.native).axes:
        return weight
    ordered = sorted(parts, key=_ORDER.index)
    composed = Layout(
        _named(layout.native, " ".join(parts)),
        _named(layout.common, " ".join(ordered)),
        Frozen({**layout.sizes, **parts}),
        layout.orders,
        layout.flips,
        layout.slot,
        layout.splits,
    )
    length = weight.shape[parse(layout.native).axes.index((_INPUT,))]
    total = 1
    for part in parts.values():
        total *= part
    if length != total:
        return weight
    return replace(weight, layout=composed, common_shape=common_shape(composed, weight.shape))


def _named(pattern: str, parts: str) -> str:
    return " ".join(f"({parts})" if label == _INPUT else label for label in parse(pattern).labels)
