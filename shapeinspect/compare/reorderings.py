"""Numbers that differ, and are the same ones in another order: the mistakes of a port, tried one by one."""

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

#: Axes are not tried in every order where there would be more orders than this.
_MOST = 24


def turned(a: Slot, b: Slot, left: Array, right: Array, rtol: float, atol: float) -> str:
    """Say in which order one side's numbers are the other's.

    Args:
        a: the first model's slot.
        b: the second model's.
        left: the numbers of the first, in the common convention.
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
        >>> turned(slot, slot, square, square.T, 0, 0)
        "B's are A's with o and i swapped"
    """
    if left.size != right.size or not _alike(left, right, rtol):
        return ""
    unnamed = [f"axis {place}" for place in range(left.ndim)]
    proven = a.piece is not None and b.piece is not None
    for text, array in _orders(a, b, left) if proven else _exchanged(unnamed, left):
        if compare(array, right.reshape(array.shape), rtol, atol).close:
            return f"B's are A's with {text}"
    return ""


def _alike(left: Array, right: Array, rtol: float) -> bool:
    """Tell whether both sides can be the same numbers, by two sums that no order changes."""
    close = 20 * max(rtol, 1e-6)
    pairs = zip(_sums(left), _sums(right), strict=True)
    return all(abs(one - other) <= close * max(one, other) for one, other in pairs)


def _sums(array: Array) -> tuple[float, float]:
    import numpy as np

    flat = array.reshape(-1)
    parts = (np.abs(flat[at : at + CHUNK].astype(np.float64)) for at in range(0, flat.size, CHUNK))
    sums = [(float(part.sum()), float((part * part).sum())) for part in parts]
    return sum(one for one, _ in sums), sum(square for _, square in sums)


def _orders(a: Slot, b: Slot, left: Array) -> Iterator[tuple[str, Array]]:
    """Yield every other order of the first model's numbers, and what it is called."""
    mine, theirs = (parse(slot.piece.pattern if slot.piece else "").axes for slot in (a, b))
    if len(mine) != left.ndim:
        return
    names = [" ".join(axis) for axis in mine]
    yield from _exchanged(names, left)
    kernel = [place for place, name in enumerate(names) if name in ("kd", "kh", "kw", "kl")]
    if kernel:
        yield "the kernel flipped", _flipped(left, kernel)
    if names[0] == "gate" and left.shape[0] in _GATES:
        gates = _PEEPHOLES if a.name.startswith("peephole") else _GATES[left.shape[0]]
        for order in list(permutations(range(len(gates))))[1:]:
            yield f"the gates {' '.join(gates)} in the order {_of(gates, order)}", left[list(order)]
    for place in range(left.ndim):
        for axes, slot in ((mine, a), (theirs, b)):
            parts = axes[place] if len(axes) == len(mine) else ()
            sizes = slot.weight.layout.sizes if slot.weight.layout is not None else {}
            if len(parts) > 1 and all(part in sizes for part in parts):
                yield from _inside(left, place, parts, [int(sizes[part]) for part in parts])
                break


def _exchanged(names: Sequence[str], left: Array) -> Iterator[tuple[str, Array]]:
    orders = [
        order
        for order in permutations(range(left.ndim))
        if tuple(left.shape[place] for place in order) == left.shape
    ]
    for order in sorted(orders, key=lambda order: sum(at != place for at, place in enumerate(order)))[
        1:_MOST
    ]:
        moved = [names[place] for at, place in enumerate(order) if at != place]
        if len(moved) == 2:
            yield f"{moved[1]} and {moved[0]} swapped", left.transpose(order)
        else:
            yield f"the axes {' '.join(names)} in the order {_of(names, order)}", left.transpose(order)


def _flipped(left: Array, axes: Sequence[int]) -> Array:
    place: list[Any] = [slice(None)] * left.ndim
    for axis in axes:
        place[axis] = slice(None, None, -1)
    turned: Array = left[tuple(place)]
    return turned


def _inside(left: Array, place: int, parts: Sequence[str], sizes: list[int]) -> Iterator[tuple[str, Array]]:
    """Yield the orders of the axes that one axis is made of, as a flatten makes it."""
    before, after = left.shape[:place], left.shape[place + 1 :]
    apart = left.reshape(*before, *sizes, *after)
    for order in list(permutations(range(len(parts))))[1:_MOST]:
        axes = [*range(place), *(place + at for at in order)]
        axes += range(len(axes), apart.ndim)
        yield (
            f"({' '.join(parts)}) in the order ({_of(parts, order)})",
            apart.transpose(axes).reshape(left.shape),
        )


def _of(names: Sequence[str], order: Sequence[int]) -> str:
    return " ".join(names[place] for place in order)
