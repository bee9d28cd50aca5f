"""Computes the numbers of quantized blocks.

Source: the ``block_*`` structures of ``ggml/src/ggml-common.h`` and the ``dequantize_row_*`` functions of
``ggml/src/ggml-quants.c``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from shapeinspect.binary.quantized import E2M1

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: Takes bytes, one row a block, and the byte order; returns the numbers, one row a block.
Blocks: TypeAlias = "Callable[[Array, str], Array]"

_NONLINEAR = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


def _half(data: Array, start: int, order: str) -> Array:
    """Read one 16-bit float of every block."""
    import numpy as np

    stored: Array = np.ascontiguousarray(data[:, start : start + 2]).view(f"{order}f2")
    return stored.astype(np.float32)


def _nibbles(data: Array, groups: int = 1) -> Array:
    """Return the lower halves of the bytes of each group, then the upper ones."""
    import numpy as np

    parts = data.reshape(len(data), groups, 1, -1)
    both: Array = np.concatenate([parts & 15, parts >> 4], 2).reshape(len(data), -1)
    return both


def _shifted(data: Array, groups: int, shifts: tuple[int, ...], mask: int) -> Array:
    """Return the same bits of all bytes of a group, then the next ones."""
    import numpy as np

    parts = data.reshape(len(data), groups, 1, -1)
    moved: Array = (parts >> np.asarray(shifts, np.uint8)[:, None]) & mask
    return moved.reshape(len(data), -1)


def _bits(data: Array) -> Array:
    import numpy as np

    stored: Array = np.unpackbits(data, axis=1, bitorder="little")
    return stored


def _repeat(scales: Array, times: int) -> Array:
    import numpy as np

    result: Array = np.repeat(scales, times, 1)
    return result


def _q4_0(data: Array, order: str) -> Array:
    return (_nibbles(data[:, 2:]).astype("f4") - 8) * _half(data, 0, order)


def _q4_1(data: Array, order: str) -> Array:
    return _nibbles(data[:, 4:]).astype("f4") * _half(data, 0, order) + _half(data, 2, order)


def _q5_0(data: Array, order: str) -> Array:
    codes = _nibbles(data[:, 6:]) | (_bits(data[:, 2:6]) << 4)
    numbers: Array = (codes.astype("f4") - 16) * _half(data, 0, order)
    return numbers


def _q5_1(data: Array, order: str) -> Array:
    codes = _nibbles(data[:, 8:]) | (_bits(data[:, 4:8]) << 4)
    numbers: Array = codes.astype("f4") * _half(data, 0, order) + _half(data, 2, order)
    return numbers


def _q8_0(data: Array, order: str) -> Array:
    return data[:, 2:].view("i1").astype("f4") * _half(data, 0, order)


def _q8_k(data: Array, order: str) -> Array:
    import numpy as np

    # A 32-bit scale, the numbers, and sums of them, which only products of matrices read.
    step: Array = np.ascontiguousarray(data[:, :4]).view(f"{order}f4").astype("f4")
    return data[:, 4:260].view("i1").astype("f4") * step


def _q1_0(data: Array, order: str) -> Array:
    # A bit says the sign; the lowest one of the first byte comes first.
    return (_bits(data[:, 2:]).astype("f4") * 2 - 1) * _half(data, 0, order)


def _q2_k(data: Array, order: str) -> Array:
    scales, codes = data[:, :16], _shifted(data[:, 16:80], 2, (0, 2, 4, 6), 3).astype("f4")
    step, low = _half(data, 80, order), _half(data, 82, order)
    result: Array = _repeat(step * (scales & 15), 16) * codes - _repeat(low * (scales >> 4), 16)
    return result


def _q3_k(data: Array, order: str) -> Array:
    import numpy as np

    high = _shifted(data[:, :32], 1, tuple(range(8)), 1)
    codes = _shifted(data[:, 32:96], 2, (0, 2, 4, 6), 3).astype("f4") - 4 * (1 - high.astype("f4"))
    scales = _nibbles(data[:, 96:104]) | (_shifted(data[:, 104:108], 1, (0, 2, 4, 6), 3) << 4)
    step = _half(data, 108, order) * (scales.astype(np.float32) - 32)
    numbers: Array = _repeat(step, 16) * codes
    return numbers


def _six_bits(data: Array) -> tuple[Array, Array]:
    """Return the eight scales and the eight minima that twelve bytes hold."""
    import numpy as np

    first, second, last = data[:, :4], data[:, 4:8], data[:, 8:]
    scales = np.concatenate([first & 63, (last & 15) | ((first >> 6) << 4)], 1)
    low = np.concatenate([second & 63, (last >> 4) | ((second >> 6) << 4)], 1)
    return scales, low


def _q4_k(data: Array, order: str) -> Array:
    return _with_minima(data, _nibbles(data[:, 16:], 4), order)


def _q5_k(data: Array, order: str) -> Array:
    high = _shifted(data[:, 16:48], 1, tuple(range(8)), 1)
    return _with_minima(data, _nibbles(data[:, 48:], 4) | (high << 4), order)


def _with_minima(data: Array, codes: Array, order: str) -> Array:
    scales, low = _six_bits(data[:, 4:16])
    step, least = _half(data, 0, order) * scales, _half(data, 2, order) * low
    numbers: Array = _repeat(step, 32) * codes.astype("f4") - _repeat(least, 32)
    return numbers


def _q6_k(data: Array, order: str) -> Array:
    low = _nibbles(data[:, :128], 2)
    codes = low | (_shifted(data[:, 128:192], 2, (0, 2, 4, 6), 3) << 4)
    step = _half(data, 208, order) * data[:, 192:208].view("i1").astype("f4")
    numbers: Array = _repeat(step, 16) * (codes.astype("f4") - 32)
    return numbers


def _iq4_nl(data: Array, order: str) -> Array:
    import numpy as np

    return np.asarray(_NONLINEAR, np.float32)[_nibbles(data[:, 2:])] * _half(data, 0, order)


def _iq4_xs(data: Array, order: str) -> Array:
    import numpy as np

    high = np.ascontiguousarray(data[:, 2:4]).view(f"{order}u2")
    low = np.stack([data[:, 4:8] & 15, data[:, 4:8] >> 4], 2).reshape(len(data), 8)
    scales = low | (((high >> np.arange(0, 16, 2, dtype=np.uint16)) & 3) << 4).astype(np.uint8)
    step = _half(data, 0, order) * (scales.astype(np.float32) - 32)
    return _repeat(step, 32) * np.asarray(_NONLINEAR, np.float32)[_nibbles(data[:, 8:], 8)]


def _mxfp4(data: Array, order: str) -> Array:
    import numpy as np

    step = np.ldexp(np.float32(1), data[:, :1].astype(np.int32) - 127)
    result: Array = np.asarray(E2M1, np.float32)[_nibbles(data[:, 1:])] * step
    return result


def _nvfp4(data: Array, order: str) -> Array:
    import numpy as np

    # Four floats of four bits of exponent and three of mantissa, without a sign.
    exponent, mantissa = data[:, :4].astype(np.int32) >> 3, (data[:, :4] & 7).astype(np.float32)
    normal = np.ldexp(1 + mantissa / 8, (exponent & 15) - 7)
    scales = np.where(exponent & 15, normal, mantissa * np.float32(2**-9))
    scales = np.where(data[:, :4] == 0x7F, np.float32(0), scales)
    result: Array = _repeat(scales, 16) * np.asarray(E2M1, np.float32)[_nibbles(data[:, 4:], 4)]
    return result


def _tq1_0(data: Array, order: str) -> Array:
    import numpy as np

    parts = []
    for start, end, digits in ((0, 32, 5), (32, 48, 5), (48, 52, 4)):
        powers = np.asarray([3**n for n in range(digits)], np.uint8)[:, None]
        moved = data[:, None, start:end] * powers  # wraps, as it is meant to
        parts.append(((moved.astype(np.uint16) * 3) >> 8).reshape(len(data), -1))
    codes: Array = np.concatenate(parts, 1).astype(np.float32) - 1
    return codes * _half(data, 52, order)


def _tq2_0(data: Array, order: str) -> Array:
    return (_shifted(data[:, :64], 2, (0, 2, 4, 6), 3).astype("f4") - 1) * _half(data, 64, order)


#: The types whose numbers are computed here; :mod:`shapeinspect_gguf.code_books` has further ones. Those of
#: Q8_1 are not: its block has 36 bytes in ggml (two floats of 16 bits), and 40 in ggml's Python package.
DEQUANTIZE: dict[str, Blocks] = {
    "Q4_0": _q4_0, "Q4_1": _q4_1, "Q5_0": _q5_0, "Q5_1": _q5_1, "Q8_0": _q8_0, "Q2_K": _q2_k, "Q3_K": _q3_k,
    "Q4_K": _q4_k, "Q5_K": _q5_k, "Q6_K": _q6_k, "IQ4_NL": _iq4_nl, "IQ4_XS": _iq4_xs, "MXFP4": _mxfp4,
    "NVFP4": _nvfp4, "Q8_K": _q8_k, "Q1_0": _q1_0, "TQ1_0": _tq1_0, "TQ2_0": _tq2_0,
}  # fmt: skip
