"""Quanto: eight bits as they are; four and two bits in groups, the first rows packed with later ones.

Source: optimum-quanto ``tensor/qtensor.py`` (``save_to_state_dict``), ``tensor/packed.py`` (``pack_weights``:
the lowest bits of an element hold a value of the first rows), ``tensor/grouped.py`` and ``tensor/qbits.py``
(``scale * q - shift`` for a shift that is a float, ``scale * (q - shift)`` for an integer).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect_torch.quantized.declared import Declared
from shapeinspect_torch.quantized.parts import folded, hidden, lengths, present
from shapeinspect_torch.quantized.torchao import plain

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def read(name: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight of quanto; the shape of one in groups is not stored, and only its size is known.

    Args:
        name: the name of the weight.
        weights: all weights by name.
        declared: the configuration.
    """
    scales = weights.get(f"{name}._scale")
    main = weights.get(f"{name}._data") or weights.get(f"{name}._data._data")
    shape = lengths(main)
    if main is None or scales is None or shape is None:
        return None
    if main.name.endswith("._data._data") or main.dtype == "uint8":
        names = ((scales.name,), present(weights, name, "._shift"))
        return packed(main, scales, weights.get(f"{name}._shift"), None, names)
    many = lengths(scales)
    block: tuple[int | None, ...] = (1, *(None,) * (len(shape) - 1))
    if scales.size == 1:
        block = (None,) * len(shape)
    elif many is None or many[:1] != shape[:1]:
        return hidden(main, "quanto", (scales.name,))
    how = Quantization("quanto", main.dtype or "", 8, block, None, (scales.name,))
    return folded(main, shape, how, partial(plain, block, zeros=None), main, scales)


def packed(
    main: Weight,
    scales: Weight,
    shift: Weight | None,
    shape: tuple[int, ...] | None,
    names: tuple[tuple[str, ...], tuple[str, ...]],
) -> Weight:
    """Return a weight of four or two bits.

    Args:
        main: its packed values.
        scales: one for each group.
        shift: the same number of shifts.
        shape: its lengths; None where they are not known.
        names: the names of its scales and shifts.
    """
    stored, many = lengths(main), lengths(scales)
    rows = _rows(stored, many)
    if stored is None or rows is None or shift is None or shift.shape != scales.shape:
        return hidden(main, "quanto", *names)
    each = -(-rows // stored[0])
    whole: Shape = (rows, *stored[1:])
    block: tuple[int | None, ...] | None = (1, *(None,) * (len(whole) - 1))
    if shape is None and len(stored) == 2:  # groups of a matrix or of a kernel
        whole, block = (UNKNOWN, UNKNOWN), (stored[1],)
    elif shape is not None:
        if prod(shape) != rows * prod(stored[1:]):
            return hidden(main, "quanto", *names)
        group = prod(stored[1:])
        block = (1, group) if len(shape) == 2 and shape[1] % group == 0 else (group,)
        block = block if shape != (rows, *stored[1:]) else (1, *(None,) * (len(shape) - 1))
        whole = shape
    bits = 8 // each
    how = Quantization("quanto", f"int{bits}", bits, block, Packing(stored, "uint8", None, each), *names)
    known = shape or (rows, *stored[1:])
    read = folded(main, whole, how, partial(_values, bits, rows, known), main, scales, shift)
    return replace(read, count=rows * prod(stored[1:]))


def _rows(stored: tuple[int, ...] | None, many: tuple[int, ...] | None) -> int | None:
    """Return how many rows are packed: as many as there are scales, two or four to an element."""
    if not stored or not many or many[1:] != (1,) * (len(stored) - 1) or not stored[0]:
        return None
    fits = [each for each in (2, 4) if -(-many[0] // each) == stored[0]]
    return many[0] if len(fits) == 1 else None


def _values(bits: int, rows: int, shape: tuple[int, ...], stored: Array, scale: Array, shift: Array) -> Array:
    import numpy as np

    codes = np.concatenate([(stored >> part) & ((1 << bits) - 1) for part in range(0, 8, bits)])[:rows]
    scale = scale.astype(np.float32)
    if shift.dtype.kind in "iu":
        numbers: Array = (codes.astype(np.float32) - shift.astype(np.float32)) * scale
    else:
        numbers = codes.astype(np.float32) * scale - shift.astype(np.float32)
    return numbers.reshape(shape)
