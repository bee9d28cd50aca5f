"""Whole axes in another order: exchanged, read from the end, gates and parts of a flattened axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING, Any

from shapeinspect.compare.granularity.slots import Slot
from shapeinspect.compare.numbers.reorder.trial import Trial
from shapeinspect.dims import whole
from shapeinspect.errors import LayoutError
from shapeinspect.layout.pattern import lengths, parse

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: The gates in the common order, by how many there are.
_GATES = {4: "ifgo", 3: "rzn"}
_PEEPHOLES = "ifo"
_KERNEL = ("kd", "kh", "kw", "kl")
#: The channels of a picture.
_COLORS = 3

#: How many orders of the axes are tried at most.
_MOST = 24


def ordered(a: Slot, b: Slot, left: Array) -> Iterator[Trial]:
    """Yield every other order of the first model's values whose axes are known.

    Args:
        a: the first model's slot.
        b: the second model's.
        left: the values of the first, in the common convention.
    """
    axes_a, axes_b = (parse(slot.piece.pattern if slot.piece else "").axes for slot in (a, b))
    if len(axes_a) != left.ndim:
        return
    names = [axis[0] if len(axis) == 1 else f"({' '.join(axis)})" for axis in axes_a]
    yield from exchanged(names, left, b.piece.shape if b.piece else ())
    yield from _flips(names, left)
    if names[0] == "gate" and left.shape[0] in _GATES:
        gates = _PEEPHOLES if a.name.startswith("peephole") else _GATES[left.shape[0]]
        for order in list(permutations(range(len(gates))))[1:]:
            text = f"with the gates {' '.join(gates)} in the order {_of(gates, order)}"
            yield Trial(text, f"B = A[{list(order)}]", partial(_taken, order=order))
    for axis in range(left.ndim):
        for axes, slot in ((axes_a, a), (axes_b, b)):
            parts = axes[axis] if len(axes) == len(axes_a) else ()
            sizes = _sizes(slot)
            if len(parts) > 1 and all(part in sizes for part in parts):
                yield from _inside(names, axis, parts, [sizes[part] for part in parts])
                break


def exchanged(names: Sequence[str], left: Array, shape: Sequence[Any]) -> Iterator[Trial]:
    """Yield the orders of the axes that give the other side's lengths.

    Args:
        names: the axes; empty where nothing names them.
        left: the values of the first model.
        shape: the lengths of the other side's.
    """
    wanted = tuple(shape) if len(shape) == left.ndim else left.shape
    orders = [
        order
        for order in permutations(range(left.ndim))
        if tuple(left.shape[axis] for axis in order) == wanted and list(order) != sorted(order)
    ]
    letters = names or [f"axis {axis}" for axis in range(left.ndim)]
    plain = [f"d{axis}" if not names else names[axis] for axis in range(left.ndim)]
    for order in sorted(orders, key=lambda order: sum(index != axis for index, axis in enumerate(order)))[
        :_MOST
    ]:
        moved = [letters[axis] for index, axis in enumerate(order) if index != axis]
        line = f"B = rearrange(A, '{_simple(plain)} -> {_simple([plain[axis] for axis in order])}')"
        if len(moved) == 2:
            text = f"with {moved[1]} and {moved[0]} swapped"
        else:
            text = f"with the axes {' '.join(letters)} in the order {_of(letters, order)}"
        yield Trial(text, line, partial(_transposed, order=order))


def _simple(names: Sequence[str]) -> str:
    """Write axes as einops takes them, a flattened one by one name."""
    return " ".join(name.strip("()").replace(" ", "_") for name in names)


def _flips(names: Sequence[str], left: Array) -> Iterator[Trial]:
    kernel = [axis for axis, name in enumerate(names) if name in _KERNEL and left.shape[axis] > 1]
    sets = [kernel] if kernel else []
    sets += [[axis] for axis in kernel] if len(kernel) > 1 else []
    # Where the gates of a layer have another order, they are not read from the end.
    sets += [
        [axis]
        for axis, name in enumerate(names)
        if axis not in kernel and name != "gate" and left.shape[axis] > 1
    ]
    for axes in sets:
        if axes == kernel:
            text = "with the kernel flipped"
        elif names[axes[0]] == "i" and left.shape[axes[0]] == _COLORS:
            text = "with i reversed, as RGB and BGR differ"
        else:
            text = f"with {names[axes[0]]} reversed"
        index = ", ".join("::-1" if axis in axes else ":" for axis in range(max(axes) + 1))
        yield Trial(text, f"B = A[{index}]", partial(_flipped, axes=tuple(axes)))


def _flipped(array: Array, axes: Sequence[int]) -> Array:
    index: list[Any] = [slice(None)] * array.ndim
    for axis in axes:
        index[axis] = slice(None, None, -1)
    flipped: Array = array[tuple(index)]
    return flipped


def _transposed(array: Array, order: Sequence[int]) -> Array:
    transposed: Array = array.transpose(order)
    return transposed


def _taken(array: Array, order: Sequence[int]) -> Array:
    taken: Array = array[list(order)]
    return taken


def _sizes(slot: Slot) -> dict[str, int]:
    """Return the lengths of all parts of a slot's axes that are known."""
    layout, shape = slot.weight.layout, whole(slot.weight.shape)
    if layout is None or shape is None:
        return {}
    try:
        found = lengths(parse(layout.native), shape, layout.sizes)
    except LayoutError:
        return {}
    return {name: length for name, length in found.items() if isinstance(length, int)}


def _inside(names: Sequence[str], axis: int, parts: Sequence[str], sizes: list[int]) -> Iterator[Trial]:
    """Yield the orders of the parts of a composite axis, as a flatten forms it."""
    known = ", ".join(f"{part}={size}" for part, size in zip(parts[1:], sizes[1:], strict=True))
    around = [name.strip("()").replace(" ", "_") for name in names]
    for order in list(permutations(range(len(parts))))[1:_MOST]:
        here, there = (
            " ".join([*around[:axis], f"({' '.join(inner)})", *around[axis + 1 :]])
            for inner in (parts, [parts[part] for part in order])
        )
        yield Trial(
            f"with ({' '.join(parts)}) in the order ({_of(parts, order)})",
            f"B = rearrange(A, '{here} -> {there}', {known})",
            partial(_parted, axis=axis, sizes=tuple(sizes), order=order),
        )


def _parted(array: Array, axis: int, sizes: Sequence[int], order: Sequence[int]) -> Array:
    apart = array.reshape(*array.shape[:axis], *sizes, *array.shape[axis + 1 :])
    axes = [*range(axis), *(axis + part for part in order)]
    axes += range(len(axes), apart.ndim)
    parted: Array = apart.transpose(axes).reshape(array.shape)
    return parted


def _of(names: Sequence[str], order: Sequence[int]) -> str:
    return " ".join(names[axis] for axis in order)
