"""Joins the operators that TensorFlow split a layer norm into.

Source: https://www.tensorflow.org/api_docs/python/tf/nn/batch_normalization with the mean and the variance of
the input: the converter keeps its products and sums.
"""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect_tensorflow.graph.flow import Ref, Step
from shapeinspect_tensorflow.graph.folding import LAYER_NORM, layer_norms
from shapeinspect_tensorflow.graph.node_view import Held, View
from shapeinspect_tensorflow.graph.nodes import Node
from shapeinspect_tensorflow.graph.nodes import Tensor as Constant
from shapeinspect_tensorflow.graph.settings.norm import layer_norm_kind
from shapeinspect_tensorflow.tflite.file import Operator, Subgraph, Tensor

_NAMES = {
    "ADD": "AddV2", "MUL": "Mul", "NEG": "Neg", "MEAN": "Mean", "RSQRT": "Rsqrt",
    "SQUARED_DIFFERENCE": "SquaredDifference",
}  # fmt: skip


def normed(graph: Subgraph) -> Subgraph:
    """Return a graph in which each layer norm is one operator.

    Args:
        graph: one graph of the file.

    Example:
        >>> normed(Subgraph("g", (), (), (), ())).operators
        ()
    """
    if not any(operator.op == "RSQRT" for operator in graph.operators):
        return graph
    steps = [_constant(index, tensor) for index, tensor in enumerate(graph.tensors) if tensor.stored]
    steps += [_step(place, operator) for place, operator in enumerate(graph.operators)]
    tensors, gone = list(graph.tensors), set[str]()
    joined: dict[str, Operator] = {}
    for step, inner in layer_norms(steps, [Ref(str(index)) for index in graph.outputs]):
        inputs = [-1 if ref is None else int(ref.path) for ref in step.inputs]
        axes = step.node.attributes["axes"]
        if not _is_layer_norm(graph, inputs, axes):
            continue
        for slot, index in enumerate(inputs):
            if slot and index >= 0:
                inputs[slot] = len(tensors)
                tensors.append(_narrow(graph.tensors[index], axes))
        options = {"epsilon": step.node.attributes["epsilon"], "axes": axes}
        joined[step.path] = Operator(LAYER_NORM, "", tuple(inputs), (int(step.path),), options)
        gone |= inner
    paths = [step.path for step in steps[len(steps) - len(graph.operators) :]]
    operators = tuple(
        joined.get(path, operator)
        for path, operator in zip(paths, graph.operators, strict=True)
        if path not in gone
    )
    return replace(graph, tensors=tuple(tensors), operators=operators)


def _constant(index: int, tensor: Tensor) -> Step:
    value = Constant(0, tensor.shape or (), numbers=tensor.numbers, scalar=tensor.scalar)
    return Step(str(index), Node("", "Const", (), {"value": value}), ())


def _step(place: int, operator: Operator) -> Step:
    """Return an operator as a step; one with a fused function is no part of a norm."""
    options = operator.options or {}
    op = "" if options.get("fused") or len(operator.outputs) != 1 else _NAMES.get(operator.op, "")
    first = operator.outputs[0] if len(operator.outputs) == 1 else -1
    path = str(first) if first >= 0 else f"operator {place}"
    inputs = tuple(Ref(str(index)) if index >= 0 else None for index in operator.inputs)
    return Step(path, Node("", op, (), options), inputs)


def _shape(tensor: Tensor) -> Shape | None:
    if tensor.shape is None:
        return None
    free = tensor.signature or tensor.shape
    return tuple(UNKNOWN if want < 0 else length for want, length in zip(free, tensor.shape, strict=True))


def _is_layer_norm(graph: Subgraph, inputs: list[int], axes: tuple[int, ...]) -> bool:
    """Tell whether scale and offset have the normalized axes and are plain numbers."""
    tensors = [graph.tensors[index] if index >= 0 else None for index in inputs]
    if any(tensor is not None and tensor.quantization is not None for tensor in tensors):
        return False
    held = tuple(
        Held(tensor.name, tensor.shape or (), tensor.shape or (), 0) if tensor and tensor.stored else None
        for tensor in tensors
    )
    shapes = tuple(None if tensor is None else _shape(tensor) for tensor in tensors)
    return layer_norm_kind(View(LAYER_NORM, {"axes": axes}, held, shapes)) == "layer_norm"


def _narrow(stored: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return a scale or offset without its axes of length 1 that are not normalized."""
    shape = stored.shape or ()
    count = len(shape)
    places = sorted(axis % count for axis in axes if -count <= axis < count)
    return replace(stored, shape=tuple(shape[place] for place in places), signature=())
