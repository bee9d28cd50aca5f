"""Four-bit floats in blocks that share a scale: two values a byte, the lower half first.

Source: OCP Microscaling Formats (MX) Specification 1.0 (blocks of 32, scales that are powers of two), gpt-oss
and ``transformers/integrations/mxfp4.py`` (``_blocks`` … × blocks × 16 bytes, ``_scales`` … × blocks).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from shapeinspect.binary.quantized import E2M1, spread, unpack
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect_torch.quantized.declared import Declared
from shapeinspect_torch.quantized.parts import folded, with_scales

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_BLOCK = 32


def read(stem: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight whose blocks have an axis of their own.

    Args:
        stem: its name without ``_blocks``.
        weights: all weights by name.
        declared: the configuration.
    """
    found = with_scales(weights, f"{stem}_blocks", f"{stem}_scales", ("uint8",))
    if found is None or len(found.stored) < 3 or found.stored[:-1] != found.many:
        return None
    main, stored, scales, _ = found
    each = 2 * stored[-1]
    shape = (*stored[:-2], stored[-2] * each)
    block = (*(1,) * (len(shape) - 1), each)
    packing = Packing(stored, "uint8", len(shape) - 1, 2)
    how = Quantization("mxfp4", "float4_e2m1fn", 4, block, packing, (scales.name,))
    return folded(main, shape, how, partial(fours, shape, block), main, scales)


def fours(
    shape: tuple[int, ...],
    block: tuple[int | None, ...],
    stored: Array,
    scales: Array,
    whole: Array | None = None,
    *,
    divide: bool = False,
) -> Array:
    """Return the numbers of four-bit floats.

    Args:
        shape: the logical lengths.
        block: how many values share a scale along each axis.
        stored: bytes of two values each.
        scales: one for each block; bytes are exponents.
        whole: one more scale, of the whole weight.
        divide: whether numbers are divided by that one.
    """
    import numpy as np

    codes = unpack(stored.reshape((*shape[:-1], -1)).view(np.uint8), 4, len(shape) - 1)
    numbers: Array = np.asarray(E2M1, np.float32)[codes] * spread(factors(scales), shape, block)
    if whole is not None:
        last = whole.astype(np.float32)
        last = last.reshape((*last.shape, *(1,) * (len(shape) - last.ndim)) if last.size > 1 else ())
        if divide:
            numbers /= last
        else:
            numbers *= last
    return numbers


def factors(scales: Array) -> Array:
    """Return scales as float32; bytes are exponents of two, from -127 on.

    Args:
        scales: as they are stored.
    """
    import numpy as np

    if scales.dtype == np.uint8:
        result: Array = np.ldexp(np.float32(1), scales.astype(np.int32) - 127)
        return result
    return scales.astype(np.float32)
