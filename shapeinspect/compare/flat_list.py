"""Cuts a flat list of arrays into the layers of the model that it belongs to, whose order it follows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from shapeinspect.compare.granularity.slots import is_counter, is_new, units_of
from shapeinspect.dims import Shape, whole
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Layout, Model, Note, Weight
from shapeinspect.layout.target import SourceSlot, TargetWeight, plan, rows_of
from shapeinspect.plugin_api.native import NativeTable

#: ``w0``, ``arr_12``, ``7``: what such arrays are called.
_NUMBERED = re.compile(r"(\D*)(\d+)")
#: So many arrays in a row tell of a list; of these, so large a part has to have the lengths that are wanted.
_FEWEST, _LEAST = 3, 0.75


def cut(
    model: Model, other: Model, tables: Callable[[], Sequence[NativeTable]]
) -> tuple[Model, tuple[Note, ...]]:
    """Return a flat list of arrays as the layers of another model, and a note; any other model as it is.

    A list follows the order in which a framework lists the weights of a model: the other model's own, or that
    of another framework for the same layers.

    Args:
        model: a model, which may be such a list.
        other: the model that it is compared with.
        tables: returns what each framework stores for a layer of each kind; called for a list alone.
    """
    arrays = _listed(model)
    if len(arrays) < _FEWEST:
        return model, ()
    orders = [(other.framework, list(_own(other)))]
    orders += [
        (table.framework, entries)
        for table in tables()
        if table.listed
        if table.framework != other.framework
        for unstacked in (False, True)
        if (entries := list(_foreign(other, table, arrays, unstacked=unstacked)))
    ]
    rated = [(_rate(arrays, entries), framework, entries) for framework, entries in orders]
    rate, framework, entries = max(rated, key=lambda one: one[0])
    if rate < _LEAST:
        return model, ()
    alike = [name for one, name, rows in rated if one == rate and _same_rows(rows, entries)]
    alike = list(dict.fromkeys(alike)) if framework != other.framework else [framework]
    layers: dict[str, Layer] = {}
    for array, (layer, role, layout, _) in zip(arrays, entries, strict=True):
        # A list records no settings.
        known = layers.get(layer.path, replace(layer, weights=(), attributes=Frozen()))
        weight = replace(array, role=role, layout=layout, common_shape=None)
        layers[layer.path] = replace(known, weights=(*known.weights, weight))
    note = Note(
        f"the {len(arrays):,} arrays of {model.source} have no names: they are taken for the weights of "
        f"the other model in the order in which {' and '.join(alike)} {'list' if alike[1:] else 'lists'} them"
    )
    return replace(model, framework=framework, layers=tuple(layers.values())), (note,)


#: A weight that is expected: its layer, role, layout and lengths.
_Entry = tuple[Layer, str, Layout | None, Shape]


def _same_rows(rows: Sequence[_Entry], others: Sequence[_Entry]) -> bool:
    """Tell whether two frameworks list the same weights in the same layouts."""
    return [(row[0].path, row[2]) for row in rows] == [(row[0].path, row[2]) for row in others]


def _listed(model: Model) -> list[Weight]:
    """Return the arrays of a list in its order; none if the names are not one word with numbers in a row."""
    holders = [layer for layer in model.layers if layer.weights]
    if len(holders) != 1 or model.calls:
        return []
    found = [(_NUMBERED.fullmatch(weight.role), weight) for weight in holders[0].weights]
    numbered = sorted(
        ((int(match[2]), match[1], weight) for match, weight in found if match is not None),
        key=lambda one: one[0],
    )
    if len(numbered) != len(found) or len({word for _, word, _ in numbered}) != 1:
        return []
    if [number for number, _, _ in numbered] != list(range(numbered[0][0], numbered[0][0] + len(numbered))):
        return []
    return [weight for _, _, weight in numbered if not is_counter(weight)]


def _own(model: Model) -> Iterator[_Entry]:
    for layer in model.layers:
        for weight in layer.weights:
            if not is_counter(weight) and not is_new(weight):
                yield layer, weight.role, weight.layout, weight.shape


def _foreign(
    model: Model, table: NativeTable, arrays: Sequence[Weight], *, unstacked: bool
) -> Iterator[_Entry]:
    """Yield what another framework stores for the layers, its recurrent stacks as one layer or several."""
    at = 0
    for unit in units_of(model, unstacked=unstacked):
        slots = {
            name: SourceSlot(slot.piece.pattern, lengths, dict(slot.weight.layout.sizes))
            for name, slot in unit.slots.items()
            if slot.piece is not None
            and slot.weight.layout is not None
            and (lengths := whole(slot.shape)) is not None
        }
        if len(slots) != len(unit.slots):
            continue
        options = [plan(table, unit.layer, slots, row) for row in rows_of(table, unit.layer, slots)]
        # A depthwise kernel is stored by a type of its own, or as one of as many groups.
        planned = [targets for targets in options if not isinstance(targets, str)]
        targets = next((one for one in planned if _has_lengths(one, arrays[at:])), (planned or [()])[0])
        at += len(targets)
        for target in targets:
            yield unit.layer, target.role, target.layout, target.shape


def _has_lengths(targets: Sequence[TargetWeight], arrays: Sequence[Weight]) -> bool:
    return [target.shape for target in targets] == [array.shape for array in arrays[: len(targets)]]


def _rate(arrays: Sequence[Weight], entries: Sequence[_Entry]) -> float:
    """Return the part of the arrays that have the expected lengths; 0 where they are not as many."""
    if len(arrays) != len(entries) or any(
        len(array.shape) != len(entry[3]) for array, entry in zip(arrays, entries, strict=True)
    ):
        return 0.0
    alike = sum(array.shape == entry[3] for array, entry in zip(arrays, entries, strict=True))
    return alike / len(arrays)
