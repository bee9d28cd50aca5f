"""bitsandbytes: ``nf4`` and ``fp4`` in blocks of the flattened weight, and eight bits with a scale a row.

Source: ``bitsandbytes/functional.py`` (``QuantState.as_dict``, ``dequantize_4bit``: the high half of a byte
comes first; ``dequantize_blockwise`` for the nested statistics) and ``nn/modules.py`` (``Linear8bitLt``:
``SCB`` is the largest magnitude of each row, which stands for 127).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from shapeinspect.binary.json_text import parse_object
from shapeinspect.binary.quantized import affine, spread, unpack
from shapeinspect.dims import UNKNOWN
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect_torch.quantized.declared import Declared
from shapeinspect_torch.quantized.parts import folded, lengths, number, present, text

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_TYPES = ("nf4", "fp4")


def read_four_bits(name: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight of four bits.

    Args:
        name: its name.
        weights: all weights by name.
        declared: the configuration.
    """
    main, absmax, book = (weights.get(name + end) for end in ("", ".absmax", ".quant_map"))
    if main is None or absmax is None or book is None:
        return None
    nbytes = main.size if main.dtype == "uint8" else main.nbytes
    if nbytes is None:
        return None
    ends = [f".quant_state.bitsandbytes__{kind}" for kind in _TYPES]
    described = present(weights, name, *ends)
    facts = _facts(weights.get(described[0])) if described else {}
    kind = described[0][-3:] if described else declared.text("bnb_4bit_quant_type")
    count = 2 * nbytes
    shape = _shape(facts.get("shape"), count)
    size = _positive(facts.get("blocksize"))
    block = (size,) if size else None
    nested = present(weights, name, ".nested_absmax", ".nested_quant_map")
    how = Quantization(
        "bitsandbytes",
        kind if kind in _TYPES else "",
        4,
        block,
        Packing(main.shape, main.dtype or "uint8", None, count // max(main.size or 1, 1)),
        (absmax.name,),
        state=(book.name, *nested, *described),
    )
    if shape is None:
        unknown = folded(main, (UNKNOWN, UNKNOWN), how, None)
        # Two values a byte, whatever the shape; one less where the shape makes an odd number.
        return replace(unknown, count=count)
    offset, inner = facts.get("nested_offset", 0.0), _positive(facts.get("nested_blocksize"))
    compute = None
    if size and isinstance(offset, int | float) and (inner or not nested):
        compute = partial(_four_bits, shape, size, float(offset), inner)
    parts = [weights.get(name + end) for end in (".nested_absmax", ".nested_quant_map")]
    return folded(main, shape, how, compute, main, absmax, book, *parts)


def _positive(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _shape(value: object, count: int) -> tuple[int, ...] | None:
    """Return the shape that is stated, if it has as many values as are stored."""
    if not isinstance(value, list) or not 0 < len(value) < 9 or not all(_positive(n) for n in value):
        return None
    return tuple(value) if prod(value) in (count, count - 1) else None


def _facts(described: Weight | None) -> dict[str, Any]:
    """Read the JSON text that is stored as a tensor of bytes."""
    try:
        return parse_object(text(described).encode(), "quant_state", "the quantization state")
    except UnreadableFileError:
        return {}


def _four_bits(
    shape: tuple[int, ...],
    size: int,
    offset: float,
    inner: int,
    stored: Array,
    absmax: Array,
    book: Array,
    nested: Array | None,
    nested_book: Array | None,
) -> Array:
    import numpy as np

    count = prod(shape)
    codes = unpack(np.frombuffer(stored.tobytes(), np.uint8), 4, 0, high_first=True)[:count]
    largest = absmax.reshape(-1).astype(np.float32)
    if nested is not None and nested_book is not None:
        largest = nested_book.astype(np.float32)[absmax.reshape(-1)]
        largest = largest * spread(nested.reshape(-1), largest.shape, (inner,)) + np.float32(offset)
    numbers = book.astype(np.float32)[codes] * spread(largest, (count,), (size,))
    result: Array = numbers.reshape(shape)
    return result


def read_eight_bits(prefix: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight of eight bits.

    Args:
        prefix: the layer's path and a dot.
        weights: all weights by name.
        declared: the configuration.
    """
    main, largest = weights.get(f"{prefix}weight"), weights.get(f"{prefix}SCB")
    shape = lengths(main)
    if main is None or largest is None or main.dtype != "int8" or shape is None or len(shape) != 2:
        return None
    if lengths(largest) != shape[:1]:
        return None
    state = present(weights, prefix, "weight_format")
    how = Quantization("bitsandbytes", "int8", 8, (1, None), None, (largest.name,), state=state)
    # Tiles of some GPUs (1 to 3) have an order of their own; 0 is row by row.
    in_rows = not state or number(weights.get(state[0])) == 0
    return folded(main, shape, how, _eight_bits if in_rows else None, main, largest)


def _eight_bits(codes: Array, largest: Array) -> Array:
    import numpy as np

    return affine(codes, largest.astype(np.float32)[:, None] / np.float32(127))
