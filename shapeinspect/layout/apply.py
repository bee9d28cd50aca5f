"""The numeric transform of a layout and its exact inverse, on numpy arrays and torch tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from shapeinspect.dims import Shape
from shapeinspect.errors import LayoutError
from shapeinspect.ir import Layout
from shapeinspect.layout.pattern import lengths, parse

Array = TypeVar("Array")


def to_common(layout: Layout, array: Array) -> Array:
    """Turn a weight from its native layout into the common convention.

    Args:
        layout: its native and common axes, orders and flips.
        array: the values in the native order; any array that einops and list indexing accept.

    Raises:
        LayoutError: if the array's shape does not fit the native pattern.

    Example:
        >>> import numpy as np
        >>> to_common(Layout("kh kw i o", "o i kh kw"), np.zeros((5, 7, 3, 11))).shape
        (11, 3, 5, 7)
    """
    return _move(layout, array, layout.native, layout.common, layout.sizes, back=False)


def to_native(layout: Layout, array: Array, shape: Shape | None = None) -> Array:
    """Turn a weight from the common convention back into its native layout.

    Args:
        layout: its native and common axes, orders and flips.
        array: the values in the common order.
        shape: the native lengths; needed where the common pattern merges axes, ``(head d) i``, that
            the native one keeps apart.

    Raises:
        LayoutError: if the array's shape does not fit the common pattern.

    Example:
        >>> import numpy as np
        >>> to_native(Layout("kh kw i o", "o i kh kw"), np.zeros((11, 3, 5, 7))).shape
        (5, 7, 3, 11)
    """
    sizes: Mapping[str, Any] = layout.sizes
    if shape is not None:
        sizes = lengths(parse(layout.native), shape, layout.sizes)
    return _move(layout, array, layout.common, layout.native, sizes, back=True)


def _move(
    layout: Layout, array: Array, source: str, target: str, known: Mapping[str, Any], *, back: bool
) -> Array:
    from einops import rearrange

    shape = tuple(int(length) for length in array.shape)  # type: ignore[attr-defined]  # every array has one
    sizes = {str(name): int(size) for name, size in lengths(parse(source), shape, known).items()}  # type: ignore[arg-type]  # the lengths are integers
    moved: Array
    if not layout.orders and not layout.flips:
        moved = rearrange(array, f"{source} -> {target}", **sizes)
        return moved
    names = parse(source).names
    plain = " ".join(names)
    moved = rearrange(array, f"{source} -> {plain}", **sizes)
    for axis, native, common in layout.orders:
        before, after = (common, native) if back else (native, common)
        moved = _take(moved, names.index(axis), _indices(axis, before.split(), after.split(), sizes[axis]))
    for axis in layout.flips:
        moved = _take(moved, names.index(axis), range(sizes[axis])[::-1])
    moved = rearrange(moved, f"{plain} -> {target}", **sizes)
    return moved


def _indices(axis: str, before: Sequence[str], after: Sequence[str], length: int) -> list[int]:
    if sorted(before) != sorted(after) or len(before) != length:
        raise LayoutError(
            f"axis {axis} has {length} entries", expected=f"the {len(before)} named {' '.join(before)}"
        )
    return [before.index(name) for name in after]


def _take(array: Array, axis: int, indices: Sequence[int]) -> Array:
    taken: Array = array[(slice(None),) * axis + (list(indices),)]  # type: ignore[index]  # arrays take lists
    return taken
