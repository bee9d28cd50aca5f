"""Writes the transform between two stored weights: one einops expression, or several steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shapeinspect.compare.granularity.slots import Slot
from shapeinspect.ir import Layout
from shapeinspect.layout.canonical import Piece
from shapeinspect.layout.pattern import lengths, parse


def to_common(slot: Slot) -> tuple[str, ...]:
    """Write the steps from a stored weight to one slot in the common convention.

    Args:
        slot: the slot; without a proven layout there are no steps.

    Example:
        >>> from shapeinspect.compare.granularity.slots import Slot
        >>> from shapeinspect.frozen import Frozen
        >>> from shapeinspect.ir import Weight
        >>> from shapeinspect.layout.canonical import pieces
        >>> weight = Weight("w", "in_proj_weight", (9, 5), layout=Layout(
        ...     "(qkv o) i", "qkv o i", Frozen(qkv=3), slot="{qkv}.weight",
        ...     splits=(("qkv", ("q", "k", "v")),)))
        >>> to_common(Slot("k.weight", weight, pieces(weight)[1]))
        ('(qkv o) i -> qkv o i (qkv=3)', 'take qkv = k')
    """
    layout, piece = slot.weight.layout, slot.piece
    if layout is None or piece is None:
        return ()
    return _forward(layout, piece)


def direct(a: Slot, b: Slot) -> tuple[str, ...]:
    """Write the steps from one model's stored weight to the other's.

    Args:
        a: the slot in the first model.
        b: the same slot in the second.

    Returns:
        one einops expression where axes are only moved, more steps where entries are reordered or
        cut out; nothing where a layout is not proven.

    Example:
        >>> from shapeinspect.ir import Weight
        >>> from shapeinspect.layout.canonical import pieces
        >>> def slot(layout, shape):
        ...     weight = Weight("w", "w", shape, layout=layout)
        ...     return Slot("weight", weight, pieces(weight)[0])
        >>> keras = slot(Layout("kh kw i o", "o i kh kw", slot="weight"), (5, 7, 3, 11))
        >>> torch = slot(Layout("o i kh kw", "o i kh kw", slot="weight"), (11, 3, 5, 7))
        >>> direct(keras, torch)
        ('kh kw i o -> o i kh kw',)
    """
    layout_a, layout_b = a.weight.layout, b.weight.layout
    if layout_a is None or layout_b is None or a.piece is None or b.piece is None:
        return ()
    moves_only = not (layout_a.splits or layout_b.splits or layout_a.flips or layout_b.flips)
    if moves_only and (not layout_a.orders and not layout_b.orders):
        single = _single(layout_a, layout_b, a, b)
        if single is not None:
            return single
    return (*_forward(layout_a, a.piece), *_back(layout_b, b.piece))


def _forward(layout: Layout, piece: Piece) -> tuple[str, ...]:
    steps = [f"{layout.native} -> {layout.common}{_sizes(layout, layout.native)}"]
    steps += [f"{axis}: {native} -> {common}" for axis, native, common in layout.orders]
    steps += [f"flip {axis}" for axis in layout.flips]
    return (*steps, *(f"take {axis} = {name}" for axis, name in _entries(layout, piece)))


def _back(layout: Layout, piece: Piece) -> tuple[str, ...]:
    steps = [f"put {axis} = {name}" for axis, name in _entries(layout, piece)]
    steps += [f"flip {axis}" for axis in layout.flips]
    steps += [f"{axis}: {common} -> {native}" for axis, native, common in layout.orders]
    if layout.native != layout.common:
        steps.append(f"{layout.common} -> {layout.native}{_sizes(layout, layout.common)}")
    return tuple(steps)


def _entries(layout: Layout, piece: Piece) -> list[tuple[str, str]]:
    common = parse(layout.common)
    index = dict(piece.index)
    places = [(common.axes.index((axis,)), axis, names) for axis, names in layout.splits]
    return [(axis, names[index[place]] or "forward") for place, axis, names in places if place in index]


def _sizes(layout: Layout, pattern: str) -> str:
    composite = [name for axis in parse(pattern).axes if len(axis) > 1 for name in axis]
    parts = [f"{name}={layout.sizes[name]}" for name in composite if name in layout.sizes]
    return f" ({', '.join(parts)})" if parts else ""


def _single(layout_a: Layout, layout_b: Layout, a: Slot, b: Slot) -> tuple[str, ...] | None:
    """Name the axes of both sides alike, by their places in the common convention."""
    left, right = _plain(layout_a, a), _plain(layout_b, b)
    axes_a, axes_b = parse(layout_a.common).axes, parse(layout_b.common).axes
    if len(axes_a) != len(axes_b):
        return None
    names_a: dict[str, tuple[str, ...]] = {}
    names_b: dict[str, tuple[str, ...]] = {}
    for axis_a, axis_b in zip(axes_a, axes_b, strict=True):
        if len(axis_a) == len(axis_b):
            names_b.update({name_b: (name_a,) for name_a, name_b in zip(axis_a, axis_b, strict=True)})
        elif len(axis_b) == 1:
            names_b[axis_b[0]] = axis_a
        elif len(axis_a) == 1:
            names_a[axis_a[0]] = axis_b
        elif not _agree(axis_a, axis_b, left, right, names_b):
            return None
    source, target = _renamed(layout_a.native, names_a), _renamed(layout_b.native, names_b)
    if sorted(source.replace("(", " ").replace(")", " ").replace("1", " ").split()) != sorted(
        target.replace("(", " ").replace(")", " ").replace("1", " ").split()
    ):
        return None
    known = {**left, **right}
    composite = [name for axis in parse(source).axes if len(axis) > 1 for name in axis][:-1]
    sizes = ", ".join(f"{name}={known[name]}" for name in composite if name in known)
    return (f"{source} -> {target}" + (f" ({sizes})" if sizes else ""),)


def _agree(
    axis_a: Sequence[str],
    axis_b: Sequence[str],
    left: Mapping[str, object],
    right: Mapping[str, object],
    names_b: dict[str, tuple[str, ...]],
) -> bool:
    """Pair the parts of two composites that are equal but for parts of length 1."""
    long_a = [name for name in axis_a if left.get(name) != 1]
    long_b = [name for name in axis_b if right.get(name) != 1]
    if [left.get(name) for name in long_a] != [right.get(name) for name in long_b] or len(long_a) != len(
        axis_a
    ):
        return False
    names_b.update(dict.fromkeys(axis_b, ()))
    names_b.update({name_b: (name_a,) for name_a, name_b in zip(long_a, long_b, strict=True)})
    return True


def _plain(layout: Layout, slot: Slot) -> dict[str, object]:
    return dict(lengths(parse(layout.native), slot.weight.shape, layout.sizes))


def _renamed(pattern: str, names: Mapping[str, tuple[str, ...]]) -> str:
    labels = []
    for axis in parse(pattern).axes:
        renamed = [new for name in axis for new in names.get(name, (name,))]
        labels.append("1" if not renamed else renamed[0] if len(renamed) == 1 else f"({' '.join(renamed)})")
    return " ".join(labels)
