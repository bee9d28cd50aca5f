"""Hands weights that are stored packed to the operators that use them.

A model whose weights are 16-bit floats, or sparse, holds an operator for each weight that unpacks it. These
compute nothing of the network's: the weight belongs to the convolution behind them.
"""

from __future__ import annotations

from dataclasses import replace

from shapeinspect_tensorflow.tflite.file import Subgraph

#: The operators that change how a weight is held and nothing else.
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
    kept = []
    for one in graph.operators:
        if one.op in _UNPACKS and len(one.inputs) == len(one.outputs) == 1:
            (index,), (made,) = one.inputs, one.outputs
            packed = stored.get(index, index)
            constant = packed >= 0 and graph.tensors[packed].stored and packed not in graph.inputs
            if constant and made not in graph.outputs and _alike(graph, packed, made):
                stored[made] = packed
                continue
        kept.append(one)
    if not stored:
        return graph
    operators = tuple(
        replace(one, inputs=tuple(stored.get(index, index) for index in one.inputs)) for one in kept
    )
    return replace(graph, operators=operators)


def _alike(graph: Subgraph, packed: int, made: int) -> bool:
    return graph.tensors[packed].shape == graph.tensors[made].shape
