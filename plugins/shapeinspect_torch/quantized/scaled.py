"""Weights beside their scales: compressed-tensors, DeepSeek's and other FP8, TensorRT Model Optimizer's.

Source: ``compressed_tensors/compressors`` (``pack_to_int32``: a stream of bits along the last axis, values
plus half their range, zero points packed along the first axis; ``nvfp4``: over ``weight_global_scale``),
``transformers/integrations/finegrained_fp8.py`` (``weight_scale_inv`` multiplies), the unified checkpoints of
TensorRT Model Optimizer (``weight_scale``, ``weight_scale_2``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import gcd
from typing import TYPE_CHECKING, Any

from shapeinspect.binary.quantized import affine, spread, unpack
from shapeinspect.dims import UNKNOWN
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect_torch.quantized.declared import Declared
from shapeinspect_torch.quantized.microscaling import factors, fours
from shapeinspect_torch.quantized.parts import (
    block_of,
    folded,
    hidden,
    integers,
    lengths,
    present,
    with_scales,
)

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_WORD = 32
_BESIDE = ("_shape", "_g_idx", "_global_scale", "_scale_2", "_zero_point_2")
_ZEROS = ("_zero_point",)


def read_packed(stem: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight that compressed-tensors packed.

    Args:
        stem: its name without ``_packed``.
        weights: all weights by name.
        declared: the configuration.
    """
    found = with_scales(weights, f"{stem}_packed", f"{stem}_scale")
    if found is None or len(found.stored) < 2:
        return None
    main, stored, scales, many = found
    if main.dtype == "uint8":
        return _four_bit_floats(stem, main, scales, weights, "compressed-tensors", divide=True)
    state = present(weights, stem, *_BESIDE)
    if main.dtype not in ("int32", "uint32"):
        return hidden(main, "compressed-tensors", (scales.name,), state)
    path = stem.rpartition(".")[0]
    bits, inputs = _sizes(stored, many, weights.get(f"{stem}_shape"), declared, path)
    zeros = weights.get(f"{stem}_zero_point")
    names = ((scales.name,), present(weights, stem, *_ZEROS), state)
    if bits is None:
        how = Quantization("compressed-tensors", "", None, None, None, *names)
        return folded(main, (*stored[:-1], UNKNOWN), how, None)
    words = bits // gcd(bits, _WORD)
    packing = Packing(stored, main.dtype, len(stored) - 1, _WORD * words // bits, words)
    if inputs is None:
        how = Quantization("compressed-tensors", f"int{bits}", bits, None, packing, *names)
        return folded(main, (*stored[:-1], UNKNOWN), how, None)
    shape = (*stored[:-1], inputs)
    size = declared.whole("group_size", path)
    block = block_of(many, shape, (1, size) if size else declared.lengths("block_structure", path) or ())
    how = Quantization("compressed-tensors", f"int{bits}", bits, block, packing, *names)
    compute = partial(_integers, bits, shape, block) if block is not None and zeros_fit(zeros) else None
    return folded(main, shape, how, compute, main, scales, zeros, weights.get(f"{stem}_g_idx"))


def zeros_fit(zeros: Weight | None) -> bool:
    """Tell whether zero points are absent, or packed like the values of a matrix.

    Args:
        zeros: the zero points.
    """
    return zeros is None or zeros.dtype != "int32" or len(zeros.shape) == 2


def _sizes(
    stored: tuple[int, ...], many: tuple[int, ...], whole: Weight | None, declared: Declared, path: str
) -> tuple[int | None, int | None]:
    """Return the bits and the last length of a packed weight, each None where nothing states it."""
    bits, size = declared.whole("bits", path), declared.whole("group_size", path)
    bits = bits if bits is not None and bits <= 8 else None
    grouped = size is not None and len(many) == len(stored) and many[-1] > 1
    if (
        bits is not None
        and size is not None
        and grouped
        and -(-many[-1] * size * bits // _WORD) == stored[-1]
    ):
        return bits, many[-1] * size  # whole groups: the shape need not be read
    shape = integers(whole)
    inputs = shape[-1] if shape[:-1] == stored[:-1] and shape[-1] > 0 else None
    if inputs is None and size is not None and len(many) == len(stored) and many[-1] > 1:
        inputs = many[-1] * size
    if inputs is not None:
        fitting = [b for b in range(1, 9) if -(-inputs * b // _WORD) == stored[-1]]
        if bits not in fitting:
            bits = fitting[0] if len(fitting) == 1 and bits is None else None
            inputs = inputs if fitting else None
    elif bits is not None and len(many) == len(stored) and many[-1] * bits >= _WORD:
        # Of the lengths that take as many words, at most one is a multiple of so many groups.
        longest = stored[-1] * _WORD // bits // many[-1] * many[-1]
        inputs = longest if -(-longest * bits // _WORD) == stored[-1] else None
    return bits, inputs


def _integers(
    bits: int,
    shape: tuple[int, ...],
    block: tuple[int | None, ...],
    words: Array,
    scales: Array,
    zeros: Array | None,
    group_of: Array | None,
) -> Array:
    import numpy as np

    half = 1 << (bits - 1)
    codes = unpack(words, bits, words.ndim - 1)[..., : shape[-1]].astype(np.int16) - half
    offsets = None
    if zeros is not None:
        offsets = zeros
        if zeros.dtype == np.int32:
            offsets = unpack(zeros, bits, 0)[: shape[0]].astype(np.int16) - half
    if (
        group_of is not None
        and group_of.size == shape[-1]
        and 0 <= group_of.min() <= group_of.max() < scales.shape[-1]
    ):
        return affine(codes, scales[..., group_of], None if offsets is None else offsets[..., group_of])
    return affine(codes, scales.reshape(_ranked(scales, shape)), offsets, block)


def _ranked(scales: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    if scales.size == 1:
        return (1,) * len(shape)
    return (*scales.shape, *(1,) * (len(shape) - scales.ndim))


def _four_bit_floats(
    stem: str, main: Weight, scales: Weight, weights: Mapping[str, Weight], scheme: str, *, divide: bool
) -> Weight:
    stored, many = lengths(main) or (), lengths(scales) or ()
    state = present(weights, stem, *_BESIDE)
    whole = weights.get(f"{stem}_global_scale") or weights.get(f"{stem}_scale_2")
    shape = (*stored[:-1], 2 * stored[-1])
    names = (scales.name, *([whole.name] if whole is not None else []))
    state = tuple(name for name in state if name not in names)
    if many[:-1] != shape[:-1] or shape[-1] not in (16 * many[-1], 32 * many[-1]):
        return hidden(main, scheme, names, (*present(weights, stem, *_ZEROS), *state))
    block = (*(1,) * (len(shape) - 1), shape[-1] // many[-1])
    kind = "nvfp4" if block[-1] == 16 else "mxfp4"
    how = Quantization(
        kind if scheme != "compressed-tensors" else f"{scheme} {kind}",
        "float4_e2m1fn",
        4,
        block,
        Packing(stored, "uint8", len(shape) - 1, 2),
        names,
        present(weights, stem, *_ZEROS),
        state,
    )
    return folded(main, shape, how, partial(fours, shape, block, divide=divide), main, scales, whole)


def read_scaled(ending: str, name: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight of eight-bit elements that has its scales beside it.

    Args:
        ending: the ending of the scales: ``_scale`` or ``_scale_inv``.
        name: what stands before it: the name of the weight.
        weights: all weights by name.
        declared: the configuration.
    """
    return _scaled_by(weights.get(name), weights.get(name + ending), name, ending, weights, declared)


def read_beside(prefix: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight whose scales are exponents named ``scale``, as DeepSeek stores them.

    Args:
        prefix: the layer's path and a dot.
        weights: all weights by name.
        declared: the configuration.
    """
    scales = weights.get(f"{prefix}scale")
    if scales is None or scales.dtype != "float8_e8m0fnu":
        return None
    return _scaled_by(weights.get(f"{prefix}weight"), scales, f"{prefix}weight", ".scale", weights, declared)


def _scaled_by(
    main: Weight | None,
    scales: Weight | None,
    name: str,
    ending: str,
    weights: Mapping[str, Weight],
    declared: Declared,
) -> Weight | None:
    shape = lengths(main)
    if main is None or scales is None or shape is None or main.dtype is None or scales.size is None:
        return None
    float8 = main.dtype.startswith("float8_e") and main.dtype != "float8_e8m0fnu"
    if not float8 and main.dtype not in ("int8", "uint8"):
        return None
    path = name.rpartition(".")[0]
    scheme = _scheme(ending, declared, float8)
    if main.dtype == "uint8" or (main.dtype == "int8" and scales.dtype == "float8_e8m0fnu"):
        return _bytes_of_fours(name, main, scales, weights, scheme)
    many = lengths(scales)
    given = declared.lengths("weight_block_size", path) or declared.lengths("block_structure", path) or ()
    size = declared.whole("group_size", path)
    block = (
        block_of(many, shape, given or ((1, size) if size and len(shape) > 1 else ()))
        if many is not None
        else None
    )
    state = present(weights, name, *_BESIDE)
    zeros = weights.get(f"{name}_zero_point")
    how = Quantization(
        scheme, main.dtype, 8, block, None, (scales.name,), present(weights, name, *_ZEROS), state
    )
    compute = None if block is None else partial(_scaled, block)
    return folded(main, shape, how, compute, main, scales, zeros)


def _scheme(ending: str, declared: Declared, float8: bool) -> str:
    if declared.method in ("compressed-tensors", "fbgemm_fp8", "quark"):
        return declared.method
    return "fp8" if float8 else "int8" if ending == "_scale" else "fp4"


def _scaled(block: tuple[int | None, ...], codes: Array, scales: Array, zeros: Array | None) -> Array:
    import numpy as np

    numbers = codes.astype(np.float32)
    if zeros is not None:
        numbers = numbers - spread(
            zeros.astype(np.float32).reshape(_ranked(zeros, codes.shape)), codes.shape, block
        )
    factor = factors(scales).reshape(_ranked(scales, codes.shape))
    result: Array = numbers * spread(factor, codes.shape, block)
    return result


def _bytes_of_fours(
    name: str, main: Weight, scales: Weight, weights: Mapping[str, Weight], scheme: str
) -> Weight | None:
    stored, many = lengths(main) or (), lengths(scales)
    if many is None or len(stored) < 2:
        return None
    if many[:-1] == (2 * stored[0], *stored[1:-1]) and stored[-1] % many[-1] == 0:
        # Model Optimizer packs integers of four bits along the first axis.
        shape = (2 * stored[0], *stored[1:])
        block = (*(1,) * (len(shape) - 1), stored[-1] // many[-1])
        packing = Packing(stored, "uint8", 0, 2)
        state = present(weights, name, *_BESIDE)
        how = Quantization("modelopt", "int4", 4, block, packing, (scales.name,), state=state)
        return folded(main, shape, how, None)
    return _four_bit_floats(name, main, scales, weights, scheme if scheme != "fp8" else "fp4", divide=False)
