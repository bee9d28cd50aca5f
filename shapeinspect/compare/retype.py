"""Treats a layer known only by names and shapes as its partner's proven kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shapeinspect.compare.granularity.slots import Slot, Unit, is_counter, is_new
from shapeinspect.errors import LayoutError
from shapeinspect.ir import Weight
from shapeinspect.layout.canonical import pieces
from shapeinspect.layout.pattern import lengths, parse
from shapeinspect.plugin_api.native import NativeRow, NativeTable


def retype(unit: Unit, partner: Unit, table: NativeTable | None) -> Unit:
    """Give a layer the layouts that its weights have if it is of its partner's kind.

    Args:
        unit: a layer whose kind is one of several candidates, or wholly unknown.
        partner: the layer that it was matched with, of a proven kind.
        table: what the unit's framework stores for a layer of each kind.

    Returns:
        the layer with its slots cut by these layouts; as it was where they do not fit.
    """
    found = _readings(unit, partner, table)
    return found[0][1] if found else unit


def readings(unit: Unit, partner: Unit, table: NativeTable | None) -> tuple[str, ...]:
    """Return the native types as which a layer of unknown kind fits its partner equally well.

    Args:
        unit: a layer whose kind is one of several candidates, or wholly unknown.
        partner: the layer that it was matched with, of a proven kind.
        table: what the unit's framework stores for a layer of each kind.

    Returns:
        the type that :func:`retype` takes, and those that would move its numbers otherwise.
    """
    found = _readings(unit, partner, table) if unit.layer.kind == "unknown" else []
    return tuple(native for native, _ in found if len(found) > 1)


def _readings(unit: Unit, partner: Unit, table: NativeTable | None) -> list[tuple[str, Unit]]:
    """Return the layer as every native type of its partner's kind that fits, those of equal lengths first."""
    kind = partner.layer.kind
    if table is None or (unit.layer.candidates and kind not in unit.layer.candidates):
        return []
    rank = max(len(slot.weight.shape) for slot in unit.slots.values()) - 2
    found: list[tuple[str, Unit]] = []
    layouts: list[object] = []
    for row in table.find_all(kind, partner.layer.attributes):
        native = row.type.replace("{k}", str(rank))
        read = _as(unit, partner, row, native, table)
        if read is None:
            continue
        cut = [slot.weight.layout for slot in read.slots.values()]
        if cut not in layouts:
            layouts.append(cut)
            found.append((native, read))
    return [(native, read) for native, read in found if _equal(read, partner)] or found[:1]


def _equal(a: Unit, b: Unit) -> bool:
    return all(slot.shape == b.slots[name].shape for name, slot in a.slots.items() if name in b.slots)


def _as(unit: Unit, partner: Unit, row: NativeRow, native: str, table: NativeTable) -> Unit | None:
    slots: dict[str, Slot] = {}
    for name, slot in _with_roles(unit, partner, row, table).items():
        weight = slot.weight
        cut = weight if slot.piece is not None else _bound(weight, native, partner, table)
        if cut is None:
            return None
        slots.update({piece.slot: Slot(piece.slot, cut, piece) for piece in pieces(cut)} or {name: slot})
    return replace(unit, slots=slots)


def _with_roles(unit: Unit, partner: Unit, row: NativeRow, table: NativeTable) -> Mapping[str, Slot]:
    """Name weights that their file only numbers by the roles of their kind, which follow in that order.

    A layer may lack some, such as a bias: then only the roles of slots that its partner has are counted.
    """
    numbers = [slot.weight.role for slot in unit.slots.values()]
    roles = [text.rpartition(":")[0] for text in row.roles.split()]
    if numbers != [str(index) for index in range(len(numbers))] or any("{" in role for role in roles):
        return unit.slots
    if len(roles) != len(numbers):
        held = {part for name in partner.slots for part in (name, *name.split("+"))}
        roles = [role for role in roles if _slot_of(role, unit, row, table) in held]
    if len(roles) != len(numbers):
        return unit.slots
    return {
        role: replace(slot, name=role, weight=replace(slot.weight, role=role))
        for role, slot in zip(roles, unit.slots.values(), strict=True)
    }


def _slot_of(role: str, unit: Unit, row: NativeRow, table: NativeTable) -> str:
    """Return the slot of a role, whatever the rank of the weight."""
    for slot in unit.slots.values():
        rank = len(slot.weight.shape)
        layout = table.bind(row.type.replace("{k}", str(rank - 2)), role, rank, {"g": 1})
        if layout is not None:
            return layout.slot
    return ""


def in_order(unit: Unit, partner: Unit) -> Unit:
    """Give weights that their file only numbers the roles of their partner's, which follow in that order.

    Args:
        unit: a layer of which its file numbers the weights.
        partner: the layer of the same framework that it was matched with.

    Returns:
        the layer with its slots cut by the partner's layouts; as it was where they do not fit.
    """
    stored = [slot.weight for slot in unit.slots.values()]
    others = [weight for weight in partner.layer.weights if not is_counter(weight) and not is_new(weight)]
    numbers = [weight.role for weight in stored]
    if not numbers or numbers != [str(index) for index in range(len(others))]:
        return unit
    slots: dict[str, Slot] = {}
    for weight, other in zip(stored, others, strict=True):
        cut = replace(weight, role=other.role, layout=other.layout)
        if len(weight.shape) != len(other.shape) or not _fits(cut):
            return unit
        whole = {other.role: Slot(other.role, cut, None)}
        slots.update({piece.slot: Slot(piece.slot, cut, piece) for piece in pieces(cut)} or whole)
    return replace(unit, slots=slots)


def like_partner(unit: Unit, partner: Unit) -> Unit:
    """Give the weights of a bare file the axes of their partner's, whose graph shows how they were flattened.

    Args:
        unit: a layer of a file without a graph.
        partner: the layer of the same framework and kind that it was matched with.

    Returns:
        the layer with the partner's layouts where its weights have that role and fit them.
    """
    others = {weight.role: weight.layout for weight in partner.layer.weights}
    slots: dict[str, Slot] = {}
    for name, slot in unit.slots.items():
        layout = others.get(slot.weight.role)
        cut = (
            slot.weight if layout is None or slot.stored is not None else replace(slot.weight, layout=layout)
        )
        found = [piece for piece in pieces(cut) if piece.slot == name] if _fits(cut) else []
        slots[name] = Slot(name, cut, found[0]) if found and cut is not slot.weight else slot
    return replace(unit, slots=slots)


def without_new(unit: Unit) -> Unit:
    """Leave out the weights that no file holds, to compare a layer with what a bare file stores of it.

    Args:
        unit: the layer.
    """
    held = {name: slot for name, slot in unit.slots.items() if not is_new(slot.weight)}
    return unit if len(held) == len(unit.slots) else replace(unit, slots=held)


def _bound(weight: Weight, native: str, partner: Unit, table: NativeTable) -> Weight | None:
    sizes = {"g": int(partner.layer.attributes.get("groups") or 1)}
    layout = table.bind(native, weight.role, len(weight.shape), sizes)
    if layout is None:
        return None
    cut = replace(weight, layout=layout)
    return cut if _fits(cut) else None


def _fits(weight: Weight) -> bool:
    """Tell whether a weight has the axes of its layout."""
    if weight.layout is None:
        return True
    try:
        lengths(parse(weight.layout.native), weight.shape, weight.layout.sizes)
    except LayoutError:
        return False
    return True
