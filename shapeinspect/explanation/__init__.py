"""Why every number is what it is: the derivation of a layer's shapes, weights and work, as data."""

from __future__ import annotations

from collections.abc import Container

from shapeinspect.explanation.graph import Graph
from shapeinspect.explanation.layer import explain_layer
from shapeinspect.explanation.receptive_field import Fields
from shapeinspect.explanation.values import (
    AxisFact,
    CallFact,
    FieldFact,
    Formula,
    LayerExplanation,
    Reading,
    TensorFact,
    WeightFact,
    WindowFact,
    Work,
)
from shapeinspect.ir import Model

__all__ = [
    "AxisFact",
    "CallFact",
    "FieldFact",
    "Formula",
    "LayerExplanation",
    "Reading",
    "TensorFact",
    "WeightFact",
    "WindowFact",
    "Work",
    "explain_model",
]


def explain_model(
    model: Model, path: str | None = None, among: Container[str] | None = None
) -> tuple[LayerExplanation, ...]:
    """Explain one layer, or every layer that changes a shape.

    Args:
        model: a model that went through ``infer``.
        path: the layer's path; None for all that change a shape.
        among: the paths of the layers to choose those from, or all of these where none changes a shape;
            None for all.

    Example:
        >>> from shapeinspect.ir import Layer
        >>> explain_model(Model("m", "onnx", "onnx", "onnx", (Layer("c", "conv", "Conv"),)), "c")[0].kind
        'conv'
    """
    graph = Graph(model)
    fields = Fields(graph)
    if path is not None:
        return (explain_layer(graph, fields, graph.layers[path]),)
    wanted = graph.layers.keys() if among is None else among
    called = dict.fromkeys(call.layer for call in model.calls)
    chosen = [path for path in called if _changes(graph, path)]
    if not model.calls:
        chosen = [layer.path for layer in model.layers if layer.weights]
    paths = [path for path in chosen if path in wanted]
    if among is not None and not paths:  # asked for, and none changes a shape
        paths = [layer.path for layer in model.layers if layer.path in among]
    return tuple(explain_layer(graph, fields, graph.layers[path]) for path in paths)


def _changes(graph: Graph, path: str) -> bool:
    layer = graph.layers.get(path)
    if layer is None or layer.kind in ("module", "input", "constant", "shape_of"):
        return False
    for call in graph.calls_of(path):
        inputs, outputs = graph.inputs(call), graph.outputs(call)
        if layer.kind == "softmax" or (outputs and outputs[0] is not None and outputs[0] not in inputs):
            return True
    return False
