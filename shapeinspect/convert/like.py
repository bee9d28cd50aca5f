"""Plans how the weights of one model become those of another: names, layouts and dtypes of the second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shapeinspect.compare.compatible import without_ones
from shapeinspect.compare.folding import Folds, find_folds
from shapeinspect.compare.granularity.slots import Slot, Unit, is_counter, is_new
from shapeinspect.compare.match import Matching
from shapeinspect.compare.pairing import NameTables, matched, seen
from shapeinspect.compare.retype import readings
from shapeinspect.compare.sides import ModelSide
from shapeinspect.convert.input_order import arranged
from shapeinspect.dims import Shape, whole
from shapeinspect.ir import Layout, Model, Weight
from shapeinspect.layout import canonical
from shapeinspect.layout.target import sources_of, uncovered
from shapeinspect.plugin_api.native import NativeTable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_UNREADABLE = "the values of A's weight cannot be read"

#: Reads the values of a slot in the common convention.
Reader = Callable[[], "Array"]


@dataclass(frozen=True, slots=True)
class Move:
    """One weight of the target, made of weights of the source.

    Args:
        weight: the target's weight.
        kind: the kind of its layer.
        layout: how the target stores it; None where both sides store it alike.
        sources: the names of the source's weights that it is made of.
        read: returns its values as the target stores them, in the source's dtype.
    """

    weight: Weight
    kind: str
    layout: Layout | None
    sources: tuple[str, ...]
    read: Reader


@dataclass(slots=True)
class Plan:
    """What can be moved, and what cannot.

    Args:
        moves: the target's weights that are written.
        left: the target's weights that are not, and why.
        unused: the source's weights that go nowhere, and why.
        tied: the target's weights that share the storage of one that is written, and its name.
        unordered: the linear layers of the target whose flattened input no graph shows, and why.
        notes: what a reader of the file has to know, one sentence each.
    """

    moves: list[Move] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    tied: dict[str, str] = field(default_factory=dict)
    unordered: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def plan_like(
    a: Model,
    b: Model,
    tables: tuple[NativeTable | None, NativeTable | None],
    names: NameTables = (None, None),
) -> Plan:
    """Plan how one model's weights become another's.

    Args:
        a: the source, after every stage.
        b: the target, whose names, layouts and dtypes are wanted.
        tables: for each model the table of its framework.
        names: for each model what its framework's layers are called where they were converted from.

    Example:
        >>> from shapeinspect.api.report import inspect
        >>> model = inspect("tests/data/lenet.onnx").model
        >>> plan = plan_like(model, model, (None, None))
        >>> plan.moves[0].weight.name, plan.left
        ('conv1.weight', {})
    """
    matching = matched(a, b, names=names)
    side_a, side_b = ModelSide(a, tables[0]), ModelSide(b, tables[1])
    plan = Plan()
    folds = find_folds(matching, a, b)
    used: set[str] = set()
    for unit in matching.b:
        partner = matching.partner_b.get(unit.index)
        if partner is not None:
            _pair(plan, (matching.a[partner], unit), (side_a, side_b), folds, used)
        elif unit.index in folds.identities:
            _identity(plan, unit, folds, used)
        else:
            reason = _unmatched(matching, unit)
            plan.left.update({weight.name: reason for weight in _weights(unit)})
    _tie(plan, b)
    for unit in matching.a:
        partner = matching.partner_a.get(unit.index)
        reason = "B has no such layer" if partner is None else "B has no weight for it"
        if partner is not None and any(weight.name in plan.left for weight in _weights(matching.b[partner])):
            reason = f'it is for "{matching.b[partner].layer.path}", of which something is not written'
        for weight in _weights(unit):
            if weight.name in used or weight.name in folds.used:
                continue
            if partner is None and unit.layer.kind == "elementwise" and weight.size == 1:
                plan.notes.append(f'"{weight.name}" is one number of A\'s graph: it is taken for a constant')
                continue
            plan.unused[weight.name] = reason
    plan.notes += [*matching.notes, *folds.notes(matching.b)]
    return plan


def _weights(unit: Unit) -> Iterator[Weight]:
    """Yield the weights that a layer's slots hold, as the model stores them."""
    done: set[str] = set()
    for slot in unit.slots.values():
        for name in slot.names:
            if name not in done and not is_new(slot.weight):
                done.add(name)
                yield slot.weight if name == slot.weight.name else replace(slot.weight, name=name)


