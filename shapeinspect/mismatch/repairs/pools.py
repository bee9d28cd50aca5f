"""Proposes a pool before a flatten, so that every input size leads to the same features."""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt

from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.requirements import demand_of
from shapeinspect.plugin_api.rerun import Failure, OnOperand


def pooled(failure: Failure) -> Iterator[Fix]:
    """Yield an adaptive pool before the flatten that the failed layer reads.

    Args:
        failure: where the run ended.
    """
    shapes = tuple(
        failure.model.values[name].shape for name in failure.inputs if name in failure.model.values
    )
    demand = demand_of(failure.layer, shapes)
    if demand is None or failure.layer.kind != "linear":
        return
    producers = {name: at for at, call in enumerate(failure.model.calls) for name in call.outputs}
    layers = {layer.path: layer for layer in failure.model.layers}
    name = failure.inputs[0]
    while name in producers:
        at = producers[name]
        call = failure.model.calls[at]
        layer = layers.get(call.layer)
        value = failure.model.values.get(call.inputs[0]) if call.inputs else None
        shape = value.shape if value is not None else None
        if layer is None or shape is None or not call.inputs:
            return
        if layer.kind in ("flatten", "reshape") and len(shape) == 4 and isinstance(shape[1], int):
            side = isqrt(demand.wanted // shape[1])
            if side and side * side * shape[1] == demand.wanted:
                change = OnOperand(at, 0, (("adaptive_pool", (side, side)),))
                yield Fix("input-size", (change,), 45, f'nn.AdaptiveAvgPool2d({side}) before "{layer.path}"')
            return
        if layer.kind not in ("module", "dropout", "activation", "identity", "flatten"):
            return
        name = call.inputs[0]
        if layer.kind == "module":
            return
