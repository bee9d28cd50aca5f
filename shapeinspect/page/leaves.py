"""The calls of a model in their order, each with the containers around it: what becomes boxes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shapeinspect.ir import Call, Layer, Model, Weight
from shapeinspect.render.tree import shortened

#: How many parts of a path become containers; the rest of a longer path stays one part.
_DEEPEST = 40


@dataclass(slots=True)
class Leaf:
    """One call of a layer, or a layer that nothing calls, before it has a box.

    Args:
        name: the last part of its path.
        around: the containers around it, each with the number of the time that it was entered.
        layer: the layer.
        call: the call; None of a layer that nothing calls.
        turn: which of the layer's calls it is, from 1; 0 of the only one.
        reads: the values that it reads.
        gives: the values that it returns.
        kind: what it is drawn as where that is not the layer's kind.
    """

    name: str
    around: tuple[tuple[str, int], ...]
    layer: Layer
    call: Call | None
    turn: int
    reads: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    kind: str = ""


def leaves(model: Model) -> Iterator[Leaf]:
    """Yield every call in its order; then the layers that nothing calls.

    Args:
        model: a model that went through ``infer``.

    Example:
        >>> from shapeinspect.ir import Call
        >>> fc = Layer("net.fc", "linear", "Linear", ("net", "fc"))
        >>> model = Model("m", "f", "f", "a", (fc,), (Call("net.fc", ("x",), ("y",)),))
        >>> [leaf.around for leaf in leaves(model)]
        [(('net', 0),)]
    """
    layers = {layer.path: layer for layer in model.layers}
    inner = {
        parts[:size] for parts in (layer.parts for layer in model.layers) for size in range(1, len(parts))
    }
    given = _given(model, layers)
    parameters = _parameters(model, given)
    entered: dict[tuple[str, ...], int] = {}
    times = Counter(call.layer for call in model.calls)
    turns: Counter[str] = Counter()
    shown: set[str] = set()
    for call in model.calls:
        layer = layers.get(call.layer)
        if layer is None or (layer.kind == "input" and set(call.outputs) <= set(model.inputs)):
            continue
        if layer.kind == "module" and all(name in given for name in call.outputs):
            entered[layer.parts] = entered.get(layer.parts, 0) + 1
            continue
        for name in call.inputs:
            owner, weight = parameters.pop(name, (None, None))
            if owner is not None and weight is not None:
                role = name.removeprefix(owner.path).lstrip("./")
                shown.add(owner.path)
                own = (*owner.parts, role) if owner.parts in inner else (*owner.parts[:-1], role)
                alone = replace(owner, path=name, type=weight.role, parts=own, weights=(weight,))
                yield _leaf(own, entered, Leaf(role, (), alone, None, 0, (), (name,), "parameter"))
        shown.add(layer.path)
        turns[layer.path] += 1
        turn = turns[layer.path] if times[layer.path] > 1 else 0
        yield _leaf(layer.parts, entered, Leaf("", (), layer, call, turn, call.inputs, call.outputs))
    for layer in model.layers:
        hollow = layer.kind == "module" and (layer.parts in inner or not layer.weights)
        if layer.path not in shown and not hollow and layer.kind != "input":
            yield _leaf(layer.parts, entered, Leaf("", (), layer, None, 0))


def adopt(leaves: Sequence[Leaf]) -> None:
    """Put nodes whose name is but their type and a number to those that they work for.

    Exporters name what a module computes on the way after no module. Such a node stands in the innermost
    container that holds all that read it and what it reads.

    Args:
        leaves: the leaves, which are changed in place.
    """
    producers: dict[str, int] = {}
    readers: dict[int, list[int]] = {}
    for index, leaf in enumerate(leaves):
        for value in leaf.reads:
            if value in producers:
                readers.setdefault(producers[value], []).append(index)
        for value in leaf.gives:
            producers.setdefault(value, index)
    nameless = {index for index, leaf in enumerate(leaves) if not leaf.around and _is_numbered(leaf)}
    for index in sorted(nameless & readers.keys(), reverse=True):
        leaf = leaves[index]
        sources = [producers[value] for value in leaf.reads if value in producers]
        if sources or not leaf.reads:
            near = [*readers[index], *(source for source in sources if source not in nameless)]
            leaf.around = _shared([leaves[other].around for other in near])


def _is_numbered(leaf: Leaf) -> bool:
    """Tell whether a leaf is named by nothing but its type and a number."""
    return re.fullmatch(rf"{re.escape(leaf.layer.type)}_?\d+", leaf.name) is not None


def _shared(homes: Sequence[tuple[tuple[str, int], ...]]) -> tuple[tuple[str, int], ...]:
    """Return what several ways into containers have in common, from the outside."""
    low, high = min(homes), max(homes)
    size = next(
        (k for k, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high))
    )
    return low[:size]


def _leaf(parts: tuple[str, ...], entered: Mapping[tuple[str, ...], int], leaf: Leaf) -> Leaf:
    """Complete a leaf: the containers around it, as often as they have been entered so far."""
    *around, last = shortened(parts or (leaf.layer.path,), _DEEPEST)
    leaf.name = last
    leaf.around = tuple((part, entered.get(parts[: size + 1], 0)) for size, part in enumerate(around))
    leaf.reads = tuple(dict.fromkeys(name for name in leaf.reads if name))
    leaf.gives = tuple(dict.fromkeys(name for name in leaf.gives if name))
    return leaf


def _given(model: Model, layers: Mapping[str, Layer]) -> set[str]:
    """Return the values that the inputs and the calls give, containers left out."""
    given = set(model.inputs)
    for call in model.calls:
        if call.layer in layers and layers[call.layer].kind != "module":
            given.update(call.outputs)
    return given


def _parameters(model: Model, given: Container[str]) -> dict[str, tuple[Layer, Weight]]:
    """Return the weights that a graph reads as values, such as a learned position, with their layers."""
    return {
        weight.name: (layer, weight)
        for layer in model.layers
        if layer.kind == "module" and model.calls
        for weight in layer.weights
        if weight.name not in given
    }
