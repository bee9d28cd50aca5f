"""HQQ: groups of the reshaped weight, packed from its first rows and later ones together.

Source: ``hqq/core/quantize.py`` (``HQQLinear.state_dict``, ``Quantizer.dequantize``: ``(q - zero) * scale``,
reshaped) and ``hqq/core/bitpack.py`` (the highest bits of an element hold a value of the first rows).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect_torch.quantized.declared import Declared
from shapeinspect_torch.quantized.parts import folded, integers, lengths, present

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_MOST_AXES = 8
_STATE = (
    "nbits", "group_size", "shape", "axis", "packing", "unpack_view_dtype", "view_as_float", "quant_scale",
    "quant_zero", "compute_dtype", "offload_meta", "encoded_state_dict", "stores_quant_config",
    "channel_wise", "optimize", "round_zero", "scale_q", "zero_q", "meta_scale.scale", "meta_scale.zero",
    "meta_zero.scale", "meta_zero.zero",
)  # fmt: skip


def read(prefix: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight that HQQ packed.

    Args:
        prefix: the layer's path and a dot.
        weights: all weights by name.
        declared: the configuration.
    """
    main = weights.get(f"{prefix}W_q")
    # In a pickle the settings may be no tensors, and they may stand one level deeper.
    inner = f"{prefix}meta." if f"{prefix}meta.scale" in weights else prefix
    scale = weights.get(f"{inner}scale")
    stored = lengths(main)
    if main is None or stored is None or len(stored) != 2:
        return None
    zero = weights.get(f"{inner}zero")

    def told(role: str) -> tuple[int, ...]:
        return integers(weights.get(inner + role)) or declared.scalars.get(inner + role, ())

    path = prefix.removesuffix(".")
    bits = _single(told("nbits")) or declared.whole("bits", path)
    group = _single(told("group_size")) or declared.whole("group_size", path)
    axis, shape = _single(told("axis")), told("shape")
    each = 10 if bits == 3 else 8 // bits if bits in (1, 2, 4, 8) else 0
    values = each * prod(stored)
    fits = 0 < len(shape) <= _MOST_AXES and all(n > 0 for n in shape) and prod(shape) <= values
    fits = fits and (values - prod(shape) < 10 * stored[1] if bits == 3 else values == prod(shape))
    block: tuple[int | None, ...] | None = None
    if fits and group and axis == 1 and scale is not None and scale.size == prod(shape) / group:
        block = (1, group) if len(shape) == 2 and shape[1] % group == 0 else (group,)
    how = Quantization(
        "hqq",
        f"int{bits}" if each else "",
        bits if each else None,
        block,
        Packing(stored, main.dtype or "uint8", None, each) if each > 1 else None,
        present(weights, inner, "scale"),
        present(weights, inner, "zero"),
        present(weights, inner, *_STATE),
    )
    if not fits or bits is None:
        return folded(main, (UNKNOWN, UNKNOWN), how, None)
    usual = main.dtype in ("uint8", "int32") and scale is not None and zero is not None
    return folded(main, shape, how, partial(_values, bits, shape) if usual else None, main, scale, zero)


def _single(numbers: tuple[int, ...]) -> int | None:
    return numbers[0] if len(numbers) == 1 else None


def _values(bits: int, shape: tuple[int, ...], stored: Array, scale: Array, zero: Array) -> Array:
    import numpy as np

    each = 10 if bits == 3 else 8 // bits
    shifts = [bits * (each - 1 - part) for part in range(each)]
    rows = np.concatenate([(stored >> shift) & ((1 << bits) - 1) for shift in shifts])
    rows = rows[: prod(shape) // stored.shape[1]].astype(np.float32)
    rows -= zero.astype(np.float32)
    rows *= scale.astype(np.float32)
    numbers: Array = rows.reshape(shape)
    return numbers
