"""The order of a linear layer's flattened input, where two models may flatten in two orders."""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.compare.sides import ModelSide
from shapeinspect.compare.slots import Slot, Unit
from shapeinspect.infer.composite import unknown_order
from shapeinspect.ir import Layout, Weight
from shapeinspect.layout.canonical import pieces
from shapeinspect.layout.pattern import parse


def arranged(a: Unit, b: Unit, side_a: ModelSide, side_b: ModelSide) -> tuple[Unit, Unit] | str:
    """Return two partners whose input axes have the same parts, or why that cannot be said.

    Args:
        a: a layer of the source.
        b: its partner in the target.
        side_a: the source.
        side_b: the target.

    Returns:
        both layers, one of them with the parts of the other's input axis where both flatten in the order of
        one framework; or a clause that says which graph is missing.
    """
    if "linear" not in a.kinds | b.kinds:
        return a, b
    parts_a, parts_b = _parts(a), _parts(b)
    if parts_a and parts_b:
        return a, b
    if not parts_a and not parts_b:
        return _open(a, b, side_a, side_b) if _apart(side_a, side_b) else (a, b)
    bare, bare_side, known, letter = (b, side_b, a, "B") if parts_a else (a, side_a, b, "A")
    if bare_side.model.calls and unknown_order(bare.layer.path) not in bare_side.model.notes:
        # Its graph shows a plain axis there: the same numbers, which nothing has to bring into an order.
        return a, b
    if bare_side.table is None or not _as_usual(known, channels_last=bare_side.table.channels_last):
        return f"no graph shows in which order {letter} flattens the image before it"
    taken = _with_parts(bare, known)
    return (a, taken) if bare is b else (taken, b)


def _parts(unit: Unit) -> tuple[str, ...]:
    for slot in unit.slots.values():
        layout = slot.weight.layout
        if layout is not None and slot.piece is not None and slot.piece.pattern.startswith("o "):
            return _composite(layout.common)
    return ()


def _as_usual(unit: Unit, *, channels_last: bool) -> bool:
    """Tell whether a layer's flattened input is stored with the channels where a framework has them."""
    for slot in unit.slots.values():
        axes = _axis(slot.weight.layout) if slot.weight.layout is not None else None
        if axes is not None:
            native, common = axes
            rest = tuple(part for part in common if part != "C")
            return native == ((*rest, "C") if channels_last else ("C", *rest)) or "C" not in common
    return False


def _apart(a: ModelSide, b: ModelSide) -> bool:
    """Tell whether the frameworks put the channels of an image in two places."""
    if a.table is None or b.table is None:
        return a.model.framework != b.model.framework
    return a.table.channels_last != b.table.channels_last


def _open(a: Unit, b: Unit, side_a: ModelSide, side_b: ModelSide) -> tuple[Unit, Unit] | str:
    """Neither side shows a flattened image: there is none if a graph says so, or no convolution fits."""
    for letter, unit, side in (("A", a, side_a), ("B", b, side_b)):
        if unknown_order(unit.layer.path) in side.model.notes:
            return f"the parts of the flattened axis before it are not known in {letter}"
    if side_a.model.calls or side_b.model.calls:
        return a, b
    features = next((slot.shape[1] for slot in a.slots.values() if len(slot.shape) > 1), None)
    for layer in (*side_a.model.layers, *side_b.model.layers):
        channels = layer.attributes.get("out_channels")
        if (
            not layer.kind.startswith("conv")
            or not isinstance(channels, int)
            or not isinstance(features, int)
        ):
            continue
        if 1 < channels < features and features % channels == 0:
            return (
                f"no graph shows whether an image is flattened before it: {features} are "
                f'{features // channels} of the {channels} channels of "{layer.path}"'
            )
    return a, b


def _with_parts(bare: Unit, known: Unit) -> Unit:
    """Give a layer the parts of its partner's input axis: both frameworks flatten in one order."""
    layouts = {name: slot.weight.layout for name, slot in known.slots.items()}
    slots: dict[str, Slot] = {}
    for name, slot in bare.slots.items():
        layout, own = layouts.get(name), slot.weight.layout
        parts = _axis(layout) if layout is not None else None
        if parts is None or layout is None or own is None or "i" not in parse(own.native).names:
            slots[name] = slot
            continue
        native, common = parts
        cut: Weight = replace(
            slot.weight,
            layout=replace(
                own,
                native=_named(own.native, native),
                common=_named(own.common, common),
                sizes=type(own.sizes)({**own.sizes, **{part: layout.sizes[part] for part in common}}),
            ),
        )
        found = [piece for piece in pieces(cut) if piece.slot == name]
        slots[name] = Slot(name, cut, found[0]) if found else slot
    return replace(bare, slots=slots)


def _axis(layout: Layout) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    native, common = _composite(layout.native), _composite(layout.common)
    return (native, common) if native and common else None


def _composite(pattern: str) -> tuple[str, ...]:
    return next((axis for axis in parse(pattern).axes if len(axis) > 1 and axis[0].isupper()), ())


def _named(pattern: str, parts: tuple[str, ...]) -> str:
    return " ".join(f"({' '.join(parts)})" if label == "i" else label for label in parse(pattern).labels)
