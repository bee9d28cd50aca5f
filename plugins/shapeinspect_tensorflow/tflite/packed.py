"""Assigns packed weights to the operators that use them.

A model whose weights are 16-bit floats, or sparse, has an operator for each weight that unpacks it. These
are not part of the network: the weight belongs to the convolution that follows.
"""

from __future__ import annotations

from dataclasses import replace

from shapeinspect_tensorflow.tflite.file import Subgraph

#: The operators that only change how a weight is stored.
#: Source: https://ai.google.dev/edge/litert/models/post_training_quantization, float16 quantization, and
#: https://www.tensorflow.org/mlir/tfl_ops#tfldensify_tfldensifyop
_UNPACKS = frozenset({"DEQUANTIZE", "DENSIFY"})


def unpacked(graph: Subgraph) -> Subgraph:
    """Return a graph in which every operator reads stored weights as they are stored.

    Args:
        graph: one graph of the file.

    Example:
        >>> unpacked(Subgraph("g", (), (), (), ())).operators
        ()
    """
    stored: dict[int, int] = {}
    inputs, outputs = frozenset(graph.inputs), frozenset(graph.outputs)
    kept = []
    for operator in graph.operators:
        if operator.op in _UNPACKS and len(operator.inputs) == len(operator.outputs) == 1:
            (index,), (output,) = operator.inputs, operator.outputs
            packed = stored.get(index, index)
            constant = packed >= 0 and graph.tensors[packed].stored and packed not in inputs
            if constant and output not in outputs and _alike(graph, packed, output):
                stored[output] = packed
                continue
        kept.append(operator)
    if not stored:
        return graph
    operators = tuple(
        replace(operator, inputs=tuple(stored.get(index, index) for index in operator.inputs))
        for operator in kept
    )
    return replace(graph, operators=operators)


def _alike(graph: Subgraph, packed: int, output: int) -> bool:
    return graph.tensors[packed].shape == graph.tensors[output].shape
