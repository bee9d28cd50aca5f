"""Weights that MLX packed into words of 32 bits: how many values a word holds, a configuration says.

Source: ``mlx.core.quantize``: ``weight`` … × words as ``uint32``, ``scales`` and ``biases`` … × groups; mode
``affine``: ``scale * q + bias``; ``quantization`` of the ``config.json`` beside the archive, as mlx-examples
and mlx-lm write it, with the same again under the path of a layer that differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import gcd
from typing import TYPE_CHECKING, Any

from shapeinspect.binary.json_text import parse_object
from shapeinspect.binary.quantized import spread, unpack
from shapeinspect.dims import UNKNOWN
from shapeinspect.errors import ShapeInspectError
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect.sources.source import Source

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_WORD = 32
_BITS, _GROUPS = (2, 3, 4, 5, 6, 8), (16, 32, 64, 128)
_MAX_CONFIG = 4 << 20


def settings_beside(source: Source) -> Mapping[str, Any]:
    """Return what the ``config.json`` beside an archive says of its quantization; empty where there is none.

    Args:
        source: the archive.
    """
    try:
        file = source.sibling("config.json")
        if (file.size or 0) > _MAX_CONFIG:
            return {}
        with file.open() as opened:
            content = parse_object(
                opened.read(_MAX_CONFIG), source.label, "its config.json", long_integers=True
            )
    except (ShapeInspectError, OSError):
        return {}
    found = content.get("quantization")
    return found if isinstance(found, dict) and found.get("mode", "affine") == "affine" else {}


def unpacked(weights: Sequence[Weight], settings: Callable[[], Mapping[str, Any]] = dict) -> list[Weight]:
    """Return packed weights as those that they stand for, and their scales and biases as state.

    Without the number of bits, the last length of a packed weight is unknown.

    Args:
        weights: the arrays of an archive, by their full names.
        settings: reads what a configuration says; called where something is packed.

    Example:
        >>> stored = {"q.weight": ("uint32", (48, 8)), "q.scales": ("float16", (48, 2))}
        >>> read = unpacked([Weight(name, name, shape, dtype) for name, (dtype, shape) in stored.items()])
        >>> read[0].shape, read[1].buffer
        ((48, ?), True)
    """
    by_name = {weight.name: weight for weight in weights}
    packed: dict[str, Weight] = {}
    state: set[str] = set()
    told: Mapping[str, Any] | None = None
    for weight in weights:
        prefix = weight.name.removesuffix("scales")
        main = by_name.get(f"{prefix}weight")
        if prefix == weight.name or prefix[-1:] not in ("", ".", "/") or main is None:
            continue
        if main.dtype != "uint32" or len(main.shape) < 2 or main.shape[:-1] != weight.shape[:-1]:
            continue
        biases = tuple(name for name in (f"{prefix}biases",) if name in by_name)
        how = Quantization("mlx", scales=(weight.name,), zero_points=biases)
        told = settings() if told is None else told
        hidden = replace(main, shape=(*main.shape[:-1], UNKNOWN), quantization=how, values=None)
        own = told.get(prefix[:-1], told)
        packed[main.name] = _read(main, weight, by_name.get(f"{prefix}biases"), how, own) or hidden
        state.update(how.companions)
    return [
        replace(weight, buffer=True, trainable=False)
        if weight.name in state
        else packed.get(weight.name, weight)
        for weight in weights
    ]


def _read(
    main: Weight, scales: Weight, biases: Weight | None, how: Quantization, settings: object
) -> Weight | None:
    """Return the weight that words stand for; None where the settings do not fit them."""
    if not isinstance(settings, Mapping) or biases is None or biases.shape != scales.shape:
        return None
    bits, group, words, groups = (
        settings.get("bits"),
        settings.get("group_size"),
        main.shape[-1],
        scales.shape[-1],
    )
    if bits not in _BITS or group not in _GROUPS or not isinstance(words, int) or not isinstance(groups, int):
        return None
    if bits * group * groups != _WORD * words:
        return None
    block = (*(1,) * (len(main.shape) - 1), group)
    stored = tuple(length for length in main.shape if isinstance(length, int))
    together = bits // gcd(bits, _WORD)
    packing = Packing(stored, "uint32", len(stored) - 1, _WORD * together // bits, together)
    readers = [part.values for part in (main, scales, biases)]
    return replace(
        main,
        shape=(*main.shape[:-1], group * groups),
        quantization=replace(how, element=f"int{bits}", bits=bits, block=block, packing=packing),
        values=partial(_values, bits, block, readers) if None not in readers else None,
    )


def _values(bits: int, block: tuple[int, ...], readers: Sequence[Any]) -> Array:
    import numpy as np

    words, scales, biases = (reader() for reader in readers)
    numbers: Array = unpack(words, bits, words.ndim - 1).astype(np.float32)
    numbers *= spread(scales.astype(np.float32), numbers.shape, block)
    numbers += spread(biases.astype(np.float32), numbers.shape, block)
    return numbers
