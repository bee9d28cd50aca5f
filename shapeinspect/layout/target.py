"""Plans which weights another framework's layer stores for the slots of a layer; shapes only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shapeinspect.errors import LayoutError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Layout, Weight
from shapeinspect.layout.canonical import base, pieces
from shapeinspect.layout.pattern import compose, composite, flattened, lengths, parse, with_parts
from shapeinspect.plugin_api.native import NativeRow, NativeTable

_STACK_INDEX = re.compile(r"\.l(\d+)(\.reverse)?")


@dataclass(frozen=True, slots=True)
class TargetWeight:
    """One weight of the target's layer.

    Args:
        role: its role there.
        layout: how it is stored there.
        shape: its stored lengths.
        slots: the slots of the source that it is composed of.
    """

    role: str
    layout: Layout
    shape: tuple[int, ...]
    slots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceSlot:
    """One slot of the source's layer.

    Args:
        pattern: its axes in the common convention.
        shape: its lengths.
        sizes: the lengths of parts of composite axes.
    """

    pattern: str
    shape: tuple[int, ...]
    sizes: Mapping[str, int]


def plan(
    table: NativeTable, layer: Layer, slots: Mapping[str, SourceSlot], row: NativeRow | None = None
) -> tuple[TargetWeight, ...] | str:
    """Return what a framework's layer would store.

    Args:
        table: the framework's table.
        layer: the source's layer.
        slots: its slots.
        row: its native type there; by default the first one of its kind.

    Returns:
        the weights, each with the slots that it is composed of; or a clause that says why there are none.
    """
    row = row or next(iter(rows_of(table, layer, slots)), None)
    if row is None:
        return f"{table.framework} has no layer of kind {layer.kind}"
    for name, value, why in row.only:
        if layer.attributes.get(name, value) not in (value, None):
            return why
    if layer.kind == "attention" and "num_heads" not in layer.attributes and "head" in _axes(table, row):
        return "its number of heads is unknown"
    weights: list[TargetWeight] = []
    used: set[str] = set()
    for role, rank in _roles(table, row, slots):
        weight = _weight(table, layer, row, (role, rank), slots, used)
        if weight is not None:
            weights.append(weight)
            used.update(weight.slots)
    unused = [name for name in slots if name not in used]
    unused += uncovered((weight.layout for weight in weights), {name: slots[name].shape for name in used})
    if unused:
        return f"{table.framework}'s {row.type.replace('{k}', 'n')} has no weight for {', '.join(unused)}"
    return tuple(weights)


def rows_of(table: NativeTable, layer: Layer, slots: Mapping[str, SourceSlot]) -> tuple[NativeRow, ...]:
    """Return the native types that a framework has for a layer, the most common one first.

    Args:
        table: the framework's table.
        layer: the source's layer.
        slots: its slots.
    """
    return table.find_all(layer.kind, {"bidirectional": _both(slots), **layer.attributes})


def uncovered(layouts: Iterable[Layout], shapes: Mapping[str, Sequence[object]]) -> list[str]:
    """Return the entries of slots that no weight of the target holds, where it has one weight an entry.

    Args:
        layouts: the layouts of the target's weights.
        shapes: the slots that some weight takes from, and their lengths.

    Example:
        >>> layouts = [Layout("o", "o", slot=f"x+h[{gate}]") for gate in (0, 1)]
        >>> uncovered([*layouts, Layout("o", "o", slot="x[2]")], {"x": (3, 5), "h": (3, 5)})
        ['h[2]']
    """
    taken: dict[str, set[int]] = {}
    for layout in layouts:
        for name in _names(layout):
            slot, entry = base(name)
            for source in sources_of(slot, shapes):
                count = shapes[source][0] if shapes[source] else 0
                every = range(count) if isinstance(count, int) else ()
                taken.setdefault(source, set()).update(every if entry is None else (entry,))
    return [
        f"{source}[{entry}]"
        for source, entries in taken.items()
        if entries and isinstance(count := shapes[source][0], int)
        for entry in range(count)
        if entry not in entries
    ]


def _axes(table: NativeTable, row: NativeRow) -> set[str]:
    """Return every axis of the weights that a row stores with a rank of their own."""
    ranks = [text.rpartition(":") for text in row.roles.split()]
    layouts = [table.bind(row.type, role, int(rank), {}) for role, _, rank in ranks if rank.isdigit()]
    return {name for layout in layouts if layout is not None for name in parse(layout.native).names}


def _both(slots: Mapping[str, SourceSlot]) -> bool:
    return any(name.endswith(".reverse") for name in slots)


def _roles(table: NativeTable, row: NativeRow, slots: Mapping[str, SourceSlot]) -> Iterator[tuple[str, str]]:
    """Yield every role with its rank, those of a stack once for each layer and direction."""
    passes = {(int(n), bool(r)) for name in slots for n, r in _STACK_INDEX.findall(name)} or {(0, False)}
    layers = 1 + max(layer for layer, _ in passes)
    both = any(reverse for _, reverse in passes)
    roles = [(role, rank) for role, _, rank in (text.rpartition(":") for text in row.roles.split())]
    yield from ((role, rank) for role, rank in roles if "{" not in role)
    for layer, reverse in sorted(passes):  # the weights of one layer and direction follow one another
        named = table.at(layer, reverse, both, layers)
        for role, rank in roles:
            if "{at}" in role or ("{layer}" in role and not reverse):
                yield role.replace("{at}", named).replace("{layer}", named), rank


def _weight(
    table: NativeTable,
    layer: Layer,
    row: NativeRow,
    wanted: tuple[str, str],
    slots: Mapping[str, SourceSlot],
    used: set[str],
) -> TargetWeight | None:
    role, rank = wanted
    counted = {"g": "groups", "m": "depth_multiplier"}
    sizes = {axis: int(layer.attributes.get(name) or 1) for axis, name in counted.items()}
    if "depth_multiplier" not in layer.attributes and layer.kind == "conv":
        sizes["m"] = int(layer.attributes.get("out_channels") or 1) // sizes["g"] or 1
    sizes.update(_heads(layer))
    kernel = _kernel(slots)
    ranks = _ranks(rank, kernel, slots)
    for ndim in ranks:
        layout = table.bind(row.type.replace("{k}", str(kernel)), role, ndim, sizes)
        if layout is None or not layout.slot:
            continue
        weight = _fill(layout, role, slots, used, table.channels_last)
        if weight is not None:
            return weight
    return None


def _heads(layer: Layer) -> dict[str, int]:
    heads, size = layer.attributes.get("num_heads"), layer.attributes.get("head_dim")
    return {name: int(value) for name, value in (("head", heads), ("d", size)) if isinstance(value, int)}


def _kernel(slots: Mapping[str, SourceSlot]) -> int:
    """Return the number of kernel axes: those of the largest slot beyond its out and in."""
    return max((len(slot.shape) for slot in slots.values()), default=2) - 2


def _ranks(rank: str, kernel: int, slots: Mapping[str, SourceSlot]) -> tuple[int, ...]:
    if rank == "k+2":
        return (kernel + 2,)
    if rank == "n":
        return tuple(sorted({len(slot.shape) for slot in slots.values()}))
    return (int(rank),)


def _fill(
    layout: Layout,
    role: str,
    slots: Mapping[str, SourceSlot],
    used: set[str],
    channels_last: bool,
) -> TargetWeight | None:
    """Find the slots of one weight and its stored lengths; None where the layer does not have them."""
    names = _names(layout)
    sources = [sources_of(base(name)[0], slots) for name in names]
    taken = [source for part in sources for source in part]
    entries = any(base(name)[1] is not None for name in names)
    # Where the source has a sum, its first part gets all of it.
    if not all(sources) or (not entries and all(source in used and "+" not in source for source in taken)):
        return None
    first = slots[taken[0]]
    layout = _composite(layout, first, channels_last)
    split = {axis: len(entries) for axis, entries in layout.splits}
    own = " ".join(label for label in parse(layout.common).labels if label not in split)
    try:
        sizes = dict(lengths(parse(own), first.shape[1:] if entries else first.shape, layout.sizes))
    except LayoutError:
        return None
    shape = tuple(int(length) for length in compose(parse(layout.native), {**sizes, **split}))  # type: ignore[arg-type]  # the lengths are integers
    try:
        cut = pieces(Weight(role, role, shape, layout=layout))
    except LayoutError:
        return None
    for piece in cut:
        slot, entry = base(piece.slot)
        held = [slots[name].shape for name in sources_of(slot, slots)]
        if any(piece.shape != (shape if entry is None else shape[1:]) for shape in held):
            return None
    return TargetWeight(role, layout, shape, tuple(dict.fromkeys(taken)))


def _names(layout: Layout) -> list[str]:
    names = [layout.slot]
    for axis, entries in layout.splits:
        names = [name.replace(f"{{{axis}}}", entry) for name in names for entry in entries]
    return names


def sources_of(name: str, slots: Iterable[str]) -> list[str]:
    """Return the slots that a slot is computed from: itself, its summands, or the sum that contains it.

    Args:
        name: the wanted slot.
        slots: the names of those that are there.

    Example:
        >>> sources_of("bias_ih.l0+bias_hh.l0", ("bias_ih.l0", "bias_hh.l0"))
        ['bias_ih.l0', 'bias_hh.l0']
    """
    held = list(slots)
    if name in held:
        return [name]
    parts = [part for part in name.split("+") if part in held]
    if parts:
        return parts
    return [whole for whole in held if "+" in whole and name in whole.split("+")]


def _composite(layout: Layout, source: SourceSlot, channels_last: bool) -> Layout:
    """Split the target's input axis as the source's is split, in the target's order."""
    parts = composite(source.pattern)
    if not parts or ("i",) not in parse(layout.native).axes:
        return layout
    native = flattened(parts, channels_last=True) if channels_last else parts
    return replace(
        layout,
        native=with_parts(layout.native, native),
        common=with_parts(layout.common, parts),
        sizes=Frozen({**layout.sizes, **{name: source.sizes[name] for name in parts}}),
    )
