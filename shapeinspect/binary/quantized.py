"""Turns stored elements of quantized weights into numbers: unpacking, code books, scales and zero points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: The 16 values of bitsandbytes' ``nf4``.
#: Source: QLoRA (https://arxiv.org/abs/2305.14314), appendix E.
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1.0,
)  # fmt: skip

#: The 16 values of ``float4_e2m1fn``.
#: Source: OCP Microscaling Formats (MX) Specification 1.0, section 5.3.3.
E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)


def unpack(elements: Array, bits: int, axis: int, *, high_first: bool = False, signed: bool = False) -> Array:
    """Take apart elements that hold several unsigned values of a few bits, the lowest bits first.

    Args:
        elements: integers of 1, 2 or 4 bytes; the values may cross from one to the next.
        bits: the bits of a value, 1 to 8.
        axis: the axis along which neighbors share an element.
        high_first: whether the highest bits of an element hold its first value.
        signed: whether values are in two's complement.

    Returns:
        the values as ``uint8`` (``int8`` where signed); that axis is longer by the number in an element.

    Example:
        >>> import numpy as np
        >>> unpack(np.array([[0x21], [0x43]], np.uint8), 4, 1).tolist()
        [[1, 2], [3, 4]]
        >>> unpack(np.array([0x2F], np.uint8), 4, 0, high_first=True, signed=True).tolist()
        [2, -1]
    """
    import numpy as np

    width = 8 * elements.dtype.itemsize
    last = np.moveaxis(elements, axis, -1)
    if width % bits == 0:
        unsigned = last.astype(last.dtype.newbyteorder("=")).view(f"u{elements.dtype.itemsize}")
        shifts = np.arange(0, width, bits, dtype=unsigned.dtype)
        if high_first:
            shifts = shifts[::-1]
        values = ((unsigned[..., None] >> shifts) & unsigned.dtype.type((1 << bits) - 1)).astype(np.uint8)
    else:
        # A stream of bits, from the lowest of the first element on.
        stored = np.ascontiguousarray(last.astype(last.dtype.newbyteorder("<"))).view(np.uint8)
        stream = np.unpackbits(stored, axis=-1, bitorder="little")
        whole = stream.shape[-1] // bits
        grouped = stream[..., : whole * bits].reshape((*stream.shape[:-1], whole, bits))
        values = np.packbits(grouped, axis=-1, bitorder="little")
    flat = values.reshape((*last.shape[:-1], -1))
    if signed:
        flat = (flat << np.uint8(8 - bits)).view(np.int8) >> np.int8(8 - bits)
    result: Array = np.moveaxis(flat, -1, axis)
    return result


def spread(scales: Array, shape: Sequence[int], block: Sequence[int | None]) -> Array:
    """Repeat each scale over its block.

    Args:
        scales: one for each block, an axis for each of the weight.
        shape: the weight's lengths.
        block: how many values share a scale along each axis; None for a whole axis. The last block of an
            axis may be cut off.

    Raises:
        ValueError: if there is not one for each block.

    Example:
        >>> import numpy as np
        >>> spread(np.array([[1, 2], [3, 4]]), (2, 5), (1, 3)).tolist()
        [[1, 1, 1, 2, 2], [3, 3, 3, 4, 4]]
    """
    import numpy as np

    spans = [length if span is None else span for span, length in zip(block, shape, strict=True)]
    wanted = tuple(-(-length // span) if span else 0 for span, length in zip(spans, shape, strict=True))
    if scales.shape != wanted:
        raise ValueError(f"scales of shape {wanted} expected, got {scales.shape}")
    for axis, (span, length) in enumerate(zip(spans, shape, strict=True)):
        if scales.shape[axis] not in (1, length):
            scales = np.repeat(scales, span, axis)[(slice(None),) * axis + (slice(length),)]
    result: Array = np.broadcast_to(scales, tuple(shape))
    return result


def affine(
    codes: Array, scales: Array, zero_points: Array | None = None, block: Sequence[int | None] | None = None
) -> Array:
    """Return ``(codes - zero_points) * scales`` as float32.

    Args:
        codes: the quantized values, in the weight's shape.
        scales: one for each block.
        zero_points: the codes that stand for zero, one for each block; None for 0.
        block: how many values share a scale along each axis; None where scales broadcast already.

    Example:
        >>> import numpy as np
        >>> affine(np.array([[3, 4, 5]], np.uint8), np.array([[0.5]]), np.array([[4]]), (1, None)).tolist()
        [[-0.5, 0.0, 0.5]]
    """
    import numpy as np

    numbers = codes.astype(np.float32)
    parts = [part.astype(np.float32) for part in (scales, zero_points) if part is not None]
    if block is not None:
        parts = [spread(part, codes.shape, block) for part in parts]
    if zero_points is not None:
        numbers -= parts[1]
    numbers *= parts[0]
    return numbers
