"""Whether two layers can be the same one: their kinds, and their weights in the common convention."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from shapeinspect.compare.slots import Slot, Unit
from shapeinspect.dims import Shape

#: Everything that decides whether two layers are compatible.
Signature: TypeAlias = "tuple[frozenset[str], tuple[tuple[str, Shape, bool], ...]]"


def signature(unit: Unit) -> Signature:
    """Return what a layer is compared by: its kinds, and its main slots with their lengths.

    Args:
        unit: the layer.
    """
    return unit.kinds, tuple((slot.name, slot.shape, slot.piece is not None) for slot in unit.main)


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
    if not same_kind(a, b):
        return False
    shared = [(slot, b.slots[slot.name]) for slot in a.main if slot.name in b.slots]
    if not shared:
        return len(a.main) == 1 and len(b.main) == 1 and equal_lengths(a.main[0], b.main[0])
    return len(a.main) == len(b.main) and all(equal_lengths(slot_a, slot_b) for slot_a, slot_b in shared)


def equal_lengths(a: Slot, b: Slot) -> bool:
    """Tell whether two slots have the same lengths.

    Where both layouts are proven the axes are compared in the common order, else in any
    order. Axes of length 1 are ignored.

    Args:
        a: a slot.
        b: the other side's.
    """
    left, right = _long(a.shape), _long(b.shape)
    if a.piece is not None and b.piece is not None:
        return left == right
    return sorted(map(str, left)) == sorted(map(str, right))


def _long(shape: Shape) -> Shape:
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
    by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, unit in enumerate(examples):
        by_size[tuple(sorted(slot.size for slot in unit.main))].append(index)
    for members in by_size.values():
        for index, left in enumerate(members):
            for right in members[index + 1 :]:
                if fits(examples[left], examples[right]):
                    joined[_root(joined, right)] = _root(joined, left)
    return _roots(sides[0], joined), _roots(sides[1], joined)


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
