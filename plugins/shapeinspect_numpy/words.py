"""Weights that MLX packed into words of 32 bits: how many values a word holds is not in the archive.

Source: ``mlx.core.quantize``: ``weight`` … × words as ``uint32``, ``scales`` and ``biases`` … × groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shapeinspect.dims import UNKNOWN
from shapeinspect.ir import Quantization, Weight


def unpacked(weights: Sequence[Weight]) -> list[Weight]:
    """Return weights with the last length of packed ones unknown, and their scales and biases as state.

    Args:
        weights: the arrays of an archive, by their full names.

    Example:
        >>> stored = {"q.weight": ("uint32", (48, 8)), "q.scales": ("float16", (48, 2))}
        >>> read = unpacked([Weight(name, name, shape, dtype) for name, (dtype, shape) in stored.items()])
        >>> read[0].shape, read[1].buffer
        ((48, ?), True)
    """
    by_name = {weight.name: weight for weight in weights}
    packed: dict[str, Weight] = {}
    state: set[str] = set()
    for weight in weights:
        prefix = weight.name.removesuffix("scales")
        main = by_name.get(f"{prefix}weight")
        if prefix == weight.name or prefix[-1:] not in ("", ".", "/") or main is None:
            continue
        if main.dtype != "uint32" or len(main.shape) < 2 or main.shape[:-1] != weight.shape[:-1]:
            continue
        biases = tuple(name for name in (f"{prefix}biases",) if name in by_name)
        how = Quantization("mlx", scales=(weight.name,), zero_points=biases)
        packed[main.name] = replace(main, shape=(*main.shape[:-1], UNKNOWN), quantization=how, values=None)
        state.update(how.companions)
    return [
        replace(weight, buffer=True, trainable=False)
        if weight.name in state
        else packed.get(weight.name, weight)
        for weight in weights
    ]
