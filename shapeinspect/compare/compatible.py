"""Whether two layers can be the same one: their kinds, and their weights in the common convention."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from shapeinspect.compare.granularity.slots import Slot, Unit, is_counter, is_new
from shapeinspect.dims import Shape
from shapeinspect.ir import Layer

#: Everything that decides whether two layers are compatible.
Signature: TypeAlias = "tuple[frozenset[str], tuple[tuple[str, Shape, bool], ...], tuple[Shape, ...]]"


def signature(unit: Unit) -> Signature:
    """Return what a layer is compared by: its kinds, and its main slots with their lengths.

    Args:
        unit: the layer; where its file only numbers the weights, all of them tell.
    """
    main = tuple((slot.name, slot.shape, slot.piece is not None) for slot in unit.main)
    return unit.kinds, main, _stored(unit.layer) if _numbered(unit.layer) else ()


def same_kind(a: Unit, b: Unit) -> bool:
    """Tell whether two layers can be of one kind; one without any candidates can be anything.

    Args:
        a: a layer.
        b: another one.
    """
    return not a.kinds or not b.kinds or bool(a.kinds & b.kinds)


def fits(a: Unit, b: Unit) -> bool:
    """Tell whether two layers can be the same: of one kind, with equal lengths in every main slot.

    Args:
        a: a layer.
        b: another one.
    """
    if not same_kind(a, b) or not _same_vectors(a, b):
        return False
    shared = [(slot, b.slots[slot.name]) for slot in a.main if slot.name in b.slots]
    if not shared:
        return len(a.main) == 1 and len(b.main) == 1 and equal_lengths(a.main[0], b.main[0])
    return len(a.main) == len(b.main) and all(equal_lengths(slot_a, slot_b) for slot_a, slot_b in shared)


def _same_vectors(a: Unit, b: Unit) -> bool:
    """Tell whether what two layers have beside one kernel, such as a bias, has the same lengths.

    It decides only where a file numbers the weights: of a kernel that is not known to be transposed, the bias
    alone says which axis are the outputs.
    """
    if not (_numbered(a.layer) or _numbered(b.layer)) or len(a.main) != 1 or len(b.main) != 1:
        return True
    left, right = (
        sorted(slot.size for name, slot in unit.slots.items() if slot is not unit.main[0]) for unit in (a, b)
    )
    return len(left) != len(right) or left == right


def equal_lengths(a: Slot, b: Slot) -> bool:
    """Tell whether two slots have the same lengths.

    Where both layouts are proven the axes are compared in the common order, else in any
    order. Axes of length 1 are ignored.

    Args:
        a: a slot.
        b: the other side's.
    """
    left, right = without_ones(a.shape), without_ones(b.shape)
    if a.piece is not None and b.piece is not None:
        return left == right
    return sorted(map(str, left)) == sorted(map(str, right))


def without_ones(shape: Shape) -> Shape:
    """Return the lengths of a shape that are not 1.

    Args:
        shape: the lengths.

    Example:
        >>> without_ones((5, 3, 1, 1))
        (5, 3)
    """
    return tuple(length for length in shape if length != 1)


def classes(a: Sequence[Unit], b: Sequence[Unit]) -> tuple[list[int], list[int]]:
    """Sort the layers of both models into classes, so that only layers of one class fit each other.

    Args:
        a: one model's layers.
        b: the other's.

    Returns:
        the class of every layer of ``a``, and of ``b``.
    """
    known: dict[Signature, int] = {}
    examples: list[Unit] = []
    sides = [[_class(unit, known, examples) for unit in side] for side in (a, b)]
    joined = list(range(len(examples)))
    _join_stored(zip([*a, *b], [*sides[0], *sides[1]], strict=True), joined)
    by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, unit in enumerate(examples):
        by_size[tuple(sorted(slot.size for slot in unit.main))].append(index)
    for members in by_size.values():
        for index, left in enumerate(members):
            for right in members[index + 1 :]:
                if fits(examples[left], examples[right]):
                    joined[_root(joined, right)] = _root(joined, left)
    return _roots(sides[0], joined), _roots(sides[1], joined)


def _join_stored(units: Iterable[tuple[Unit, int]], joined: list[int]) -> None:
    """Join layers whose weights are only numbered with those that store the same shapes in that order."""
    known: dict[tuple[Shape, ...], list[tuple[Unit, int]]] = defaultdict(list)
    for unit, index in units:
        known[_stored(unit.layer)].append((unit, index))
    for members in known.values():
        ours = [(unit, index) for unit, index in members if _numbered(unit.layer)]
        for left, one in ours[:1]:
            for right, other in members:
                if same_kind(left, right):
                    joined[_root(joined, other)] = _root(joined, one)


def any_numbered(layers: Iterable[Layer], others: Iterable[Layer]) -> bool:
    """Tell whether a file only numbers the weights of one of some layers.

    Args:
        layers: the layers.
        others: the layers of that file.
    """
    numbered = {_stored(layer) for layer in others if _numbered(layer)}
    return any(_stored(layer) in numbered for layer in layers)


def _stored(layer: Layer) -> tuple[Shape, ...]:
    """Return the shapes of a layer's weights as they are stored, in their order."""
    return tuple(weight.shape for weight in layer.weights if not (is_counter(weight) or is_new(weight)))


def _numbered(layer: Layer) -> bool:
    roles = [weight.role for weight in layer.weights]
    return bool(roles) and roles == [str(index) for index in range(len(roles))]


def _class(unit: Unit, known: dict[Signature, int], examples: list[Unit]) -> int:
    key = signature(unit)
    if key not in known:
        known[key] = len(examples)
        examples.append(unit)
    return known[key]


def _root(joined: list[int], index: int) -> int:
    while joined[index] != index:
        joined[index] = joined[joined[index]]
        index = joined[index]
    return index


def _roots(indices: Iterable[int], joined: list[int]) -> list[int]:
    return [_root(joined, index) for index in indices]
