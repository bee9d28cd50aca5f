"""Reads and compares the values of weights, in the common convention, one pair at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shapeinspect.binary.stored_numbers import same_bytes
from shapeinspect.compare.granularity.slots import Slot, Unit
from shapeinspect.compare.result import Figures
from shapeinspect.errors import MissingDependencyError
from shapeinspect.layout.apply import to_common

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: How many values are compared at once: the comparison needs a few copies of them.
CHUNK = 1 << 18


def readable(slots: Sequence[Slot]) -> bool:
    """Tell whether the values of slots can be read.

    Args:
        slots: one slot, or the summands of one.
    """
    return all(slot.weight.values is not None for slot in slots)


def stored_alike(a: Sequence[Slot], b: Sequence[Slot]) -> bool:
    """Tell whether two slots are the same bytes in the same layout, which takes no more than reading them.

    Args:
        a: a slot, or the summands of one.
        b: the other side's.
    """
    if len(a) != 1 or len(b) != 1 or a[0].piece != b[0].piece:
        return False
    left, right = a[0].weight, b[0].weight
    return left.layout == right.layout and same_bytes(left.values, right.values)


def numbers(slots: Sequence[Slot]) -> Array:
    """Read a slot, or the sum of several.

    Args:
        slots: slots that are :func:`readable`; one without a layout is read as it is stored.
    """
    total = _read(slots[0])
    for slot in slots[1:]:
        total = total + _read(slot)
    return total


def _read(slot: Slot) -> Array:
    values, layout = slot.weight.values, slot.weight.layout
    if values is None:
        raise ValueError(slot.name)  # readable() has been asked
    array = values()
    if slot.piece is None or layout is None:
        return array
    return slot.piece.take(to_common(layout, array))


def compare(a: Array, b: Array, rtol: float, atol: float) -> Figures:
    """Find the largest differences between two arrays of equal size.

    Args:
        a: one side, in the common convention.
        b: the other, its axes in the same order; axes of length 1 may differ.
        rtol: the tolerance relative to the larger of two values.
        atol: the absolute tolerance.

    Example:
        >>> import numpy as np
        >>> compare(np.array([1.0, 2.0]), np.array([1.0, 2.5]), 0, 0)
        Figures(max_abs=0.5, max_rel=0.2, close=False)
    """
    import numpy as np

    left, right = a.reshape(-1), b.reshape(-1)
    highest, relative, close = 0.0, 0.0, True
    for start in range(0, left.size, CHUNK):
        if _same_bits(left[start : start + CHUNK], right[start : start + CHUNK]):
            continue
        x, y = _wide(left[start : start + CHUNK]), _wide(right[start : start + CHUNK])
        with np.errstate(invalid="ignore", over="ignore"):
            gap = np.abs(x - y)
            equal = (x == y) | (np.isnan(x) & np.isnan(y))
            larger = np.maximum(np.abs(x), np.abs(y))
            gap[equal] = 0.0
            gap[np.isnan(gap)] = np.inf
            ratio = np.divide(gap, larger, out=np.zeros_like(gap), where=(larger > 0) & ~equal)
            ratio[np.isnan(ratio)] = np.inf
            close = close and bool(np.all(equal | (np.isfinite(gap) & (gap <= atol + rtol * larger))))
        highest, relative = max(highest, float(gap.max())), max(relative, float(ratio.max()))
    return Figures(highest, relative, close)


def _same_bits(x: Array, y: Array) -> bool:
    """Tell cheaply whether two parts are the same ones bit by bit, as most parts of two copies are."""
    import numpy as np

    if x.dtype != y.dtype or x.dtype.kind not in "fiu" or not x.dtype.isnative:
        return False
    if not x.flags.c_contiguous or not y.flags.c_contiguous:
        return False
    words = np.dtype(np.uint64) if x.nbytes % np.dtype(np.uint64).itemsize == 0 else np.dtype(np.uint8)
    return bool((x.view(words) == y.view(words)).all())


def _wide(part: Array) -> Array:
    """Convert to float64, which represents every weight dtype exactly, integers up to 52 bits."""
    import numpy as np

    wide: Array = part.astype(np.complex128 if part.dtype.kind == "c" else np.float64)
    return wide


def fingerprint(unit: Unit) -> str | None:
    """Return a hash of the values of a layer's main slots; None if they cannot be read.

    Args:
        unit: the layer.
    """
    import numpy as np

    if not unit.main or not readable(unit.main):
        return None
    state = hashlib.sha256()
    for slot in sorted(unit.main, key=lambda slot: slot.name):
        try:
            flat = _read(slot).reshape(-1)
        except MissingDependencyError:
            return None
        for start in range(0, flat.size, CHUNK):
            # Minus zero equals zero.
            state.update((flat[start : start + CHUNK].astype(np.float64) + 0).tobytes())
    return state.hexdigest()