def _unmatched(matching: Matching, unit: Unit) -> str:
    candidates = matching.open_classes().get(matching.class_b[unit.index])
    if candidates is None:
        return "A has no such layer"
    paths = [matching.a[index].layer.path for index in candidates[0]]
    return f"{' and '.join(paths[:3])}{' and more' if len(paths) > 3 else ''} fit it equally well"


def _pair(
    plan: Plan, units: tuple[Unit, Unit], sides: tuple[ModelSide, ModelSide], folds: Folds, used: set[str]
) -> None:
    a, b = seen(*units, *sides)
    plan.notes += _taken(units, sides)
    ordered = arranged(a, b, *sides)
    if isinstance(ordered, str):
        plan.unordered[b.layer.path] = ordered
        plan.left.update({weight.name: ordered for weight in _weights(b)})
        return
    a, b = ordered.a, ordered.b
    if ordered.note:
        plan.notes.append(ordered.note)
    slots = dict(a.slots)
    readers = {**_readers(a), **folds.readers(units[0].index, a)}
    slots.update(folds.slots(units[0].index, a, b))
    alike = sides[0].model.framework == sides[1].model.framework
    layouts: list[Layout] = []
    for stored, layout, names in _targets(b):
        made = _move(stored, layout, names, b, slots, readers, alike=alike)
        if isinstance(made, str):
            plan.left[stored.name] = made
            continue
        plan.moves.append(made)
        used.update(made.sources)
        layouts += [] if layout is None else [layout]
    for name in uncovered(layouts, {name: slot.shape for name, slot in slots.items()}):
        _without_place(plan, name, a, slots, readers)


def _taken(units: tuple[Unit, Unit], sides: tuple[ModelSide, ModelSide]) -> Iterator[str]:
    """Say for which native type a kernel was taken that could be of another one."""
    a, b = units
    for letter, one, other, side in (("A", a, b, sides[0]), ("B", b, a, sides[1])):
        first, *others = readings(one, other, side.table) or ("",)
        if others:
            yield (
                f'the kernel of "{one.layer.path}" in {letter} is taken for that of {first}; '
                f"it could be that of {' or '.join(others)}"
            )


#: The letters of the gates in the common order.
_GATES = {"lstm": "ifgo", "gru": "rzn"}


def _without_place(
    plan: Plan, entry: str, unit: Unit, slots: Mapping[str, Slot], readers: Mapping[str, Reader]
) -> None:
    """List an entry of a source's slot that the target stores nowhere, unless it is all zeros."""
    name, index = canonical.base(entry)
    if index is None or name not in readers or not readers[name]()[index].any():
        return
    gates = next((_GATES[kind] for kind in unit.kinds if kind in _GATES), "")
    which = f"gate {gates[index]}" if index < len(gates) else f"entry {index}"
    for stored in slots[name].names:
        plan.unused[stored] = f"B has no place for {which} of {name}, which is not 0"


def _readers(unit: Unit) -> dict[str, Reader]:
    weights = {slot.weight.name: slot.weight for slot in unit.slots.values()}
    bare = {name: slot.weight.values for name, slot in unit.slots.items() if slot.piece is None}
    return {name: values for name, values in bare.items() if values is not None} | dict(
        canonical.read(weights.values())
    )


def _targets(unit: Unit) -> Iterator[tuple[Weight, Layout | None, tuple[str, ...]]]:
    """Yield each stored weight of a layer with its layout and the slots that it takes from."""
    done: dict[str, Weight] = {}
    held: dict[str, list[str]] = {}
    for name, slot in unit.slots.items():
        for weight in (slot.weight,) if slot.stored is None else slot.stored:
            done.setdefault(weight.name, weight)
            held.setdefault(weight.name, []).append(name)
    for name, weight in done.items():
        slot = unit.slots[held[name][0]]
        if slot.stored is None or slot.piece is None:
            yield weight, weight.layout if slot.piece is not None else None, tuple(held[name])
            continue
        # One weight an entry: it may hold the sum of two slots there.
        wanted = dict.fromkeys(canonical.base(piece.slot)[0] for piece in canonical.pieces(weight))
        needed = [part for text in wanted for part in ((text,) if text in unit.slots else text.split("+"))]
        yield weight, weight.layout, tuple(part for part in dict.fromkeys(needed) if part in unit.slots)


