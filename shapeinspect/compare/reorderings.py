"""Finds values that differ only in their order: the common mistakes of a port, tried one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import TYPE_CHECKING, Any

from shapeinspect.compare.slots import Slot
from shapeinspect.compare.values import CHUNK, compare
from shapeinspect.layout.pattern import parse

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: The gates in the common order, by how many there are.
_GATES = {4: "ifgo", 3: "rzn"}
_PEEPHOLES = "ifo"

#: How many orders of the axes are tried at most.
_MOST = 24


def reordering(a: Slot, b: Slot, left: Array, right: Array, rtol: float, atol: float) -> str:
    """Say how one side's values must be reordered to give the other's.

    Args:
        a: the first model's slot.
        b: the second model's.
        left: the values of the first, in the common convention.
        right: those of the second.
        rtol: the tolerance relative to the larger of two numbers.
        atol: the absolute tolerance.

    Returns:
        A clause, or an empty text where no order makes them equal.

    Example:
        >>> import numpy as np
        >>> from shapeinspect.ir import Layout, Weight
        >>> from shapeinspect.layout.canonical import pieces
        >>> weight = Weight("w", "weight", (3, 3), layout=Layout("o i", "o i", slot="weight"))
        >>> slot, square = Slot("weight", weight, pieces(weight)[0]), np.arange(9.0).reshape(3, 3)
        >>> reordering(slot, slot, square, square.T, 0, 0)
        "B's are A's with o and i swapped"
    """
    if left.size != right.size or not _alike(left, right, rtol):
        return ""
    unnamed = [f"axis {axis}" for axis in range(left.ndim)]
    proven = a.piece is not None and b.piece is not None
    for text, array in _orders(a, b, left) if proven else _exchanged(unnamed, left):
        if compare(array, right.reshape(array.shape), rtol, atol).close:
            return f"B's are A's with {text}"
    return ""


def _alike(left: Array, right: Array, rtol: float) -> bool:
    """Tell whether both sides can have the same values, by two sums that no order changes."""
    close = 20 * max(rtol, 1e-6)
    pairs = zip(_sums(left), _sums(right), strict=True)
    return all(abs(x - y) <= close * max(x, y) for x, y in pairs)


def _sums(array: Array) -> tuple[float, float]:
    import numpy as np

    flat = array.reshape(-1)
    parts = (np.abs(flat[start : start + CHUNK].astype(np.float64)) for start in range(0, flat.size, CHUNK))
    sums = [(float(part.sum()), float((part * part).sum())) for part in parts]
    return sum(total for total, _ in sums), sum(square for _, square in sums)


def _orders(a: Slot, b: Slot, left: Array) -> Iterator[tuple[str, Array]]:
    """Yield every other order of the first model's values, each with its description."""
    axes_a, axes_b = (parse(slot.piece.pattern if slot.piece else "").axes for slot in (a, b))
    if len(axes_a) != left.ndim:
        return
    names = [" ".join(axis) for axis in axes_a]
    yield from _exchanged(names, left)
    kernel = [axis for axis, name in enumerate(names) if name in ("kd", "kh", "kw", "kl")]
    if kernel:
        yield "the kernel flipped", _flipped(left, kernel)
    if names[0] == "gate" and left.shape[0] in _GATES:
        gates = _PEEPHOLES if a.name.startswith("peephole") else _GATES[left.shape[0]]
        for order in list(permutations(range(len(gates))))[1:]:
            yield f"the gates {' '.join(gates)} in the order {_of(gates, order)}", left[list(order)]
    for axis in range(left.ndim):
        for axes, slot in ((axes_a, a), (axes_b, b)):
            parts = axes[axis] if len(axes) == len(axes_a) else ()
            sizes = slot.weight.layout.sizes if slot.weight.layout is not None else {}
            if len(parts) > 1 and all(part in sizes for part in parts):
                yield from _inside(left, axis, parts, [int(sizes[part]) for part in parts])
                break


def _exchanged(names: Sequence[str], left: Array) -> Iterator[tuple[str, Array]]:
    orders = [
        order
        for order in permutations(range(left.ndim))
        if tuple(left.shape[axis] for axis in order) == left.shape
    ]
    for order in sorted(orders, key=lambda order: sum(index != axis for index, axis in enumerate(order)))[
        1:_MOST
    ]:
        moved = [names[axis] for index, axis in enumerate(order) if index != axis]
        if len(moved) == 2:
            yield f"{moved[1]} and {moved[0]} swapped", left.transpose(order)
        else:
            yield f"the axes {' '.join(names)} in the order {_of(names, order)}", left.transpose(order)


def _flipped(left: Array, axes: Sequence[int]) -> Array:
    index: list[Any] = [slice(None)] * left.ndim
    for axis in axes:
        index[axis] = slice(None, None, -1)
    flipped: Array = left[tuple(index)]
    return flipped


def _inside(left: Array, axis: int, parts: Sequence[str], sizes: list[int]) -> Iterator[tuple[str, Array]]:
    """Yield the orders of the parts of a composite axis, as a flatten forms it."""
    before, after = left.shape[:axis], left.shape[axis + 1 :]
    apart = left.reshape(*before, *sizes, *after)
    for order in list(permutations(range(len(parts))))[1:_MOST]:
        axes = [*range(axis), *(axis + part for part in order)]
        axes += range(len(axes), apart.ndim)
        yield (
            f"({' '.join(parts)}) in the order ({_of(parts, order)})",
            apart.transpose(axes).reshape(left.shape),
        )


def _of(names: Sequence[str], order: Sequence[int]) -> str:
    return " ".join(names[axis] for axis in order)
