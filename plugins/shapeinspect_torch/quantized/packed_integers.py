"""GPTQ and AWQ: integers of a few bits, packed into 32-bit words.

Source: AutoGPTQ ``QuantLinear`` and GPTQModel ``BaseQuantLinear`` (``qweight`` i·bits/32 × o, ``qzeros``
groups × o·bits/32, ``scales`` groups × o, ``g_idx`` i; ``gptq`` stores zero points less one, ``gptq_v2`` as
they are); AutoAWQ ``WQLinear_GEMM`` (``qweight`` i × o·bits/32, eight neighbors as 0 2 4 6 1 3 5 7).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import gcd
from typing import TYPE_CHECKING, Any

from shapeinspect.binary.quantized import affine, unpack
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect_torch.quantized.declared import Declared
from shapeinspect_torch.quantized.parts import folded, hidden, lengths, present

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_WORD = 32
_INTERLEAVED = (0, 4, 1, 5, 2, 6, 3, 7)


def read(prefix: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight that GPTQ or AWQ packed.

    Args:
        prefix: the layer's path and a dot.
        weights: all weights by name.
        declared: the configuration.
    """
    main, scales, zeros = (weights.get(prefix + role) for role in ("qweight", "scales", "qzeros"))
    if main is None or scales is None or main.dtype not in ("int32", "uint32"):
        return None
    path = prefix.removesuffix(".")
    stored, many, zero = lengths(main), lengths(scales), lengths(zeros)
    state = present(weights, prefix, "g_idx", "perm", "qweight_outlier")
    if stored is None or many is None or len(stored) != 2 or len(many) != 2:
        return hidden(main, "packed", (scales.name,), (*present(weights, prefix, "qzeros"), *state))
    outputs, bits = many[1], declared.whole("bits", path)
    if zero is not None and len(zero) == 2 and _WORD * zero[1] % outputs == 0:
        bits = _WORD * zero[1] // outputs
    names = {
        "scales": (scales.name,),
        "zero_points": present(weights, prefix, "qzeros"),
        "state": state,
    }
    if bits is None or bits > 8:
        return hidden(main, "packed", (scales.name,), (*names["zero_points"], *state))
    words = bits // gcd(bits, _WORD)
    values = _WORD * words // bits
    element = f"int{bits}"
    if stored[1] == outputs and _WORD * stored[0] % bits == 0:
        inputs = _WORD * stored[0] // bits
        block = _block(inputs, many[0], declared.whole("group_size", path))
        packing = Packing(stored, main.dtype, 0, values, words)
        how = Quantization("gptq", element, bits, block, packing, **names)
        plus = 0 if declared.text("checkpoint_format", path) == "gptq_v2" else 1
        group_of = weights.get(prefix + "g_idx")
        known = zeros is None or zeros.dtype in ("int32", "uint32")
        compute = partial(_gptq, bits, plus, block) if known and (block or group_of) else None
        return folded(main, (inputs, outputs), how, compute, main, scales, zeros, group_of)
    if stored[1] * _WORD == outputs * bits:
        block = _block(stored[0], many[0], declared.whole("group_size", path))
        packing = Packing(stored, main.dtype, 1, values, words)
        how = Quantization("awq", element, bits, block, packing, **names)
        awq: Callable[..., Array] | None = partial(_awq, block) if bits == 4 and block is not None else None
        return folded(main, (stored[0], outputs), how, awq, main, scales, zeros)
    return hidden(main, "packed", (scales.name,), (*names["zero_points"], *state))


def _block(inputs: int, groups: int, size: int | None) -> tuple[int | None, int] | None:
    if groups == 1:
        return None, 1
    if size is not None and -(-inputs // size) == groups:
        return size, 1
    return (inputs // groups, 1) if inputs % groups == 0 else None


def _gptq(
    bits: int,
    plus: int,
    block: tuple[int | None, int] | None,
    words: Array,
    scales: Array,
    zeros: Array | None,
    group_of: Array | None,
) -> Array:
    import numpy as np

    codes = unpack(words, bits, 0)
    if zeros is None:
        offsets = np.full(scales.shape, 1 << (bits - 1))
    else:
        offsets = unpack(zeros, bits, 1).astype(np.int32) + plus
    if (
        group_of is not None
        and group_of.size == codes.shape[0]
        and 0 <= group_of.min() <= group_of.max() < len(scales)
    ):
        return affine(codes, scales[group_of], offsets[group_of])
    return affine(codes, scales, offsets, block)


def _awq(block: tuple[int | None, int], words: Array, scales: Array, zeros: Array | None) -> Array:
    import numpy as np

    codes = _in_order(unpack(words, 4, 1))
    offsets = np.full(scales.shape, 0) if zeros is None else _in_order(unpack(zeros, 4, 1))
    return affine(codes, scales, offsets, block)


def _in_order(values: Array) -> Array:
    eights = values.reshape(values.shape[0], -1, 8)
    ordered: Array = eights[:, :, list(_INTERLEAVED)].reshape(values.shape)
    return ordered
