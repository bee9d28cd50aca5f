"""Fixes for a flatten whose feature count follows the input size: a pool before it makes it constant."""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt

from shapeinspect.ir import Layer
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.sizes.requirements import demand_of
from shapeinspect.plugin_api.changes import OnOperand
from shapeinspect.plugin_api.rerun import Failure

#: Kinds allowed between the flatten and the layer after it.
_BETWEEN = frozenset({"dropout", "activation", "identity", "flatten"})


def pooled(failure: Failure) -> Iterator[Fix]:
    """Yield an adaptive pool before the flatten whose result the failed layer reads.

    Args:
        failure: where the run ended.
    """
    values = failure.model.values
    shapes = tuple(values[name].shape for name in failure.inputs if name in values)
    demand = demand_of(failure.layer, shapes)
    if demand is None or failure.layer.kind != "linear":
        return
    producers = {name: index for index, call in enumerate(failure.model.calls) for name in call.outputs}
    layers = {layer.path: layer for layer in failure.model.layers}
    last = any(layer.attributes.get("data_format") == "channels_last" for layer in layers.values())
    name = failure.inputs[0]
    while name in producers:
        index = producers[name]
        call = failure.model.calls[index]
        layer = layers.get(call.layer)
        if layer is None or not call.inputs:
            return
        value = values.get(call.inputs[0])
        shape = value.shape if value is not None else None
        if shape is None:
            return
        if _is_flatten(layer) and len(shape) == 4:
            channels = shape[3 if last else 1]
            side = isqrt(demand.wanted // channels) if isinstance(channels, int) and channels else 0
            if side and side * side * channels == demand.wanted:
                step = ("adaptive_pool_last" if last else "adaptive_pool", (side, side))
                yield Fix("input-size", (OnOperand(index, 0, (step,)),), Rung.POOLED)
            return
        if layer.kind not in _BETWEEN:
            return
        name = call.inputs[0]


def _is_flatten(layer: Layer) -> bool:
    return layer.kind in ("flatten", "reshape")
