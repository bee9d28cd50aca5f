"""Joins two recurrent layers that read a sequence from its two ends, where the other model has one layer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from shapeinspect.compare.granularity.stacks import stacked
from shapeinspect.compare.names import tokens
from shapeinspect.ir import Layer, Weight
from shapeinspect.layout.canonical import slots

_FORWARD = frozenset(("forward", "forwards", "fwd", "fw", "ltr"))
_BACKWARD = frozenset(("backward", "backwards", "bwd", "bw", "reverse", "reversed", "rev", "rtl"))
#: One letter tells a direction only where the other layer has the other letter.
_LETTERS = frozenset("fb")
_FIRST, _REVERSE = re.compile(r"\.l0(?!\.reverse)"), ".l0.reverse"
_MAIN = ("weight_ih.l0", "weight_hh.l0")


@dataclass(slots=True)
class Joined:
    """A model's layers, with the two directions of a recurrent layer as one.

    Args:
        layers: the layers.
        members: the paths of the two layers, by the path of the joined one.
        notes: which layers were taken for which direction although no name says so, one sentence each.
    """

    layers: list[Layer]
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def bidirectional(layers: Iterable[Layer]) -> list[Layer]:
    """Return the layers that read a sequence from both ends.

    Args:
        layers: a model's layers.
    """
    return [layer for layer in layers if any(slot.endswith(_REVERSE) for slot in slots(layer.weights))]


def join_directions(layers: Sequence[Layer], others: Iterable[Layer]) -> Joined:
    """Join layers of one direction in pairs, where the other model has half as many of both directions.

    Args:
        layers: the layers of a model whose layers have one direction each.
        others: the layers of the other model that have both.

    Example:
        >>> from shapeinspect.ir import Layout
        >>> def lstm(name, *suffixes):
        ...     return Layer(name, "lstm", "LSTM", (name,), weights=tuple(
        ...         Weight(f"{name}.{slot}", slot, (12, n), layout=Layout(
        ...             "(gate o) i", "gate o i", sizes={"gate": 4}, slot=f"{slot}.l0{suffix}"))
        ...         for suffix in suffixes for slot, n in (("weight_ih", 5), ("weight_hh", 3))))
        >>> joined = join_directions([lstm("bwd", ""), lstm("fwd", "")], [lstm("both", "", ".reverse")])
        >>> joined.members
        {'fwd': ('fwd', 'bwd')}
    """
    wanted: dict[Hashable, int] = defaultdict(int)
    for layer in others:
        wanted[_shapes(layer)] += 1
    single: dict[Hashable, list[Layer]] = defaultdict(list)
    for layer in layers:
        key = _shapes(layer)
        if key in wanted:
            single[key].append(layer)
    joined = Joined(list(layers))
    for key, members in single.items():
        if len(members) == 2 * wanted[key]:
            for forward, backward in _pairs(members, joined.notes):
                _join(joined, forward, backward)
    return joined


def named_directions(layers: Sequence[Layer]) -> list[Layer]:
    """Return pairs of layers that are the two directions of one by their names, each pair as one layer.

    Args:
        layers: the layers of a model whose layers have one direction each.
    """
    by_shapes: dict[Hashable, list[Layer]] = defaultdict(list)
    for layer in layers:
        key = _shapes(layer)
        if key is not None:
            by_shapes[key].append(layer)
    found = Joined(list(layers))
    for members in by_shapes.values():
        pairs, _ = _by_names(members)
        for forward, backward in pairs:
            _join(found, forward, backward)
    return [layer for layer in found.layers if layer.path in found.members]


def _shapes(layer: Layer) -> Hashable:
    held = slots(stacked(layer)[0].weights)
    shapes = tuple(held[name][1].shape for name in _MAIN if name in held)
    return (layer.kind.removesuffix("_cell"), shapes) if shapes else None


def _by_names(layers: Sequence[Layer]) -> tuple[list[tuple[Layer, Layer]], list[Layer]]:
    """Pair layers whose names differ in the direction alone; the others are the second result."""
    by_rest: dict[Hashable, list[tuple[bool, Layer]]] = defaultdict(list)
    words_of = [{word for part in layer.parts for word in tokens((part,))} for layer in layers]
    lettered = [frozenset(words - _LETTERS) for words in words_of if words & _LETTERS]
    for layer, words in zip(layers, words_of, strict=True):
        if words & _LETTERS and lettered.count(frozenset(words - _LETTERS)) == 2:
            by_rest[frozenset(words - _LETTERS)].append(("b" in words, layer))
            continue
        by_rest[frozenset(words - _FORWARD - _BACKWARD)].append((bool(words & _BACKWARD), layer))
    pairs: list[tuple[Layer, Layer]] = []
    left: list[Layer] = []
    for members in by_rest.values():
        if len(members) == 2 and members[0][0] != members[1][0]:
            (_, forward), (_, backward) = sorted(members, key=lambda member: member[0])
            pairs.append((forward, backward))
        else:
            left += [layer for _, layer in members]
    return pairs, [layer for layer in layers if layer in left]


def _pairs(layers: Sequence[Layer], notes: list[str]) -> Iterator[tuple[Layer, Layer]]:
    pairs, ordered = _by_names(layers)
    yield from pairs
    for forward, backward in zip(ordered[::2], ordered[1::2], strict=False):
        notes.append(
            f'"{forward.path}" is taken for the direction from the start and "{backward.path}" for that from '
            "the end: no name says which is which"
        )
        yield forward, backward


def _join(joined: Joined, forward: Layer, backward: Layer) -> None:
    shared = [a for a, b in takewhile(lambda pair: pair[0] == pair[1], zip(forward.parts, backward.parts))]  # noqa: B905  # the longer one's rest is of no use
    weights = (*forward.weights, *(_reversed(weight) for weight in backward.weights))
    attributes = type(forward.attributes)({**forward.attributes, "bidirectional": True})
    whole = replace(forward, parts=tuple(shared) or forward.parts, weights=weights, attributes=attributes)
    joined.layers = [whole if layer is forward else layer for layer in joined.layers if layer is not backward]
    joined.members[forward.path] = (forward.path, backward.path)


def _reversed(weight: Weight) -> Weight:
    layout = weight.layout
    if layout is None:
        return weight
    splits = tuple(
        (axis, tuple(_FIRST.sub(_REVERSE, name) for name in names)) for axis, names in layout.splits
    )
    return replace(weight, layout=replace(layout, slot=_FIRST.sub(_REVERSE, layout.slot), splits=splits))