def _move(
    weight: Weight,
    layout: Layout | None,
    names: Sequence[str],
    unit: Unit,
    slots: Mapping[str, Slot],
    readers: Mapping[str, Reader],
    *,
    alike: bool,
) -> Move | str:
    """Return how a weight is made; or a clause that says why it cannot be."""
    if weight.quantization is not None:
        return f"B stores it quantized, as {weight.type}"
    shape = whole(weight.shape)
    if shape is None:
        return "its shape is not known"
    needed: dict[str, Shape] = {}
    for name in names:
        found = sources_of(name, slots)
        if not found:
            return f"A has no {name} there"
        for source in found:
            needed[source] = unit.slots[name].shape
    for source, wanted in needed.items():
        reason = _refused(slots[source], unit.slots[names[0]], wanted, readers, source)
        if reason:
            return _undecided(unit, slots[source]) or reason
    if layout is None and not alike and len(without_ones(shape)) > 1:
        return (
            _undecided(unit, slots[next(iter(needed))])
            or "the order of its axes is not proven on either side"
        )
    stored = tuple(dict.fromkeys(name for source in needed for name in slots[source].names))
    if layout is None:
        first, wanted = next(iter(needed.items()))
        return Move(
            weight, unit.layer.kind, None, stored, _shaped(readers[first], wanted, slots[first].shape)
        )
    chosen = {source: _shaped(readers[source], needed[source], slots[source].shape) for source in needed}

    def read() -> Array:
        return canonical.write(layout, shape, {source: reader() for source, reader in chosen.items()})

    return Move(weight, unit.layer.kind, layout, stored, read)


def _undecided(unit: Unit, source: Slot) -> str:
    """Say of which kinds a layer could be, where its kind decides over the order of its axes."""
    kinds = unit.layer.candidates
    if len(kinds) < 2 or (source.piece is not None and unit.slots[source.name].piece is not None):
        return ""
    *most, last = kinds
    return (
        f"neither A nor B says whether it is a {', '.join(most)} or {last}: name one of them as a live model"
    )


def _refused(a: Slot, b: Slot, wanted: Shape, readers: Mapping[str, Reader], name: str) -> str:
    if (a.piece is None) != (b.piece is None) and len(without_ones(wanted)) > 1:
        return f"the order of the axes of {'A' if a.piece is None else 'B'}'s weight is not proven"
    if without_ones(a.shape) != without_ones(wanted):
        return f"{_text(a.shape)} in A, {_text(wanted)} in B"
    if name not in readers:
        return _UNREADABLE
    return ""


def _shaped(read: Reader, wanted: Shape, shape: Shape) -> Reader:
    """Add or leave out axes of length 1: a convolution of 1 stands for a linear layer."""
    if tuple(wanted) == tuple(shape):
        return read
    lengths = whole(wanted)
    return lambda: read().reshape(lengths)


def _text(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _identity(plan: Plan, unit: Unit, folds: Folds, used: set[str]) -> None:
    """Write a batch norm that leaves its input as it is but for the source's bias."""
    for name, slot in unit.slots.items():
        shape = whole(slot.weight.shape)
        read = folds.identities[unit.index].get(name)
        if read is None or shape is None or slot.weight.layout is None:
            plan.left[slot.weight.name] = "A has folded this layer into the one before it"
            continue
        sources = folds.sources(unit.index)
        used.update(sources)
        plan.moves.append(Move(slot.weight, unit.layer.kind, slot.weight.layout, sources, read))


def _tie(plan: Plan, b: Model) -> None:
    """Write weights that share one storage once."""
    first: dict[str, str] = {}
    moves: list[Move] = []
    for move in plan.moves:
        key = move.weight.storage
        if key is not None and key in first:
            plan.tied[move.weight.name] = first[key]
            continue
        if key is not None:
            first[key] = move.weight.name
        moves.append(move)
    plan.moves = moves
    storages = {weight.name: weight.storage for layer in b.layers for weight in layer.weights}
    for name in [name for name in plan.left if storages.get(name) in first]:
        plan.tied[name] = first[str(storages[name])]
        del plan.left[name]
    held = {move.weight.name for move in plan.moves} | set(plan.left) | set(plan.tied)
    for layer in b.layers:
        for weight in layer.weights:
            if weight.name not in held and not is_counter(weight) and not is_new(weight):
                plan.left[weight.name] = "nothing says what it holds"
