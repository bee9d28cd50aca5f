"""MLX: values packed into 32-bit words along the last axis, the lowest bits first.

Source: ``mlx.core.quantize`` (modes ``affine``: ``w = scale * q + bias``; ``mxfp4``, ``mxfp8`` and ``nvfp4``:
no biases, scales of one byte) and mlx-lm's ``quantization`` in ``config.json``: ``bits``, ``group_size``, and
the same again under the path of a layer that differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import gcd
from typing import TYPE_CHECKING, Any

from shapeinspect.binary.quantized import E2M1, spread, unpack
from shapeinspect.dims import UNKNOWN
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect_torch.quantized.declared import Declared
from shapeinspect_torch.quantized.parts import folded, present, with_scales

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_WORD = 32
_BITS, _GROUPS = (2, 3, 4, 5, 6, 8), (16, 32, 64, 128)
#: The modes without biases, by how many words a scale has: name, element, bits, group.
_FLOATS = {
    2: ("nvfp4", "float4_e2m1fn", 4, 16),
    4: ("mxfp4", "float4_e2m1fn", 4, 32),
    8: ("mxfp8", "float8_e4m3fn", 8, 32),
}


def read(prefix: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight that MLX packed.

    Args:
        prefix: the layer's path and a dot.
        weights: all weights by name.
        declared: the configuration.
    """
    found = with_scales(weights, f"{prefix}weight", f"{prefix}scales", ("uint32",))
    if found is None:
        return None
    (main, stored, scales, many), biases = found, weights.get(f"{prefix}biases")
    if len(stored) < 2 or stored[:-1] != many[:-1] or (biases is not None and biases.shape != scales.shape):
        return None
    names = ((scales.name,), present(weights, prefix, "biases"))
    if biases is None and scales.dtype == "uint8":
        return _floats(main, scales, stored, many)
    path = prefix.removesuffix(".")
    bits, group = _sizes(
        stored[-1], many[-1], declared.whole("bits", path), declared.whole("group_size", path)
    )
    if bits is None or group is None:
        how = Quantization("mlx", scales=names[0], zero_points=names[1])
        return folded(main, (*stored[:-1], UNKNOWN), how, None)
    shape = (*stored[:-1], _WORD * stored[-1] // bits)
    words = bits // gcd(bits, _WORD)
    how = Quantization(
        "mlx",
        f"int{bits}",
        bits,
        (*(1,) * len(stored[:-1]), group),
        Packing(stored, "uint32", len(stored) - 1, _WORD * words // bits, words),
        *names,
    )
    return folded(main, shape, how, partial(_affine, bits, group), main, scales, biases)


def _sizes(words: int, groups: int, bits: int | None, group: int | None) -> tuple[int | None, int | None]:
    """Return bits and group if they fit the lengths, or the only ones that do."""
    fitting = [
        (b, g)
        for b in _BITS
        for g in _GROUPS
        if b * g * groups == _WORD * words and (bits, group) in ((b, g), (None, None))
    ]
    return fitting[0] if len(fitting) == 1 else (None, None)


def _affine(bits: int, group: int, words: Array, scales: Array, biases: Array | None) -> Array:
    import numpy as np

    numbers = unpack(words, bits, words.ndim - 1).astype(np.float32)
    block = (*(1,) * (words.ndim - 1), group)
    numbers *= spread(scales.astype(np.float32), numbers.shape, block)
    if biases is not None:
        numbers += spread(biases.astype(np.float32), numbers.shape, block)
    return numbers


def _floats(main: Weight, scales: Weight, stored: tuple[int, ...], many: tuple[int, ...]) -> Weight | None:
    if stored[-1] % many[-1] or stored[-1] // many[-1] not in _FLOATS:
        return None
    name, element, bits, group = _FLOATS[stored[-1] // many[-1]]
    block = (*(1,) * len(stored[:-1]), group)
    packing = Packing(stored, "uint32", len(stored) - 1, _WORD // bits)
    how = Quantization(f"mlx {name}", element, bits, block, packing, (scales.name,))
    shape = (*stored[:-1], _WORD * stored[-1] // bits)
    return folded(main, shape, how, partial(_scaled, name, bits, block), main, scales)


def _scaled(name: str, bits: int, block: tuple[int, ...], words: Array, scales: Array) -> Array:
    import numpy as np

    from shapeinspect_torch.vocabulary.element_types import element_type

    codes = unpack(words, bits, words.ndim - 1)
    if bits == 4:
        numbers = np.asarray(E2M1, np.float32)[codes]
    else:
        numbers = codes.view(element_type("float8_e4m3fn")).astype(np.float32)
    if name == "nvfp4":
        factors = scales.view(element_type("float8_e4m3fn")).astype(np.float32)
    else:
        factors = np.ldexp(np.float32(1), scales.astype(np.int32) - 127)
    result: Array = numbers * spread(factors, numbers.shape, block)
    return result
