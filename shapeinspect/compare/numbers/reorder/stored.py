"""A weight that was reshaped where its axes had to be transposed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING, Any

from shapeinspect.compare.granularity.slots import Slot
from shapeinspect.compare.numbers.reorder.trial import Trial
from shapeinspect.compare.numbers.transforms import direct
from shapeinspect.dims import whole
from shapeinspect.errors import LayoutError
from shapeinspect.ir import Layout
from shapeinspect.layout.apply import to_common, to_native
from shapeinspect.layout.pattern import parse

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: How many orders of the axes are tried before the reshape.
_MOST = 24


def reshaped(a: Slot, b: Slot) -> Iterator[Trial]:
    """Yield what comes of storing one side's numbers in their order with the other side's lengths.

    Args:
        a: the first model's slot, which is the whole of its weight.
        b: the second model's, the same.
    """
    layout_a, layout_b = a.weight.layout, b.weight.layout
    shape_a, shape_b = whole(a.weight.shape), whole(b.weight.shape)
    if layout_a is None or layout_b is None or a.piece is None or b.piece is None:
        return
    if shape_a is None or shape_b is None or a.piece.index or b.piece.index or len(shape_a) < 2:
        return
    needed = "; ".join(direct(a, b)) or "transpose its axes"
    letters = parse(layout_a.native).labels
    orders = list(permutations(range(len(shape_a))))[:_MOST]
    # First the one in which all axes stand where they belong: then only the parts of one do not.
    right = [order for order in orders if _in_place(layout_a, layout_b, order)]
    for order in [*right[:1], *(order for order in orders if order not in right[:1])]:
        first = "" if list(order) == sorted(order) else f"after {' '.join(letters[axis] for axis in order)} "
        text = f"only reshaped {first}to {'×'.join(map(str, shape_b))} where axes had to be transposed"
        if order in right and (parts := _parts(layout_a, layout_b)):
            text = f"with an axis still in the order ({parts[0]}), where B has ({parts[1]})"
        apply = partial(_apply, a=layout_a, b=layout_b, shapes=(shape_a, shape_b), order=order)
        yield Trial(text, f"the axes have to be moved: {needed}", apply)


def _in_place(a: Layout, b: Layout, order: Sequence[int]) -> bool:
    """Tell whether axes in an order are those of the other layout, whatever the order of their parts."""
    axes, others = parse(a.native).axes, parse(b.native).axes
    places_a, places_b = _places(a), _places(b)
    return len(axes) == len(others) and [places_a[axis] for axis in order] == places_b


def _places(layout: Layout) -> list[int]:
    """Return for each stored axis its place in the common convention; -1 for one that has none of its own."""
    common = [set(axis) for axis in parse(layout.common).axes]
    native = [set(axis) for axis in parse(layout.native).axes]
    return [common.index(axis) if axis in common else -1 for axis in native]


def _parts(a: Layout, b: Layout) -> tuple[str, str] | None:
    """Return the order of the parts of an axis in the first layout, and another one in the second."""
    for axis in parse(b.native).axes:
        known = [
            other
            for layout in (a.native, b.common)
            for other in parse(layout).axes
            if set(other) == set(axis)
        ]
        if len(axis) > 1 and known and known[0] != axis:
            return " ".join(known[0]), " ".join(axis)
    for axis in parse(a.native).axes:
        known = [other for other in parse(a.common).axes if set(other) == set(axis)]
        if len(axis) > 1 and known and known[0] != axis:
            return " ".join(axis), " ".join(known[0])
    return None


def _apply(
    array: Array, a: Layout, b: Layout, shapes: tuple[Sequence[int], Sequence[int]], order: Sequence[int]
) -> Array:
    try:
        native = to_native(a, array, tuple(shapes[0]))
        return to_common(b, native.transpose(order).reshape(shapes[1]))
    except (LayoutError, ValueError):
        return array[:0]
