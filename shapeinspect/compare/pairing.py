"""Cuts two models into layers of one granularity and pairs them, each read as its partner shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from shapeinspect.compare.compatible import any_numbered
from shapeinspect.compare.granularity.directions import bidirectional, named_directions
from shapeinspect.compare.granularity.experts import stacked_experts
from shapeinspect.compare.granularity.slots import Slot, Unit, units_of
from shapeinspect.compare.granularity.stacks import depth, single_layers
from shapeinspect.compare.match import Matching, match
from shapeinspect.compare.retype import in_order, like_partner, retype, without_new
from shapeinspect.compare.sides import ModelSide
from shapeinspect.infer.composite import unknown_order
from shapeinspect.ir import Layer, Model
from shapeinspect.plugin_api.name_table import Change, NameTable

#: For each model what its framework's layers are called where they were converted from.
NameTables = tuple[NameTable | None, NameTable | None]


def matched(
    a: Model,
    b: Model,
    fingerprint: Callable[[Unit], str | None] | None = None,
    names: NameTables = (None, None),
) -> Matching:
    """Find which layers of two models are the same, cut into layers of one granularity.

    Where only one side has an attention as one layer, the other's projections are joined; where only one
    side has separable convolutions, they are split in two; where the sides stack recurrent layers
    differently, every stack is split into its layers; where only one side has recurrent layers that read from
    both ends, the other's are joined in pairs.

    Args:
        a: a model after every stage.
        b: another one.
        fingerprint: returns a text that layers with equal numbers share, where these may be read.
        names: for each model what its framework's layers are called where they were converted from.
    """
    attentions = [[unit.layer for unit in units_of(model) if "q.weight" in unit.slots] for model in (a, b)]
    whole = [bool(layers) for layers in attentions]
    separable = [[layer for layer in model.layers if layer.kind == "separable_conv"] for model in (a, b)]
    alike = any_numbered(separable[0], b.layers) or any_numbered(separable[1], a.layers)
    split = bool(separable[0]) != bool(separable[1]) and not alike
    unstacked = _stacks(a) != _stacks(b)
    ends = [_both_ways(model, unstacked=unstacked) for model in (a, b)]
    # Where both models have a layer for each end, the names of one may say which is which.
    named = named_directions(a.layers) or named_directions(b.layers) if not any(ends) else []
    notes: list[str] = []
    units_a, units_b = (
        units_of(
            model,
            joined=whole[0] != whole[1] and not is_whole,
            attentions=attentions[0] or attentions[1],
            halved=split,
            unstacked=unstacked,
            both_ways=named or (() if own else others),
            notes=notes,
        )
        for model, is_whole, own, others in zip((a, b), whole, ends, reversed(ends), strict=True)
    )
    if a.framework != b.framework:
        units_a, units_b = _renamed(units_a, units_b, names[1]), _renamed(units_b, units_a, names[0])
        units_a, units_b = _converted(units_a, a, names[0]), _converted(units_b, b, names[1])
    found = match(units_a, units_b, fingerprint)
    found.notes += notes
    return found


def _both_ways(model: Model, *, unstacked: bool) -> list[Layer]:
    layers = bidirectional(model.layers)
    return [part for layer in layers for part in (single_layers(layer) if unstacked else (layer,))]


def _renamed(units: list[Unit], others: Sequence[Unit], table: NameTable | None) -> list[Unit]:
    """Give layers the names that they have in the other model's framework, which has converted them."""
    if table is None:
        return units
    units = stacked_experts(units, others, table)
    known = {unit.layer.path for unit in others}
    units = _parted(units, table, known)
    found = [table.here(".".join(unit.layer.parts or (unit.layer.path,)), known) for unit in units]
    # What one layer alone can be called is no other layer's name.
    certain = {names[0] for names in found if len(names) == 1}
    return [
        replace(unit, names=(*(tuple(name.split(".")) for name in left), *unit.names)) if left else unit
        for unit, names in zip(units, found, strict=True)
        for left in [names if len(names) == 1 else [name for name in names if name not in certain]]
    ]


