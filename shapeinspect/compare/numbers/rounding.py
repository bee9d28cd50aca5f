"""How far numbers may be apart because one side stores them with fewer bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from shapeinspect.compare.granularity.slots import Slot
from shapeinspect.compare.numbers.values import CHUNK, compare
from shapeinspect.layout.pattern import parse

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: Tells whether two arrays of one shape hold the same numbers, as exactly as they are stored.
Same: TypeAlias = "Callable[[Array, Array], bool]"

#: How far rounding to a block type may move a number, as a part of the largest magnitude in its block.
#: Source: the ``quantize_blocks`` of ``gguf-py/gguf/quants.py``: half a step where both ends of a block are
#: numbers of the type (Q8_0: 1/254, Q4_1: 1/15, Q5_1: 1/31), a whole one where the far end is cut off
#: (Q4_0: 1/8, Q5_0: 1/16), half of the widest gap of MXFP4 (4 to 6, of which 8 may be cut off) and of ternary
#: numbers. What searches for scales (``make_qkx2_quants`` and the like in ``ggml-quants.c``) leaves at most a
#: step and a quarter of the range, since the scales are rounded, too. Scales of 16 bits add a thousandth.
_PARTS = {
    "Q8_0": 1 / 254, "Q5_0": 1 / 16, "Q5_1": 1 / 31, "Q4_0": 1 / 8, "Q4_1": 1 / 15, "MXFP4": 1 / 4,
    "TQ1_0": 1 / 2, "TQ2_0": 1 / 2, "Q6_K": 2.5 / 63, "Q5_K": 2.5 / 31, "Q4_K": 2.5 / 15, "Q3_K": 2.5 / 7,
    "Q2_K": 2.5 / 3, "IQ4_NL": 2.5 / 15, "IQ4_XS": 2.5 / 15,
}  # fmt: skip
_SCALE = 1e-3

#: The element types that a float32 is rounded to, and the largest relative and absolute step of that.
_FLOATS = {"float16": (2.0**-11, 2.0**-25), "bfloat16": (2.0**-8, 0.0)}
_WIDE = frozenset(("float32", "float64"))


def allowance(a: Slot, b: Slot) -> str:
    """Name the type of fewer bits, where one side has rounded what the other side has in full.

    Args:
        a: a slot of the first model.
        b: the same slot of the second one.

    Returns:
        the type, in the words of its format; an empty text where nothing is known of its rounding.
    """
    for narrow, wide in ((a, b), (b, a)):
        if _block(narrow) and wide.weight.quantization is None:
            return narrow.weight.quantization.element if narrow.weight.quantization else ""
        plain = narrow.weight.quantization is None and wide.weight.quantization is None
        if plain and narrow.weight.dtype in _FLOATS and wide.weight.dtype in _WIDE:
            return str(narrow.weight.dtype)
    return ""


def same_within(a: Slot, b: Slot, rtol: float, atol: float) -> Same:
    """Return what tells whether numbers are the same: in the tolerance, or in what a type's rounding allows.

    Args:
        a: a slot of the first model.
        b: the same slot of the second one.
        rtol: the tolerance relative to the larger of two values.
        atol: the absolute tolerance.
    """
    kind = allowance(a, b)
    if kind in _FLOATS:
        relative, absolute = _FLOATS[kind]
        return lambda x, y: compare(x, y, max(rtol, relative), max(atol, absolute)).close
    if kind:
        size, part = _block(a) or _block(b), _PARTS[kind]
        return lambda x, y: _in_blocks(x, y, size, part)
    return lambda x, y: compare(x, y, rtol, atol).close


def _block(slot: Slot) -> int:
    """Return how many numbers along the last axis share a scale; 0 where no rounding of them is known."""
    stored = slot.weight.quantization
    if stored is None or stored.scheme != "ggml" or stored.element not in _PARTS or stored.packing is None:
        return 0
    layout = slot.weight.layout
    moved = layout is not None and parse(layout.native).axes[-1] != parse(layout.common).axes[-1]
    return 0 if moved else stored.packing.values


def _in_blocks(x: Array, y: Array, size: int, part: float) -> bool:
    import numpy as np

    if x.shape[-1] % size or x.size != y.size:
        return False
    left, right = x.reshape(-1, size), y.reshape(-1, size)
    rows = max(CHUNK // size, 1)
    for start in range(0, len(left), rows):
        one, other = left[start : start + rows], right[start : start + rows]
        gap = np.abs(one.astype(np.float32) - other.astype(np.float32))
        largest = np.maximum(np.abs(one), np.abs(other)).max(axis=1, keepdims=True)
        if not bool(np.all(gap <= largest * (part + _SCALE * (1 + part)))):
            return False
    return True
