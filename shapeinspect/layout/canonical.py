"""A layer's weights in a form common to all frameworks: one tensor a slot, and back into any layout.

Frameworks group the same values differently: torch keeps the projections of an attention in one
tensor, ONNX both directions of a recurrent layer, Keras the sum of the two biases. A *slot* is the
smallest part that all of them have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product as combinations
from typing import TYPE_CHECKING, Any

from shapeinspect.dims import Shape
from shapeinspect.errors import LayoutError
from shapeinspect.ir import Layout, Weight
from shapeinspect.layout.apply import to_common, to_native
from shapeinspect.layout.normalize import common_shape
from shapeinspect.layout.pattern import lengths, parse

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


#: One entry of a slot's first axis, stored as a separate weight: ``weight_ih.l0[2]``.
_ENTRY = re.compile(r"(.+)\[(\d{1,3})\]")


@dataclass(frozen=True, slots=True)
class Piece:
    """One slot, and its position in a weight of the common convention.

    Args:
        slot: its name; names joined by ``+`` for a weight that holds their sum.
        pattern: its axes in the common convention, without those of ``splits``.
        shape: its lengths.
        index: which entry of each split axis it is, by the axis's index in the common pattern.

    Example:
        >>> weight = Weight("w", "in_proj_weight", (9, 5), layout=Layout(
        ...     "(qkv o) i", "qkv o i", sizes={"qkv": 3}, slot="{qkv}.weight",
        ...     splits=(("qkv", ("q", "k", "v")),)))
        >>> [(piece.slot, piece.pattern, piece.shape) for piece in pieces(weight)][1]
        ('k.weight', 'o i', (3, 5))
    """

    slot: str
    pattern: str
    shape: Shape
    index: tuple[tuple[int, int], ...] = ()

    def take(self, array: Array) -> Array:
        """Cut the piece out of the weight.

        Args:
            array: the whole weight in the common convention.
        """
        index: list[Any] = [slice(None)] * array.ndim
        for axis, entry in self.index:
            index[axis] = entry
        position = (*index, ...)
        piece: Array = array[position]  # the ellipsis keeps a view, even of a single value
        return piece


def pieces(weight: Weight) -> tuple[Piece, ...]:
    """Return the slots that a weight holds, none for a weight without a layout or a slot.

    Args:
        weight: the weight.

    Raises:
        LayoutError: if a split axis is not one of the common pattern or has another length.
    """
    layout = weight.layout
    if layout is None or not layout.slot:
        return ()
    sizes = lengths(parse(layout.native), weight.shape, layout.sizes)
    common = parse(layout.common)
    shape = common_shape(layout, weight.shape)
    places = []
    for axis, names in layout.splits:
        if (axis,) not in common.axes or sizes[axis] != len(names):
            raise LayoutError(
                f"axis {axis} of layout {layout.common!r} holds {sizes.get(axis, 'no')} slots",
                expected=", ".join(names),
            )
        places.append((common.axes.index((axis,)), axis, names))
    split = {index for index, _, _ in places}
    kept = [index for index in range(len(shape)) if index not in split]
    pattern = " ".join(common.labels[index] for index in kept)
    rest = tuple(shape[index] for index in kept)
    return tuple(
        Piece(
            layout.slot.format(**{axis: names[entry] for (_, axis, names), entry in zip(places, entries)}),  # noqa: B905  # one entry a place
            pattern,
            rest,
            tuple((place, entry) for (place, _, _), entry in zip(places, entries)),  # noqa: B905  # as above
        )
        for entries in combinations(*(range(len(names)) for _, _, names in places))
    )


def at(layout: Layout, layer: int, *, reverse: bool = False) -> Layout:
    """Name the layer and direction of a recurrent stack that a weight belongs to.

    Args:
        layout: a row of the first layer's forward direction, whose slot says ``.l0``; one without
            that is returned unchanged.
        layer: the layer, counted from 0.
        reverse: whether it reads the sequence from the end.

    Example:
        >>> at(Layout("o i", "o i", slot="weight_ih.l0"), 1, reverse=True).slot
        'weight_ih.l1.reverse'
    """
    suffix = f".l{layer}.reverse" if reverse else f".l{layer}"
    return replace(layout, slot=layout.slot.replace(".l0", suffix))


def slots(weights: Iterable[Weight]) -> dict[str, tuple[Weight, Piece]]:
    """Return every slot of a layer, with the weight that holds it.

    Args:
        weights: the layer's weights.

    Example:
        >>> list(slots([Weight("b", "bias", (3,), layout=Layout("o", "o", slot="bias"))]))
        ['bias']
    """
    return {piece.slot: (weight, piece) for weight in weights for piece in pieces(weight)}


def entries(weights: Iterable[Weight]) -> dict[str, tuple[tuple[Weight, Piece] | None, ...]]:
    """Return the slots that are stored as separate entries, if complete, with the entries in order.

    Where some entries hold the sum of two slots and others do not, the first of the two gets the sums, and
    the second one's entries are None there: it adds nothing to them.

    Args:
        weights: the layer's weights.

    Example:
        >>> bias = [Weight(n, n, (3,), layout=Layout("o", "o", slot=f"bias[{n}]")) for n in "10"]
        >>> [weight.name for weight, _ in entries(bias)["bias"]], entries(bias[:1])
        (['0', '1'], {})
        >>> slots = ("x+h[0]", "x[1]", "h[1]")
        >>> found = entries(Weight(s, s, (3,), layout=Layout("o", "o", slot=s)) for s in slots)
        >>> [entry and entry[0].name for entry in found["h"]]
        [None, 'h[1]']
    """
    by_slot: dict[str, dict[int, tuple[Weight, Piece] | None]] = {}
    for slot, stored in slots(weights).items():
        entry = _ENTRY.fullmatch(slot)
        if entry is not None:
            by_slot.setdefault(entry.group(1), {})[int(entry.group(2))] = stored
    for name in [name for name in by_slot if "+" in name]:
        first, _, second = name.partition("+")
        if first not in by_slot and second not in by_slot:
            continue
        sums = by_slot.pop(name)
        by_slot[first] = {**by_slot.get(first, {}), **sums}
        by_slot[second] = {**dict.fromkeys(by_slot[first]), **by_slot.get(second, {})}
    return {
        slot: tuple(parts[index] for index in range(len(parts)))
        for slot, parts in by_slot.items()
        if set(parts) == set(range(len(parts)))
        and len({part[1].shape for part in parts.values() if part is not None}) <= 1
    }


def base(slot: str) -> tuple[str, int | None]:
    """Return the slot of an entry that is stored as a separate weight, and which entry it is.

    Args:
        slot: the name of a slot, or of one entry of its first axis.

    Example:
        >>> base("weight_ih.l0[2]"), base("weight")
        (('weight_ih.l0', 2), ('weight', None))
    """
    entry = _ENTRY.fullmatch(slot)
    return (slot, None) if entry is None else (entry.group(1), int(entry.group(2)))


def read(weights: Iterable[Weight]) -> dict[str, Callable[[], Array]]:
    """Return a reader for the values of every slot, in the common convention.

    Entries of a slot that are stored separately (``weight_ih.l0[0]``, ``weight_ih.l0[1]`` …, one a
    gate) are stacked.

    Args:
        weights: the layer's weights; those whose values cannot be read are left out.
    """
    readable = [weight for weight in weights if weight.values is not None]
    readers = {
        slot: _reader(weight, piece)
        for slot, (weight, piece) in slots(readable).items()
        if _ENTRY.fullmatch(slot) is None
    }
    found = entries(readable)
    for slot, parts in found.items():
        shape = next((part[1].shape for others in found.values() for part in others if part is not None), ())
        readers[slot] = _stacked([part and _reader(*part) for part in parts], shape)
    return readers


def _stacked(readers: list[Callable[[], Array] | None], shape: Shape) -> Callable[[], Array]:
    import numpy as np

    def read() -> Array:
        zeros: Any = np.zeros(shape, np.float32)
        return np.stack([zeros if reader is None else reader() for reader in readers])

    return read


def _reader(weight: Weight, piece: Piece) -> Callable[[], Array]:
    layout, values = weight.layout, weight.values
    if layout is None or values is None:
        raise LayoutError(f'weight "{weight.name}" has no values in a known layout')
    return lambda: piece.take(to_common(layout, values()))


def write(layout: Layout, shape: tuple[int, ...], values: Mapping[str, Array]) -> Array:
    """Assemble slots into one weight of a native layout.

    A missing slot counts as zeros where the weight holds a sum, and is an error elsewhere.

    Args:
        layout: the native layout.
        shape: the native shape.
        values: the values of each slot, in the common convention.

    Raises:
        LayoutError: if a slot is missing or has another shape.

    Example:
        >>> import numpy as np
        >>> write(Layout("i o", "o i", slot="weight"), (3, 2), {"weight": np.zeros((2, 3))}).shape
        (3, 2)
    """
    import numpy as np

    wanted = pieces(Weight("", "", shape, layout=layout))
    parts = [_sum(piece.slot, values) for piece in wanted]
    whole = np.empty(tuple(int(length) for length in common_shape(layout, shape)), parts[0].dtype)  # type: ignore[arg-type]  # the lengths are integers
    for piece, part in zip(wanted, parts, strict=True):
        if part.shape != piece.shape:
            raise LayoutError(
                f"slot {piece.slot} does not fit", expected=str(piece.shape), got=str(part.shape)
            )
        piece.take(whole)[...] = part
    return to_native(layout, whole, shape)


def _sum(slot: str, values: Mapping[str, Array]) -> Array:
    if slot in values:
        return values[slot]
    entry = _ENTRY.fullmatch(slot)
    if entry is not None:
        part: Array = _sum(entry.group(1), values)[int(entry.group(2))]
        return part
    parts = [values[name] for name in slot.split("+") if name in values]
    whole = next((names for names in values if "+" in names and slot in names.split("+")), None)
    if whole is not None and "+" not in slot:
        # The source holds only the sum: its first slot gets all of it, the others are zero.
        return values[whole] if whole.split("+")[0] == slot else values[whole] * 0
    if not parts:
        raise LayoutError(f"no slot is named {slot}", got=", ".join(values) or "none")
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