def _parted(units: Sequence[Unit], table: NameTable, known: Set[str]) -> list[Unit]:
    """Split a block's own parameters, such as A_log and D, where the other model has a layer for each."""
    parted: list[Unit] = []
    for unit in units:
        path, slots = unit.layer.path, list(unit.slots.values())
        names = [table.here(f"{path}.{slot.weight.role}", known) for slot in slots]
        if unit.sources or unit.sinks or table.here(path, known) or any(len(found) != 1 for found in names):
            parted.append(unit)
            continue
        for slot, (name,) in zip(slots, names, strict=True):
            role = slot.weight.role
            parts = (*(unit.layer.parts or (path,)), role)
            layer = replace(unit.layer, path=f"{path}.{role}", parts=parts, weights=(slot.weight,))
            here = name.rpartition(".")[2]  # a layer of one weight has its name
            parted.append(replace(unit, layer=layer, slots={here: replace(slot, name=here)}, names=(parts,)))
    return [replace(unit, index=index) for index, unit in enumerate(parted)]


def _converted(units: list[Unit], model: Model, table: NameTable | None) -> list[Unit]:
    """Give layers their whole names, and their numbers as they were before the conversion."""
    if table is None:
        return units
    named = [replace(unit, names=(tuple(unit.layer.path.split(".")),)) for unit in units]
    return [
        replace(
            unit,
            change=change.text,
            slots={name: _without(slot, change) for name, slot in unit.slots.items()},
        )
        if (change := table.changed(model, unit.layer.path))
        else unit
        for unit in named
    ]


def _without(slot: Slot, change: Change) -> Slot:
    values = slot.weight.values
    if values is None or slot.name == "bias":
        return slot
    return replace(slot, weight=replace(slot.weight, values=lambda: change.back(values())))


def _stacks(model: Model) -> Counter[int]:
    """Count the recurrent stacks of each depth above one."""
    depths = Counter(depth(layer) for layer in model.layers)
    return Counter({layers: count for layers, count in depths.items() if layers > 1})


def seen(a: Unit, b: Unit, side_a: ModelSide, side_b: ModelSide) -> tuple[Unit, Unit]:
    """Return two partners with what each is known to be by the other.

    Args:
        a: a layer of the first model.
        b: its partner.
        side_a: the first model.
        side_b: the second one.
    """
    seen_a, seen_b = _retyped(a, b, side_a, side_b), _retyped(b, a, side_b, side_a)
    if not side_b.model.calls:
        seen_a = without_new(seen_a)
    if not side_a.model.calls:
        seen_b = without_new(seen_b)
    return seen_a, seen_b


def _retyped(unit: Unit, partner: Unit, side: ModelSide, other: ModelSide) -> Unit:
    """Treat a layer of unknown kind as its partner's."""
    if unit.layer.kind != "unknown":
        alike = unit.layer.kind == partner.layer.kind and side.model.framework == other.model.framework
        return like_partner(unit, partner) if alike and other.model.calls and not side.model.calls else unit
    ordered = in_order(unit, partner) if side.model.framework == other.model.framework else unit
    return ordered if ordered is not unit else retype(unit, partner, side.table)


def doubt(a: Unit, b: Unit, side_a: ModelSide, side_b: ModelSide) -> str:
    """Say that an image is flattened in an order that no graph shows, and the sides may use two orders.

    Args:
        a: a layer of the first model.
        b: its partner.
        side_a: the first model.
        side_b: the second one.

    Returns:
        a clause; empty where there is no doubt.
    """
    if side_a.table is None or side_b.table is None:
        return ""
    unclear = [
        letter
        for letter, unit, side in (("A", a, side_a), ("B", b, side_b))
        if unknown_order(unit.layer.path) in side.model.notes
    ]
    if side_a.table.channels_last == side_b.table.channels_last or not unclear:
        return ""
    return f"the flatten order of {' and '.join(unclear)} is not known: the input axes may differ in order"
