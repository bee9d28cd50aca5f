"""Counts the multiply-accumulates of every call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shapeinspect.dims import Shape
from shapeinspect.infer.settings import attributes_of, inputs_of
from shapeinspect.ir import Call, Layer, Model
from shapeinspect.rules import macs


def count_work(
    model: Model, layers: Mapping[str, Layer], shapes: Mapping[str, Shape | None]
) -> tuple[Call, ...]:
    """Return the calls with their multiply-accumulates; None where they cannot be known.

    A container counts nothing of its own: the calls inside it do.

    Args:
        model: the model.
        layers: its layers by path.
        shapes: the shape of every value.

    Example:
        >>> count_work(Model("m", "onnx", "onnx", "onnx"), {}, {})
        ()
    """
    counted = []
    for call in model.calls:
        layer = layers.get(call.layer)
        work = None
        if call.macs is None and layer is not None and layer.kind != "module":
            outputs = tuple([shapes.get(name) for name in call.outputs])
            work = macs(
                layer.kind, attributes_of(layer, call, model.values), inputs_of(layer, call, shapes), outputs
            )
        counted.append(call if work is None else replace(call, macs=work))
    return tuple(counted)
