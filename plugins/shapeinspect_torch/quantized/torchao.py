"""torchao's tensor subclasses as safetensors: their parts by name, their attributes in the header.

Source: ``torchao/prototype/safetensors/safetensors_support.py`` (``flatten_tensor_state_dict``): tensor
``m.weight`` is stored as ``m._weight_qdata``, ``m._weight_scale`` …; the header's metadata has, under
``m.weight``, its ``_type`` and ``_data``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from shapeinspect.binary.json_text import parse_object
from shapeinspect.binary.quantized import affine, unpack
from shapeinspect.dims import UNKNOWN
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect_torch.quantized.declared import Declared
from shapeinspect_torch.quantized.parts import folded, lengths, present

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: An element type and its bits.
_ELEMENT = re.compile(r"(?:u?int|float)([1-9]|1[0-6])(?:_[a-z0-9]{1,16})?", re.ASCII)
_MOST_AXES = 64
_SCALES, _ZEROS = ("scale",), ("zero_point",)
#: Scales and zero points in one tensor: the tiles of a GPU's kernel have them so.
_BOTH = "scale_and_zero"
_STATE = (
    "act_pre_scale",
    "act_quant_scale",
    "act_quant_zero_point",
    "per_tensor_scale",
    "act_per_tensor_scale",
)


def read(stem: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight that torchao flattened.

    Args:
        stem: its name without ``qdata``.
        weights: all weights by name.
        declared: the configuration.
    """
    path, _, role = stem.rpartition(".")
    main = weights.get(f"{stem}qdata")
    scaled = any(stem + part in weights for part in (*_SCALES, _BOTH))
    if main is None or not role.startswith("_") or not role.endswith("_") or not scaled:
        return None
    name = f"{path}.{role[1:-1]}" if path else role[1:-1]
    kind, facts = _described(declared.metadata.get(name, ""))
    parts = {part: weights.get(stem + part) for part in (*_SCALES, *_ZEROS)}
    names = (
        present(weights, stem, *_SCALES, _BOTH),
        present(weights, stem, *_ZEROS),
        present(weights, stem, *_STATE),
    )
    return quantized(main, kind, facts, parts, names)


def _described(text: str) -> tuple[str, Mapping[str, Any]]:
    try:
        content = parse_object(text.encode(), "metadata", "the metadata") if text else {}
    except UnreadableFileError:
        content = {}
    kind, facts = content.get("_type"), content.get("_data")
    return kind if isinstance(kind, str) else "", facts if isinstance(facts, dict) else {}


def quantized(
    main: Weight,
    kind: str,
    facts: Mapping[str, Any],
    parts: Mapping[str, Weight | None],
    names: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
) -> Weight:
    """Return the weight that a subclass stands for.

    Args:
        main: its quantized data.
        kind: the class.
        facts: its attributes.
        parts: its scales and zero points.
        names: the names of scales, zero points and other state.
    """
    stored = lengths(main)
    block = _numbers(facts.get("block_size"))
    bytewise = (
        main.dtype == "int8" or (main.dtype or "").startswith("float8_e4") or main.dtype == "float8_e5m2"
    )
    shape = _numbers(facts.get("shape")) or (stored if bytewise else None)
    element, bits = _element(main, kind, facts)
    if shape is not None and prod(shape) * (bits or 1) > 8 * (main.nbytes or 0):
        shape = None  # more values than its bytes can hold
    if stored is None or shape is None:
        return folded(
            main,
            (UNKNOWN,) * len(main.shape),
            Quantization("torchao", element, bits, None, None, *names),
            None,
        )
    spans = None
    if block is not None and len(block) == len(shape):
        spans = tuple(None if span == n and n > 1 else span for span, n in zip(block, shape, strict=True))
    packing = None
    if stored != shape and bits is not None and main.nbytes and prod(shape) * bits == 8 * main.nbytes:
        along = len(shape) - 1 if stored[:-1] == shape[:-1] else None
        packing = Packing(stored, main.dtype or "uint8", along, prod(shape) // prod(stored))
    how = Quantization("torchao", element, bits, spans, packing, *names)
    compute = None
    if stored == shape and spans is not None:
        compute = partial(plain, spans)
    elif kind == "Int4Tensor" and packing is not None and packing.axis is not None and spans is not None:
        compute = partial(_fours, spans)
    return folded(main, shape, how, compute, main, parts.get("scale"), parts.get("zero_point"))


def _numbers(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= _MOST_AXES:
        return None
    return tuple(value) if all(type(n) is int and n > 0 for n in value) else None


def _element(main: Weight, kind: str, facts: Mapping[str, Any]) -> tuple[str, int | None]:
    target = facts.get("target_dtype")
    if isinstance(target, dict):
        target = target.get("_data")
    if isinstance(target, str):
        name = target.removeprefix("torch.")
        match = _ELEMENT.fullmatch(name)
        return (name, int(match[1])) if match else ("", None)
    if kind.startswith("Int4"):
        return "int4", 4
    if kind.startswith("NVFP4"):
        return "float4_e2m1fn", 4
    return (main.dtype or "", 8) if main.dtype and main.dtype not in ("uint8", "int32") else ("", None)


def plain(block: tuple[int | None, ...], codes: Array, scales: Array, zeros: Array | None) -> Array:
    """Return the numbers of a weight that has an element for each value.

    Args:
        block: how many values share a scale along each axis.
        codes: the elements.
        scales: one for each block.
        zeros: the codes that stand for zero, or None.
    """
    scales = scales.reshape((1,) * codes.ndim) if scales.size == 1 else scales
    if zeros is not None and zeros.size == 1:
        zeros = zeros.reshape((1,) * codes.ndim)
    return affine(codes, scales, zeros, block)


def _fours(block: tuple[int | None, ...], stored: Array, scales: Array, zeros: Array | None) -> Array:
    import numpy as np

    # Scales and zero points are stored groups first; a zero point is a number, not a code.
    codes = unpack(stored.view(np.uint8), 4, stored.ndim - 1, signed=True)
    numbers = affine(codes, scales.T, None, block)
    return numbers if zeros is None else numbers + affine(np.ones_like(codes), zeros.T, None, block)
