"""The order of a linear layer's flattened input, where two models may flatten in two orders."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shapeinspect.compare.granularity.slots import Slot, Unit
from shapeinspect.compare.sides import ModelSide
from shapeinspect.infer.composite import unknown_order
from shapeinspect.ir import Weight
from shapeinspect.layout.canonical import pieces
from shapeinspect.layout.pattern import composite, flattened, parse, with_parts


@dataclass(frozen=True, slots=True)
class Ordered:
    """Two partners whose input axes have the same parts.

    Args:
        a: the layer of the source.
        b: the layer of the target.
        note: what was taken for granted, as a sentence; empty where nothing was.
    """

    a: Unit
    b: Unit
    note: str = ""


def arranged(a: Unit, b: Unit, side_a: ModelSide, side_b: ModelSide) -> Ordered | str:
    """Return two partners whose input axes have the same parts, or why that cannot be said.

    Args:
        a: a layer of the source.
        b: its partner in the target.
        side_a: the source.
        side_b: the target.

    Returns:
        both layers, a file without a graph with the parts of the other's input axis in its framework's usual
        order; or a clause that says which graph is missing.
    """
    if "linear" not in a.kinds | b.kinds:
        return Ordered(a, b)
    parts_a, parts_b = _parts(a), _parts(b)
    if parts_a and parts_b:
        return Ordered(a, b)
    if not parts_a and not parts_b:
        return _open(a, b, side_a, side_b) if _apart(side_a, side_b) else Ordered(a, b)
    bare, bare_side, known, letter = (b, side_b, a, "B") if parts_a else (a, side_a, b, "A")
    if bare_side.model.calls and unknown_order(bare.layer.path) not in bare_side.model.notes:
        # Its graph shows a plain axis there: the same numbers, which nothing has to bring into an order.
        return Ordered(a, b)
    if bare_side.table is None or (bare_side.model.format == "live" and bare_side.table.graph):
        return f"no graph shows in which order {letter} flattens the image before it"
    order = flattened(parts_a or parts_b, channels_last=bare_side.table.channels_last)
    taken = _with_parts(bare, known, order)
    note = (
        f'{letter} has no graph: the input of "{bare.layer.path}" is taken for ({" ".join(order)}), as '
        f"{bare_side.model.framework} flattens an image that nothing has transposed"
    )
    return Ordered(a, taken, note) if bare is b else Ordered(taken, b, note)


def _parts(unit: Unit) -> tuple[str, ...]:
    for slot in unit.slots.values():
        layout = slot.weight.layout
        if layout is not None and slot.piece is not None and slot.piece.pattern.startswith("o "):
            return composite(layout.common)
    return ()


def _apart(a: ModelSide, b: ModelSide) -> bool:
    """Tell whether the frameworks put the channels of an image in two places."""
    if a.table is None or b.table is None:
        return a.model.framework != b.model.framework
    return a.table.channels_last != b.table.channels_last


def _open(a: Unit, b: Unit, side_a: ModelSide, side_b: ModelSide) -> Ordered | str:
    """Neither side shows a flattened image: there is none if a graph says so, or no convolution fits."""
    for letter, unit, side in (("A", a, side_a), ("B", b, side_b)):
        if unknown_order(unit.layer.path) in side.model.notes:
            return f"the parts of the flattened axis before it are not known in {letter}"
    if side_a.model.calls or side_b.model.calls:
        return Ordered(a, b)
    features = next((slot.shape[1] for slot in a.slots.values() if len(slot.shape) > 1), None)
    if not isinstance(features, int):
        return Ordered(a, b)
    for layer in (*side_a.model.layers, *side_b.model.layers):
        channels = layer.attributes.get("out_channels")
        if not isinstance(channels, int) or not layer.kind.startswith("conv"):
            continue
        if 1 < channels < features and features % channels == 0:
            return (
                f"no graph shows whether an image is flattened before it: {features} are "
                f'{features // channels} of the {channels} channels of "{layer.path}"'
            )
    return Ordered(a, b)


def _with_parts(bare: Unit, known: Unit, order: tuple[str, ...]) -> Unit:
    """Give a layer the parts of its partner's input axis, in an order of its own."""
    layouts = {name: slot.weight.layout for name, slot in known.slots.items()}
    slots: dict[str, Slot] = {}
    for name, slot in bare.slots.items():
        layout, own = layouts.get(name), slot.weight.layout
        common = composite(layout.common) if layout is not None else ()
        if not common or layout is None or own is None or "i" not in parse(own.native).names:
            slots[name] = slot
            continue
        cut: Weight = replace(
            slot.weight,
            layout=replace(
                own,
                native=with_parts(own.native, order),
                common=with_parts(own.common, common),
                sizes=type(own.sizes)({**own.sizes, **{part: layout.sizes[part] for part in common}}),
            ),
        )
        found = [piece for piece in pieces(cut) if piece.slot == name]
        slots[name] = Slot(name, cut, found[0]) if found else slot
    return replace(bare, slots=slots)
